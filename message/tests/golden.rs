//! Malformed mail and the exact ENVELOPE and BODYSTRUCTURE we answer for it.
//!
//! Every `tests/mail/NAME.eml` has its answers beside it, `NAME.envelope` and `NAME.bodystructure`. After a change that is
//! meant, `REWRITE_GOLDEN=1 cargo test -p message --test golden` writes them anew; the diff is then for review. They were
//! compared with Dovecot and Cyrus by tests/peers/compare_structure.py.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use message::structure::Structure;
use message::{Limits, analyse};

mod imap_grammar;

#[test]
fn answers_are_as_recorded() {
    let rewrite = std::env::var_os("REWRITE_GOLDEN").is_some();
    let mut samples = 0;
    for mail in mails() {
        let analysis = analyse(&fs::read(&mail).unwrap(), &Limits::default());
        imap_grammar::check_envelope(&analysis.envelope).unwrap_or_else(|error| panic!("{}: {error}", mail.display()));
        imap_grammar::check_body(&analysis.bodystructure).unwrap_or_else(|error| panic!("{}: {error}", mail.display()));
        for (extension, answer) in [("envelope", &analysis.envelope), ("bodystructure", &analysis.bodystructure)] {
            let golden = mail.with_extension(extension);
            if rewrite {
                fs::write(&golden, answer).unwrap();
            }
            let expected = fs::read(&golden).unwrap();
            assert_eq!(String::from_utf8_lossy(answer), String::from_utf8_lossy(&expected), "{}", golden.display());
        }
        samples += 1;
    }
    assert!(samples >= 10, "the samples are gone");
}

/// The mail that other mail programs are tested with: whatever it is like, our answers follow the grammar.
#[test]
fn real_mail_has_answers_that_follow_the_grammar() {
    let mut directories = vec![Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("corpus")];
    let mut samples = 0;
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let analysis = analyse(&fs::read(&path).unwrap(), &Limits::default());
            imap_grammar::check_envelope(&analysis.envelope)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            imap_grammar::check_body(&analysis.bodystructure)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            samples += 1;
        }
    }
    if samples == 0 {
        println!("SKIPPED real_mail_has_answers_that_follow_the_grammar: tests/fetch-corpus has fetched nothing");
    }
}

/// Unix line ends change sizes, but not what the parts are.
#[test]
fn line_ends_do_not_matter() {
    let shape = |raw: &[u8]| -> Vec<_> {
        let structure = Structure::scan(raw, &Limits::default());
        structure.parts().iter().map(|part| (part.parent, part.kind, part.body_lines)).collect()
    };
    for mail in mails() {
        let raw = fs::read(&mail).unwrap();
        let unix: Vec<u8> = raw.iter().copied().filter(|&byte| byte != b'\r').collect();
        assert_eq!(shape(&raw), shape(&unix), "{}", mail.display());
    }
}

fn mails() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail");
    let mut mails: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .collect();
    mails.sort();
    mails
}
