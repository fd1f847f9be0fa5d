//! `angarium user`: people with a mailbox.

use std::io::{BufRead, Read};

pub(super) mod accounts;
mod app_password;
pub(super) mod fields;
pub(super) mod list;

use admin::control::Input;
use clap::{Arg, ArgAction, ArgMatches};
use directory::{UserId, Words};
use mailstore::ErrorKind;
use tools::logins::list_logins;
use tools::usage::{UsageRequest, show_usage};
use tools::user::{read_password, set_password};
use tools::{CommandError, Console, Exit};

use self::fields::Style;
use super::listing::{json, revision_arg, text, texts, words};
use super::{Command, Run, StoreCommand, listing, names};
use crate::failure::Failure;
use crate::services::Services;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Store(StoreCommand { input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("user")
        .about("Add, show, list, change and delete users, change passwords, see who has logged in")
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("add")
                .visible_alias("create")
                .about("Add a user with an INBOX")
                .long_about(
                    "Add a user with an INBOX, or nothing. The password is asked for on the terminal, or is one line of \
                     standard input if that is not a terminal. First and last name are the user ID unless they are given, \
                     the quota is the one that `angarium privileges` has for new users.",
                )
                .arg(user())
                .arg(listing::domain("The user's domain, unless the address says it [default: the server's own]"))
                .args(fields::args(Style::Words))
                .arg(password_stdin()),
        )
        .subcommand(
            clap::Command::new("list")
                .about("List users, sorted by user ID")
                .args(list::args())
                .after_long_help(
                    "EXAMPLES\n  angarium user list --domain example.org\n  angarium user list --limit 100 --after joe\n      \
                     the next hundred behind joe\n  angarium user list --quota\n      who stores how much",
                ),
        )
        .subcommand(
            clap::Command::new("search")
                .about("List users whose user ID or names have all these words in them")
                .long_about(
                    "List users whose user ID, first, last or display name has each of these words in it, whatever the case \
                     of letters. No character has a meaning of its own.",
                )
                .arg(Arg::new("WORD").required(true).num_args(1..))
                .arg(
                    Arg::new("addresses")
                        .long("addresses")
                        .action(ArgAction::SetTrue)
                        .help("Words may be in addresses, too"),
                )
                .args(list::args()),
        )
        .subcommand(
            clap::Command::new("show")
                .about("Show a user, which aliases name him, and when somebody last came in")
                .arg(user())
                .arg(json()),
        )
        .subcommand(
            clap::Command::new("modify")
                .about("Change a user")
                .long_about(
                    "Change what is said of a user; what is not given stays. An empty text or list takes away what was \
                     there. The user ID can't be changed.",
                )
                .arg(user())
                .args(fields::args(Style::Words))
                .arg(revision_arg())
                .after_long_help(
                    "EXAMPLES\n  angarium user modify joe --quota 500\n  angarium user modify joe --forward joe@example.com \
                     --keep-copy\n  angarium user modify joe --forward ''",
                ),
        )
        .subcommand(
            clap::Command::new("disable")
                .about("Keep a user out, and refuse mail for him; sessions end")
                .arg(user()),
        )
        .subcommand(clap::Command::new("enable").about("Let a user in again").arg(user()))
        .subcommand(delete_spec("delete").arg(user().num_args(1..)))
        .subcommand(
            clap::Command::new("logins")
                .about("Show the last logins of a user, and those that failed")
                .long_about(
                    "Show the last logins of a user, the latest first: when, how often that day, from which address, over \
                     which protocol, with which mechanism and app password, what the client calls itself, and why it \
                     failed. How many are kept says limits.login_history.",
                )
                .arg(user())
                .arg(json().help("One JSON object a line")),
        )
        .subcommand(
            clap::Command::new("usage")
                .about("Show why a quota is full: what each folder uses, and what is only kept for a while")
                .long_about(
                    "Show what each folder of a user uses, the largest first, in megabytes and octets, with the messages \
                     that were expunged and are kept until cyr_expire or the server removes them: those are on the disk, but \
                     nobody is charged for them. The sum is what the quota root counts; where it is not, the last line says \
                     so. Indexes are read, no messages.",
                )
                .arg(user().required(false).required_unless_present("mailbox"))
                .arg(
                    Arg::new("mailbox")
                        .long("mailbox")
                        .value_name("NAME")
                        .conflicts_with("USER")
                        .help("Another quota root: team, user/joe/Work"),
                )
                .arg(
                    Arg::new("largest")
                        .long("largest")
                        .value_name("NUMBER")
                        .default_value("0")
                        .value_parser(clap::value_parser!(u16).range(0..=1000))
                        .help("Name so many of the largest messages, too"),
                )
                .arg(json())
                .after_long_help(
                    "EXAMPLES\n  angarium user usage joe\n  angarium user usage joe --largest 20\n  angarium user usage \
                     --mailbox team\n\nEXIT STATUS\n  0   shown\n  1   the quota root counts something else: run quota -f\n  \
                     66  there is no such mailbox\n  67  there is no such user",
                ),
        )
        .subcommand(app_password::spec())
        .subcommand(
            clap::Command::new("passwd")
                .about("Change a user's own password; app passwords stay as they are")
                .arg(user())
                .arg(password_stdin())
                .arg(hash()),
        )
}

/// How users are deleted, under whatever name.
pub(super) fn delete_spec(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .about("Delete users with all their mail")
        .long_about(
            "Delete users: accounts, passwords, mailboxes, subscriptions, quotas, rights on other mailboxes, and what \
             aliases say of them. An alias that is left without an owner or a member is deleted too, and is named. Deleted \
             mailboxes are kept as long as store.delete_mode and cyr_expire say. The user admin stays. On a terminal it says \
             first what goes, and asks.",
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .short('n')
                .action(ArgAction::SetTrue)
                .help("Only say what would be deleted, and which aliases would go along"),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Do not ask on a terminal; elsewhere nobody is asked"),
        )
}

