//! Which back end keeps the directory: the section `[directory]` of the configuration.

use std::path::Path;
use std::sync::Arc;

use directory::{
    Directory, DomainName, Embedded, HashCost, Logins, ScramCost, Secret, Surroundings, TokenCheck, UserId,
};
use durable::disk::{Disk, RealDisk};
use ldap::{Check, Identity, Ldap, Scheme, Url};
use tools::Exit;

use crate::config::options::{Backend, PasswordCheck};
use crate::config::{Config, Directory as Section};
use crate::failure::Failure;
use crate::services::directory_failure;

/// The accounts of the operating system: no user is called like one of them.
const ACCOUNTS: &str = "/etc/passwd";

/// The directory, and the same once more if an LDAP server keeps it.
pub(crate) struct Opened {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) ldap: Option<Arc<Ldap>>,
}

/// Opens the directory that the configuration wants; everything but an LDAP server's entries is below `place`. With `create`
/// it is made if it is not there. An LDAP server need not answer yet.
///
/// # Errors
/// What is wrong with the configuration, or with the files.
pub(crate) fn open(
    config: &Config,
    disk: Arc<dyn Disk>,
    place: &Path,
    create: bool,
    tokens: Option<Arc<dyn TokenCheck>>,
) -> Result<Opened, Failure> {
    let around = Surroundings { accounts: Some(ACCOUNTS.into()), guarded: vec![place.to_owned(), config.spool()] };
    let history = || {
        let kept = config.limits.login_history as usize;
        (kept > 0).then(|| Logins::new(place, Arc::clone(&disk), kept))
    };
    // Both have the same to be set, and no type in common.
    macro_rules! finish {
        ($directory:expr) => {{
            let mut directory = $directory.with_surroundings(around);
            if let Some(history) = history() {
                directory = directory.with_logins(history);
            }
            if let Some(tokens) = tokens {
                directory = directory.with_tokens(tokens);
            }
            Arc::new(directory)
        }};
    }
    if let Some(settings) = ldap_settings(config)? {
        let directory = Ldap::new(place, Arc::clone(&disk), create, &settings).map_err(unusable)?;
        let ldap: Arc<Ldap> = finish!(directory);
        return Ok(Opened { directory: Arc::clone(&ldap) as Arc<dyn Directory>, ldap: Some(ldap) });
    }
    let basics = Basics::read(config)?;
    let settings = directory::Settings {
        primary_domain: basics.primary_domain,
        admins: basics.admins,
        hash_cost: HashCost::default(),
        scram: basics.scram,
    };
    let (directory, _) = Embedded::open(place, Arc::clone(&disk), create, &settings).map_err(directory_failure)?;
    Ok(Opened { directory: finish!(directory), ldap: None })
}

/// Makes what is not there in the LDAP server, if one keeps the directory: the places of entries, and the primary domain.
///
/// # Errors
/// What is wrong with the configuration, or with the LDAP server.
pub(crate) fn found(config: &Config) -> Result<(), Failure> {
    let Some(settings) = ldap_settings(config)? else { return Ok(()) };
    let directory = Ldap::open(&config.config_dir(), Arc::new(RealDisk), true, &settings).map_err(directory_failure)?;
    directory.close().map_err(directory_failure)
}

/// Checks what a configuration says of the directory, the files that it names among it.
///
/// # Errors
/// What is wrong.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let Some(settings) = ldap_settings(config)? else { return Ok(()) };
    settings.check().map_err(unusable)
}

