//! What tools make that is no store, or not yet: backups, and the directories of a new store.

use std::fs;
use std::path::{Path, PathBuf};

use crashes::{End, Ends, World};
use mailstore::disk::RealDisk;
use rustix::io::Errno;
use tools::backup::{BackupRequest, Destination, backup, verify_backup};
use tools::mkimap::make_directories;
use tools::restore::{RestoreRequest, restore};
use tools::{CommandError, Exit};

use crate::site::{Site, Voice, layout, name, prepare};

/// Every way to end, one after the other: there are many steps, and each is like the one before.
fn ends() -> Ends {
    let (crash, cut) = (End::Crash { torn: 5 }, End::PowerCut { seed: 0 });
    Ends::default().and_in_turn(&[crash, cut, End::Full, cut, End::Error(Errno::IO), cut, End::ReadOnly])
}

/// How a backup is made.
struct Making {
    name: &'static str,
    tar: bool,
    /// Message files are linked to an earlier one.
    previous: bool,
}

const MAKINGS: [Making; 3] = [
    Making { name: "a backup", tar: false, previous: false },
    Making { name: "a backup, --previous", tar: false, previous: true },
    Making { name: "a backup, --tar", tar: true, previous: false },
];

#[test]
fn a_backup_is_whole_or_refused() {
    let template = crashes::directory();
    prepare(template.path());
    crashes::table("a backup", &MAKINGS, |making| {
        let open = |world: &World| Site::open(world, false).unwrap();
        let make = |world: &World, site: Site| {
            let made = make_backup(&site, making);
            world.acknowledged();
            // A process that dies closes nothing.
            let _ = site.close();
            made
        };
        let judge = |world: &World, made: Result<Exit, CommandError>| {
            let context = format!("{} {world}", making.name);
            // The store has not come to harm.
            let site = Site::open(world, false).unwrap_or_else(|problem| panic!("{context}: {problem}"));
            let whole = is_whole(&site, making, &context);
            assert!(whole || !matches!(made, Ok(Exit::Ok)), "{context}: {made:?}, and it is not whole");
            if !world.dies() && !world.is_undisturbed() {
                let why = format!("{made:?}");
                let known = ["No space left", "Input/output error", "Read-only file system"];
                assert!(whole || known.iter().any(|known| why.contains(known)), "{context}: {why}");
            }
            assert!(whole || !world.is_undisturbed(), "{context}");
            // The next one, to the same place, is refused as long as half of one lies there.
            let (place, aside) = (place(world.path(), making), world.path().join("half"));
            if place.exists() && fs::read_dir(&place).map_or(true, |mut entries| entries.next().is_some()) {
                let refused = make_backup(&site, making);
                assert!(refused.is_err(), "{context}: {refused:?}");
                fs::rename(place, aside).unwrap();
            }
            let again = make_backup(&site, making);
            assert!(matches!(again, Ok(Exit::Ok)), "{context}: {again:?}");
            assert!(is_whole(&site, making, &context), "{context}: the second one");
            site.close().unwrap();
        };
        crashes::every_step(making.name, template.path(), &ends(), open, make, judge)
    });
}

fn place(path: &Path, making: &Making) -> PathBuf {
    path.join(if making.tar { "saved.tar" } else { "saved" })
}

fn make_backup(site: &Site, making: &Making) -> Result<Exit, CommandError> {
    let place = place(&site.path, making);
    let request = BackupRequest {
        to: if making.tar { Destination::Archive(place) } else { Destination::Directory(place) },
        previous: making.previous.then(|| site.path.join("backup")),
        hard_link: false,
        json: false,
    };
    backup(&site.store, &site.directory, &request, &mut Voice::at(&site.path))
}

/// Whether what lies there is a backup. If not, nobody may take it for one; if so, every file of it must be right.
fn is_whole(site: &Site, making: &Making, context: &str) -> bool {
    let unpacked = crashes::directory();
    let mut saved = place(&site.path, making);
    if making.tar {
        if let Ok(file) = fs::File::open(&saved) {
            // The end of an archive that was cut off is an error of its reader; what comes before it is unpacked.
            let _ = tar::Archive::new(file).unpack(unpacked.path());
        }
        saved = unpacked.path().to_owned();
    }
    let whole = match verify_backup(&saved, &mut Voice::at(&site.path)) {
        Ok(exit) => {
            assert_eq!(exit, Exit::Ok, "{context}: half of a backup passes for a whole one");
            true
        }
        Err(problem) => {
            assert_eq!(problem.exit(), Exit::NoInput, "{context}: {problem}");
            false
        }
    };
    let request =
        RestoreRequest { from: saved, mailbox: name("user/joe"), uids: None, into: None, dry_run: true, json: false };
    let restored = restore(&site.store, &request, &mut Voice::at(&site.path));
    assert_eq!(restored.is_ok(), whole, "{context}: a restore sees it the same way: {restored:?}");
    whole
}

#[test]
fn a_tree_that_was_begun_is_ended() {
    let (nothing, half) = (crashes::directory(), crashes::directory());
    fs::create_dir_all(half.path().join("config/copies")).unwrap();
    fs::create_dir_all(half.path().join("spool/stage.")).unwrap();
    let templates = [("mkimap", nothing.path()), ("mkimap on half a tree", half.path())];
    crashes::table("directories", &templates, |(name, template)| {
        let make = |world: &World, ()| {
            let made = make_directories(&*world.disk(), &layout(world.path()), &mut Voice::at(world.path()));
            world.acknowledged();
            made.map_err(|problem| (problem.exit(), problem.to_string()))
        };
        let judge = |world: &World, made: Result<(), (Exit, String)>| {
            let context = format!("{name} {world}");
            let acknowledged = made.is_ok();
            assert!(acknowledged || !world.is_undisturbed(), "{context}: {made:?}");
            assert!(acknowledged || matches!(made, Err((Exit::CantCreate, _))), "{context}: {made:?}");
            let mut voice = Voice::at(world.path());
            make_directories(&RealDisk, &layout(world.path()), &mut voice).unwrap();
            assert!(!acknowledged || voice.out.is_empty(), "{context}: the first run had done it: {:?}", voice.out);
            // A first start finds what it needs, and takes it for a new store.
            let site = Site::open(world, false).unwrap_or_else(|problem| panic!("{context}: {problem}"));
            assert!(site.report.created, "{context}");
            site.store.create_user("joe", None).unwrap();
            site.close().unwrap();
        };
        crashes::every_step(name, template, &ends(), |_| (), make, judge)
    });
}

#[test]
fn what_is_where_a_directory_belongs_is_named() {
    for link in [false, true] {
        let dir = crashes::directory();
        let taken = dir.path().join("config/tls");
        fs::create_dir(dir.path().join("config")).unwrap();
        if link {
            std::os::unix::fs::symlink("elsewhere", &taken).unwrap();
        } else {
            fs::write(&taken, "").unwrap();
        }
        let problem = make_directories(&RealDisk, &layout(dir.path()), &mut Voice::at(dir.path())).unwrap_err();
        assert_eq!(problem.exit(), Exit::CantCreate);
        assert!(problem.to_string().contains("config/tls: is there, but is no directory"), "{problem}");
    }
}
