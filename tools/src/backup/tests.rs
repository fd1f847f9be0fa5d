//! A backup of a store that goes on while it is made.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use directory::{DomainName, HashCost, Settings};
use mailstore::disk::RealDisk;
use mailstore::{Access, CreateOptions, Layout, StoreOptions};

use super::*;
use crate::fixture::{Fixture, Recorder, name};

/// A console on whose standard output the archive goes by; something happens when a file has gone by.
struct Busy<'a> {
    recorder: Recorder,
    /// The beginning of the file's path.
    after: &'a str,
    happens: &'a dyn Fn(),
    happened: Cell<bool>,
}

impl Console for Busy<'_> {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.recorder.out(line)
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        if octets.starts_with(self.after.as_bytes()) && !self.happened.replace(true) {
            (self.happens)();
        }
        self.recorder.octets(octets)
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.recorder.err(line)
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        self.recorder.progress(progress)
    }

    fn stdin(&mut self) -> &mut dyn io::BufRead {
        self.recorder.stdin()
    }

    fn directory(&self) -> &Path {
        self.recorder.directory()
    }
}

/// The mailbox list and the directory change, and get new copies, while those are copied: what the backup has of them must
/// prove complete, whichever of the files the change came after.
#[test]
fn copies_that_are_rotated_meanwhile_prove_complete() {
    for after in ["config/copies/directory.", "config/copies/mailboxes.0", "config/copies/mailboxes.j"] {
        let fixture = Fixture::new();
        let settings = Settings {
            primary_domain: DomainName::parse("example.org").unwrap(),
            admins: vec![],
            hash_cost: HashCost { memory_kib: 8, passes: 1 },
            scram: directory::ScramCost::default(),
        };
        let config = fixture.dir.path().join("config");
        let (directory, _) = directory::Embedded::open(&config, Arc::new(RealDisk), true, &settings).unwrap();
        fixture.store.checkpoint().unwrap();
        let happens = || {
            for round in 0..3 {
                let folder = name(&format!("user/joe/meanwhile-{round}"));
                fixture.store.create(&Access::user("joe"), &folder, &CreateOptions::default()).unwrap();
                fixture.store.checkpoint().unwrap();
                directory.checkpoint().unwrap();
            }
        };
        let mut console = Busy { recorder: Recorder::default(), after, happens: &happens, happened: Cell::new(false) };
        let request = BackupRequest { to: Destination::Stdout, previous: None, hard_link: false, json: false };
        assert_eq!(backup(&fixture.store, &directory, &request, &mut console).unwrap(), Exit::Ok, "{after}");
        assert!(console.happened.get(), "{after}: nothing of that name went by");
        let unpacked = tempfile::tempdir().unwrap();
        tar::Archive::new(&console.recorder.octets[..]).unpack(unpacked.path()).unwrap();
        assert_eq!(verify_backup(unpacked.path(), &mut Recorder::default()).unwrap(), Exit::Ok, "{after}");
        let layout = Layout::new(unpacked.path().join("config"), unpacked.path().join("spool/default"));
        let (store, report) = Store::open(StoreOptions::new(layout), Arc::new(RealDisk)).unwrap();
        assert!(report.is_proved() && !report.created, "{after}: {report:?}");
        for mailbox in ["user/joe", "user/joe/Lists", "user/sue"] {
            assert!(store.row(&name(mailbox)).is_some(), "{after}: {mailbox}");
        }
        store.close().unwrap();
        let config = unpacked.path().join("config");
        directory::Embedded::open(&config, Arc::new(RealDisk), false, &settings).unwrap();
    }
}
