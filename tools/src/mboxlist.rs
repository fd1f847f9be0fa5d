//! The mailbox list: dumping, loading, checking and recovering it. Cyrus' `ctl_mboxlist`.

mod dump;
mod recover;
pub mod saved;
mod undump;

pub use dump::{DumpList, dump_list};
pub use recover::{RecoverList, recover_list, verify_list};
pub use undump::{UndumpList, undump_list};
