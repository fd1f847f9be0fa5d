//! Repair of the mailbox list and of quotas on a disk that dies at every single change, and a second run on what is left:
//! it must end where an undisturbed one does.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crashes::{End, Ends, World};
use durable::disk::{Disk, RealDisk};

use super::tests::{append, name, options, rights};
use super::*;
use crate::acl::{AclMode, Identifier};
use crate::quota::QuotaLimits;

/// A damage and the tool for it.
struct Case {
    name: &'static str,
    damage: fn(&Path),
    /// Opens the store as the tool does, works, and closes it.
    run: fn(&Path, Arc<dyn Disk>) -> Result<()>,
}

const CASES: &[Case] = &[
    Case { name: "ctl_mboxlist -r from headers alone", damage: lose_everything, run: recover },
    Case { name: "ctl_mboxlist -r from a copy that is too old", damage: lose_newest, run: recover },
    Case { name: "ctl_mboxlist -r with a damaged index alone", damage: damage_index, run: recover },
    Case { name: "ctl_mboxlist -r after directories were moved", damage: move_directories, run: recover },
    Case { name: "ctl_mboxlist -u", damage: |_| {}, run: undump },
    Case { name: "quota -f", damage: spoil_quotas, run: quota },
];

fn lose_everything(dir: &Path) {
    std::fs::remove_dir_all(dir.join("config/mailboxes.db")).unwrap();
    std::fs::remove_dir_all(dir.join("config/copies")).unwrap();
}

