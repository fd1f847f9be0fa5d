//! Text of the store's files: sets of UIDs, access lists and mailbox names, each read, printed and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailstore::{Acl, MailboxName, uid_set};

fuzz_target!(|text: &str| {
    if let Some(set) = uid_set::parse(text) {
        assert_eq!(uid_set::parse(&uid_set::format(&set)).as_ref(), Some(&set));
    }
    if let Some(acl) = Acl::parse(text) {
        assert_eq!(Acl::parse(&acl.to_string()).as_ref(), Some(&acl));
    }
    if let Ok(name) = MailboxName::parse(text) {
        assert_eq!(MailboxName::parse(name.as_str()).as_ref(), Ok(&name));
        assert!(!name.as_str().split('/').any(|part| part.is_empty() || part == "." || part == ".."));
    }
});
