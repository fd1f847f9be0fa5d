//! What many mailboxes cost: LIST of all, CREATE of one more, the server's start. They belong to many users, as they do in
//! life, and are made as clients make them.

use std::time::Instant;

use tokio::task::JoinSet;

use super::site::Site;
use super::{Chart, Curve, Goal, Settings, Subject, Times, progress, timed};
use crate::imap::Imap;
use crate::{Failure, Target};

/// Users who make mailboxes, all at the same time.
const USERS: usize = 20;

/// The user whose CREATE is measured.
const MEASURED: usize = USERS + 1;

/// Mailboxes below one parent.
const BROAD: usize = 100;

/// Lines of LIST in a second.
const GOAL_LINES: f64 = 500_000.0;

pub(super) async fn measure(settings: &Settings) -> Result<Subject, Failure> {
    let sizes = &settings.mailboxes;
    let mut site = Site::new(settings, MEASURED, &["limits.mailboxes_per_user = 1000000"])?;
    let (mut create, mut clean, mut killed) =
        (Times::new("CREATE", sizes), Times::new("after a clean stop", sizes), Times::new("after kill -9", sizes));
    let (mut lines, mut memory) = (Vec::new(), Vec::new());
    let mut there = 0;
    for (index, &count) in sizes.iter().enumerate() {
        let wanted = count.div_ceil(USERS);
        progress(format_args!("making {} mailboxes", (wanted - there) * USERS));
        make(&site.target()?, there..wanted).await?;
        there = wanted;
        lines.push((count as f64, list(&mut site.admin().await?, count, settings).await?));
        for _ in 0..settings.rounds {
            clean.push(index, site.restart());
            memory.push((count as f64, site.processes()?.pss_kib()? as f64 / 1024.0));
            killed.push(index, site.kill());
        }
        // The file system has had time to get over the many that were made at once.
        let mut user = Imap::login(&site.target()?, MEASURED).await?;
        for step in 0..settings.steps * settings.rounds {
            let ((), time) = timed(user.run(&format!("CREATE New{index}/{step}"), |_| Ok(()))).await?;
            create.push(index, time);
        }
        user.log_out().await?;
    }
    memory.dedup_by_key(|(count, _)| *count);
    let curve = |name: &str, points| vec![Curve { name: name.to_owned(), points }];
    Ok(Subject {
        name: "mailboxes".to_owned(),
        axis: "mailboxes in the store".to_owned(),
        charts: vec![
            Chart::new("LIST of all", "lines/s", Some(Goal::AtLeast(GOAL_LINES)), curve("LIST \"\" \"*\"", lines)),
            Chart::new("One mailbox more", "ms", None, vec![create.medians()]),
            Chart::new("Start, until it serves", "ms", None, vec![clean.medians(), killed.medians()]),
            Chart::new("Memory of the server", "MiB", None, curve("PSS", memory)),
        ],
    })
}

/// Makes these mailboxes of each user.
async fn make(target: &Target, numbers: std::ops::Range<usize>) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    for user in 1..=USERS {
        let (target, numbers) = (target.clone(), numbers.clone());
        tasks.spawn(async move {
            let mut imap = Imap::login(&target, user).await?;
            for n in numbers {
                let name = format!("CREATE Tree{:03}/Branch{:02}", n / BROAD, n % BROAD);
                imap.run(&name, |_| Ok(())).await?;
            }
            imap.log_out().await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(std::io::Error::other)??;
    }
    Ok(())
}

/// Lines in a second, of half of the LISTs at least.
async fn list(admin: &mut Imap, count: usize, settings: &Settings) -> Result<f64, Failure> {
    let mut rates = Vec::new();
    // A few thousand lines take a millisecond: several times, until there is something to measure.
    let times = (100_000 / count).clamp(1, 50) * settings.rounds;
    for _ in 0..times {
        let (mut lines, mut trees) = (0, 0);
        let begin = Instant::now();
        admin
            .run("LIST \"\" \"*\"", |answer| {
                lines += usize::from(answer.starts_with(b"LIST ("));
                trees += usize::from(memchr::memmem::find(answer, b"/Tree").is_some());
                Ok(())
            })
            .await?;
        rates.push(lines as f64 / begin.elapsed().as_secs_f64());
        if trees < count {
            return Err(Failure::Wrong(format!("{trees} of {count} mailboxes are listed")));
        }
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}