/// The newest copy is one of the beginning.
fn lose_newest(dir: &Path) {
    std::fs::remove_dir_all(dir.join("config/mailboxes.db")).unwrap();
    for entry in std::fs::read_dir(dir.join("config/copies")).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().ends_with(".dump") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Copies are gone, and so is the mark that says how far the index went.
fn damage_index(dir: &Path) {
    std::fs::remove_dir_all(dir.join("config/copies")).unwrap();
}

fn move_directories(dir: &Path) {
    let joe = dir.join("spool/user/joe");
    std::fs::rename(joe.join("b"), joe.join("z")).unwrap();
    std::fs::remove_dir_all(dir.join("config/mailboxes.db")).unwrap();
    std::fs::remove_file(dir.join("config/copies/mailboxes.journal")).unwrap();
}

fn spoil_quotas(dir: &Path) {
    let quota = dir.join("config/quota");
    std::fs::write(quota.join("j/user.joe"), "1\n100\nM 1 -1\n").unwrap();
    std::fs::create_dir_all(quota.join("a")).unwrap();
    std::fs::write(quota.join("a/user.ann"), "1\n100\nM 1 -1\n").unwrap();
}

fn recover(dir: &Path, disk: Arc<dyn Disk>) -> Result<()> {
    let options = StoreOptions { salvage: true, create: false, boot_id: Some([1; 16]), ..options(dir) };
    let (store, report) = Store::open(options, disk)?;
    let request = ListRepair { unproven: !report.is_proved(), ..ListRepair::default() };
    store.repair_list(&request, &mut Heard::default())?;
    store.close()
}

fn undump(dir: &Path, disk: Arc<dyn Disk>) -> Result<()> {
    let store = open(dir, disk)?;
    let mut saved = SavedList::default();
    for text in ["user/joe", "user/joe/a", "user/ann", "team"] {
        let acl = Acl::parse("anyone\tlrs\t").unwrap();
        let (unique_id, uid_validity) = (UniqueId::parse(&text.replace('/', "-")), None);
        saved.insert(SavedMailbox {
            name: name(text),
            partition: None,
            acl,
            unique_id,
            uid_validity,
            special_use: vec![],
        });
    }
    saved.insert_limits(name("user/ann"), QuotaLimits { storage_kib: Some(7), messages: None });
    for mailbox in saved.mailboxes() {
        store.restore_row(mailbox, false)?;
    }
    store.restore_limits(&saved, false)?;
    store.settle();
    store.close()
}

fn quota(dir: &Path, disk: Arc<dyn Disk>) -> Result<()> {
    let store = open(dir, disk)?;
    store.repair_quotas(&QuotaRepair::default(), &mut |_| true, &mut |_| true)?;
    store.close()
}

fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<Arc<Store>> {
    Store::open(StoreOptions { boot_id: Some([1; 16]), ..options(dir) }, disk).map(|(store, _)| store)
}

/// What a repair must have led to, whatever came between: everything but times, new UIDVALIDITYs and new identities.
#[derive(PartialEq, Debug)]
struct Outcome {
    rows: Vec<String>,
    quotas: Vec<String>,
    files: Vec<String>,
}

fn outcome(dir: &Path, context: &str) -> Outcome {
    let store = open(dir, Arc::new(RealDisk)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut rows = Vec::new();
    store.list("", |_, row| {
        rows.push(format!("{} {} {} {:?}", row.name, row.unique_id, row.acl, row.quota_root));
        ControlFlow::Continue(())
    });
    let quotas =
        store.quota_roots().into_iter().map(|(root, _)| format!("{:?}", store.quota(&root).unwrap())).collect();
    let report = store.check_contents(&mut |_| {}).unwrap();
    assert!(report.findings.is_empty(), "{context}: {:#?}", report.findings);
    let mut files: Vec<_> = std::fs::read_dir(dir.join("config"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains(".bad."))
        .collect();
    files.sort();
    store.close().unwrap();
    Outcome { rows, quotas, files }
}

/// A store in order gives a second repair nothing to do.
fn has_nothing_left(dir: &Path, context: &str) {
    let (store, _) = Store::open(StoreOptions { salvage: true, ..options(dir) }, Arc::new(RealDisk)).unwrap();
    let mut heard = Heard::default();
    store.repair_list(&ListRepair::default(), &mut heard).unwrap();
    assert_eq!(heard.0, [""; 0], "{context}");
    store.close().unwrap();
}

#[derive(Default)]
struct Heard(Vec<String>);

impl ListAudience for Heard {
    fn found(&mut self, finding: &ListFinding) -> bool {
        self.0.push(finding.to_string());
        true
    }

    fn progress(&mut self, _: &str, _: u64, _: Option<u64>) -> bool {
        true
    }
}

#[test]
fn a_second_run_ends_what_a_killed_tool_began() {
    let template = crashes::directory();
    prepare(template.path());
    let ends = Ends::of(&[End::Crash { torn: 3 }, End::Full]).and_power_cuts(2);
    crashes::table("repair of the mailbox list and of quotas", CASES, |case| {
        // What an undisturbed run leads to; the first try is one.
        let expected = OnceLock::new();
        let damage = |world: &World| (case.damage)(world.path());
        let first = |world: &World, ()| {
            let done = (case.run)(world.path(), world.disk());
            assert!(done.is_ok() || !world.is_undisturbed(), "{done:?}");
        };
        let second = |world: &World, ()| {
            let context = world.to_string();
            if world.is_undisturbed() {
                expected.set(outcome(world.path(), &context)).unwrap();
                return has_nothing_left(world.path(), &context);
            }
            (case.run)(world.path(), world.disk()).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(Some(&outcome(world.path(), &context)), expected.get(), "{} killed at {context}", case.name);
        };
        crashes::every_step(case.name, template.path(), &ends, damage, first, second)
    });
}

/// joe with two folders and a quota, sue; a copy of the list, and changes after it.
fn prepare(dir: &Path) {
    let store = open(dir, Arc::new(RealDisk)).unwrap();
    store.create_user("joe", Some(QuotaLimits { storage_kib: Some(100), messages: None })).unwrap();
    store.create_user("sue", None).unwrap();
    let joe = Access::user("joe");
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    store.checkpoint().unwrap();
    store.rename(&joe, &name("user/joe/a"), &name("user/joe/b")).unwrap();
    store.create(&joe, &name("user/joe/a"), &CreateOptions::default()).unwrap();
    let sue = Identifier::parse("sue").unwrap();
    store.set_acl(&joe, &name("user/joe/b"), &sue, AclMode::Replace, rights("lrs")).unwrap();
    for text in ["user/joe", "user/joe/a", "user/joe/b", "user/sue"] {
        append(&store, text, 300).unwrap();
    }
    store.close().unwrap();
}