/// How the LDAP server is reached, if one keeps the directory. Reads the file with the password.
///
/// # Errors
/// What is wrong with the section, or with that file.
pub(crate) fn ldap_settings(config: &Config) -> Result<Option<ldap::Settings>, Failure> {
    let section = &config.directory;
    if section.backend == Backend::Embedded {
        return Ok(None);
    }
    if let Some((option, problem)) = problems(section).into_iter().next() {
        return Err(wrong(option, &problem));
    }
    let (Some(url), Some(base)) = (&section.url, &section.base) else { return Ok(None) };
    let url = Url::parse(url).map_err(|problem| wrong("url", &problem))?;
    let basics = Basics::read(config)?;
    Ok(Some(ldap::Settings {
        starttls: section.starttls,
        ca_file: section.authorities.as_deref().map(|file| config.absolute(file)),
        identity: identity(config)?,
        check: match section.check {
            PasswordCheck::Hash => Check::Hash,
            PasswordCheck::Bind => Check::Bind,
        },
        connections: section.connections as usize,
        connect_timeout: section.connect_timeout.0,
        operation_timeout: section.timeout.0,
        retry_at_most: section.retry.0,
        cache_size: section.cache_entries as usize,
        cache_fresh: section.cache_fresh.0,
        cache_stale: section.cache_stale.0,
        admins: basics.admins,
        scram: basics.scram,
        ..ldap::Settings::new(url, base, basics.primary_domain)
    }))
}

/// What is wrong with a section as a whole: the option that it is said of, and how it must be.
pub(crate) fn problems(section: &Section) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut say = |option, problem: String| found.push((option, problem));
    if section.backend == Backend::Embedded {
        // Somebody believes that an LDAP server is asked.
        if section.url.is_some() {
            say("url", "it is for backend = \"ldap\", and backend is \"embedded\"".into());
        }
        return found;
    }
    match &section.url {
        None => say("backend", "\"ldap\" needs url: where the LDAP server is".into()),
        Some(text) => match Url::parse(text) {
            Err(problem) => say("url", format!("{text:?}: {problem}")),
            Ok(url) if section.starttls && url.scheme() != Scheme::Ldap => {
                say("starttls", format!("it is for ldap:// only, and url is {text:?}"));
            }
            Ok(url) if url.scheme() == Scheme::Ldap && !section.starttls && !url.is_loopback() => say(
                "url",
                format!("{text:?}: passwords would cross the network in the clear; say ldaps://, or starttls = true"),
            ),
            Ok(_) => {}
        },
    }
    match &section.base {
        None => say("backend", "\"ldap\" needs base: the entry below which everything is kept".into()),
        Some(base) if !ldap::is_name(base) => {
            say("base", format!("{base:?} is no name of an entry, as \"dc=example,dc=com\" is one"));
        }
        Some(_) => {}
    }
    match (&section.bind_dn, &section.bind_password_file) {
        (Some(dn), _) if !ldap::is_name(dn) => {
            say("bind_dn", format!("{dn:?} is no name of an entry, as \"cn=angarium,dc=example,dc=com\" is one"));
        }
        (Some(_), None) => say("bind_dn", "it needs bind_password_file".into()),
        (None, Some(_)) => say("bind_password_file", "it needs bind_dn: whose password that is".into()),
        _ => {}
    }
    if section.cache_stale.0 < section.cache_fresh.0 {
        say("cache_stale", "it can't be shorter than cache_fresh".into());
    }
    found
}

/// What both back ends are told.
struct Basics {
    primary_domain: DomainName,
    admins: Vec<UserId>,
    scram: ScramCost,
}

impl Basics {
    fn read(config: &Config) -> Result<Self, Failure> {
        let wrong =
            |option: &str, problem: directory::Error| Failure::new(Exit::Config, format!("{option}: {problem}"));
        let admins = config.server.admins.iter().map(|admin| UserId::parse(admin)).collect::<Result<_, _>>();
        Ok(Self {
            primary_domain: DomainName::parse(&config.domain()).map_err(|problem| wrong("[server] domain", problem))?,
            admins: admins.map_err(|problem| wrong("[server] admins", problem))?,
            scram: ScramCost::new(config.login.scram_rounds, config.login.scram_sha1)
                .map_err(|problem| wrong("[login] scram_rounds", problem))?,
        })
    }
}

fn identity(config: &Config) -> Result<Option<Identity>, Failure> {
    let (Some(dn), Some(file)) = (&config.directory.bind_dn, &config.directory.bind_password_file) else {
        return Ok(None);
    };
    let file = config.absolute(file);
    let unusable =
        |problem: &dyn std::fmt::Display| wrong("bind_password_file", &format_args!("{}: {problem}", file.display()));
    let text = std::fs::read(&file).map_err(|problem| unusable(&problem))?;
    let password = text.trim_ascii_end();
    if password.is_empty() {
        // LDAP would take it for nobody's name, and let us in as nobody (RFC 4513, 5.1.2).
        return Err(unusable(&"it is empty"));
    }
    if std::str::from_utf8(password).is_err() {
        return Err(unusable(&"it is not UTF-8"));
    }
    Ok(Some(Identity { dn: dn.clone(), password: Secret::new(password) }))
}

