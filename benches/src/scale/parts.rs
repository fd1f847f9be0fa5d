//! What is measured: the list, `quota -f`, `reconstruct`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::{ADMIN, Server};

use super::made::{names, write_directories, write_list};
use super::{Figure, Place, Settings, median, progress, server_cpu};
use crate::{Failure, Tree};

/// Prints nothing and opens the store: no mailbox is on that partition.
const NOTHING: [&str; 4] = ["ctl_mboxlist", "-d", "-p", "none"];

/// Messages of `reconstruct` have this many octets.
const MESSAGE: usize = 8 << 10;

/// Start, LIST and `ctl_mboxlist` with `count` mailboxes, of which no directory is needed.
///
/// # Errors
/// [`Failure`]: then there are no figures.
pub fn list(settings: &Settings, count: usize) -> Result<Vec<Figure>, Failure> {
    let place = Place::new(settings)?;
    progress(format_args!("a list of {count} mailboxes"));
    write_list(&place.home, count, true)?;
    let mut figures = vec![place.run("mailboxes.db is made anew from a dump, by a tool", &NOTHING)?];
    let (mut clean, mut killed, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = Vec::new();
    for _ in 0..settings.rounds {
        let (server, figure) = start(&place, "start after a clean stop, until it serves")?;
        clean.push(figure);
        lines.push(all_lines(&server, count)?);
        server.kill();
        let (server, figure) = start(&place, "start after kill -9, until it serves")?;
        killed.push(figure);
        checked.push(rest(&server)?);
        server.stop(&[]);
    }
    figures.extend([median(clean), median(killed), median(checked), median(lines)].into_iter().flatten());
    let mut dump = place.run("ctl_mboxlist -d", &["ctl_mboxlist", "-d"])?;
    let saved = place.path().join("saved");
    fs::rename(place.output(), &saved)?;
    let printed = fs::read(&saved)?.iter().filter(|&&octet| octet == b'\n').count();
    if printed != count {
        return Err(Failure::Wrong(format!("{printed} of {count} mailboxes were dumped")));
    }
    dump.rate = Some(format!("{:.0} lines/s of CPU", count as f64 / dump.cpu));
    let undump =
        place.run_with("ctl_mboxlist -u of the same", &["ctl_mboxlist", "-u"], Stdio::from(File::open(saved)?))?;
    figures.extend([dump, undump]);
    Ok(figures)
}

fn start(place: &Place, what: &str) -> Result<(Server, Figure), Failure> {
    let begin = Instant::now();
    let server = place.home.start();
    let wall = begin.elapsed();
    let figure = Figure {
        what: what.to_owned(),
        wall,
        cpu: server_cpu(server.pid())?,
        memory: Some(Tree::new(server.pid()).pss_kib()? / 1024),
        rate: None,
    };
    Ok((server, figure))
}

/// What a server does by itself after it has begun to serve, until it rests.
fn rest(server: &Server) -> Result<Figure, Failure> {
    /// A server that uses no processor for so long rests.
    const QUIET: Duration = Duration::from_secs(2);
    let begin = Instant::now();
    let before = server_cpu(server.pid())?;
    let (mut last, mut since) = (before, begin);
    while since.elapsed() < QUIET {
        std::thread::sleep(QUIET / 10);
        let now = server_cpu(server.pid())?;
        if now > last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(Figure {
        what: "what it reads after that in the background".to_owned(),
        wall: since - begin,
        cpu: last - before,
        memory: Some(Tree::new(server.pid()).pss_kib()? / 1024),
        rate: None,
    })
}

fn all_lines(server: &Server, count: usize) -> Result<Figure, Failure> {
    let mut imap = server.imap(ADMIN);
    let before = server_cpu(server.pid())?;
    let begin = Instant::now();
    let answer = imap.must("LIST \"\" \"*\"")?;
    let wall = begin.elapsed();
    let lines = answer.untagged.len();
    if lines < count {
        return Err(Failure::Wrong(format!("{lines} of {count} mailboxes are listed")));
    }
    let cpu = server_cpu(server.pid())? - before;
    let rate = Some(format!("{:.0} lines/s of CPU", count as f64 / cpu));
    let memory = Some(Tree::new(server.pid()).pss_kib()? / 1024);
    Ok(Figure { what: "LIST of all, by the administrator".to_owned(), wall, cpu, memory, rate })
}

/// `quota -f` over `count` mailboxes with directories.
///
/// # Errors
/// [`Failure`]: then there are no figures.
pub fn quota(settings: &Settings, count: usize) -> Result<Vec<Figure>, Failure> {
    let place = Place::new(settings)?;
    progress(format_args!("{count} mailboxes with directories"));
    let index = place.home.spool().join(format!("user/{ADMIN}/cyrus.index"));
    let index = fs::read(index)?;
    write_list(&place.home, count, true)?;
    write_directories(&place.home, count, |_, directory| fs::write(directory.join("cyrus.index"), &index))?;
    place.run("", &NOTHING)?;
    let first = place
        .run(&format!("quota -f, {count} mailboxes, {} roots, the first time", count / 10), &["quota", "-f", "-q"])?;
    let again = (0..settings.rounds).map(|_| place.run("quota -f again", &["quota", "-f", "-q"]));
    Ok([Some(first), median(again.collect::<Result<_, _>>()?)].into_iter().flatten().collect())
}

/// A message file as the store makes it: nobody else's.
fn write_owned(path: &Path, message: &[u8]) -> io::Result<()> {
    File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(message)
}

/// `reconstruct` of `messages` messages in `mailboxes` mailboxes of which only the message files are left, and again.
///
/// # Errors
/// [`Failure`]: then there are no figures.
pub fn reconstruct(settings: &Settings, messages: usize, mailboxes: usize) -> Result<Vec<Figure>, Failure> {
    let place = Place::new(settings)?;
    progress(format_args!("{messages} messages in {mailboxes} mailboxes"));
    write_list(&place.home, mailboxes, false)?;
    let each = messages.div_ceil(mailboxes);
    let mut corpus = crate::messages(MESSAGE);
    write_directories(&place.home, mailboxes, |_, directory| {
        for (uid, message) in (1..=each).zip(&mut corpus) {
            write_owned(&directory.join(format!("{uid}.")), &message)?;
        }
        Ok(())
    })?;
    place.run("", &NOTHING)?;
    let prefixes: Vec<String> = names(mailboxes).collect();
    let mut arguments = vec!["reconstruct"];
    arguments.extend(prefixes.iter().map(String::as_str));
    let total = each * mailboxes;
    let rated = |mut figure: Figure| {
        figure.rate = Some(format!("{:.0} messages/s of CPU", total as f64 / figure.cpu));
        figure
    };
    let lost = rated(place.run(&format!("reconstruct, {total} messages of 8 KiB, index and cache lost"), &arguments)?);
    let printed = fs::read_to_string(place.output())?;
    if printed.lines().count() < mailboxes {
        return Err(Failure::Wrong(format!("reconstruct said {} lines", printed.lines().count())));
    }
    let whole = rated(place.run("reconstruct again, nothing wrong", &arguments)?);
    let strict: Vec<&str> =
        std::iter::once("reconstruct").chain(["-G"]).chain(prefixes.iter().map(String::as_str)).collect();
    let read = rated(place.run("reconstruct -G: every message is read and hashed", &strict)?);
    Ok(vec![lost, whole, read])
}
