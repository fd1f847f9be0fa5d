//! The classic commands of the directory, `msgusercreate` and its like, with their options: each is a command of its own, and
//! answers to its name when the program is called by it. What they do is what the modern commands do.

mod acl;
mod alias;
mod domain;
mod user;

use clap::{Arg, ArgMatches};
use directory::{Address, DomainName, Error, Service};
use tools::CommandError;

use super::listing::text;

pub(super) use acl::{SET as ACL_SET, SHOW as ACL_SHOW};
pub(super) use alias::{
    ADD as ALIAS_ADD, CREATE as ALIAS_CREATE, DELETE as ALIAS_DELETE, LIST as ALIAS_LIST, MOD as ALIAS_MOD,
    REMOVE as ALIAS_REMOVE,
};
pub(super) use domain::{CREATE as DOMAIN_CREATE, DELETE as DOMAIN_DELETE, LIST as DOMAIN_LIST, MOVE as DOMAIN_MOVE};
pub(super) use user::{
    CREATE as USER_CREATE, DELETE as USER_DELETE, LIST as USER_LIST, MOD as USER_MOD, PASSWD as USER_PASSWD,
};

/// `--name` and `--domain`, which together say what `--mail` says.
fn name_and_domain() -> [Arg; 2] {
    [
        Arg::new("name").long("name").value_name("NAME").help("What is left of the @"),
        Arg::new("domain").long("domain").value_name("DOMAIN").help("What is right of it [default: the server's own]"),
    ]
}

/// The address that `--mail` says, or `--name` and `--domain`; where both are given they must agree.
fn address(matches: &ArgMatches, service: &Service<'_>) -> Result<Option<Address>, CommandError> {
    let mail = text(matches, "mail").map(|text| Address::parse(&text)).transpose()?;
    let domain = text(matches, "domain").map(|text| DomainName::parse(&text)).transpose()?;
    let Some(name) = text(matches, "name") else {
        return match (&mail, domain) {
            (Some(mail), Some(domain)) if *mail.domain() != domain => Err(disagree(mail, domain.as_str())),
            _ => Ok(mail),
        };
    };
    let domain = domain.map_or_else(|| service.current_domain(), Ok)?;
    let named = Address::new(&name, domain).map_err(|error| error.of_field("name"))?;
    match mail {
        Some(mail) if mail != named => Err(disagree(&mail, &named.to_string())),
        _ => Ok(Some(named)),
    }
}

fn disagree(mail: &Address, other: &str) -> CommandError {
    Error::rule("mail", mail.to_string(), format!("--name and --domain say something else: {other}")).into()
}

