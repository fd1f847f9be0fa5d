//! An import while the world ends at every step: the same import again, after the next start, leads to where an undisturbed one
//! leads, and nobody is ever there by halves.

use std::io::Cursor;
use std::path::Path;

use crashes::{End, Ends, World};
use directory::{Actor, Directory, Service, UserId, UserState};
use rustix::io::Errno;
use tools::transfer::{ExportRequest, Format, ImportRequest, export, import};
use tools::{CommandError, Console, Exit, accounts};

use crate::site::{Site, Voice, name, open_good};

/// Everything that an import can do: joe is there, and is changed; one of his addresses goes to somebody new.
const ROWS: &str = r#"
{"privileges":{"default_folders":["Sent"]}}
{"domain":{"name":"example.net","description":"new"}}
{"alias":{"address":"outer@example.net","owners":["ann"],"aliases":["inner@example.net"],"groups":["staff"]}}
{"alias":{"address":"inner@example.net","owners":["ann"],"users":["bob"],"joinable":false}}
{"alias":{"address":"postmaster@example.net","owners":["admin","ann"],"users":["ann"]}}
{"user":{"uid":"cat","mail":"j@example.org"}}
{"user":{"uid":"joe","alternates":[],"contact":{"title":"Dr"},"quota_limit_mib":3,"credentials":{"hash":"{PLAIN}x"}}}
{"user":{"uid":"ann","mail":"ann@example.net","forwarding":{"to":["outer@example.net"],"keep_copy":true},"quota_limit_mib":7,"password_hash":"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}}
{"user":{"uid":"bob","mail":"bob@example.net","state":"disabled","groups":["staff"],"alternates":["b@example.net"]}}
"#;

#[test]
fn an_import_that_was_cut_short_goes_on() {
    let template = crashes::directory();
    joe(template.path());
    let expected = {
        let whole = crashes::directory();
        crashes::copy_tree(template.path(), whole.path());
        let site = open_good(whole.path()).unwrap();
        assert_eq!(bring(&site).unwrap(), Exit::Ok);
        site.close().unwrap();
        rows(whole.path(), "undisturbed", true)
    };
    let cut = End::PowerCut { seed: 0 };
    let crash = End::Crash { torn: 30 };
    let ends = Ends::default().and_in_turn(&[crash, cut, End::Full, cut, crash, End::Error(Errno::IO)]);
    crashes::table("import", &["import"], |case| {
        let open = |world: &World| Site::open(world, false).unwrap();
        let operate = |world: &World, site: Site| {
            let done = bring(&site);
            world.acknowledged();
            assert!(matches!(done, Ok(Exit::Ok)) || !world.is_undisturbed(), "{done:?}");
            matches!(done, Ok(Exit::Ok))
        };
        let judge = |world: &World, acknowledged: bool| {
            let context = format!("{world} acknowledged {acknowledged}");
            let before = rows(world.path(), &context, acknowledged);
            assert!(!acknowledged || before == expected, "{context}: was promised: {before}");
            let site = open_good(world.path()).unwrap();
            let again = bring(&site);
            assert!(matches!(again, Ok(Exit::Ok)), "{context}: {again:?}");
            site.close().unwrap();
            assert_eq!(rows(world.path(), &context, true), expected, "{context}");
        };
        crashes::every_step(case, template.path(), &ends, open, operate, judge)
    });
}

/// The import.
fn bring(site: &Site) -> Result<Exit, CommandError> {
    let request = ImportRequest {
        name: "rows".into(),
        format: None,
        dry_run: false,
        replace: true,
        keep_going: false,
        keep_primary: false,
        json: false,
        actor: Actor::operator(0),
    };
    let mut voice = Voice::at(&site.path);
    voice.stdin = Cursor::new(ROWS.as_bytes().to_vec());
    let (exit, _) = import(&site.store, &site.directory, &request, &mut voice)?;
    assert!(exit == Exit::Ok || !voice.err.is_empty());
    Ok(exit)
}

/// What an export says after the next start, in which everybody is whole.
fn rows(path: &Path, context: &str, whole: bool) -> String {
    let site = open_good(path).unwrap_or_else(|problem| panic!("{context}: {problem}"));
    let service = Service::new(&site.directory, Actor::server());
    accounts::resume(&site.store, &service).unwrap_or_else(|problem| panic!("{context}: {problem}"));
    let folders = service.privileges().unwrap().default_folders;
    for user in site.directory.users(None).unwrap() {
        assert!(matches!(user.state, UserState::Active | UserState::Disabled), "{context}: {user:?}");
        assert_eq!(user.state == UserState::Disabled, user.uid.as_str() == "bob", "{context}");
        let inbox = name(&format!("user/{}", user.uid));
        let limit = site.store.quota_limits(&inbox).and_then(|limits| limits.storage_kib);
        // A user who is there is changed row first.
        let may_differ = !whole && user.uid.as_str() == "joe";
        assert!(may_differ || limit == user.quota_limit_mib.map(|mib| mib * 1024), "{context}: {user:?}");
        let mut subscribed = vec![inbox];
        if user.uid.as_str() != "joe" {
            subscribed.extend(folders.iter().map(|folder| name(&format!("user/{}/{folder}", user.uid))));
        }
        assert!(subscribed.iter().all(|mailbox| site.store.row(mailbox).is_some()), "{context}: {subscribed:?}");
        assert_eq!(site.store.subscriptions(user.uid.as_str()).unwrap(), subscribed, "{context}");
    }
    let mut told = Told { voice: Voice::at(path), text: Vec::new() };
    let request = ExportRequest { passwords: true, format: Format::Json, base: None, actor: Actor::operator(0) };
    assert_eq!(export(&site.directory, &request, &mut told).unwrap(), Exit::Ok);
    site.store.settle();
    let damage = site.store.check_contents(&mut |_| {}).unwrap().findings;
    let damage: Vec<_> = damage.iter().filter(|found| found.severity == mailstore::Severity::Damage).collect();
    assert!(damage.is_empty(), "{context}: {damage:#?}");
    site.close().unwrap();
    String::from_utf8(told.text).unwrap()
}

/// A user who is there before.
fn joe(path: &Path) {
    let site = open_good(path).unwrap();
    let service = Service::new(&site.directory, Actor::server());
    let joe = UserId::parse("joe").unwrap();
    let address = |text: &str| directory::Address::parse(text).unwrap();
    let mut user = directory::User::new(joe.clone(), address("joe@example.org"), "Joe", "S");
    user.alternates = vec![address("j@example.org")];
    accounts::create_users(&site.store, &service, &[(user, directory::Credentials::none())]).unwrap();
    site.close().unwrap();
}

/// A console that remembers what is written.
struct Told {
    voice: Voice,
    text: Vec<u8>,
}

impl Console for Told {
    fn out(&mut self, line: &str) -> std::io::Result<()> {
        self.voice.out(line)
    }

    fn octets(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.text.extend_from_slice(octets);
        Ok(())
    }

    fn err(&mut self, line: &str) -> std::io::Result<()> {
        self.voice.err(line)
    }

    fn progress(&mut self, _: &tools::Progress) -> std::io::Result<()> {
        Ok(())
    }

    fn stdin(&mut self) -> &mut dyn std::io::BufRead {
        self.voice.stdin()
    }

    fn directory(&self) -> &Path {
        self.voice.directory()
    }
}
