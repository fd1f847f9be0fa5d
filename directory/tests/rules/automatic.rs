//! What a user has done with mail that comes: replies while away, and the junk filter.

use directory::{Decision, JunkAction, JunkException, JunkFilter, Privilege, SenderPattern, Vacation};

use super::*;

/// Stores a user after a change.
fn change(service: &Service<'_>, id: &str, edit: impl FnOnce(&mut User)) -> Result<Arc<User>, Error> {
    let mut row = User::clone(&service.user(&uid(id)).unwrap().unwrap());
    edit(&mut row);
    service.update_user(&row)
}

fn exception(pattern: &str, decision: Decision) -> JunkException {
    JunkException { pattern: SenderPattern::parse(pattern).unwrap(), decision }
}

/// Replies while a user is away: every field has its rule, and all of it stays while it is off.
#[test]
fn replies() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        let set = |vacation: Vacation| change(&service, "joe", |joe| joe.vacation = Some(Box::new(vacation)));
        let usual = Vacation::default;
        let long = "x".repeat(4097);
        let shown = format!("{}...", "x".repeat(120));
        for (vacation, field, value, words) in [
            (Vacation { subject: "a\nBcc: b".into(), ..usual() }, "vacation.subject", "a\nBcc: b", "line breaks"),
            (Vacation { text: long, ..usual() }, "vacation.text", &shown, "at most 4096 characters"),
            (Vacation { text: "a\r\n".into(), ..usual() }, "vacation.text", "a\r\n", "line breaks (LF) and tabs"),
            (Vacation { days: 0, ..usual() }, "vacation.days", "0", "from 1 to 90"),
            (Vacation { days: 91, ..usual() }, "vacation.days", "91", "from 1 to 90"),
        ] {
            refused(set(vacation), "rule", field, value, words);
        }
        assert_eq!(service.user(&uid("joe")).unwrap().unwrap().vacation, None);
        let away = Vacation { on: true, subject: "Away".into(), text: "Until\n\tMay\n".into(), days: 1 };
        set(away.clone()).unwrap();
        change(&service, "joe", |joe| joe.vacation.as_mut().unwrap().on = false).unwrap();
        let kept = service.user(&uid("joe")).unwrap().unwrap();
        assert_eq!(kept.vacation.as_deref(), Some(&Vacation { on: false, ..away }));
        // What says no more than nothing is nothing.
        assert_eq!(set(usual()).unwrap().vacation, None);
    });
}

/// The junk filter: exceptions are as many as may be, each once, and kept in the order of all rows.
#[test]
fn junk_filters() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com")]);
        let set = |exceptions: Vec<JunkException>| {
            let filter = JunkFilter { on: true, action: JunkAction::Destroy, exceptions };
            change(&service, "joe", |joe| joe.junk_filter = Some(Box::new(filter)))
        };
        let (allow, deny) = (Decision::Allow, Decision::Deny);
        let (xyz, third) = (exception("XYZ.com", allow), "junk_filter.exceptions[2].pattern");
        let twice = vec![exception("a@xyz.com", deny), xyz.clone(), exception("xyz.com", allow)];
        refused(set(twice), "rule", third, "xyz.com", "twice");
        let both = vec![exception("a@xyz.com", deny), xyz.clone(), exception("xyz.com", deny)];
        refused(set(both), "rule", third, "xyz.com", "can't be allowed and denied");
        let many = (0..=100).map(|n| exception(&format!("x{n}.example"), deny)).collect();
        refused(set(many), "rule", "junk_filter.exceptions", "101", "at most 100");
        assert_eq!(service.user(&uid("joe")).unwrap().unwrap().junk_filter, None);

        let sorted = [exception("a@xyz.com", deny), exception("b@a.example", allow), exception("a.example", deny), xyz];
        let mut given = sorted.to_vec();
        given.reverse();
        assert_eq!(set(given).unwrap().junk_filter.as_ref().unwrap().exceptions, sorted);
        change(&service, "joe", |joe| joe.junk_filter.as_mut().unwrap().on = false).unwrap();
        let kept = service.user(&uid("joe")).unwrap().unwrap();
        let filter = kept.junk_filter.as_deref().unwrap();
        assert_eq!((filter.on, filter.action, &filter.exceptions[..]), (false, JunkAction::Destroy, &sorted[..]));
        let gone = change(&service, "joe", |joe| joe.junk_filter = Some(Box::default())).unwrap();
        assert_eq!(gone.junk_filter, None);
    });
}

/// Exceptions for everybody are in the global record, with the same rules.
#[test]
fn exceptions_for_everybody() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        let set = |exceptions: &[(&str, Decision)]| {
            let mut record = service.privileges().unwrap();
            record.junk_exceptions = exceptions.iter().map(|(pattern, what)| exception(pattern, *what)).collect();
            service.set_privileges(&record)
        };
        let (allow, deny) = (Decision::Allow, Decision::Deny);
        let both = set(&[("xyz.com", allow), ("xyz.com", deny)]);
        refused(both, "rule", "junk_exceptions[1].pattern", "xyz.com", "can't be allowed and denied");
        set(&[("xyz.com", allow), ("a@xyz.com", deny)]).unwrap();
        let kept = service.privileges().unwrap().junk_exceptions;
        assert_eq!(kept, [exception("a@xyz.com", deny), exception("xyz.com", allow)]);
    });
}

/// [USR-10] Who must not set them cannot switch them on or off either; administrators set them for him.
#[test]
fn an_administrator_sets_what_a_user_must_not() {
    on_every_back_end(|directory| {
        let service = Service::new(directory, Actor::server());
        people(&service, &[("joe", "joe@example.com"), ("sue", "sue@example.com")]);
        let mut record = service.privileges().unwrap();
        record.set(Privilege::Vacation, false);
        record.set(Privilege::JunkFilter, false);
        service.set_privileges(&record).unwrap();
        let administrator = Service::new(directory, Actor::user(&uid("sue"), true, "web", None));
        let vacation = Vacation { on: true, ..Vacation::default() }.kept();
        let filter = JunkFilter { on: true, ..JunkFilter::default() }.kept();
        change(&administrator, "joe", |joe| (joe.vacation, joe.junk_filter) = (vacation.clone(), filter)).unwrap();
        let joe = by(directory, "joe");
        for (edit, switch) in [
            ((|joe| joe.vacation = None) as fn(&mut User), "AllowVacation"),
            (|joe| joe.junk_filter.as_mut().unwrap().on = false, "AllowJunkFilter"),
        ] {
            let error = change(&joe, "joe", edit).unwrap_err();
            assert!(error.code() == "denied" && error.to_string().contains(switch), "{error}");
        }
        change(&joe, "joe", |joe| joe.surname = "Other".into()).unwrap();
        assert_eq!(service.user(&uid("joe")).unwrap().unwrap().vacation, vacation);
        let others = change(&joe, "sue", |sue| sue.vacation = vacation.clone()).unwrap_err();
        assert_eq!(others.code(), "denied");
    });
}