/// An address that must be given.
fn required_address(matches: &ArgMatches, service: &Service<'_>) -> Result<Address, CommandError> {
    let missing = || CommandError::Usage("which one? Give --mail, or --name and --domain".to_owned());
    address(matches, service)?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use crate::commands::trial::Trial;

    #[test]
    fn domains() {
        Trial::new().table(&[
            ("msgdomaincreate --domain=example.net --description=Other", ""),
            ("msgdomainlist", "Other"),
            ("msgdomainlist --json", r#""name":"example.net""#),
            ("msgdomainmove example.net example.com", "example.com"),
            ("msgusercreate --uid=ann --mail=ann@example.com", "ann@example.com"),
            ("msgdomaindelete --domain=example.com", "!64 it has 1 users"),
            ("msgdomaindelete --domain=example.com --cascade", "example.com deleted"),
            ("msgdomaincreate", "!64 --domain"),
            ("msgdomaincreate --domain=a..b", "!64 domain: \"a..b\""),
            ("msgdomainmove nowhere.example x.example", "!66 nowhere.example"),
            ("msgdomaindelete --domain=nowhere.example", "!66 nowhere.example"),
        ]);
    }

    #[test]
    fn users() {
        Trial::new().table(&[
            (
                "msgusercreate --uid=joe --mail=joe.smith --givenName=Joe --sn=Smith --displayName=J --quota=7 \
                 --mailAlternateAddress=js --mailForwardingAddress=joe@else.example --keepCopy=TRUE --admin=FALSE \
                 --group=staff --title=Dr --physicalDeliveryOfficeName=7 --telephoneNumber=1 --mobile=2 --homePhone=3 \
                 --pager=4 --facsimileTelephoneNumber=5 --mailCalendarNode=cal",
                "joe added with address joe.smith@example.org",
            ),
            ("msguserlist --uid=joe", "mobile phone   2"),
            ("msguserlist --uid=joe --json", r#""title":"Dr""#),
            ("msguserlist", "joe.smith@example.org"),
            ("msguserlist --search=smi --domain=example.org --json", r#""uid":"joe""#),
            ("msguserlist --quota", "joe.smith@example.org                            7       0.0"),
            ("msgusermod --uid=joe --quota=NONE --mailForwardingAddress= --title=", ""),
            ("msguserlist --uid=joe", "quota          none"),
            ("msgusermod --uid=joe --vacationSubject=Weg --vacationText=Bis --vacationDays=3 --junkAction=destroy", ""),
            ("msgusermod --uid=joe --junkAllow=xyz.com --junkDeny=a@b.example --vacation=FALSE --junkFilter=no", ""),
            ("msguserlist --uid=joe", "reply subject  Weg"),
            ("msguserlist --uid=joe", "junk denied    a@b.example"),
            ("msgpasswd --uid=joe", ""),
            ("msgpasswd --uid=joe --hash", "!64 "),
            ("msguserdelete --uid=joe --dry-run", "joe would be deleted"),
            ("msguserdelete --uid=joe", "joe deleted"),
            ("msgusercreate --uid=j.oe", "!64 uid: \"j.oe\""),
            ("msgusercreate", "!64 --uid"),
            ("msgusermod --uid=joe --title=x", "!67 joe"),
            ("msgusermod --uid=admin", "!64 nothing to change"),
            ("msgusermod --uid=admin --quota=x", "!64 quota_limit_mib: \"x\""),
            ("msguserdelete --uid=admin", "!64 can't be deleted"),
            ("msguserlist --uid=joe", "!67 joe"),
            ("msgpasswd --uid=joe", "!67 joe"),
        ]);
    }

    #[test]
    fn aliases() {
        let trial = Trial::with_users(&["joe", "sue"]);
        let file = trial.path().join("archive").display().to_string();
        let (add_file, remove_file) =
            (format!("msgaliasadd --name=staff --file={file}"), format!("msgaliasremove --name=staff --file={file}"));
        trial.table(&[
            ("msgaliascreate --mail=inner@example.org --owneruid=joe --memberuid=joe", "inner@example.org created"),
            (
                "msgaliascreate --mail=staff@example.org --name=staff --domain=example.org --owner=joe@example.org \
                 --owneruid=sue --member=joe@example.org --member=a@else.example --memberuid=sue --memberalias=inner \
                 --remote=b@else.example --program=/bin/cat --description=Staff --joinable=FALSE --loop",
                "staff@example.org created",
            ),
            ("msgaliaslist --name=staff", "members        joe sue inner@example.org a@else.example b@else.example"),
            ("msgaliaslist --mail=staff@example.org --json", r#""joinable":false"#),
            ("msgaliaslist", "inner@example.org"),
            ("msgaliaslist --search=sta --domain=example.org", "staff@example.org"),
            (&add_file, ""),
            (&add_file, ""),
            ("msgaliasadd --name=staff --file=/elsewhere", "!64 file: \"/elsewhere\": an alias has one at most"),
            (&remove_file, ""),
            (&remove_file, "!64 it is not there in staff@example.org"),
            ("msgaliasremove --name=staff --program=/bin/cat --owneruid=sue --memberuid=sue", ""),
            ("msgaliasremove --name=staff --remote=b@else.example --memberalias=inner --member=a@else.example", ""),
            ("msgaliaslist --name=staff", "members        joe"),
            ("msgaliasadd --name=staff --member=sue@example.org --owner=sue@example.org", ""),
            ("msgaliasmod --name=staff --description=New --joinable=TRUE", ""),
            ("msgaliaslist", "staff@example.org                open           2 New"),
            ("msgaliasadd --name=inner --memberalias=staff", ""),
            ("msgaliasadd --name=staff --memberalias=inner --loop", "!64 it would be a member of itself"),
            ("msgaliascreate --name=x --owneruid=nobody --memberuid=joe", "!64 owners: \"nobody\": there is no user"),
            ("msgaliascreate --name=x --owneruid=joe --memberuid=nobody", "!64 members: \"nobody\": there is no user"),
            ("msgaliascreate --name=x --owneruid=joe --memberalias=nobody", "!64 there is no alias of that address"),
            ("msgaliascreate --name=x --owneruid=joe --remote=a@example.org", "!64 its domain is one of this server"),
            ("msgaliascreate --name=x --owneruid=joe --member=joe", "!64 members: \"joe\": it must be an address"),
            ("msgaliascreate --name=x --owner=joe --memberuid=joe", "!64 owners: \"joe\": it must be an address"),
            ("msgaliascreate --name=x --owneruid=joe --memberuid=joe --file=x", "!64 file: \"x\""),
            ("msgaliascreate --name=x --owneruid=joe --memberuid=joe --program=x", "!64 program: \"x\""),
            ("msgaliascreate --name=x --file=/a --file=/b", "!64 file: \"/b\": an alias has one at most"),
            ("msgaliascreate --mail=a@example.org --name=b", "!64 mail: \"a@example.org\": --name and --domain say"),
            ("msgaliascreate --mail=a@example.org --domain=example.net", "!64 say something else: example.net"),
            ("msgaliascreate --owneruid=joe --memberuid=joe", "!64 which one?"),
            ("msgaliasadd --name=staff", "!64 nothing to change"),
            ("msgaliasadd --name=none --memberuid=joe", "!66 none@example.org"),
            ("msgaliasremove --name=staff --remote=c@else.example", "!64 members: \"c@else.example\": it is not there"),
            ("msgaliasmod --name=staff", "!64 nothing to change"),
            ("msgaliasdelete --name=postmaster", "!64 a domain can't be without its postmaster"),
            ("msgaliasdelete --name=staff", "staff@example.org deleted"),
            ("msgaliasdelete --name=staff", "!66 staff@example.org"),
        ]);
    }

    #[test]
    fn privileges() {
        Trial::new().table(&[
            ("msgaclset --DefaultQuotaLimit=100 --DefaultFolders=Sent,Drafts --AllowForwarding=FALSE", ""),
            ("msgaclshow", "DefaultQuotaLimit    100\nDefaultFolders       Sent,Drafts"),
            ("msgaclshow", "AllowForwarding      FALSE"),
            ("msgaclshow --json", r#""default_quota_mib":100"#),
            ("msgaclset --DefaultQuotaLimit=none --DefaultFolders= --AllowForwarding=TRUE", ""),
            ("msgaclshow", "DefaultQuotaLimit    NONE\nDefaultFolders\n"),
            ("msgaclset --JunkAllow=xyz.com --JunkDeny=spam.example", ""),
            ("msgaclshow", "JunkDeny             spam.example"),
            ("msgaclset", "!64 nothing to change"),
            ("msgaclset --DefaultQuotaLimit=-1", "!64 -1"),
            ("msgaclset --AllowForwarding=perhaps", "!64 perhaps"),
            ("msgaclset --DefaultFolders=a.b", "!64 default_folders: \"a.b\""),
        ]);
    }
}
