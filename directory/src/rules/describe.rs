//! What changes of a user, as the audit log says it.

use crate::audit::Event;
use crate::contact::ContactField;
use crate::forwarding::Forwarding;
use crate::junk::JunkFilter;
use crate::rules::privileges::quota;
use crate::rules::{Field, list};
use crate::user::User;
use crate::vacation::Vacation;

/// Adds to an event what of a user is other than it was.
pub(super) fn describe(event: Event, old: Option<&User>, new: &User) -> Event {
    let say = |text: fn(&User) -> String| (old.map(text).unwrap_or_default(), text(new));
    let fields: [Field<User>; 7] = [
        ("mail", |user| user.mail.to_string()),
        ("given_name", |user| user.given_name.clone()),
        ("surname", |user| user.surname.clone()),
        ("display_name", |user| user.display_name.clone()),
        ("admin", |user| user.admin.to_string()),
        ("state", |user| format!("{:?}", user.state).to_lowercase()),
        ("quota_limit_mib", |user| quota(user.quota_limit_mib)),
    ];
    let mut event = fields.into_iter().fold(event, |event, (name, text)| {
        let (before, after) = say(text);
        event.field(name, before, after)
    });
    for field in ContactField::ALL {
        event = event.field(field.name(), old.map_or("", |old| old.contact.get(field)), new.contact.get(field));
    }
    event = event.list("alternates", old.map_or(&[][..], |old| &old.alternates), &new.alternates).list(
        "groups",
        old.map_or(&[][..], |old| &old.groups),
        &new.groups,
    );
    let (before, after) = say(|user| forwarding(user.forwarding.as_deref()));
    event = event.field("forwarding", before, after);
    event = vacation(event, old.and_then(|old| old.vacation.as_deref()), new.vacation.as_deref());
    junk_filter(event, old.and_then(|old| old.junk_filter.as_deref()), new.junk_filter.as_deref())
}

fn forwarding(forwarding: Option<&Forwarding>) -> String {
    forwarding.map_or_else(String::new, |forwarding| {
        format!("{}{}", list(&forwarding.to), if forwarding.keep_copy { " (with a copy here)" } else { "" })
    })
}

/// Not the text, which is a letter of the user's.
fn vacation(event: Event, old: Option<&Vacation>, new: Option<&Vacation>) -> Event {
    let (old, new) = (old.cloned().unwrap_or_default(), new.cloned().unwrap_or_default());
    let has_other_text = old.text != new.text;
    event
        .field("vacation.on", old.on.to_string(), new.on.to_string())
        .field("vacation.subject", old.subject, new.subject)
        .changed("vacation.text", has_other_text)
        .field("vacation.days", old.days.to_string(), new.days.to_string())
}

fn junk_filter(event: Event, old: Option<&JunkFilter>, new: Option<&JunkFilter>) -> Event {
    let (old, new) = (old.cloned().unwrap_or_default(), new.cloned().unwrap_or_default());
    event
        .field("junk_filter.on", old.on.to_string(), new.on.to_string())
        .field("junk_filter.action", old.action.name(), new.action.name())
        .list(JunkFilter::EXCEPTIONS, old.exceptions, new.exceptions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::junk::{Decision, JunkException};
    use crate::sender_pattern::SenderPattern;
    use crate::user::UserId;

    #[test]
    fn a_letter_is_not_repeated() {
        let mail = Address::parse("joe@example.com").unwrap();
        let old = User::new(UserId::parse("joe").unwrap(), mail, "Joe", "Smith");
        let mut new = old.clone();
        let vacation = Vacation { on: true, subject: "Away".into(), text: "A LETTER".into(), ..Vacation::default() };
        new.vacation = vacation.kept();
        let exception = JunkException { pattern: SenderPattern::parse("xyz.com").unwrap(), decision: Decision::Deny };
        new.junk_filter = JunkFilter { on: true, exceptions: vec![exception], ..JunkFilter::default() }.kept();
        let check = |old: &User, new: &User, expected: &[&str]| {
            let event = describe(Event::new("user.update", "joe"), Some(old), new);
            let said: Vec<_> = event.fields.iter().map(|(name, a, b)| format!("{name}: {a} -> {b}")).collect();
            assert_eq!(said, expected);
        };
        let expected = [
            "vacation.on: false -> true",
            "vacation.subject:  -> Away",
            "vacation.text:  -> ",
            "junk_filter.on: false -> true",
            "junk_filter.exceptions:  -> deny:xyz.com",
        ];
        check(&old, &new, &expected);
        check(&new, &new, &[]);
    }
}