fn wrong(option: &str, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Config, format!("[directory] {option}: {problem}"))
}

/// Settings that can't be used as the program's end.
pub(crate) fn unusable(problem: directory::Error) -> Failure {
    let text = match problem {
        directory::Error::Unavailable(why) => why,
        other => other.to_string(),
    };
    Failure::new(Exit::Config, format!("[directory] {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_make_no_sense() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty"), "\n").unwrap();
        std::fs::write(dir.path().join("secret"), "wonderland\n").unwrap();
        let says = |section: &str, expected: &str| {
            let file = dir.path().join("angarium.toml");
            std::fs::write(&file, format!("[directory]\n{section}\n")).unwrap();
            let found = match Config::read(&file).map_err(Failure::from).and_then(|config| {
                check(&config)?;
                ldap_settings(&config)
            }) {
                Ok(None) => "none".to_owned(),
                Ok(Some(settings)) => format!("{settings:?}"),
                Err(failure) => format!("wrong: {failure}"),
            };
            assert!(found.contains(expected), "{section}: {found}");
            assert!(!found.contains("wonderland"), "{found}");
        };
        says("", "none");
        says("url = 'ldap://localhost'", "2: url: it is for backend = \"ldap\"");
        let backend = "backend = 'ldap'\n";
        says(backend, "2: backend: \"ldap\" needs url");
        let url = &format!("{backend}url = 'ldap://localhost:389'\n");
        says(url, "2: backend: \"ldap\" needs base");
        says(&format!("{url}base = 'example.com'"), "4: base: \"example.com\" is no name of an entry");
        let base = &format!("base = 'dc=example,dc=com'\n{url}");
        says(base, "ldap://localhost:389");
        says(&format!("{base}bind_dn = 'cn=a,dc=b'"), "5: bind_dn: it needs bind_password_file");
        says(&format!("{base}bind_password_file = 'secret'"), "5: bind_password_file: it needs bind_dn");
        says(&format!("{base}bind_dn = 'me'\nbind_password_file = 'secret'"), "5: bind_dn: \"me\" is no name");
        let us = &format!("{base}bind_dn = 'cn=a,dc=b'\n");
        says(&format!("{us}bind_password_file = 'secret'"), "cn=a,dc=b");
        says(&format!("{us}bind_password_file = 'empty'"), "[directory] bind_password_file: ");
        says(&format!("{us}bind_password_file = 'none'"), "No such file");
        says(&format!("{base}authorities = 'none'\nstarttls = true"), "none: ");
        says(&format!("{base}authorities = 'empty'\nstarttls = true"), "no certificate");
        says(&format!("{base}cache_fresh = '1h'\ncache_stale = '1m'"), "6: cache_stale: it can't be shorter");
        let at = |url: &str, more: &str| format!("base = 'dc=a'\n{backend}url = '{url}'\n{more}");
        says(&at("ldap://ldap.example.com", ""), "4: url: \"ldap://ldap.example.com\": passwords would cross");
        says(&at("ldap://ldap.example.com", "starttls = true"), "starttls: true");
        says(&at("ldaps://ldap.example.com", "starttls = true"), "5: starttls: it is for ldap:// only");
        says(&at("ldaps://ldap.example.com", ""), "ldaps://ldap.example.com");
        says(&at("ldapi://%2Frun%2Fslapd%2Fldapi", ""), "ldapi://%2Frun");
        says(&at("https://ldap.example.com", ""), "4: url: \"https://ldap.example.com\": it must begin with ldap://");
        says(&at("ldap://localhost/dc=a", ""), "nothing comes behind the host");
        says(&at("ldap://localhost", "check = 'guess'"), "5: check: unknown value \"guess\"");
        says(&at("ldap://localhost", "connections = 0"), "5: connections: 0 is too small");
    }
}
