//! Exports and imports as an administrator gives them.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use tools::Exit;

use crate::commands::trial::{Said, Trial};

#[track_caller]
fn import(trial: &Trial, options: &str, file: &str) -> Said {
    trial.run(&format!("directory import {options} -"), file)
}

#[track_caller]
fn must(trial: &Trial, options: &str, file: &str) -> String {
    let said = import(trial, options, file);
    assert_eq!((said.exit, said.err.as_str()), (Exit::Ok, ""), "{said:?}");
    said.out
}

fn export(trial: &Trial) -> String {
    trial.must("directory export -", "")
}

/// A directory with every field of every kind of row.
fn full() -> Trial {
    let trial = Trial::new();
    trial.table(&[
        ("privileges set --default-quota 10 --default-folder Sent,Archive/2026 --deny AllowAliasCreate", ""),
        ("privileges set --junk-allow xyz.com --junk-deny spam@xyz.com", ""),
        ("domain add example.net --description 'Zwölf: « »'", ""),
        ("domain modify example.org --description Ourselves", ""),
        (
            "user add ann --domain example.net --mail ann.b --given-name ' Ann' --surname 'B. C' --quota 5 --admin \
             --alternate a.b,second@example.net --forward ann@else.example --keep-copy --group staff --group office \
             --title Dr --office 7 --business-phone 1 --mobile-phone 2 --home-phone 3 --pager 4 --fax 5 --calendar-node x",
            "ann",
        ),
        ("user add joe --quota NONE --display-name 'J: \"S\"'", "joe"),
        ("user add sue --quota 0", "sue"),
        ("user disable sue", ""),
        ("user modify sue --vacation-subject ' Weg' --vacation-text 'a\n\tb: <ü>\n' --vacation-days 90", ""),
        ("user modify joe --junk-action destroy --junk-allow b@xyz.com,xyz.com --junk-deny a.b.example", ""),
        ("user add zoe --domain example.net", "zoe"),
        ("alias create inner --owner zoe --member joe@example.org --description 'a: b' --domain example.net", "inner"),
        ("alias create outer --owner joe,sue --member inner@example.net,X@else.example,group:staff,zoe@example.net", "outer"),
        ("alias modify outer --file /var/lib/outer --program '/bin/cat -n' --joinable=no", ""),
        ("alias modify postmaster@example.net --owner admin@example.org,joe@example.org", ""),
        // To an alias whose owner he is.
        ("user modify joe --forward outer@example.org", ""),
    ]);
    let made = trial.run("user app-password add ann phone --protocol imap --network 192.0.2.0/24", "");
    assert_eq!(made.exit, Exit::Ok, "{made:?}");
    trial
}

