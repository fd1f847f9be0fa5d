//! What a file says of a user: one list for `apply`, which reads TOML and JSON trees, and `directory import`, which reads JSON
//! Lines and LDIF. What is not said stays as it is.

use directory::{
    Address, ContactField, Error, Forwarding, JunkAction, JunkException, JunkFilter, Privileges, User, Vacation,
};

use crate::apply::differences::replace;

/// What is said of a user besides the user ID, and whether he is welcome.
#[derive(Debug, Default)]
pub(crate) struct UserFields {
    pub(crate) mail: Option<Address>,
    pub(crate) given_name: Option<String>,
    pub(crate) surname: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) alternates: Option<Vec<Address>>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) admin: Option<bool>,
    /// The inner `None` is no limit.
    pub(crate) quota_limit_mib: Option<Option<u64>>,
    pub(crate) contact: Vec<(ContactField, String)>,
    /// The inner `None` is no forwarding.
    pub(crate) forwarding: Option<Option<Forwarding>>,
    /// The inner `None` is what nobody has set; the same of the next one.
    pub(crate) vacation: Option<Option<Vacation>>,
    pub(crate) junk_filter: Option<Option<JunkFilter>>,
}

impl UserFields {
    /// Makes a user what is said.
    pub(crate) fn put_into(&self, user: &mut User) {
        set(&mut user.mail, &self.mail);
        set(&mut user.given_name, &self.given_name);
        set(&mut user.surname, &self.surname);
        set(&mut user.display_name, &self.display_name);
        if let Some(alternates) = &self.alternates {
            replace(&mut user.alternates, alternates);
        }
        if let Some(groups) = &self.groups {
            replace(&mut user.groups, groups);
        }
        set(&mut user.admin, &self.admin);
        set(&mut user.quota_limit_mib, &self.quota_limit_mib);
        self.contact.iter().for_each(|(field, text)| user.contact.set(*field, text));
        if let Some(forwarding) = &self.forwarding {
            user.forwarding = forwarding.clone().map(Box::new);
        }
        if let Some(vacation) = &self.vacation {
            user.vacation = vacation.clone().and_then(Vacation::kept);
        }
        if let Some(filter) = &self.junk_filter {
            let now = user.junk_filter.take().map(|now| now.exceptions);
            let mut filter = filter.clone().unwrap_or_default();
            let wanted = std::mem::replace(&mut filter.exceptions, now.unwrap_or_default());
            replace(&mut filter.exceptions, &wanted);
            user.junk_filter = filter.kept();
        }
    }
}

fn set<T: Clone>(field: &mut T, given: &Option<T>) {
    if let Some(value) = given {
        field.clone_from(value);
    }
}

/// An object of a file, whose fields are taken out of it one by one. What is wrong with one is noted, with its place.
pub(crate) trait Object {
    /// A text.
    fn text(&mut self, name: &str) -> Option<String>;

    /// `true` or `false`.
    fn flag(&mut self, name: &str) -> Option<bool>;

    /// A number; `rule` says of what.
    fn number(&mut self, name: &str, rule: &str) -> Option<u64>;

    /// A list of objects, one after the other. Whether it is there, and is one.
    fn objects(&mut self, name: &str, each: &mut dyn FnMut(usize, &mut dyn Object)) -> bool;

    /// A rule of the directory.
    fn refuse(&mut self, error: Error);
}

/// The object `vacation`: what it does not say is not set.
pub(crate) fn vacation(object: &mut dyn Object) -> Vacation {
    let usual = Vacation::default();
    let days = object.number("days", "a number of days from 1 to 90");
    Vacation {
        on: object.flag("on").unwrap_or(usual.on),
        subject: object.text("subject").unwrap_or(usual.subject),
        text: object.text("text").unwrap_or(usual.text),
        // A number beyond all bounds is for the rules to refuse.
        days: days.map_or(usual.days, |days| u32::try_from(days).unwrap_or(u32::MAX)),
    }
}

/// The object `junk_filter`: what it does not say is not set.
pub(crate) fn junk_filter(object: &mut dyn Object) -> JunkFilter {
    let action = object.text("action").map(|name| JunkAction::parse(&name));
    let action = action.and_then(|parsed| parsed.map_err(|error| object.refuse(error)).ok());
    JunkFilter {
        on: object.flag("on").unwrap_or_default(),
        action: action.unwrap_or_default(),
        exceptions: exceptions(object, "exceptions", JunkFilter::EXCEPTIONS).unwrap_or_default(),
    }
}

/// Exceptions for everybody, in the global record.
pub(crate) fn junk_exceptions(object: &mut dyn Object) -> Option<Vec<JunkException>> {
    exceptions(object, Privileges::JUNK_EXCEPTIONS, Privileges::JUNK_EXCEPTIONS)
}

/// A list of exceptions, which rules call `field`.
fn exceptions(object: &mut dyn Object, name: &str, field: &'static str) -> Option<Vec<JunkException>> {
    let mut found = Vec::new();
    let is_there = object.objects(name, &mut |index, one| {
        let [pattern, decision] = ["pattern", "decision"].map(|name| one.text(name).unwrap_or_default());
        match JunkException::parse(field, index, &pattern, &decision) {
            Ok(exception) => found.push(exception),
            Err(error) => one.refuse(error),
        }
    });
    is_there.then_some(found)
}
