//! How a user is reached otherwise: telephone numbers, title, office. Fields of inetOrgPerson (RFC 2798).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text;

/// One of these fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactField {
    /// Job title.
    Title,
    /// Physical delivery office name.
    Office,
    /// Business phone.
    BusinessPhone,
    /// Mobile phone.
    MobilePhone,
    /// Home phone.
    HomePhone,
    /// Pager.
    Pager,
    /// Fax.
    Fax,
    /// The server of the user's calendar; shown only where there is one.
    CalendarNode,
}

impl ContactField {
    /// All of them, in the order in which they are shown.
    pub const ALL: [ContactField; 8] = [
        ContactField::Title,
        ContactField::Office,
        ContactField::BusinessPhone,
        ContactField::MobilePhone,
        ContactField::HomePhone,
        ContactField::Pager,
        ContactField::Fax,
        ContactField::CalendarNode,
    ];

    /// Its name in rows, commands and interfaces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ContactField::Title => "title",
            ContactField::Office => "office",
            ContactField::BusinessPhone => "business_phone",
            ContactField::MobilePhone => "mobile_phone",
            ContactField::HomePhone => "home_phone",
            ContactField::Pager => "pager",
            ContactField::Fax => "fax",
            ContactField::CalendarNode => "calendar_node",
        }
    }

    /// The LDAP attribute (RFC 4519, RFC 2798); ours where there is none.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            ContactField::Title => "title",
            ContactField::Office => "physicalDeliveryOfficeName",
            ContactField::BusinessPhone => "telephoneNumber",
            ContactField::MobilePhone => "mobile",
            ContactField::HomePhone => "homePhone",
            ContactField::Pager => "pager",
            ContactField::Fax => "facsimileTelephoneNumber",
            ContactField::CalendarNode => "mailCalendarNode",
        }
    }
}

/// The fields that are filled in. A map, because most users have none: a million of them have to fit into memory.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contact(BTreeMap<ContactField, String>);

impl Contact {
    /// What a field says; empty if nothing.
    #[must_use]
    pub fn get(&self, field: ContactField) -> &str {
        self.0.get(&field).map_or("", String::as_str)
    }

    /// Fills a field in, or empties it.
    pub fn set(&mut self, field: ContactField, text: &str) {
        if text.is_empty() {
            self.0.remove(&field);
        } else {
            self.0.insert(field, text.to_owned());
        }
    }

    /// Whether nothing is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules for what is not as it was.
    pub(crate) fn check(&self, old: Option<&Contact>) -> Result<()> {
        let is_new = |field: ContactField| old.is_none_or(|old| old.get(field) != self.get(field));
        ContactField::ALL.into_iter().filter(|&f| is_new(f)).try_for_each(|f| text::check(f.name(), self.get(f)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_the_same_everywhere() {
        let mut contact = Contact::default();
        for field in ContactField::ALL {
            contact.set(field, field.attribute());
        }
        let row = serde_json::to_value(&contact).unwrap();
        for field in ContactField::ALL {
            assert_eq!(row[field.name()], field.attribute());
            contact.set(field, "");
        }
        assert!(contact.is_empty());
    }
}
