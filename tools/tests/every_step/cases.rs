//! The tools, each with what there is for it to do.

use std::fs;
use std::path::Path;
use std::time::Duration;

use directory::{Actor, Secret, Service};
use mailstore::{Access, CreateOptions, Mismatch, RepairOptions, Store};
use tools::backup::{BackupRequest, Destination, backup, verify_backup};
use tools::deliveries::{dump_deliveries, prune_deliveries};
use tools::examine::{Examine, MissingFiles, examine, missing_files};
use tools::expire::{Expire, Purge, expire, purge};
use tools::mboxlist::{DumpList, RecoverList, UndumpList, dump_list, recover_list, undump_list, verify_list};
use tools::quota::{QuotaRequest, quota};
use tools::reconstruct::{Reconstruct, reconstruct};
use tools::restore::{RestoreRequest, restore};
use tools::subscriptions::{SubsRequest, subs};
use tools::unexpunge::{Unexpunge, Which, unexpunge};
use tools::user::{AddUser, add_user};
use tools::{CommandError, DeliverRequest, Exit, ImportRequest, Quoting, Source, deliver, import};

use crate::site::{Site, Voice, name, text};

/// A damage (or nothing), and the tool that is run on it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) damage: fn(&Path),
    pub(crate) run: fn(&Site, &mut Voice) -> Result<Exit, CommandError>,
    /// It opens a store that a server would not start on.
    pub(crate) salvages: bool,
    /// A message may be there twice: whoever had no answer sends it again.
    pub(crate) twice: bool,
}

impl Case {
    /// Whether it has done what it was asked to.
    pub(crate) fn succeeds(&self, exit: Exit) -> bool {
        exit == Exit::Ok
    }
}

const BASE: Case = Case { name: "", damage: |_| {}, run: |_, _| Ok(Exit::Ok), salvages: false, twice: false };

fn inbox(path: &Path) -> std::path::PathBuf {
    path.join("spool/user/joe")
}

/// Index, header and a message lost; a message put back; a directory that nobody lists.
fn wreck(path: &Path) {
    let joe = inbox(path);
    fs::remove_file(joe.join("cyrus.index")).unwrap();
    fs::remove_file(joe.join("a/cyrus.header")).unwrap();
    fs::remove_file(joe.join("b/1.")).unwrap();
    fs::write(joe.join("b/7."), text(12)).unwrap();
    fs::remove_file(path.join("spool/user/sue/cyrus.cache")).unwrap();
    fs::create_dir(joe.join("found")).unwrap();
    fs::write(joe.join("found/3."), text(13)).unwrap();
}

