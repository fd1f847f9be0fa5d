//! `angarium apply`: domains, users and aliases as a file says.

use std::fs::File;

use admin::control::Input;
use clap::{Arg, ArgAction, ArgMatches};
use directory::Actor;
use tools::apply::{ApplyRequest, apply};
use tools::{Console, Exit};

use super::listing::text;
use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Store(StoreCommand { input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("apply")
        .about("Make domains, users and aliases what a file says")
        .long_about(
            "Make domains, users and aliases what a file says, TOML or JSON; docs/administration.md describes it. What is \
             there and not in the file stays, unless --prune is given; what the file does not say of a user or an alias \
             stays as it is. First the whole file is tried by all rules, and if anything in it is wrong nothing is changed. \
             Each change is a line: + made, ~ changed, - deleted. The same file again changes nothing.",
        )
        .after_long_help(
            "EXAMPLES\n  angarium apply --dry-run accounts.toml\n  angarium apply accounts.toml\n\nEXIT STATUS\n  0   done; \
             --dry-run: nothing to change\n  1   --dry-run: something would be changed\n  64  something in the file is wrong; \
             nothing was changed\n  66  there is no such file\n  75  a change failed, or somebody else was first: the same \
             file again goes on",
        )
        .arg(Arg::new("FILE").required(true).help("The file; - is standard input"))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .short('n')
                .action(ArgAction::SetTrue)
                .help("Only say what would be changed"),
        )
        .arg(Arg::new("prune").long("prune").action(ArgAction::SetTrue).help(
            "Delete what the file does not name: aliases if it names any, users with their mail if it names any, domains if it \
             names any",
        ))
}

/// The file, read where the administrator sits.
fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    let name = name(matches);
    if name == "-" {
        return Ok(Input::Stream(Box::new(std::io::stdin())));
    }
    let file = File::open(&name).map_err(|problem| Failure::new(Exit::NoInput, format!("{name}: {problem}")))?;
    Ok(Input::Stream(Box::new(file)))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let request = ApplyRequest {
        name: name(matches),
        dry_run: matches.get_flag("dry-run"),
        prune: matches.get_flag("prune"),
        actor: Actor::clone(services.operator().actor()),
    };
    let (exit, unwelcome) = apply(&services.store, &*services.directory, &request, console)?;
    unwelcome.iter().for_each(|user| super::user::end_sessions(services, user.as_str()));
    Ok(exit)
}

