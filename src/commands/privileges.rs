//! `angarium privileges`: what users may do by themselves, and what new users get.

use clap::{Arg, ArgAction, ArgMatches};
use directory::{Decision, Error, Privilege, Privileges};
use tools::{CommandError, Console, Exit};

use super::listing::{json, object, print_fields, revision, revision_arg, text, texts};
use super::user::automatic;
use super::user::fields::{Style, parse_quota};
use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

/// How often a change is tried again when somebody else's came first.
const TRIES: usize = 20;

fn spec() -> clap::Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("PRIVILEGE")
            .action(ArgAction::Append)
            .value_delimiter(',')
            .ignore_case(true)
            .value_parser(Privilege::ALL.map(Privilege::name))
            .help(help)
    };
    clap::Command::new("privileges")
        .about("Show and set what users may do by themselves, and what new users get")
        .long_about(
            "One record for the whole server: the quota and the folders of new users, and what users may change by \
             themselves, over whatever interface. Users who are there keep their quotas and folders. Administrators may do \
             everything.",
        )
        .subcommand_required(true)
        .subcommand(clap::Command::new("show").about("Show the record").arg(json()))
        .subcommand(
            clap::Command::new("set")
                .about("Change the record; what is not given stays")
                .arg(
                    Arg::new("default-quota")
                        .long("default-quota")
                        .value_name("MB")
                        .help("The quota of new users in megabytes; NONE for no limit"),
                )
                .arg(
                    Arg::new("default-folder")
                        .long("default-folder")
                        .value_name("FOLDER")
                        .action(ArgAction::Append)
                        .value_delimiter(',')
                        .help("A folder that new users have beside the INBOX; again for more, an empty one for none"),
                )
                .args(automatic::exception_args(Style::Words))
                .arg(switch("allow", "Users may"))
                .arg(switch("deny", "Users may not"))
                .arg(revision_arg()),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    match matches.subcommand() {
        Some(("show", matches)) => show(matches.get_flag("json"), services, console)?,
        Some((_, matches)) => set(matches, services)?,
        None => {}
    }
    Ok(Exit::Ok)
}

/// Shows the record.
pub(super) fn show(as_json: bool, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let now = services.operator().privileges()?;
    if as_json {
        return Ok(console.out(&object(&now)?)?);
    }
    let quota = now.default_quota_mib.map_or_else(|| "NONE".to_owned(), |mib| mib.to_string());
    let fields = [("DefaultQuotaLimit", quota), ("DefaultFolders", now.default_folders.join(","))];
    let switches =
        Privilege::ALL.map(|switch| (switch.name(), if now.allow(switch) { "TRUE" } else { "FALSE" }.to_owned()));
    for (name, value) in fields.iter().chain(&switches) {
        console.out(format!("{name:20} {value}").trim_end())?;
    }
    for (decision, name) in [(Decision::Allow, "JunkAllow"), (Decision::Deny, "JunkDeny")] {
        let of_it = now.junk_exceptions.iter().filter(|exception| exception.decision == decision);
        let senders: Vec<_> = of_it.map(|exception| exception.pattern.to_string()).collect();
        if !senders.is_empty() {
            console.out(&format!("{name:20} {}", senders.join(",")))?;
        }
    }
    print_fields(&[("revision", now.revision.to_string())], console)
}

fn set(matches: &ArgMatches, services: &Services) -> Result<(), CommandError> {
    let [allow, deny] = ["allow", "deny"].map(|name| texts(matches, name));
    if let Some(both) = allow.iter().find(|name| deny.iter().any(|other| other.eq_ignore_ascii_case(name))) {
        return Err(CommandError::Usage(format!("{both} can't be allowed and denied")));
    }
    let quota = text(matches, "default-quota");
    let folders = matches.contains_id("default-folder").then(|| texts(matches, "default-folder"));
    let exceptions = automatic::exceptions(matches, Privileges::JUNK_EXCEPTIONS)?;
    if allow.is_empty() && deny.is_empty() && quota.is_none() && folders.is_none() && exceptions.is_empty() {
        return Err(CommandError::Usage("nothing to change: say what".to_owned()));
    }
    let quota = quota.map(|text| parse_quota("default_quota_mib", &text)).transpose()?;
    change(services, revision(matches)?, &|record| {
        if let Some(quota) = quota {
            record.default_quota_mib = quota;
        }
        if let Some(folders) = &folders {
            record.default_folders = folders.iter().filter(|folder| !folder.is_empty()).cloned().collect();
        }
        for (decision, patterns) in &exceptions {
            record.set_junk_exceptions(*decision, patterns.iter().cloned());
        }
        for switch in Privilege::ALL {
            let named = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(switch.name()));
            if named(&allow) || named(&deny) {
                record.set(switch, named(&allow));
            }
        }
    })
}

/// Changes the record from what it is now. With `expected`, only if nobody has changed it since.
pub(super) fn change(
    services: &Services,
    expected: Option<directory::Revision>,
    edit: &dyn Fn(&mut Privileges),
) -> Result<(), CommandError> {
    let service = services.operator();
    let mut tries = TRIES;
    loop {
        let mut record = service.privileges()?;
        record.revision = expected.unwrap_or(record.revision);
        edit(&mut record);
        match service.set_privileges(&record) {
            Err(Error::Conflict { .. }) if expected.is_none() && tries > 0 => tries -= 1,
            done => return Ok(done.map(drop)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::trial::Trial;

    #[test]
    fn every_option_and_every_error() {
        let trial = Trial::new();
        trial.table(&[
            ("privileges show", "DefaultQuotaLimit    NONE"),
            ("privileges set --default-quota 50 --default-folder Sent,Drafts --deny AllowForwarding", ""),
            ("privileges show", "DefaultQuotaLimit    50\nDefaultFolders       Sent,Drafts"),
            ("privileges show", "AllowForwarding      FALSE"),
            ("privileges show --json", r#""allow_forwarding":false"#),
            ("user add joe", "joe"),
            ("user show joe", "quota          50 MiB"),
            ("privileges set --allow allowforwarding --default-quota NONE --default-folder ''", ""),
            ("privileges show", "AllowForwarding      TRUE"),
            ("user show joe", "quota          50 MiB"),
            ("privileges set --junk-allow XYZ.com,joe@a.example --junk-deny a.example", ""),
            ("privileges show", "JunkAllow            joe@a.example,xyz.com\nJunkDeny             a.example"),
            ("privileges show --json", r#"{"decision":"deny","pattern":"a.example"}"#),
            ("privileges set --junk-deny ''", ""),
            (
                "privileges set --junk-deny xyz.com",
                "!64 junk_exceptions[2].pattern: \"xyz.com\": it can't be allowed and",
            ),
            (
                "privileges set --junk-deny 'x y'",
                "!64 junk_exceptions: \"x y\": an address (joe@xyz.com), or the domain",
            ),
            ("privileges set", "!64 nothing to change"),
            ("privileges set --default-quota x", "!64 default_quota_mib: \"x\""),
            ("privileges set --default-folder a//b", "!64 default_folders: \"a//b\""),
            ("privileges set --allow Frobnication", "!64 Frobnication"),
            (
                "privileges set --allow AllowVacation --deny allowvacation",
                "!64 AllowVacation can't be allowed and denied",
            ),
            ("privileges set --deny AllowVacation --if-revision fffff", "!75 changed by somebody else"),
        ]);
    }
}
