//! Names of the schema (docs/ldap/angarium.schema), and where entries are.

use crate::change::part_name;
use crate::dn;

/// Object classes.
pub(crate) mod class {
    pub(crate) const USER: &str = "angariumUser";
    pub(crate) const ALIAS: &str = "angariumAlias";
    pub(crate) const DOMAIN: &str = "angariumDomain";
    pub(crate) const RECORD: &str = "angariumRecord";
    /// All of a user.
    pub(crate) const PERSON: &[&str] = &["person", "organizationalPerson", "inetOrgPerson", USER];
}

pub(crate) const UID: &str = "uid";
pub(crate) const CN: &str = "cn";
pub(crate) const GIVEN_NAME: &str = "givenName";
pub(crate) const SURNAME: &str = "sn";
pub(crate) const DISPLAY_NAME: &str = "displayName";
pub(crate) const DESCRIPTION: &str = "description";
/// An address of ASCII characters (RFC 4524, 2.16: IA5).
pub(crate) const MAIL: &str = "mail";
/// An address that is not.
pub(crate) const MAIL_UTF8: &str = "angariumMail";
pub(crate) const ALTERNATE: &str = "mailAlternateAddress";
pub(crate) const FORWARD: &str = "mailForwardingAddress";
pub(crate) const KEEP_COPY: &str = "mailForwardingKeepCopy";
pub(crate) const VACATION: &str = "angariumVacation";
pub(crate) const VACATION_SUBJECT: &str = "angariumVacationSubject";
pub(crate) const VACATION_TEXT: &str = "angariumVacationText";
pub(crate) const VACATION_DAYS: &str = "angariumVacationDays";
pub(crate) const JUNK_FILTER: &str = "angariumJunkFilter";
pub(crate) const JUNK_ACTION: &str = "angariumJunkAction";
pub(crate) const JUNK_ALLOW: &str = "angariumJunkAllow";
pub(crate) const JUNK_DENY: &str = "angariumJunkDeny";
pub(crate) const REMOTE: &str = "mailRemoteAddress";
pub(crate) const MEMBER: &str = "member";
pub(crate) const OWNER: &str = "owner";
pub(crate) const MEMBER_GROUP: &str = "angariumMemberGroup";
pub(crate) const FILE: &str = "angariumFile";
pub(crate) const PROGRAM: &str = "angariumProgram";
pub(crate) const JOINABLE: &str = "angariumJoinable";
pub(crate) const ADMIN: &str = "angariumAdmin";
pub(crate) const GROUP: &str = "angariumGroup";
pub(crate) const STATE: &str = "angariumState";
pub(crate) const QUOTA: &str = "angariumQuota";
pub(crate) const REVISION: &str = "angariumRevision";
/// A JSON object: what has no attribute of its own.
pub(crate) const EXTRA: &str = "angariumExtra";
pub(crate) const KEY: &str = "angariumKey";
pub(crate) const PRIMARY: &str = "angariumPrimary";
pub(crate) const SETTINGS: &str = "angariumSettings";
pub(crate) const INTENT: &str = "angariumIntent";
pub(crate) const PASSWORD: &str = "userPassword";
pub(crate) const CREDENTIALS: &str = "angariumCredentials";

/// What a user's row is made of; a person may have a photograph besides.
pub(crate) const USER: &[&str] = &[
    UID,
    GIVEN_NAME,
    SURNAME,
    DISPLAY_NAME,
    MAIL,
    MAIL_UTF8,
    ALTERNATE,
    FORWARD,
    KEEP_COPY,
    VACATION,
    VACATION_SUBJECT,
    VACATION_TEXT,
    VACATION_DAYS,
    JUNK_FILTER,
    JUNK_ACTION,
    JUNK_ALLOW,
    JUNK_DENY,
    ADMIN,
    GROUP,
    STATE,
    QUOTA,
    REVISION,
    EXTRA,
    PASSWORD,
    CREDENTIALS,
    "title",
    "physicalDeliveryOfficeName",
    "telephoneNumber",
    "mobile",
    "homePhone",
    "pager",
    "facsimileTelephoneNumber",
    "mailCalendarNode",
];

/// What other rows are made of.
pub(crate) const OTHERS: &[&str] =
    &[CN, DESCRIPTION, REMOTE, MEMBER, OWNER, MEMBER_GROUP, FILE, PROGRAM, JOINABLE, KEY, PRIMARY, SETTINGS, INTENT];

/// What users are found by.
pub(crate) const USER_NAME: &[&str] = &[UID, GIVEN_NAME, SURNAME, DISPLAY_NAME, MAIL, MAIL_UTF8, ALTERNATE];

/// Which groups a user is in.
pub(crate) const GROUPS: &[&str] = &[UID, GROUP];

/// What an alias is called.
pub(crate) const ALIAS_NAME: &[&str] = &[KEY, MAIL, MAIL_UTF8];

/// What aliases are found by.
pub(crate) const ALIAS_TEXTS: &[&str] = &[KEY, MAIL, MAIL_UTF8, DESCRIPTION];

/// Where entries are, below the base.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) base: String,
    pub(crate) people: String,
    pub(crate) aliases: String,
    pub(crate) domains: String,
    /// The global record.
    pub(crate) privileges: String,
    /// The change that is being made.
    pub(crate) intent: String,
}

impl Places {
    pub(crate) fn new(base: &str) -> Places {
        let ou = |name: &str| dn::below("ou", name, base);
        Places {
            base: base.to_owned(),
            people: ou("people"),
            aliases: ou("aliases"),
            domains: ou("domains"),
            privileges: dn::below(CN, "privileges", base),
            intent: dn::below(CN, "intent", base),
        }
    }

    pub(crate) fn user(&self, uid: &str) -> String {
        dn::below(UID, uid, &self.people)
    }

    pub(crate) fn alias(&self, key: &str) -> String {
        dn::below(KEY, key, &self.aliases)
    }

    /// A part of the change that is being made.
    pub(crate) fn part(&self, number: usize) -> String {
        dn::below(CN, &part_name(number), &self.base)
    }

    pub(crate) fn domain(&self, name: &str) -> String {
        dn::below(CN, name, &self.domains)
    }
}

/// The attribute that an address stands in.
pub(crate) fn mail_attribute(address: &str) -> &'static str {
    if address.is_ascii() { MAIL } else { MAIL_UTF8 }
}

#[cfg(test)]
mod tests {
    /// Definitions: lines, with those that go on joined, and blanks made one.
    fn definitions(text: &str, names: [&str; 3]) -> Vec<String> {
        let mut lines = Vec::<String>::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match (line.starts_with(' '), lines.last_mut()) {
                (true, Some(last)) => last.push_str(&format!(" {}", line.trim())),
                _ => lines.push(line.to_owned()),
            }
        }
        let definition = |line: &String| {
            let (name, rest) = line.split_once(' ')?;
            let kind = names.iter().position(|known| *known == name)?;
            Some(format!("{kind} {}", rest.split_whitespace().collect::<Vec<_>>().join(" ")))
        };
        lines.iter().filter_map(definition).collect()
    }

    #[test]
    fn both_forms_of_the_schema_say_the_same() {
        let conf = include_str!("../../docs/ldap/angarium.schema");
        let ldif = include_str!("../../docs/ldap/angarium.ldif");
        let conf = definitions(conf, ["objectIdentifier", "attributetype", "objectclass"]);
        assert_eq!(conf, definitions(ldif, ["olcObjectIdentifier:", "olcAttributeTypes:", "olcObjectClasses:"]));
        assert_eq!(conf.len(), 3 + 29 + 4);
    }
}