fn name(matches: &ArgMatches) -> String {
    text(matches, "FILE").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tools::Exit;

    use crate::commands::trial::{Said, Trial};

    const FILE: &str = r#"
[[domain]]
name = "example.net"
description = "The other one"

[[alias]]
address = "all@example.net"
owners = ["joe"]
members = ["staff", "x@else.example"]

[[alias]]
address = "staff@example.net"
owners = ["joe", "sue@example.org"]
members = ["joe", "group:office"]
description = "Who works here"
joinable = false

[[user]]
uid = "joe"
mail = "joe.smith@example.net"
given_name = "Joe"
surname = "Smith"
alternates = ["js@example.net"]
quota = 100
groups = ["office"]
title = "Dr"
forwarding = ["all@example.net", "joe@else.example"]
keep_copy = true

[user.vacation]
text = """
Back
in May.
"""
days = 30

[user.junk_filter]
on = true
action = "destroy"
exceptions = [
    { pattern = "xyz.com", decision = "allow" },
    { pattern = "a@xyz.com", decision = "deny" },
]

[[user]]
uid = "sue"
quota = "NONE"
enabled = false
password_hash = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="
"#;

    #[track_caller]
    fn apply(trial: &Trial, options: &str, file: &str) -> Said {
        trial.run(&format!("apply {options} -"), file)
    }

    /// Applies a file that is right, and returns what it changed.
    #[track_caller]
    fn must(trial: &Trial, options: &str, file: &str) -> String {
        let said = apply(trial, options, file);
        assert_eq!((said.exit, said.err.as_str()), (Exit::Ok, ""), "{said:?}");
        said.out
    }

    fn all(trial: &Trial) -> String {
        ["domain list --json", "user list --json", "alias list --json"].map(|line| trial.must(line, "")).join("\n")
    }

    #[test]
    fn a_file_is_made_true_once() {
        let trial = Trial::new();
        let before = all(&trial);
        let tried = apply(&trial, "--dry-run", FILE);
        assert_eq!((tried.exit, tried.err.as_str()), (Exit::Found, ""));
        assert_eq!(all(&trial), before);
        let done = must(&trial, "", FILE);
        assert_eq!(done, tried.out);
        let begins: Vec<_> = done.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
        let expected = [
            "+ domain example.net",
            "+ user joe",
            "+ user sue",
            "~ user sue",
            "+ alias staff@example.net",
            "+ alias all@example.net",
            "~ user joe",
        ];
        assert_eq!(begins, expected);
        trial.table(&[
            ("user show joe", "forwarding     all@example.net joe@else.example (with a copy here)"),
            ("user show joe", "quota          100 MiB"),
            ("user show joe", "title          Dr"),
            ("user show joe", "reply text     Back\n               in May.\nreply days     30"),
            ("user show joe", "junk action    destroy\njunk allowed   xyz.com"),
            ("user show sue", "state          disabled"),
            ("alias show staff@example.net", "members        joe group:office"),
            ("alias show all@example.net", "members        staff@example.net x@else.example"),
        ]);
        let after = all(&trial);
        assert_eq!(must(&trial, "", FILE), "");
        assert_eq!(must(&trial, "--dry-run --prune", FILE), "");
        assert_eq!(all(&trial), after);
    }

    #[test]
    fn a_given_hash_comes_with_the_user() {
        let trial = Trial::new();
        must(&trial, "", FILE);
        // One that came afterwards would be lost in a crash in between, and the same file again would not give it.
        let audit = std::fs::read_to_string(trial.path().join("var/imap/log/audit.log")).unwrap();
        assert!(audit.contains("user.create") && !audit.contains("user.password"), "{audit}");
    }

    #[test]
    fn what_is_other_is_changed_and_nothing_else() {
        let trial = Trial::new();
        must(&trial, "", FILE);
        trial.must("user add ann --group office", "secret\n");
        let file = FILE
            .replace("quota = 100", "quota = 200")
            .replace("The other one", "Second")
            .replace("enabled = false", "enabled = true")
            .replace(r#"members = ["joe", "group:office"]"#, r#"members = ["group:office", "ann@example.org"]"#)
            .replace("keep_copy = true", "keep_copy = false")
            .replace("days = 30", "days = 3");
        let expected = "~ domain example.net: description \"The other one\" -> \"Second\"\n\
                        ~ user joe: quota_limit_mib 100 -> 200; vacation \
                        {\"days\":30,\"on\":false,\"subject\":\"\",\"text\":\"Back\\nin May.\\n\"} -> \
                        {\"days\":3,\"on\":false,\"subject\":\"\",\"text\":\"Back\\nin May.\\n\"}\n\
                        ~ user sue: enabled\n\
                        ~ alias staff@example.net: users [\"joe\"] -> [\"ann\"]\n\
                        ~ user joe: mail is forwarded to \"all@example.net joe@else.example\"";
        assert_eq!(must(&trial, "", &file), expected);
        assert_eq!(must(&trial, "", &file), "");
        assert!(trial.must("user list", "").contains("ann "));
    }

    #[test]
    fn pruning_deletes_what_is_not_named() {
        let trial = Trial::new();
        must(&trial, "", FILE);
        trial.table(&[
            ("domain add third.example", ""),
            ("user add ann --domain third.example", "ann"),
            ("alias create extra -o ann@third.example -m sue", "extra"),
        ]);
        let only_domains = "[[domain]]\nname = \"example.net\"\n";
        let refused = apply(&trial, "--prune", only_domains);
        assert!(refused.err.contains("it has 1 users") && refused.exit == Exit::Usage, "{refused:?}");
        let gone = must(&trial, "--prune", FILE);
        assert_eq!(gone, "- alias extra@example.org\n- user ann: ann@third.example\n- domain third.example");
        assert_eq!(must(&trial, "--prune", FILE), "");
        trial.table(&[
            ("user show ann", "!67 ann"),
            ("user show admin", "admin"),
            ("alias show postmaster", "postmaster@example.org"),
        ]);
    }

    #[test]
    fn whatever_is_wrong_is_said_with_its_line_and_nothing_is_changed() {
        let trial = Trial::with_users(&["ann"]);
        let before = all(&trial);
        let good = "[[domain]]\nname = \"example.net\"\n";
        let check = |rest: &str, expected: &str| {
            let said = apply(&trial, "", &format!("{good}{rest}"));
            assert_eq!(said.exit, Exit::Usage, "{rest}: {said:?}");
            assert!(said.err.contains(expected), "{rest}: {} lacks {expected}", said.err);
            assert!(said.err.contains("nothing was changed") && said.out.is_empty(), "{said:?}");
        };
        check("x = = 1", "-:3: not TOML");
        check("\n[[users]]\nuid = \"x\"", "-:4: the file has no \"users\"");
        check("[[user]]\nname = \"x\"", "-:3: uid: it must be given");
        check("[[user]]\nuid = \"j.oe\"", "-:4: uid: \"j.oe\": a user ID has only letters");
        check("[[user]]\nuid = 5", "-:4: uid: a text");
        check("[[user]]\nuid = \"x\"\nquota = \"much\"", "-:5: quota: a number of megabytes");
        check("[[user]]\nuid = \"x\"\nquota = -1", "-:5: quota: a number of megabytes");
        check("[[user]]\nuid = \"x\"\nadmin = 1", "-:5: admin: true or false");
        check("[[user]]\nuid = \"x\"\ngroups = [1]", "-:5: groups: a list of texts");
        check("[[user]]\nuid = \"x\"\nkeep_copy = true", "keep_copy: it goes with forwarding");
        check("[[user]]\nuid = \"x\"\nvacation = true", "-:5: vacation: a table");
        check("[[user]]\nuid = \"x\"\n[user.vacation]\nfrom = 1", "-:6: vacation has no \"from\"");
        check("[[user]]\nuid = \"x\"\n[user.vacation]\ndays = 0", "-:3: vacation.days: \"0\": a number of days");
        check("[[user]]\nuid = \"x\"\njunk_filter = { exceptions = [\"a\"] }", "-:5: exceptions: a list of tables");
        check(
            "[[user]]\nuid = \"x\"\n[[user.junk_filter.exceptions]]\npattern = \"x y\"",
            "-:5: junk_filter.exceptions[0].pattern: \"x y\"",
        );
        check("[[user]]\nuid = \"x\"\nfrob = 1", "-:5: a user has no \"frob\"");
        check("[[user]]\nuid = \"x\"\n[[user]]\nuid = \"X\"", "-:5: user x is there twice");
        check("[[user]]\nuid = \"x\"\nmail = \"x@nowhere.example\"", "-:3: there is no domain nowhere.example");
        check(
            "[[user]]\nuid = \"x\"\nmail = \"ann@example.org\"",
            "-:3: mail: \"ann@example.org\": it is taken by user ann",
        );
        check("[[user]]\nuid = \"x\"\npassword_hash = \"$1$x\"", "-:3: ");
        check("[[user]]\nuid = \"x\"\nforwarding = [\"y@example.org\"]", "nobody has that address on this server");
        check("[[user]]\nuid = \"admin\"\nenabled = false", "-:3: ");
        check(
            "[[alias]]\naddress = \"a@example.net\"\nmembers = [\"ann@example.org\"]",
            "-:3: owners: an alias has one owner",
        );
        check("[[alias]]\naddress = \"a@example.net\"\nowners = [\"nobody\"]", "-:3: owners: \"nobody\"");
        check("[[alias]]\naddress = \"ann@example.org\"\nowners = [\"ann\"]\nmembers = [\"ann\"]", "taken by user ann");
        let round = |a: &str, b: &str| {
            format!("[[alias]]\naddress = \"{a}@example.org\"\nowners = [\"ann\"]\nmembers = [\"{b}\"]\n")
        };
        check(&(round("a", "b") + &round("b", "a")), "it would be a member of itself");
        assert_eq!(all(&trial), before);
        // All problems at once.
        let said = apply(&trial, "", "[[user]]\nuid = \"a.b\"\n[[user]]\nuid = \"c.d\"");
        assert!(said.err.contains("-:2:") && said.err.contains("-:4:") && said.err.contains("2 problems"), "{said:?}");
        let said = trial.run("apply", "");
        assert!(said.exit == Exit::Usage && said.err.contains("FILE"), "{said:?}");
    }

    #[test]
    fn json_is_as_good() {
        let trial = Trial::new();
        let file = "{\n \"user\": [\n  {\"uid\": \"joe\",\n   \"quota\": 5}]}";
        assert_eq!(must(&trial, "", file), "+ user joe: joe@example.org");
        assert_eq!(must(&trial, "", file), "");
        for (wrong, expected) in [
            (file.replace("5}", "true}"), "-:4: quota: a number"),
            (file.replace("\"quota\"", "\"uid\""), "-:4: a user has no \"uid\", or has it already"),
            (file.replace("]}", "]"), "not JSON"),
        ] {
            let said = apply(&trial, "", &wrong);
            assert!(said.exit == Exit::Usage && said.err.contains(expected), "{said:?}");
        }
    }
}