fn lose_list(path: &Path) {
    fs::remove_dir_all(path.join("config/mailboxes.db")).unwrap();
    for entry in fs::read_dir(path.join("config/copies")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("mailboxes.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn spoil_quotas(path: &Path) {
    fs::write(path.join("config/quota/j/user.joe"), "1\n1000\nM 1 -1\n").unwrap();
}

/// Two directories that nobody lists, one of them elsewhere.
fn unlist(path: &Path) {
    let big = path.join("big/user/ann");
    fs::create_dir_all(&big).unwrap();
    fs::write(big.join("3."), text(14)).unwrap();
    fs::create_dir_all(big.join("deep")).unwrap();
    fs::write(big.join("deep/1."), text(15)).unwrap();
}

fn repair() -> Reconstruct {
    let repair = RepairOptions { settling: Duration::ZERO, ..RepairOptions::default() };
    Reconstruct { recursive: true, find: true, repair, ..Reconstruct::default() }
}

/// `reconstruct`, then `quota -f`, as an operator does it.
fn in_order(site: &Site, request: &Reconstruct, voice: &mut Voice) -> Result<Exit, CommandError> {
    match reconstruct(&site.store, request, voice)? {
        Exit::Ok => quota(&site.store, &QuotaRequest { fix: true, ..QuotaRequest::default() }, voice),
        other => Ok(other),
    }
}

fn add(site: &Site) -> Result<Exit, CommandError> {
    let request = AddUser {
        user: "ann".into(),
        mail: None,
        given_name: "Ann".into(),
        surname: "Ott".into(),
        admin: false,
        quota_mib: Some(7),
    };
    let service = Service::new(&site.directory, Actor::server());
    match add_user(&site.store, &service, &request, &Secret::new(b"correct-horse".to_vec())) {
        // A killed run had come to its end, but for the answer.
        Ok(_) | Err(CommandError::Directory(directory::Error::Exists { .. })) => Ok(Exit::Ok),
        Err(problem) => Err(problem),
    }
}

fn create(store: &Store) -> mailstore::Result<()> {
    for folder in ["user/joe/new", "user/joe/new/below"] {
        match store.create(&Access::user("joe"), &name(folder), &CreateOptions::default()) {
            Ok(_) | Err(mailstore::Error::Exists(_)) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

fn restore_into(site: &Site, voice: &mut Voice, into: Option<&str>) -> Result<Exit, CommandError> {
    let request = RestoreRequest {
        from: "backup".into(),
        mailbox: name("user/joe"),
        uids: None,
        into: into.map(name),
        dry_run: false,
        json: false,
    };
    restore(&site.store, &request, voice)
}

fn import_from(site: &Site, voice: &mut Voice, source: Source) -> Exit {
    let request =
        ImportRequest { source, target: name("user/joe/imported"), ignore_quota: false, resume: true, json: false };
    import(&site.store, voice, &request)
}

/// The tools that change something.
pub(crate) const CASES: &[Case] = &[
    Case { name: "reconstruct -r -f", damage: wreck, run: |site, voice| in_order(site, &repair(), voice), ..BASE },
    Case {
        name: "reconstruct -G -R",
        damage: |path| {
            fs::write(inbox(path).join("2."), text(2).to_uppercase()).unwrap();
            fs::write(inbox(path).join("a/1."), text(16)).unwrap();
        },
        run: |site, voice| {
            let mut request = repair();
            (request.repair.contents, request.repair.mismatch) = (true, Mismatch::Renumber);
            in_order(site, &request, voice)
        },
        ..BASE
    },
    Case {
        name: "reconstruct -x -p big -P DIRECTORY",
        damage: unlist,
        run: |site, voice| {
            let path = Some(site.path.join("big/user/ann"));
            let partition = Some("big".to_owned());
            reconstruct(&site.store, &Reconstruct { only_list: true, partition, path, ..repair() }, voice)
        },
        ..BASE
    },
    Case {
        name: "ctl_mboxlist -r",
        damage: lose_list,
        run: |site, voice| {
            let request = RecoverList { opened: Some(site.report.clone()), ..RecoverList::default() };
            recover_list(&site.store, request, voice)
        },
        salvages: true,
        ..BASE
    },
    Case {
        name: "ctl_mboxlist -r --prune",
        damage: |path| fs::remove_dir_all(inbox(path).join("b")).unwrap(),
        run: |site, voice| {
            let request = RecoverList { opened: Some(site.report.clone()), prune: true, ..RecoverList::default() };
            recover_list(&site.store, request, voice)
        },
        salvages: true,
        ..BASE
    },
    Case {
        name: "ctl_mboxlist -u",
        run: |site, voice| {
            let list = b"user.ann\t0 default ann\tlrswipkxtecdan\tanyone\tp\t\nuser.joe.a\t0 default joe\tlrswipkxtecdan\tsue\tlr\t\n";
            undump_list(&site.store, list, UndumpList::default(), voice)
        },
        ..BASE
    },
    Case {
        name: "ctl_mboxlist -d -x",
        run: |site, voice| {
            let request = DumpList { partition: Some("default".into()), purge: true, json: false };
            dump_list(&site.store, &request, voice)
        },
        ..BASE
    },
    Case {
        name: "quota -f",
        damage: spoil_quotas,
        run: |site, voice| quota(&site.store, &QuotaRequest { fix: true, ..QuotaRequest::default() }, voice),
        ..BASE
    },
    Case {
        name: "quota -f --deep",
        damage: spoil_quotas,
        run: |site, voice| {
            quota(&site.store, &QuotaRequest { fix: true, deep: true, ..QuotaRequest::default() }, voice)
        },
        ..BASE
    },
    Case {
        name: "cyr_expire",
        run: |site, voice| {
            let request = Expire { deleted: Some(-10), deliveries: Some(10), expunged: Some(-10), ..Expire::default() };
            expire(&site.store, &request, voice)
        },
        ..BASE
    },
    Case {
        name: "ipurge",
        run: |site, voice| {
            let request = Purge { users: true, size: Some(100), skip_flagged: true, ..Purge::default() };
            purge(&site.store, &request, voice)
        },
        ..BASE
    },
    Case {
        name: "unexpunge",
        run: |site, voice| {
            let request =
                Unexpunge { mailbox: "user/joe".into(), list: false, which: Which::All, dry_run: false, json: false };
            unexpunge(&site.store, &request, voice)
        },
        ..BASE
    },
    Case { name: "ctl_deliver -E", run: |site, voice| prune_deliveries(&site.store, 3, 2_000_000_000, voice), ..BASE },
    Case {
        name: "ctl_cyrusdb -r",
        damage: |path| fs::remove_dir_all(path.join("config/mailboxes.db")).unwrap(),
        ..BASE
    },
    Case {
        name: "ctl_cyrusdb -c",
        run: |site, _| tools::copies::checkpoint(&site.store, &site.directory).map(|()| Exit::Ok),
        ..BASE
    },
    Case {
        name: "subs --repair",
        damage: |path| {
            fs::write(path.join("config/user/j/joe.sub"), b"user/joe/z\t\nuser/joe\t\n\xff\xfe\t\n../x\t\n").unwrap();
        },
        run: |site, voice| subs(&site.store, &SubsRequest { repair: true, ..SubsRequest::default() }, voice),
        ..BASE
    },
    Case {
        name: "backup, to another place the second time",
        run: |site, voice| {
            let to = (0..).map(|n| site.path.join(format!("saved-{n}"))).find(|path| !path.exists()).unwrap();
            let previous = Some(site.path.join("backup"));
            let request =
                BackupRequest { to: Destination::Directory(to.clone()), previous, hard_link: false, json: false };
            match backup(&site.store, &site.directory, &request, voice)? {
                Exit::Ok => verify_backup(&to, voice),
                other => Ok(other),
            }
        },
        ..BASE
    },
    Case {
        name: "restore into place",
        damage: |path| {
            fs::remove_file(inbox(path).join("2.")).unwrap();
            fs::remove_file(inbox(path).join("cyrus.index")).unwrap();
        },
        run: |site, voice| {
            let exit = in_order(site, &repair(), voice)?;
            if exit != Exit::Ok { Ok(exit) } else { restore_into(site, voice, None) }
        },
        ..BASE
    },
    Case {
        name: "restore into another folder",
        run: |site, voice| restore_into(site, voice, Some("user/sue/from-joe")),
        ..BASE
    },
    Case {
        name: "import of an mbox",
        run: |site, voice| {
            let (path, quoting) = (Some("mbox".into()), Quoting::default());
            Ok(import_from(site, voice, Source::Mbox { path, from: 0, quoting }))
        },
        ..BASE
    },
    Case {
        name: "import of a Maildir",
        run: |site, voice| Ok(import_from(site, voice, Source::Maildir { path: "maildir".into() })),
        ..BASE
    },
    Case {
        name: "deliver",
        run: |site, voice| {
            voice.stdin = std::io::Cursor::new(text(40).into_bytes());
            let request = DeliverRequest { users: vec!["joe".into(), "sue".into()], ..DeliverRequest::default() };
            Ok(deliver(&site.store, voice, &request))
        },
        twice: true,
        ..BASE
    },
    Case { name: "user add", run: |site, _| add(site), ..BASE },
    Case {
        name: "user deletion",
        run: |site, _| match site.store.delete_user("joe") {
            Ok(()) | Err(mailstore::Error::NotFound(_)) => Ok(Exit::Ok),
            Err(problem) => Err(problem.into()),
        },
        ..BASE
    },
    Case { name: "creation of mailboxes", run: |site, _| Ok(create(&site.store).map(|()| Exit::Ok)?), ..BASE },
    Case {
        name: "deletion of a mailbox",
        run: |site, _| match site.store.delete(&Access::user("joe"), &name("user/joe/b")) {
            Ok(()) | Err(mailstore::Error::NotFound(_)) => Ok(Exit::Ok),
            Err(problem) => Err(problem.into()),
        },
        ..BASE
    },
];

/// The tools that only look, on a store that is damaged in every way that they look for. (Those that open mailboxes as
/// sessions do, `check` and the dry runs of `cyr_expire` and `ipurge`, may find a mailbox that heals as it is opened.)
pub(crate) const READERS: &[Case] = &[
    Case {
        name: "chk_cyrus",
        damage: wreck,
        run: |site, voice| missing_files(&site.store, &MissingFiles::default(), voice),
        ..BASE
    },
    Case {
        name: "mbexamine",
        damage: wreck,
        run: |site, voice| examine(&site.store, &Examine::default(), voice),
        ..BASE
    },
    Case { name: "ctl_mboxlist -v", damage: wreck, run: |site, voice| verify_list(&site.store, false, voice), ..BASE },
    Case {
        name: "ctl_mboxlist -d",
        damage: wreck,
        run: |site, voice| dump_list(&site.store, &DumpList::default(), voice),
        ..BASE
    },
    Case {
        name: "reconstruct -n -r -f",
        damage: wreck,
        run: |site, voice| {
            let mut request = repair();
            request.repair.dry_run = true;
            reconstruct(&site.store, &request, voice)
        },
        ..BASE
    },
    Case {
        name: "quota -f -n",
        damage: spoil_quotas,
        run: |site, voice| {
            quota(&site.store, &QuotaRequest { fix: true, dry_run: true, ..QuotaRequest::default() }, voice)
        },
        ..BASE
    },
    Case { name: "ctl_deliver -d", run: |site, voice| dump_deliveries(&site.store, voice), ..BASE },
    Case { name: "subs --check", run: |site, voice| subs(&site.store, &SubsRequest::default(), voice), ..BASE },
];
