//! A mailbox of 50,000 messages: the first SELECT after the server's start, the flags of all messages, and EXPUNGE of a
//! tenth of them. Each time is that of one command. `--prepare` fills the mailbox, so that the server can be started anew
//! before it is measured.

use std::time::Instant;

use super::fetch::SMALL;
use super::{KEPT, Options};
use crate::corpus::Corpus;
use crate::fill::{fill, top_up};
use crate::imap::Imap;
use crate::measure::{Meter, Run};
use crate::{Failure, Report, Target, parse};

/// Whose mailbox it is.
const USER: usize = 55;

/// Different messages.
const DISTINCT: usize = 1000;

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let count = options.population.unwrap_or(50_000);
    let mailbox = format!("Big{count}");
    let mut imap = Imap::login(target, USER).await?;
    if options.prepare {
        fill(&mut imap, "Seed", &Corpus::new(Some(SMALL), KEPT), DISTINCT).await?;
        top_up(&mut imap, "Seed", DISTINCT, &mailbox, count).await?;
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let mut run = Run::default();
    let begin = Instant::now();
    if imap.select(&mailbox).await? != count {
        return Err(Failure::Wrong(format!("{mailbox} does not have {count} messages: use --prepare")));
    }
    let select = begin.elapsed();

    // Looked at afterwards: parsing takes as long as a good server takes to answer.
    let (mut answers, mut ends) = (Vec::with_capacity(count * 64), Vec::with_capacity(count));
    let now = Instant::now();
    imap.run("FETCH 1:* (FLAGS)", |answer| {
        answers.extend_from_slice(answer);
        ends.push(answers.len());
        Ok(())
    })
    .await?;
    let flags = now.elapsed();
    check_flags(count, &answers, &ends)?;

    let doomed: Vec<bool> = (0..count).map(|n| n % 100 >= 90).collect();
    let blocks: Vec<String> = (0..count / 100).map(|n| format!("{}:{}", n * 100 + 91, n * 100 + 100)).collect();
    imap.run(&format!("STORE {} +FLAGS.SILENT (\\Deleted)", blocks.join(",")), |_| Ok(())).await?;
    let now = Instant::now();
    let mut expunged = Vec::new();
    imap.run("EXPUNGE", |answer| {
        if let Some((number, b"EXPUNGE")) = parse::numbered(answer) {
            expunged.push(number);
        }
        Ok(())
    })
    .await?;
    let expunge = now.elapsed();
    check_expunged(doomed, &expunged)?;
    run.elapsed = begin.elapsed();
    run.work = 3;
    run.steps = vec![select, flags, expunge];
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let report = meter.report("big", "commands", run, false).await?;
    Ok(Some(report.with("select_cold_ms", ms(select)).with("flags_ms", ms(flags)).with("expunge_ms", ms(expunge))))
}

/// Whether each message was answered once, with its flags. `ends` says where in `answers` each answer ends.
fn check_flags(count: usize, answers: &[u8], ends: &[usize]) -> Result<(), Failure> {
    let mut missing = vec![true; count];
    let mut begin = 0;
    for &end in ends {
        let answer = &answers[begin..end];
        begin = end;
        let (number, items) = parse::fetch(answer)?;
        if !parse::item(&items, b"FLAGS")?.starts_with(b"(") {
            return Err(Failure::wrong("FLAGS", answer));
        }
        match missing.get_mut(number.wrapping_sub(1)) {
            Some(missing) if *missing => *missing = false,
            _ => return Err(Failure::wrong("a message that is not there, or twice", answer)),
        }
    }
    match missing.iter().position(|&missing| missing) {
        Some(at) => Err(Failure::Wrong(format!("no FLAGS of message {}", at + 1))),
        None => Ok(()),
    }
}

/// Whether the EXPUNGE answers, each of which shifts the numbers behind it, name those that had to go and no others.
fn check_expunged(doomed: Vec<bool>, answers: &[usize]) -> Result<(), Failure> {
    let wanted = doomed.iter().filter(|&&doomed| doomed).count();
    let mut left = doomed;
    for &number in answers {
        if number == 0 || number > left.len() || !left.remove(number - 1) {
            return Err(Failure::Wrong(format!("EXPUNGE of {number}, which was not deleted")));
        }
    }
    if answers.len() == wanted {
        Ok(())
    } else {
        Err(Failure::Wrong(format!("{} of {wanted} messages were expunged", answers.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_flags_once() {
        for (answers, right) in [
            (&["1 FETCH (FLAGS ())", "2 FETCH (FLAGS (\\Seen) UID 7)"][..], true),
            (&["1 FETCH (FLAGS ())"], false),
            (&["1 FETCH (FLAGS ())", "1 FETCH (FLAGS ())"], false),
            (&["1 FETCH (FLAGS ())", "3 FETCH (FLAGS ())"], false),
            (&["1 FETCH (FLAGS ())", "2 FETCH (UID 7)"], false),
        ] {
            let ends: Vec<_> = (1..=answers.len()).map(|n| answers[..n].concat().len()).collect();
            assert_eq!(check_flags(2, answers.concat().as_bytes(), &ends).is_ok(), right, "{answers:?}");
        }
    }

    #[test]
    fn expunge_answers_are_followed() {
        let doomed = || vec![false, true, true, false, true];
        for (answers, right) in [
            (&[2, 2, 3][..], true),
            (&[5, 3, 2], true),
            (&[2, 2], false),
            (&[2, 2, 3, 1], false),
            (&[2, 3, 3], false),
            (&[0, 2, 2], false),
            (&[2, 2, 4], false),
        ] {
            assert_eq!(check_expunged(doomed(), answers).is_ok(), right, "{answers:?}");
        }
    }
}