#[test]
fn what_is_exported_and_imported_is_exported_again() {
    let trial = full();
    let first = export(&trial);
    assert_eq!(first.lines().count(), 2 + 2 + 5 + 4, "{first}");
    let other = Trial::empty();
    let tried = import(&other, "--dry-run", &first);
    assert_eq!((tried.exit, tried.err.as_str()), (Exit::Found, ""));
    for line in ["~ privileges", "+ domain example.net", "+ user joe: joe@example.org", "+ alias outer@example.org"] {
        assert!(tried.out.contains(line), "{tried:?}");
    }
    let done = must(&other, "", &first);
    assert_eq!(done, "1 domains, 5 users and 2 aliases made, 3 rows changed; 1 are as they should be");
    assert_eq!(export(&other), first);
    assert!(must(&other, "", &first).ends_with("0 rows changed; 12 are as they should be"));
    assert_eq!(
        must(&other, "--json", &first),
        r#"{"changed":0,"dry_run":false,"equal":12,"made":{"aliases":0,"domains":0,"users":0},"wrong":0}"#
    );
    // In any order.
    let backwards: Vec<_> = first.lines().rev().collect();
    let third = Trial::empty();
    must(&third, "", &backwards.join("\r\n"));
    assert_eq!(export(&third), first);
    third.table(&[
        ("user show sue", "state          disabled"),
        ("user list --quota", "ann.b@example.net"),
        ("check", "0 "),
        ("user show ann --json", r#""alternates":["a.b@example.net","second@example.net"]"#),
    ]);
    let audit = std::fs::read_to_string(third.path().join("var/imap/log/audit.log")).unwrap();
    assert!(audit.contains("user.create") && audit.contains("directory.export"), "{audit}");
    assert!(!audit.contains("argon2"), "no secret is logged");
}

#[test]
fn without_passwords() {
    let trial = full();
    let without = trial.must("directory export --without-passwords -", "");
    assert!(without.contains(r#"{"directory":{"passwords":false,"version":1}}"#));
    assert!(!without.contains("argon2") && !without.contains("credentials"), "{without}");
    // What is not said of users who are there stays.
    assert!(must(&trial, "", &without).ends_with("12 are as they should be"));
    let other = Trial::empty();
    must(&other, "", &without);
    assert!(export(&other).contains(r#""credentials":{"hash":"*"}"#), "nobody can log in");
    let with = export(&trial);
    let refused = import(&other, "", &with);
    assert!(refused.exit == Exit::Data && refused.err.contains("the user joe is there, and other: password"));
    assert!(must(&other, "--replace", &with).contains("5 rows changed; 7 are"));
    assert_eq!(export(&other), with);
}

#[test]
fn hashes_of_other_servers_and_nothing_but_what_must_be() {
    let trial = Trial::new();
    let hashes = [
        "{SSHA}0M6wYQ7XsqnQ1VQ3vvUSeZgkQmtzYWx0MTIz",
        "{BLF-CRYPT}$2y$12$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/",
    ];
    let mut file = String::new();
    for (n, hash) in hashes.iter().enumerate() {
        let row = serde_json::json!({"user": {"uid": format!("u{n}"), "mail": format!("u{n}@example.org"), "password_hash": hash}});
        writeln!(file, "{row}\n").unwrap();
    }
    must(&trial, "", &file);
    let out = export(&trial);
    assert!(hashes.iter().all(|hash| out.contains(hash)), "{out}");
    trial.table(&[("user show u0", "first name     u0"), ("user show u0", "quota          none")]);
    // What a line does not say stays.
    trial.must("user modify u0 --title Dr", "");
    must(&trial, "", &file);
    trial.table(&[("user show u0", "title          Dr")]);
}

#[test]
fn a_difference_is_an_error_or_replaced() {
    let trial = full();
    let first = export(&trial);
    trial.table(&[
        ("user modify joe --title Dr --forward ''", ""),
        ("user enable sue", ""),
        ("user passwd zoe", ""),
        ("alias modify inner@example.net --description other", ""),
        ("domain modify example.net --description other", ""),
        ("privileges set --default-quota 11", ""),
    ]);
    let before = export(&trial);
    let refused = import(&trial, "", &first);
    assert_eq!(refused.exit, Exit::Data, "{refused:?}");
    for text in [
        "-:2: the record of privileges is there, and other: default_quota_mib 11 -> 10",
        "-:3: the domain example.net is there, and other: description \"other\" -> \"Zwölf: « »\"",
        "-:7: the user joe is there, and other: contact {\"title\":\"Dr\"} -> none; forwarding",
        "-:8: the user sue is there, and other: state",
        "-:9: the user zoe is there, and other: password; --replace makes it what the file says",
        "the alias inner@example.net is there, and other: description",
        "6 problems; nothing was changed",
    ] {
        assert!(refused.err.contains(text), "{} lacks {text}", refused.err);
    }
    assert_eq!(export(&trial), before);
    assert!(must(&trial, "--replace", &first).contains("6 rows changed"));
    assert_eq!(export(&trial), first);
}

#[test]
fn rows_that_are_there_may_wait_for_each_other() {
    let trial = Trial::with_users(&["ann", "joe"]);
    trial.must("alias create a --owner ann --member b@else.example", "");
    trial.must("alias create b --owner ann --member a", "");
    trial.must("user modify ann --alternate x", "");
    // The address goes from one to the other, and the aliases change their places, in either order.
    for (a, b) in [("[]", r#"["x@example.org"]"#), (r#"["x@example.org"]"#, "[]")] {
        let file = format!(
            "{{\"user\":{{\"uid\":\"joe\",\"alternates\":{b}}}}}\n{{\"user\":{{\"uid\":\"ann\",\"alternates\":{a}}}}}\n"
        );
        assert!(must(&trial, "--replace", &file).contains("2 rows changed"), "{file}");
    }
    let file = "{\"alias\":{\"address\":\"a@example.org\",\"aliases\":[\"b@example.org\"],\"remote\":[]}}\n\
                {\"alias\":{\"address\":\"b@example.org\",\"aliases\":[],\"users\":[\"joe\"]}}";
    must(&trial, "--replace", file);
    trial.table(&[("alias show a", "members        b@example.org")]);
}

/// Whoever gives an address up may be anywhere in the file, and so may whoever gets it: a new user, one who is there, an alias,
/// somebody who gives one himself.
#[test]
fn addresses_change_hands() {
    let user = |uid: &str, mail: &str, more: &str| {
        format!(r#"{{"user":{{"uid":"{uid}","mail":"{mail}@example.org"{more}}}}}"#)
    };
    let alias = |name: &str, user: &str| {
        format!(r#"{{"alias":{{"address":"{name}@example.org","owners":["{user}"],"users":["{user}"]}}}}"#)
    };
    let file = [
        user("new", "joe", r#","forwarding":{"to":["y@example.org"],"keep_copy":true}"#),
        user("joe", "sue", r#","contact":{"title":"Dr"},"alternates":["z@example.org"]"#),
        user("sue", "ann", ""),
        user(
            "ann",
            "sue.x",
            r#","forwarding":{"to":["joe@example.org"],"keep_copy":true},"alternates":["a@example.org"]"#,
        ),
        user("bob", "bob", r#","alternates":["x@example.org"]"#),
        user("tom", "tom", r#","alternates":[]"#),
        alias("y", "new"),
        alias("t", "tom"),
    ];
    let owners = ["joe new", "z joe", "sue joe", "ann sue", "sue.x ann", "x bob", "a ann"];
    for backwards in [false, true] {
        let trial = Trial::with_users(&["joe", "sue", "ann", "bob", "tom"]);
        // Of sue's one goes to bob, and of tom's two to aliases.
        trial.must("user modify sue --alternate x", "");
        trial.must("user modify tom --alternate y,t,u", "");
        let mut lines = file.to_vec();
        if backwards {
            lines.reverse();
        }
        let lines =
            lines.join("\n").replace(r#"mail":"ann@example.org""#, r#"mail":"ann@example.org","alternates":[]"#);
        let refused = import(&trial, "", &lines);
        assert!(
            refused.exit == Exit::Data && refused.err.contains("--replace makes it what the file says"),
            "{refused:?}"
        );
        let before = export(&trial);
        let tried = import(&trial, "--replace --dry-run", &lines);
        assert_eq!((tried.exit, tried.err.as_str()), (Exit::Found, ""), "{tried:?}");
        assert_eq!(export(&trial), before);
        let said = must(&trial, "--replace", &lines);
        assert!(said.starts_with("0 domains, 1 users and 2 aliases made, 5 rows changed"), "{said}");
        for owner in owners {
            let (local, uid) = owner.split_once(' ').unwrap();
            let shown = trial.must(&format!("user show {uid}"), "");
            assert!(shown.contains(&format!("{local}@example.org")), "{owner}: {shown}");
        }
        trial.table(&[
            ("user show joe", "title          Dr"),
            ("user show ann", "forwarding     joe@example.org"),
            ("alias show y", "members        new"),
            ("alias show t", "members        tom"),
            ("check", "0 "),
        ]);
        assert!(must(&trial, "--replace", &lines).ends_with("0 rows changed; 8 are as they should be"));
    }
}

/// What is no one change is said, with its lines.
#[test]
fn addresses_that_go_several_ways() {
    let trial = Trial::with_users(&["joe", "sue"]);
    trial.must("user modify joe --alternate x", "");
    let file = r#"{"user":{"uid":"joe","mail":"sue@example.org","alternates":[]}}
{"user":{"uid":"sue","mail":"joe@example.org"}}
{"alias":{"address":"x@example.org","owners":["sue"],"users":["sue"]}}"#;
    let said = import(&trial, "--replace", file);
    assert!(
        said.exit == Exit::Data && said.err.contains("-:1: mail: some of the user's addresses go to an alias"),
        "{said:?}"
    );
    // An address that somebody keeps is nobody else's.
    let taken = r#"{"user":{"uid":"sue","alternates":["x@example.org"]}}"#;
    let said = import(&trial, "--replace", taken);
    assert!(said.exit == Exit::Data && said.err.contains("it is taken by user joe"), "{said:?}");
    // Nor is one whose giver is left out.
    let wrong = format!("{taken}\n{}", r#"{"user":{"uid":"joe","alternates":[],"groups":["A"]}}"#);
    let said = import(&trial, "--replace --keep-going", &wrong);
    assert!(
        said.exit == Exit::Data && said.err.contains("-:1: alternates: \"x@example.org\": it is taken"),
        "{said:?}"
    );
    trial.table(&[("user show joe", "x@example.org")]);
}

#[test]
fn whatever_is_wrong_is_said_with_its_line() {
    let trial = Trial::with_users(&["ann"]);
    let before = export(&trial);
    let failed = RefCell::new(Vec::new());
    let check = |row: &str, expected: &str| {
        let said = import(&trial, "", &format!("{{\"domain\":{{\"name\":\"example.net\"}}}}\n{row}"));
        let is_said = said.err.contains(&format!("-:2: {expected}")) && said.err.contains("nothing was changed");
        if said.exit != Exit::Data || !is_said || !said.out.is_empty() || said.err.contains("S3CRET") {
            failed.borrow_mut().push(format!("{row:.200}: {:.400} lacks {expected}", said.err));
        }
    };
    let user = |fields: &str| format!(r#"{{"user":{{"uid":"x","mail":"x@example.org",{fields}}}}}"#);
    let alias = |fields: &str| format!(r#"{{"alias":{{"address":"a@example.org","owners":["ann"],{fields}}}}}"#);
    check("x", "not JSON, at column 1");
    check(r#"{"user":{"credentials":{"hash":"S3CRET"}"#, "not JSON, at column");
    check("[]", "a line is an object");
    check(r#"{"user":{"uid":"x"},"alias":{}}"#, "a line is an object");
    check(r#"{"group":{}}"#, "a line is an object");
    check(r#"{"user":[]}"#, "a line is an object");
    check(r#"{"user":{}}"#, "uid: it must be given");
    check(r#"{"user":{"uid":"x"}}"#, "mail: it must be given");
    check(r#"{"user":{"uid":"j.oe"}}"#, "uid: \"j.oe\": a user ID has only letters");
    check(r#"{"directory":{"version":2}}"#, "version: this version of the program reads version 1");
    check(&user(r#""mail2":"S3CRET""#), "mail2: the row of a user has no such field");
    check(&user(r#""admin":1"#), "admin: true or false");
    check(&user(r#""state":"deleting""#), "state: active or disabled");
    check(&user(r#""groups":"x""#), "groups: a list of texts");
    check(&user(r#""groups":["A"]"#), "groups: \"A\": a group has a name like a user ID");
    check(&user(r#""contact":{"titel":"x"}"#), "titel: contact has no such field");
    check(&user(r#""contact":{"title":"a\tb"}"#), "title: \"a\\tb\": it can't have control characters");
    check(&user(r#""quota_limit_mib":-1"#), "quota_limit_mib: a number of megabytes");
    check(&user(r#""quota_limit_mib":9999999999999999"#), "quota_limit_mib: \"9999999999999999\": a quota is at most");
    check(&user(r#""password_hash":"$1$S3CRET""#), "password_hash: MD5-crypt hashes ($1$) can't be checked here");
    check(&user(r#""password_hash":"{SSHA}S3CRET""#), "password_hash: that {SSHA} hash is damaged");
    check(&user(r#""password_hash":["S3CRET"]"#), "password_hash: a text");
    check(&user(r#""credentials":{"hash":"S3CRET"}"#), "credentials: ");
    check(&user(r#""credentials":{"hash":["S3CRET"]}"#), "credentials: an object with hash");
    check(&user(r#""credentials":{"hash":"*","scram":["S3CRET"]}"#), "credentials: what it has for SCRAM is damaged");
    check(&user(r#""credentials":{"hash":"*","apps":[{"name":"S3CRET"}]}"#), "credentials: an object with hash");
    check(&user(r#""credentials":{"hash":"*"},"password_hash":"x""#), "password_hash: it is in credentials already");
    check(&user(r#""forwarding":{"to":["y@example.org"]}"#), "forwarding: \"y@example.org\": nobody has that address");
    check(&user(r#""forwarding":{"to":["y"]}"#), "to: \"y\": an address has an @");
    check(&user(r#""forwarding":["y@else.example"]"#), "forwarding: an object, or null");
    check(&user(r#""vacation":true"#), "vacation: an object, or null");
    check(&user(r#""vacation":{"from":"2027"}"#), "from: vacation has no such field");
    check(&user(r#""vacation":{"on":1}"#), "on: true or false");
    check(&user(r#""vacation":{"days":-1}"#), "days: a number of days from 1 to 90");
    check(&user(r#""vacation":{"days":99999999999}"#), "vacation.days: \"4294967295\": a number of days from 1 to 90");
    check(&user(r#""vacation":{"subject":"a\nb"}"#), "vacation.subject: \"a\\nb\": it can't have control characters");
    check(
        &user(r#""junk_filter":{"action":"lose"}"#),
        "junk_filter.action: \"lose\": junk is either saved or destroyed",
    );
    check(&user(r#""junk_filter":{"exceptions":["xyz.com"]}"#), "exceptions: a list of objects");
    let exceptions = |second: &str| {
        let first = r#"{"pattern":"xyz.com","decision":"deny"}"#;
        user(&format!(r#""junk_filter":{{"exceptions":[{first},{second}]}}"#))
    };
    check(
        &exceptions(r#"{"pattern":"x y","decision":"deny"}"#),
        "junk_filter.exceptions[1].pattern: \"x y\": an address",
    );
    check(&exceptions(r#"{"pattern":"x.com"}"#), "junk_filter.exceptions[1].decision: mail from there is either");
    check(
        &exceptions(r#"{"pattern":"XYZ.com","decision":"allow"}"#),
        "junk_filter.exceptions[1].pattern: \"xyz.com\": it can't be allowed and denied",
    );
    check(r#"{"privileges":{"junk_exceptions":[{"pattern":"x"}]}}"#, "junk_exceptions[0].decision: ");
    check(
        &user(r#""alternates":["y@else.example"]"#),
        "alternates: \"y@else.example\": it must be in the user's domain",
    );
    check(r#"{"user":{"uid":"x","mail":"x@nowhere.example"}}"#, "there is no domain nowhere.example");
    check(r#"{"user":{"uid":"x","mail":"ann@example.org"}}"#, "mail: \"ann@example.org\": it is taken by user ann");
    check(r#"{"domain":{"name":"EXAMPLE.net"}}"#, "domain example.net is there twice: line 1 has it, too");
    check(r#"{"domain":{"name":"a..b"}}"#, "name: \"a..b\": between its dots");
    check(
        r#"{"domain":{"name":"example.com","primary":true}}"#,
        "primary: the server's own domain is example.org here, and example.com in the file: `angarium domain rename",
    );
    check(&alias(r#""users":["nobody"]"#), "members: \"nobody\": there is no user of that name");
    check(&alias(r#""users":[]"#), "members: an alias has one member at least");
    check(&alias(r#""aliases":["b@example.org"]"#), "members: \"b@example.org\": there is no alias");
    check(&alias(r#""groups":["nogroup"]"#), "members: ");
    check(&alias(r#""remote":["b@example.org"]"#), "members: \"b@example.org\": its domain is one of this server");
    check(&alias(r#""users":["ann"],"file":"x""#), "file: \"x\"");
    check(&alias(r#""users":["ann"],"program":1"#), "program: a text, or null");
    check(r#"{"privileges":{"allow_everything":true}}"#, "allow_everything: the row of a privileges has no such field");
    let round = |a: &str, b: &str| {
        format!(r#"{{"alias":{{"address":"{a}@example.org","owners":["ann"],"aliases":["{b}@example.org"]}}}}"#)
    };
    check(
        &format!("{}\n{}", round("a", "b"), round("b", "a")),
        "aliases: a@example.org: it would be a member of itself",
    );
    check(&round("a", "a"), "aliases: a@example.org: it would be a member of itself");
    let long = format!(r#"{{"user":{{"uid":"{}"}}}}"#, "x".repeat(10 << 20));
    check(&long, "the line is longer than 8 MiB");
    check(&user(&format!(r#""surname":"{}""#, "x".repeat(5 << 20))), "surname: \"xxx");
    assert_eq!(export(&trial), before);
    assert!(failed.borrow().is_empty(), "{}", failed.borrow().join("\n"));
    // All of them, in the order of the file; as JSON, too.
    let two = "{\"user\":{\"uid\":\"b.a\"}}\nx\n{\"user\":{\"uid\":\"d.c\"}}";
    let said = import(&trial, "", two);
    let lines: Vec<_> = said.err.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(lines, ["-:1:", "-:2:", "-:3:", "-:"]);
    let said = import(&trial, "--json", "{\"user\":{\"uid\":\"b.a\"}}");
    let rule = "a user ID has only letters, digits, _ and -";
    assert_eq!(said.out, format!(r#"{{"line":1,"field":"uid","value":"b.a","rule":"{rule}"}}"#));
    assert_eq!((said.exit, said.err.as_str()), (Exit::Data, ""));
}

#[test]
fn the_rest_is_taken_if_that_is_wanted() {
    let trial = Trial::new();
    let row = |uid: &str, forward: &str| {
        format!(
            r#"{{"user":{{"uid":"{uid}","mail":"{uid}@example.org","forwarding":{{"to":["{forward}@example.org"]}}}}}}"#
        )
    };
    // One after the other leads to the one that is wrong.
    let file = [&row("a", "b"), &row("b", "c"), &row("c", "d.d."), &row("e", "admin"), "nonsense"]
        .map(String::from)
        .join("\n");
    let said = import(&trial, "--keep-going", &file);
    assert_eq!(said.exit, Exit::Data, "{said:?}");
    assert!(said.out.starts_with("0 domains, 1 users and 0 aliases made"), "{said:?}");
    assert_eq!(said.err.lines().count(), 4, "{said:?}");
    trial.table(&[("user show e", "forwarding     admin@example.org"), ("user show a", "!67 a")]);
}

#[test]
fn the_servers_own_domain_may_be_another_one() {
    let first = export(&full()).replace("example.org", "example.pub");
    let other = Trial::empty();
    let refused = import(&other, "", &first);
    assert!(refused.exit == Exit::Data && refused.err.contains("angarium domain rename example.org example.pub"));
    // The administrator lives in the server's own domain.
    let without_admin: Vec<_> = first.lines().filter(|line| !line.contains(r#""uid":"admin""#)).collect();
    must(&other, "--keep-primary", &without_admin.join("\n"));
    other.table(&[("domain list", "example.pub"), ("user show joe", "joe@example.pub")]);
    let renamed = Trial::empty();
    renamed.must("domain rename example.org example.pub", "");
    must(&renamed, "", &first);
    assert_eq!(export(&renamed), first);
}

#[test]
fn two_thousand_users() {
    let trial = Trial::new();
    let mut file = String::new();
    for n in 0..2000 {
        // Each forwards to the next one, and the last one to an alias that names the first.
        let next = if n == 1999 { "ring".to_owned() } else { format!("n{}", n + 1) };
        writeln!(
            file,
            r#"{{"user":{{"uid":"n{n}","mail":"n{n}@example.org","forwarding":{{"to":["{next}@example.org"],"keep_copy":true}},"quota_limit_mib":{}}}}}"#,
            n % 7
        )
        .unwrap();
    }
    file.push_str(r#"{"alias":{"address":"ring@example.org","owners":["n0"],"users":["n0","n1999"]}}"#);
    must(&trial, "", &file);
    assert!(must(&trial, "", &file).contains("2001 are as they should be"));
    trial.table(&[("user list --quota", "n1999@example.org"), ("check", "0 ")]);
}

/// An export is one state of the directory: a domain has one name in all of its lines, whatever it is called a moment later.
#[test]
fn an_export_is_of_one_moment() {
    let trial = full();
    for n in 0..100 {
        trial.must(&format!("alias create l{n} --domain example.net --owner zoe --member zoe"), "");
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                trial.must("domain rename example.net second.example", "");
                trial.must("domain rename second.example example.net", "");
            }
        });
        for _ in 0..40 {
            let text = export(&trial);
            assert_ne!(text.contains("@example.net"), text.contains("@second.example"), "{text}");
        }
        is_over.store(true, Ordering::Release);
    });
}

/// Lists of an entry are in no order, so LDIF has them sorted; what else there is comes through.
#[test]
fn as_entries_of_an_ldap_server() {
    let trial = full();
    let ldif = trial.must("directory export --format ldif --base 'o=Acme\\2c Inc' -", "");
    assert!(ldif.starts_with("version: 1\n# "), "{ldif}");
    for line in [
        "dn: uid=joe,ou=people,o=Acme\\2c Inc\n",
        "angariumMemberGroup: staff\n",
        "description:: WnfDtmxmOiDCqyDCuw==\n",
        "givenName:: IEFubg==\n",
        "angariumState: disabled\n",
        "userPassword: {ARGON2}$argon2id$",
    ] {
        assert!(ldif.contains(line), "{ldif} lacks {line}");
    }
    assert!(ldif.lines().all(|line| line.len() <= 76 && line.is_ascii()) && !ldif.contains("angariumRevision"));
    let other = Trial::empty();
    assert_eq!(
        must(&other, "", &ldif),
        "1 domains, 5 users and 2 aliases made, 3 rows changed; 1 are as they should be"
    );
    assert_eq!(other.must("directory export --format ldif --base 'o=Acme\\2c Inc' -", ""), ldif);
    // To whoever has it already it says nothing new, in this form or the other.
    assert!(must(&trial, "", &ldif).ends_with("12 are as they should be"));
    assert!(must(&other, "--format json", &export(&trial)).ends_with("12 are as they should be"));
    let by_domain = trial.must("directory export --format ldif --without-passwords -", "");
    assert!(by_domain.contains("cn=example.net,ou=domains,dc=example,dc=org") && !by_domain.contains("argon2"));
    let change = "dn: uid=joe,ou=people,o=x\nchangetype: delete\n";
    let said = import(&trial, "", change);
    assert!(said.exit == Exit::Data && said.err.contains("-:2: that is a change, not an entry"), "{said:?}");
    trial
        .table(&[("directory export --format ldif --base nonsense -", "!64 base: \"nonsense\": a distinguished name")]);
}
