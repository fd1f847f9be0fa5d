//! `unexpunge`: lists expunged messages that are kept, and brings them back.

use std::sync::Arc;

use mailstore::{CacheBuf, CacheItem, CacheItems, Mailbox, Record, Store, Timestamp, UidSet};
use message::CachedHeaders;
use serde_json::json;

use crate::error::CommandError;
use crate::select::{self, Pattern};
use crate::{Console, Exit, interval};

/// Which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All that are kept.
    All,
    /// Those expunged within the last so many seconds.
    Within(i64),
    /// Those with these UIDs.
    Uids(Vec<u32>),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexpunge {
    /// The mailbox.
    pub mailbox: String,
    /// Only list.
    pub list: bool,
    /// Which messages.
    pub which: Which,
    /// Change nothing, say what would be.
    pub dry_run: bool,
    /// One JSON object a line.
    pub json: bool,
}

/// Lists expunged messages or brings them back; a line for each.
///
/// # Errors
/// [`CommandError`].
pub fn unexpunge(store: &Store, request: &Unexpunge, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let pattern = Pattern::parse(store, &request.mailbox)?;
    let rows = select::rows(store, &[pattern], false);
    if rows.is_empty() {
        console.err(&format!("{}: there is no such mailbox", request.mailbox))?;
        return Ok(Exit::NoInput);
    }
    // Files of what was expunged a moment ago reach their place.
    store.settle();
    let now = Timestamp::now().seconds;
    let mut exit = Exit::Ok;
    for row in rows {
        let mailbox = store.mailbox(&row.name)?;
        let kept = mailbox.expunged()?;
        if let Which::Uids(uids) = &request.which {
            for uid in uids.iter().filter(|uid| !kept.iter().any(|record| record.uid.get() == **uid)) {
                console.err(&format!("{}: uid {uid}: is not among the expunged messages that are kept", row.name))?;
                exit = Exit::NoInput;
            }
        }
        let wanted: Vec<Record> = kept
            .into_iter()
            .filter(|record| match &request.which {
                Which::All => true,
                Which::Within(seconds) => record.saved >= interval::before(now, *seconds),
                Which::Uids(uids) => uids.contains(&record.uid.get()),
            })
            .collect();
        if request.list {
            wanted.iter().try_for_each(|record| list(&mailbox, record, request.json, console))?;
        } else {
            restore(&mailbox, &wanted, request, console)?;
        }
    }
    Ok(exit)
}

fn restore(
    mailbox: &Arc<Mailbox>,
    wanted: &[Record],
    request: &Unexpunge,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let name = mailbox.name();
    let uids: UidSet = wanted.iter().map(|record| record.uid.get()).collect();
    if request.dry_run {
        for uid in &uids {
            console.out(&format!("{name}: uid {uid}: would be brought back"))?;
        }
        return Ok(());
    }
    for (old, new) in mailbox.unexpunge(&uids)? {
        let line = match request.json {
            true => json!({"mailbox": name.as_str(), "uid": old.get(), "new_uid": new.get()}).to_string(),
            false => format!("{name}: uid {old}: brought back as uid {new}"),
        };
        console.out(&line)?;
    }
    Ok(())
}

fn list(mailbox: &Arc<Mailbox>, record: &Record, json: bool, console: &mut dyn Console) -> Result<(), CommandError> {
    let mut buffer = CacheBuf::default();
    let (mut from, mut to, mut subject) = (String::new(), String::new(), String::new());
    if mailbox.read().cache_if_whole(record, CacheItems::ALL, &mut buffer) {
        let headers = CachedHeaders::open(buffer.item(CacheItem::Headers));
        let value = |name: &str| {
            let value = headers.as_ref().and_then(|headers| headers.value(name)).unwrap_or_default();
            String::from_utf8_lossy(&value).trim().to_owned()
        };
        (from, to, subject) = (value("From"), value("To"), value("Subject"));
    }
    let date = |seconds: i64| {
        jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
    };
    let (uid, size) = (record.uid.get(), record.size);
    let (sent, received, expunged) =
        (date(record.sent_date.seconds), date(record.internal_date.seconds), date(record.saved));
    if json {
        let line = json!({"mailbox": mailbox.name().as_str(), "uid": uid, "size": size, "sent": sent,
            "received": received, "expunged": expunged, "from": from, "to": to, "subject": subject});
        return Ok(console.out(&line.to_string())?);
    }
    console.out(&format!("UID: {uid}"))?;
    let rows = [
        ("Size", size.to_string()),
        ("Sent", sent),
        ("Recv", received),
        ("Expg", expunged),
        ("From", from),
        ("To  ", to),
        ("Subj", subject),
    ];
    for (name, value) in rows {
        // What a message says of itself must not move the cursor.
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        console.out(&format!("\t{name}: {value}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder, name};
    use crate::{DeliverRequest, deliver};

    fn run(fixture: &Fixture, request: &Unexpunge) -> (Exit, Vec<String>, Vec<String>) {
        let mut console = Recorder::default();
        let exit = unexpunge(&fixture.store, request, &mut console).unwrap();
        (exit, console.out, console.err)
    }

    #[test]
    fn expunged_messages_come_back_once() {
        let fixture = Fixture::new();
        for n in 1..=3 {
            let mut console = Recorder::with_stdin(format!("From: a@example.org\nSubject: {n}\n\n{n}\n"));
            let request = DeliverRequest { users: vec!["joe".into()], ..DeliverRequest::default() };
            assert_eq!(deliver(&fixture.store, &mut console, &request), Exit::Ok);
        }
        let texts = fixture.texts("user/joe");
        assert_eq!(texts.len(), 3);
        let mailbox = fixture.store.mailbox(&name("user/joe")).unwrap();
        mailbox.remove_messages(&[1, 2].into_iter().collect()).unwrap();
        let request =
            Unexpunge { mailbox: "user.joe".into(), list: true, which: Which::All, dry_run: false, json: false };
        let (exit, out, _) = run(&fixture, &request);
        assert_eq!((exit, out.iter().filter(|line| line.starts_with("UID:")).count()), (Exit::Ok, 2));
        assert!(out.iter().any(|line| line.contains("From") && line.contains("a@example.org")), "{out:?}");
        let request = Unexpunge { list: false, which: Which::Uids(vec![1, 9]), ..request };
        let (_, out, _) = run(&fixture, &Unexpunge { dry_run: true, ..request.clone() });
        assert_eq!(out, ["user/joe: uid 1: would be brought back"]);
        let (exit, out, err) = run(&fixture, &request);
        assert_eq!((exit, out), (Exit::NoInput, vec!["user/joe: uid 1: brought back as uid 4".to_owned()]));
        assert!(err[0].contains("uid 9"), "{err:?}");
        let request = Unexpunge { which: Which::Within(3600), ..request };
        assert_eq!(run(&fixture, &request).1, ["user/joe: uid 2: brought back as uid 5"]);
        assert!(run(&fixture, &request).1.is_empty());
        let mut back = fixture.texts("user/joe");
        back.rotate_left(1);
        assert_eq!(back, texts);
        fixture.store.settle();
        assert!(fixture.store.check_contents(&mut |_| {}).unwrap().findings.is_empty());
    }
}
