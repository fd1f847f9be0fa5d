//! Users as an administrator makes, changes and looks at them.

use crate::commands::trial::Trial;

#[test]
fn users_are_made_with_every_option() {
    let trial = Trial::with_users(&["joe"]);
    trial.table(&[
        ("domain add example.net", ""),
        ("alias create team --owner joe --member joe", "team@example.org created"),
        (
            "user add ann --domain example.net --mail ann.b --given-name Ann --surname 'B. C' --quota 5 --admin \
             --alternate a.b,second@example.net --forward ann@else.example --keep-copy --group staff --group office \
             --title Dr --office 7 --business-phone 1 --mobile-phone 2 --home-phone 3 --pager 4 --fax 5 \
             --calendar-node cal",
            "ann added with address ann.b@example.net",
        ),
        ("user show ann", "others         a.b@example.net second@example.net"),
        ("user show ann", "name           Ann B. C"),
        ("user show ann", "first name     Ann"),
        ("user show ann", "forwarding     ann@else.example (with a copy here)"),
        ("user show ann", "groups         staff office"),
        ("user show ann", "administrator  yes"),
        ("user show ann", "quota          5 MiB"),
        ("user show ann", "business phone 1"),
        ("user show ann", "calendar node  cal"),
        ("user show joe", "aliases        team@example.org"),
        ("user show ann --json", r#""business_phone":"1""#),
        ("user show ann --json", r#""keep_copy":true"#),
        ("user show joe --json", r#""aliases":["team@example.org"]"#),
        ("user create sue --quota none --admin=no --display-name Boss", "sue@example.org"),
        ("user show sue", "quota          none"),
        ("user show sue", "name           Boss"),
        ("user add JIM", "jim added"),
    ]);
    let shown = trial.must("user show ann", "") + &trial.must("user show ann --json", "");
    assert!(!shown.contains("argon2") && !shown.contains("secret"), "{shown}");
}

#[test]
fn errors_name_field_value_and_rule() {
    let trial = Trial::with_users(&["joe"]);
    trial.table(&[
        ("user add joe", "!73 uid: \"joe\": it is taken by user joe"),
        ("user add j.oe", "!64 uid: \"j.oe\": a user ID has only letters, digits, _ and -"),
        ("user add root", "!64 uid: \"root\": the name is reserved"),
        ("user add bin", "!64 an account of this machine's operating system is called so"),
        ("user add x --mail joe", "!73 mail: \"joe@example.org\": it is taken by user joe"),
        ("user add x --mail a@nowhere.example", "!66 nowhere.example"),
        ("user add x --mail 'a b'", "!64 mail: \"a b\""),
        ("user add x --domain nowhere.example", "!66 nowhere.example"),
        ("user add x --domain a..b", "!64 domain: \"a..b\""),
        ("user add x --quota much", "!64 quota_limit_mib: \"much\": a number of megabytes, or NONE"),
        ("user add x --quota -1", "!64 '-1'"),
        ("user add x --quota 9999999999999999", "!64 quota_limit_mib"),
        (
            "user add x --alternate y@else.example",
            "!64 alternates: \"y@else.example\": it must be in the user's domain",
        ),
        ("user add x --alternate joe", "!73 alternates: \"joe@example.org\": it is taken by user joe"),
        ("user add x --forward nowhere", "!64 forwarding: \"nowhere\": an address has an @"),
        ("user add x --forward nobody@example.org", "!64 nobody has that address on this server"),
        ("user add x --keep-copy", "!64 keep_copy: a copy is kept of mail that is forwarded"),
        ("user add x --keep-copy=perhaps", "!64 perhaps"),
        ("user add x --group 'a b'", "!64 groups: \"a b\""),
        ("user add x --given-name ''", "!64 given_name"),
        ("user add x --title 'a\tb'", "!64 title: \"a\\tb\""),
        ("user add", "!64 USER"),
        ("user modify joe", "!64 nothing to change"),
        ("user modify x --title y", "!67 there is no user x"),
        ("user modify joe --title y --if-revision fffff", "!75 user joe was changed by somebody else"),
        ("user modify admin --admin=no", "!64 the user admin stays an administrator"),
        ("user modify joe --uid x", "!64 --uid"),
        ("user disable admin", "!64 the user admin can't be disabled"),
        ("user disable x", "!67 x"),
        ("user delete admin", "!64 the user admin can't be deleted"),
        ("user delete joe x", "!67 x"),
        ("user show x", "!67 x"),
        ("user passwd x", "!67 x"),
        ("user list --domain nowhere.example", "!66 nowhere.example"),
        ("user list --limit 0", "!64 0"),
        ("user list --after 'a b'", "!64 "),
        ("user search", "!64 WORD"),
    ]);
    // None of it has left anything.
    assert_eq!(trial.must("user list", "").lines().count(), 2);
    let said = trial.run("user add x", "");
    assert_eq!((said.exit.code(), said.err.contains("no password given")), (64, true), "{said:?}");
}

/// [QUO-1] [QUO-3] [QUO-7] [QUO-8]
#[test]
fn quotas_are_said_in_megabytes() {
    let trial = Trial::with_users(&["joe", "sue"]);
    let limits = |kib: Option<u64>| mailstore::QuotaLimits { storage_kib: kib, messages: None };
    let inbox = mailstore::MailboxName::inbox("joe").unwrap();
    let root = || trial.store().quota_limits(&inbox).and_then(|limits| limits.storage_kib);
    let mut expected = None;
    for (quota, kib, shown) in [
        ("20", Some(20_480), "       20       0.0      20.0     0"),
        ("0", Some(0), "        0       0.0       0.0      "),
        ("none", None, "      OFF                              "),
        ("5", Some(5120), "        5       0.0       5.0     0"),
    ] {
        trial.must(&format!("user modify joe --quota {quota}"), "");
        assert_eq!(root(), kib, "{quota}");
        let list = trial.must("user list --quota", "");
        let row = list.lines().find(|line| line.starts_with("joe@")).unwrap().to_owned();
        assert_eq!(row.trim_end(), format!("{:40} {shown}", "joe@example.org").trim_end());
        // What was set beside the directory is put back, and only for whom it was asked.
        trial.store().change_quota(&inbox, |_| Ok::<_, mailstore::Error>(Some(limits(Some(777))))).unwrap();
        assert_eq!(trial.must("quota -f -q user/sue", ""), "");
        let dry = trial.run("quota -f -n -q -u joe", "");
        let old = kib.map_or_else(|| "NONE".to_owned(), |kib| kib.to_string());
        let line = format!("user/joe: limit was 777, the directory says {old}");
        assert_eq!((dry.exit, dry.out.as_str(), root()), (tools::Exit::Found, line.as_str(), Some(777)));
        assert_eq!(trial.must("quota -f -q", ""), line);
        assert_eq!((root(), trial.must("quota -f -q", "")), (kib, String::new()));
        expected = kib;
    }
    // A limit that is no whole number of megabytes stays exact while nobody says another number.
    trial.must("user modify joe --quota 1", "");
    trial.store().set_quota(&inbox, Some(limits(Some(1000)))).unwrap();
    trial.must("user modify joe --title Dr", "");
    assert_eq!((root(), trial.must("quota -f -q", "")), (Some(1000), String::new()));
    trial.must("user modify joe --quota 5", "");
    assert_eq!(root(), expected);
}

/// What is kept and not done yet is said where it is switched on, by whichever command.
#[test]
fn replies_and_the_junk_filter() {
    let trial = Trial::with_users(&["joe"]);
    trial.table(&[
        ("user modify joe --vacation-subject Away --vacation-text 'Back in May.' --vacation-days 3", ""),
        ("user show joe", "vacation       off\nreply subject  Away\nreply text     Back in May.\nreply days     3"),
        ("user modify joe --junk-action destroy --junk-allow XYZ.com,joe@a.example --junk-deny a.example", ""),
        ("user show joe", "junk filter    off\njunk action    destroy\njunk allowed   joe@a.example xyz.com"),
        ("user show joe --json", r#""vacation":{"days":3,"on":false,"subject":"Away","text":"Back in May."}"#),
        ("user show joe --json", r#"{"decision":"deny","pattern":"a.example"}"#),
        ("user modify joe --vacation-days 91", "!64 vacation.days: \"91\": a number of days from 1 to 90"),
        ("user modify joe --vacation-days soon", "!64 vacation.days: \"soon\": a number of days"),
        ("user modify joe --vacation-subject 'a\nb'", "!64 vacation.subject: \"a\\nb\""),
        ("user modify joe --junk-action lose", "!64 lose"),
        ("user modify joe --junk-deny 'x y'", "!64 junk_filter.exceptions: \"x y\": an address (joe@xyz.com), or"),
        (
            "user modify joe --junk-deny xyz.com",
            "!64 junk_filter.exceptions[2].pattern: \"xyz.com\": it can't be allowed",
        ),
        ("user modify joe --junk-allow ''", ""),
        ("user show joe", "junk denied    a.example"),
    ]);
    let sieve = "this version of the server does not run Sieve scripts";
    for (line, what) in [
        ("user modify joe --vacation", "joe: --vacation is kept, but no replies are sent yet"),
        ("msgusermod --uid=joe --junkFilter=TRUE", "joe: --junk-filter is kept, but nothing is filtered yet"),
        ("user add sue --vacation", "sue: --vacation is kept, but no replies are sent yet"),
    ] {
        let said = trial.run(line, "secret\n");
        assert_eq!((said.exit, said.err), (tools::Exit::Ok, format!("{what}: {sieve}")), "{line}");
    }
    trial.table(&[
        ("user show joe", "vacation       on (but no replies are sent yet)"),
        ("user show joe", "junk filter    on (but nothing is filtered yet)"),
        ("user show sue", "reply subject  Absence notification"),
        ("user modify joe --vacation=no --junk-filter=no", ""),
        ("user show joe", "vacation       off\nreply subject  Away"),
        ("user modify joe --vacation-subject '' --vacation-text '' --vacation-days ''", ""),
        ("user modify joe --junk-action save --junk-deny ''", ""),
    ]);
    let shown = trial.must("user show joe", "");
    assert!(!shown.contains("vacation") && !shown.contains("junk"), "{shown}");
}

#[test]
fn usage_is_told_folder_by_folder() {
    let trial = Trial::with_users(&["joe"]);
    trial.table(&[
        ("user usage joe", "user/joe: 0.0 MB, 0 messages"),
        ("user modify joe --quota 1", ""),
        ("user usage joe", "user/joe: 0.0 MB of 1 MB, 0%, 0 messages"),
        ("user usage joe --json", "\"folders\":[{\"mailbox\":\"user/joe\""),
        ("user usage --mailbox user.joe --largest 5", "together"),
        ("user usage", "!64 USER"),
        ("user usage joe --mailbox team", "!64 --mailbox"),
        ("user usage joe --largest 1001", "!64 1001"),
        ("user usage nobody", "!67 there is no user nobody"),
        ("user usage --mailbox team", "!66 there is no mailbox team"),
    ]);
}

#[test]
fn users_change_and_go() {
    let trial = Trial::with_users(&["joe", "sue"]);
    trial.table(&[
        ("user modify joe --given-name Joe --surname Smith", ""),
        ("user show joe", "name           Joe Smith"),
        ("user modify joe --display-name '' --mail joe.smith --quota 0 --forward sue@example.org", ""),
        ("user show joe", "address        joe.smith@example.org"),
        ("user show joe", "forwarding     sue@example.org"),
        ("user modify joe --keep-copy", ""),
        ("user modify joe --forward ''", ""),
        ("user modify joe --title Dr --group staff", ""),
        ("user modify joe --title '' --group ''", ""),
        ("user disable joe", ""),
        ("user list", "(disabled)"),
        ("user enable joe", ""),
        ("alias create both --owner joe --owner sue --member joe,sue", "both"),
        ("alias create alone --owner joe --member joe", "alone"),
        ("user delete --dry-run joe", "joe would be deleted"),
        ("user delete -n joe", "alias both@example.org would be without joe"),
        ("user delete -n joe", "alias alone@example.org would be deleted"),
        ("user delete joe", "alias alone@example.org deleted"),
        ("alias show both", "members        sue"),
        ("user delete joe", "!67 joe"),
        ("user delete sue", "sue deleted"),
        ("user passwd admin", ""),
    ]);
    let shown = trial.must("user list --json", "");
    assert!(shown.contains("admin") && !shown.contains("joe") && !shown.contains("sue"), "{shown}");
}

#[test]
fn who_sits_at_a_terminal_is_asked() {
    let trial = Trial::with_users(&["joe", "sue"]);
    trial.must("alias create alone --owner joe --member joe", "");
    for answer in ["", "\n", "n\n", "yesno\n"] {
        let said = trial.run("user delete joe", &format!("ask\n{answer}"));
        assert_eq!((said.exit.code(), said.out.as_str()), (64, ""), "{answer:?}: {said:?}");
        assert!(said.err.contains("alias alone@example.org would be deleted"), "{said:?}");
        assert!(said.err.ends_with("Delete? [y/N]\nangarium: nothing was deleted"), "{said:?}");
    }
    let said = trial.run("user delete joe", "ask\n Y\n");
    assert!(said.out.contains("joe deleted") && said.err.contains("[y/N]"), "{said:?}");
    // Elsewhere nobody is, whatever there is to read.
    let said = trial.run("user delete --yes sue", "ask\nn\n");
    assert_eq!((said.out.as_str(), said.err.as_str()), ("sue deleted", ""));
    let again = Trial::with_users(&["joe"]);
    assert_eq!(again.must("msguserdelete --uid=joe", ""), "joe deleted");
}

#[test]
fn lists_go_page_by_page() {
    let trial = Trial::with_users(&["ann", "bob", "joe"]);
    trial.table(&[
        ("domain add example.net", ""),
        ("user modify bob --mail bob@example.net --surname Builder", ""),
        ("user list --domain example.net", "bob"),
        ("user search BUILD", "bob"),
        ("user search example.net", ""),
        ("user search example.net --addresses", "bob"),
        ("user search build --json --domain example.org", ""),
        ("user modify ann --quota 3", ""),
        ("user list --quota", "ann@example.org                                  3       0.0       3.0     0"),
        ("user list --quota", "joe@example.org                                OFF"),
        (
            "user list --quota --json",
            r#"{"free_mib":3.0,"limit_mib":3,"mail":"ann@example.org","percent":0,"uid":"ann","used_mib":0.0}"#,
        ),
    ]);
    let first = trial.run("user list --limit 3", "");
    assert_eq!((first.out.lines().count(), first.err.as_str()), (3, "there are more: --after bob"));
    let rest = trial.must("user list --limit 3 --after bob", "");
    assert!(rest.starts_with("joe ") && rest.lines().count() == 1, "{rest}");
    let by_mail = trial.must("user list --by-mail", "");
    let uids: Vec<_> = by_mail.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(uids, ["bob", "admin", "ann", "joe"]);
}