/// `--password-stdin`.
pub(super) fn password_stdin() -> Arg {
    Arg::new("password-stdin")
        .long("password-stdin")
        .action(ArgAction::SetTrue)
        .help("Read the password from a line of standard input even if that is a terminal")
}

/// `--hash`.
pub(super) fn hash() -> Arg {
    Arg::new("hash")
        .long("hash")
        .action(ArgAction::SetTrue)
        .help("Read not a password but its hash, as another server has kept it ({SSHA512}..., $6$...)")
}

fn user() -> Arg {
    Arg::new("USER").required(true).help("User ID: the login name, and the owner of user/USER")
}

/// The password, asked for where the administrator sits: the server has no terminal.
fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    match matches.subcommand() {
        Some(("add" | "passwd", matches)) => password_input(&user_of(matches), matches),
        Some(("delete", matches)) if terminal::is_attended() && asks(matches) => {
            Ok(Input::Stream(Box::new(ASK.chain(std::io::stdin()))))
        }
        _ => Ok(Input::None),
    }
}

/// The password of `user`, typed on the terminal or read from standard input.
pub(super) fn password_input(user: &str, matches: &ArgMatches) -> Result<Input, Failure> {
    let is_hash = matches.try_get_one::<bool>("hash").is_ok_and(|flag| flag.copied().unwrap_or_default());
    if !matches.get_flag("password-stdin")
        && !is_hash
        && let Some(password) = terminal::ask_new_password(user)?
    {
        return Ok(Input::Octets(format!("{password}\n").into_bytes()));
    }
    Ok(Input::Stream(Box::new(std::io::stdin())))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Some((word, matches)) = matches.subcommand() else { return Ok(Exit::Ok) };
    let user = user_of(matches);
    match word {
        "add" => accounts::create(&user, matches, services, console)?,
        "list" => list::list(Words::default(), false, matches, services, console)?,
        "search" => list::list(words(matches, "WORD"), matches.get_flag("addresses"), matches, services, console)?,
        "show" => list::show(&user, matches.get_flag("json"), services, console)?,
        "modify" => accounts::modify(&user, matches, services)?,
        "enable" | "disable" => accounts::enable(&user, word == "enable", services)?,
        "delete" => delete(&texts(matches, "USER"), matches, services, console)?,
        "logins" => list_logins(&*services.directory, &user, matches.get_flag("json"), console)?,
        "passwd" => passwd(&user, matches, services, console)?,
        "usage" => return usage(matches, services, console),
        _ => app_password::run(matches, services, console)?,
    }
    Ok(Exit::Ok)
}

/// Deletes users, or says what would be deleted.
pub(super) fn delete(
    names: &[String],
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    if matches.get_flag("dry-run") {
        return accounts::preview_deletion(names, services, &mut |line| console.out(line));
    }
    if asks(matches) && read_line(console)? == ASK {
        accounts::preview_deletion(names, services, &mut |line| console.err(line))?;
        console.err("All mail goes along. Delete? [y/N]")?;
        if !matches!(read_line(console)?.to_ascii_lowercase().trim_ascii(), b"y" | b"yes") {
            return Err(CommandError::Usage("nothing was deleted".to_owned()));
        }
    }
    accounts::delete(names, services, console)
}

/// What standard input begins with if somebody sits there who can be asked: the server does not see the terminal.
const ASK: &[u8] = b"ask\n";

/// Whether whoever deletes wants to be asked, if there is a terminal.
fn asks(matches: &ArgMatches) -> bool {
    !matches.get_flag("dry-run") && !matches.get_flag("yes")
}

/// Longest answer.
const MAX_ANSWER: u64 = 80;

fn read_line(console: &mut dyn Console) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    console.stdin().take(MAX_ANSWER).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// What a user's folders use, or those below another quota root.
fn usage(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let root = match text(matches, "mailbox") {
        Some(name) => names::mailbox(&name)?,
        None => {
            let uid = UserId::parse(&user_of(matches)).map_err(CommandError::from)?;
            if services.operator().user(&uid).map_err(CommandError::from)?.is_none() {
                return Err(CommandError::from(directory::Error::NoUser(uid.to_string())).into());
            }
            names::mailbox(&names::inbox(uid.as_str())?)?
        }
    };
    let messages = matches.get_one::<u16>("largest").copied().unwrap_or_default();
    let request = UsageRequest { root, messages: usize::from(messages), json: matches.get_flag("json") };
    match show_usage(&services.store, &request, console) {
        Err(CommandError::Store(problem)) if problem.kind() == ErrorKind::NotFound => {
            Err(Failure::new(Exit::NoInput, format!("there is no mailbox {}", request.root)))
        }
        shown => Ok(shown?),
    }
}

/// Changes a password, or takes its hash.
pub(super) fn passwd(
    user: &str,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    if matches.get_flag("hash") {
        return accounts::take_hash(user, services, console);
    }
    let password = read_password(console)?;
    set_password(&services.operator(), user, &password)
}

/// Ends the sessions of somebody who is not welcome any more.
pub(super) fn end_sessions(services: &Services, user: &str) {
    let user = user.to_ascii_lowercase();
    let is_his = |view: &wire::sessions::SessionView| view.user.as_deref() == Some(user.as_str());
    services.sessions.end("This account is closed", is_his);
}

fn user_of(matches: &ArgMatches) -> String {
    // One that takes several users reads them itself.
    text(matches, "USER").unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
}
