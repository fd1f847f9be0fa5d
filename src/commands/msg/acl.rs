//! `msgaclset`, `msgaclshow`: what users may do by themselves. Despite the name nothing about mailboxes.

use clap::{Arg, ArgMatches};
use directory::{Privilege, Privileges};
use tools::{Console, Exit};

use crate::commands::listing::{json, text};
use crate::commands::privileges::{change, show};
use crate::commands::user::automatic;
use crate::commands::user::fields::{Style, parse_quota, switch};
use crate::commands::{Command, Run, StoreCommand, no_input};
use crate::failure::Failure;
use crate::services::Services;

pub(crate) const SET: Command =
    Command { spec: set_spec, links: &[], run: Run::Store(StoreCommand { input: no_input, run: set }) };
pub(crate) const SHOW: Command = Command {
    spec: || {
        clap::Command::new("msgaclshow")
            .about("Show what users may do by themselves, and what new users get")
            .arg(json())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: run_show }),
};

fn set_spec() -> clap::Command {
    clap::Command::new("msgaclset")
        .about("Set what users may do by themselves, and what new users get")
        .arg(
            Arg::new("DefaultQuotaLimit")
                .long("DefaultQuotaLimit")
                .value_name("MB")
                .help("The quota of new users in megabytes; NONE for no limit. Users who are there keep theirs"),
        )
        .arg(
            Arg::new("DefaultFolders")
                .long("DefaultFolders")
                .value_name("FOLDERS")
                .help("The folders of new users beside the INBOX, with commas between them; an empty text for none"),
        )
        .args(automatic::exception_args(Style::Attributes))
        .args(Privilege::ALL.map(|privilege| {
            switch(Arg::new(privilege.name()).long(privilege.name()).value_name("BOOL")).help(about(privilege))
        }))
}

fn about(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::ProfileEdit => "Users may change their names, telephone numbers, title and office",
        Privilege::PasswordChange => "Users may change their password, and have app passwords",
        Privilege::Forwarding => "Users may have their mail forwarded",
        Privilege::Vacation => "Users may set what is replied while they are away",
        Privilege::JunkFilter => "Users may set their junk filter",
        Privilege::AliasCreate => "Users may make aliases",
        Privilege::AliasJoin => "Users may join and leave open aliases",
        Privilege::UserSearch => "Users may look for other users",
    }
}

fn set(matches: &ArgMatches, services: &Services, _: &mut dyn Console) -> Result<Exit, Failure> {
    let quota = text(matches, "DefaultQuotaLimit").map(|text| parse_quota("default_quota_mib", &text)).transpose()?;
    let folders = text(matches, "DefaultFolders");
    let exceptions = automatic::exceptions(matches, Privileges::JUNK_EXCEPTIONS)?;
    let switches = Privilege::ALL.map(|privilege| (privilege, matches.get_one::<bool>(privilege.name()).copied()));
    let is_any_switched = switches.iter().any(|(_, allowed)| allowed.is_some());
    if quota.is_none() && folders.is_none() && exceptions.is_empty() && !is_any_switched {
        return Err(Failure::new(Exit::Usage, "nothing to change: say what"));
    }
    change(services, None, &|record| {
        if let Some(quota) = quota {
            record.default_quota_mib = quota;
        }
        if let Some(folders) = &folders {
            record.default_folders = folders.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        }
        for (decision, patterns) in &exceptions {
            record.set_junk_exceptions(*decision, patterns.iter().cloned());
        }
        for (privilege, allowed) in switches {
            record.set(privilege, allowed.unwrap_or_else(|| record.allow(privilege)));
        }
    })?;
    Ok(Exit::Ok)
}

fn run_show(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    show(matches.get_flag("json"), services, console)?;
    Ok(Exit::Ok)
}
