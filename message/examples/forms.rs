//! Prints the IMAP-ready forms of message files: what a FETCH of ENVELOPE, BODYSTRUCTURE and BODY would answer.
//!
//! ```text
//! cargo run -p message --example forms -- FILE...
//! ```
//!
//! One line of the form `* n FETCH (ENVELOPE ... BODYSTRUCTURE ... BODY ...)` for each file, literals included, so that
//! whatever reads IMAP reads this: tests/peers/compare_structure.py does.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (number, file) in std::env::args_os().skip(1).enumerate() {
        let raw = std::fs::read(file)?;
        let analysis = message::analyse(&raw, &message::Limits::default());
        write!(out, "* {} FETCH (ENVELOPE ", number + 1)?;
        out.write_all(&analysis.envelope)?;
        out.write_all(b" BODYSTRUCTURE ")?;
        out.write_all(&analysis.bodystructure)?;
        out.write_all(b" BODY ")?;
        out.write_all(&analysis.body)?;
        out.write_all(b")\r\n")?;
    }
    out.flush()
}
