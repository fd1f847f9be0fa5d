//! The duplicate delivery database: what was delivered lately. Cyrus' `ctl_deliver`.

use mailstore::{Store, UniqueId};

use crate::error::CommandError;
use crate::{Console, Exit};

/// Prints every remembered delivery, as Cyrus does: `id: MESSAGE-ID<TAB>to: MAILBOX<TAB>at: TIME<TAB>uid: 0`. UIDs are not
/// remembered here; a mailbox that is gone is named by its unique id.
///
/// # Errors
/// [`CommandError::Io`] if nobody reads it.
pub fn dump_deliveries(store: &Store, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let mut said = Ok(());
    store.duplicates().each(|entry, time| {
        let line = match entry {
            Some((id, mailbox)) => {
                let row = UniqueId::parse(mailbox).and_then(|id| store.row_by_id(&id));
                let mailbox = row.map_or_else(|| mailbox.to_owned(), |row| row.name.to_string());
                format!("id: {id}\tto: {mailbox}\tat: {time}\tuid: 0")
            }
            None => format!("id: (hashed)\tto: (hashed)\tat: {time}\tuid: 0"),
        };
        said = console.out(&line);
        said.is_ok()
    });
    said?;
    Ok(Exit::Ok)
}

/// Forgets deliveries of more than `days` days before `now` (Unix seconds).
///
/// # Errors
/// [`CommandError::Io`] if nobody reads the answer.
pub fn prune_deliveries(store: &Store, days: u32, now: i64, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let before = now.saturating_sub(i64::from(days) * 24 * 3600);
    let gone = store.prune_duplicates_before(before);
    console.out(&format!("{gone} deliveries forgotten"))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder, name};

    #[test]
    fn deliveries_are_shown_and_forgotten() {
        let fixture = Fixture::new();
        let id = fixture.store.row(&name("user/joe")).unwrap().unique_id.clone();
        let day = 24 * 3600;
        for (message, time) in [("<old@x>", day), ("<new@x>", 9 * day)] {
            fixture.store.duplicates().mark(message, &id, time);
        }
        let mut console = Recorder::default();
        dump_deliveries(&fixture.store, &mut console).unwrap();
        assert_eq!(
            console.out,
            ["id: <new@x>\tto: user/joe\tat: 777600\tuid: 0", "id: <old@x>\tto: user/joe\tat: 86400\tuid: 0"]
        );
        let mut console = Recorder::default();
        prune_deliveries(&fixture.store, 3, 10 * day, &mut console).unwrap();
        assert_eq!(console.out, ["1 deliveries forgotten"]);
    }
}
