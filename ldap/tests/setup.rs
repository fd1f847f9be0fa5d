//! docs/ldap.md, followed line by line on a slapd that is configured as Debian's package configures it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

mod slapd;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{fs, io::Write as _};

use directory::{Actor, Address, Alias, Directory, NewUser, Origin, Secret, Service, UserId, Verdict};
use durable::disk::RealDisk;
use ldap::{Check, Identity, Ldap, Settings, Url};
use slapd::{BASE, Slapd};

/// What Debian's package makes a configuration of.
const DEBIAN: &str = "/usr/share/slapd/slapd.init.ldif";

const ADMIN: &str = "cn=admin,dc=example,dc=com";
const ANGARIUM: &str = "cn=angarium,dc=example,dc=com";
const SECRET: &str = "the secret";

/// The blocks of a kind, in order.
fn blocks(kind: &str) -> Vec<&'static str> {
    let page = include_str!("../../docs/ldap.md");
    page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n')).collect()
}

/// A slapd as it is after `apt install`. Whoever runs the test is its root.
fn debian(home: &Path) {
    let (uid, gid) = (id("-u"), id("-g"));
    let text = fs::read_to_string(DEBIAN).unwrap();
    let at = |name: &str| home.join(name).display().to_string();
    let text = text
        .replace("/var/run/slapd/slapd.pid", &at("pid"))
        .replace("/var/run/slapd/slapd.args", &at("args"))
        .replace("/var/lib/ldap", &at("db"))
        .replace("1073741824", "67108864")
        .replace("gidNumber=0+uidNumber=0", &format!("gidNumber={gid}+uidNumber={uid}"))
        .replace("@SUFFIX@", BASE)
        .replace("@PASSWORD@", SECRET);
    fs::create_dir(home.join("slapd.d")).unwrap();
    fs::write(home.join("init.ldif"), text).unwrap();
    let made = Command::new("/usr/sbin/slapadd")
        .args(["-n", "0", "-F", &at("slapd.d"), "-l", &at("init.ldif")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn id(option: &str) -> String {
    String::from_utf8(Command::new("id").arg(option).output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Runs a program of ldap-utils; whether it did what it should, and what it said.
fn run(slapd: &Slapd, program: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(["-H", &slapd.socket_url()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_page_is_right() {
    if slapd::is_left_out() {
        return;
    }
    if !Path::new(DEBIAN).exists() {
        println!("LEFT OUT: this is not Debian's slapd");
        return;
    }
    let slapd = Slapd::configured(debian);
    let must = |program: &str, arguments: &[&str], input: &str| {
        let (is_done, said) = run(&slapd, program, arguments, input);
        assert!(is_done, "{program} {arguments:?}: {said}");
        said
    };
    let root = ["-Q", "-Y", "EXTERNAL"];
    let admin = ["-x", "-w", SECRET, "-D", ADMIN];
    must("ldapadd", &root, include_str!("../../docs/ldap/angarium.ldif"));
    let [settings, identity] = blocks("ldif")[..] else { panic!("{:?}", blocks("ldif")) };
    must("ldapmodify", &root, settings);
    // What Debian's tools have made of the domain's name.
    must(
        "ldapadd",
        &admin,
        &format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n"),
    );
    let hash = Command::new("/usr/sbin/slappasswd").args(["-s", SECRET]).output().unwrap();
    must("ldapmodify", &admin, &identity.replace("{SSHA}...\n", &String::from_utf8(hash.stdout).unwrap()));

    let toml = blocks("toml")[0];
    let option = |name: &str| {
        let line = toml.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.unwrap_or_else(|| panic!("{name} is not in the page")).trim_matches('"').to_owned()
    };
    assert!(option("url").starts_with("ldapi://"));
    let identity = Identity { dn: option("bind_dn"), password: Secret::new(SECRET) };
    assert_eq!((option("base").as_str(), identity.dn.as_str()), (BASE, ANGARIUM));
    let url = Url::parse(&slapd.socket_url()).unwrap();
    let home = tempfile::tempdir().unwrap();
    for check in [Check::Hash, Check::Bind] {
        let settings = Settings { url: url.clone(), identity: Some(identity.clone()), check, ..slapd.settings() };
        let directory = Ldap::open(home.path(), Arc::new(RealDisk), true, &settings).unwrap();
        let service = Service::new(&directory, Actor::server());
        let (uid, mail) = (format!("joe-{check:?}"), format!("joe-{check:?}@example.com"));
        let uid = UserId::parse(&uid).unwrap();
        let row = NewUser {
            uid: uid.clone(),
            mail: Address::parse(&mail).unwrap(),
            given_name: "Joe".into(),
            surname: "Smith".into(),
            admin: false,
        };
        directory.create_user(&row, &Secret::new("right")).unwrap();
        directory.activate_user(&uid).unwrap();
        let mut alias = Alias::new(Address::parse(&format!("staff-{check:?}@example.com")).unwrap());
        (alias.owners, alias.users) = (vec![uid.clone()], vec![uid.clone()]);
        service.create_alias(&alias).unwrap();
        let enter = |password: &str| {
            let verdict = directory.authenticate(uid.as_str(), &Secret::new(password), &Origin::now("imap", None));
            matches!(verdict.unwrap(), Verdict::Accepted(_))
        };
        assert!(enter("right") && !enter("wrong"), "{check:?}");
    }

    // A user sees colleagues and aliases, and nothing that passwords are made of; a stranger sees nothing.
    let joe = format!("uid=joe-bind,ou=people,{BASE}");
    let as_joe = ["-x", "-LLL", "-w", "right", "-D", &joe, "-b", BASE];
    let seen = must("ldapsearch", &[&as_joe[..], &["(objectClass=*)", "*"]].concat(), "");
    assert!(seen.contains("uid: joe-hash") && seen.contains("cn: staff-hash@example.com"), "{seen}");
    for hidden in ["userPassword", "angariumCredentials", "argon2"] {
        assert!(!seen.contains(hidden), "{hidden} is in {seen}");
    }
    let named = must("ldapsearch", &[&as_joe[..], &[&format!("(member={joe})"), "cn"]].concat(), "");
    assert!(named.contains("staff-bind@example.com") && !named.contains("staff-hash"), "{named}");
    let (_, seen) = run(&slapd, "ldapsearch", &["-x", "-LLL", "-b", BASE], "");
    assert!(!seen.contains("joe"), "{seen}");
}
