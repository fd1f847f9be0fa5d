//! The log: one line an event on standard error, `key=value` or JSON. The first key is always `event`, from the list in
//! docs/log-keys.md.
//!
//! Values come from peers as well as from us. In both forms they are escaped, so that no line break or terminal sequence
//! of theirs reaches the log.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Log;
use crate::config::options::LogFormat;
use crate::failure::Failure;
use tools::Exit;
use wire::work::Whose;

/// The running log, whose level can be changed.
#[derive(Debug, Clone)]
pub(crate) struct Logging {
    level: reload::Handle<Targets, Registry>,
}

impl Logging {
    /// Starts the log of this process.
    ///
    /// # Errors
    /// The level is none.
    pub(crate) fn start(options: &Log) -> Result<Self, Failure> {
        let (filter, level) = reload::Layer::new(filter(options)?);
        let lines = tracing_subscriber::fmt::layer()
            .event_format(Lines { format: options.format })
            .with_writer(std::io::stderr);
        // Fails only if there is a log already (in a test), which is then as good.
        let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Ok(Self { level })
    }

    /// Whether [`reload`](Self::reload) could be done.
    ///
    /// # Errors
    /// The level is none.
    pub(crate) fn check(options: &Log) -> Result<(), Failure> {
        filter(options).map(drop)
    }

    /// Changes the level.
    ///
    /// # Errors
    /// The level is none; the old one is kept.
    pub(crate) fn reload(&self, options: &Log) -> Result<(), Failure> {
        let filter = filter(options)?;
        self.level.reload(filter).map_err(|problem| Failure::new(Exit::Software, problem))
    }
}

/// Reads `LEVEL` or `LEVEL,PART=LEVEL,...`. Parts that are not named log at the first level.
fn filter(options: &Log) -> Result<Targets, Failure> {
    let wrong = |part: &str| {
        let text = format!("[log] level: {part:?} is not error, warn, info, debug or trace, nor part=level");
        Failure::new(Exit::Config, text)
    };
    // What it warns of are oddities of clients (an address for a server name), one line a connection.
    let mut filter = Targets::new().with_target("rustls", Level::ERROR);
    for part in options.level.split(',') {
        let (target, level) = match part.split_once('=') {
            Some((target, level)) => (Some(target.trim()), level),
            None => (None, part),
        };
        // The parser takes numbers too, which nobody could tell the order of.
        let word = Some(level.trim()).filter(|level| level.bytes().all(|octet| octet.is_ascii_alphabetic()));
        let level: Level = word.and_then(|word| word.parse().ok()).ok_or_else(|| wrong(part))?;
        filter = match target {
            Some("") => return Err(wrong(part)),
            Some(target) => filter.with_target(target, level),
            None => filter.with_default(level),
        };
    }
    Ok(filter)
}

/// Formats events.
struct Lines {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        fields.add_whose(wire::work::whose());
        let time = jiff::Timestamp::now();
        let level = event.metadata().level().as_str();
        match self.format {
            LogFormat::Text => text(&mut out, time, level, event.metadata().target(), &fields.0),
            LogFormat::Json => json(&mut out, time, level, event.metadata().target(), fields.0),
        }
    }
}

/// An event's fields in the order they were written.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Whose work it was, behind the event's name, where the event does not say so itself.
    fn add_whose(&mut self, whose: Whose) {
        let conn = whose.conn.map(|conn| ("conn", conn.into()));
        let delivery = whose.delivery.map(|delivery| ("delivery", delivery.to_string().into()));
        for (name, value) in delivery.into_iter().chain(conn) {
            if !self.0.iter().any(|(known, _)| *known == name) {
                let place = self.0.iter().position(|(known, _)| *known == "event").map_or(0, |place| place + 1);
                self.0.insert(place, (name, value));
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}").into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }
}

fn text(
    out: &mut impl fmt::Write,
    time: jiff::Timestamp,
    level: &str,
    target: &str,
    fields: &[(&str, Value)],
) -> fmt::Result {
    write!(out, "{time:.3} {level}")?;
    if !fields.iter().any(|(name, _)| *name == "event") {
        // A library's event: say whose.
        write!(out, " target={target}")?;
    }
    for (name, value) in fields {
        write!(out, " {name}=")?;
        match value {
            Value::String(text) => quoted(out, text)?,
            other => write!(out, "{other}")?,
        }
    }
    writeln!(out)
}

/// Writes a value plain if it is a word, else quoted, with everything escaped that could act on a terminal or look like
/// another line.
fn quoted(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '=');
    if !text.is_empty() && text.chars().all(plain) {
        return out.write_str(text);
    }
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if is_harmful(c) => write!(out, "{}", c.escape_default())?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// Control characters, line separators, and those that reorder the text around them.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn json(
    out: &mut impl fmt::Write,
    time: jiff::Timestamp,
    level: &str,
    target: &str,
    fields: Vec<(&str, Value)>,
) -> fmt::Result {
    let mut object = Map::new();
    object.insert("time".to_owned(), format!("{time:.3}").into());
    object.insert("level".to_owned(), level.into());
    if !fields.iter().any(|(name, _)| *name == "event") {
        object.insert("target".to_owned(), target.into());
    }
    for (name, value) in fields {
        object.insert(name.to_owned(), value);
    }
    writeln!(out, "{}", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time() -> jiff::Timestamp {
        "2026-11-22T20:00:00.1234Z".parse().unwrap()
    }

    #[test]
    fn text_lines() {
        let mut out = String::new();
        let fields = [
            ("event", Value::from("x.y")),
            ("n", 3.into()),
            ("peer", "127.0.0.1:9".into()),
            ("user", "joe\r\n2026 INFO event=forged \u{1b}[2J\u{202e} \"q\" \\".into()),
            ("name", "Jürgen".into()),
            ("none", "".into()),
        ];
        text(&mut out, time(), "INFO", "wire", &fields).unwrap();
        assert_eq!(
            out,
            "2026-11-22T20:00:00.123Z INFO event=x.y n=3 peer=127.0.0.1:9 \
             user=\"joe\\r\\n2026 INFO event=forged \\u{1b}[2J\\u{202e} \\\"q\\\" \\\\\" name=\"Jürgen\" none=\"\"\n"
        );
    }

    #[test]
    fn json_lines() {
        let mut out = String::new();
        json(&mut out, time(), "WARN", "sled", vec![("message", "a\nb".into()), ("n", 3.into())]).unwrap();
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["time"], "2026-11-22T20:00:00.123Z");
        assert_eq!(value["target"], "sled");
        assert_eq!(value["n"], 3);
        assert_eq!(out.matches('\n').count(), 1);
    }

    #[test]
    fn every_line_tells_whose_work_it_was() {
        let whose = Whose { conn: Some(7), delivery: Some(wire::work::DeliveryId::now(1)) };
        let check = |names: &[&'static str], expected: &[&str]| {
            let mut fields = Fields(names.iter().map(|name| (*name, Value::from(1))).collect());
            fields.add_whose(whose);
            assert_eq!(fields.0.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected, "{names:?}");
        };
        check(&["event", "x"], &["event", "conn", "delivery", "x"]);
        check(&["event", "x", "conn"], &["event", "delivery", "x", "conn"]);
        check(&["message"], &["conn", "delivery", "message"]);
        let mut nobody = Fields(vec![("event", 1.into())]);
        nobody.add_whose(Whose::default());
        assert_eq!(nobody.0.len(), 1);
    }

    #[test]
    fn levels() {
        let check = |level: &str| filter(&Log { level: level.to_owned(), ..Log::default() }).is_ok();
        assert!(check("info") && check("debug") && check("info,imapd=debug") && check("WARN, wire = trace"));
        assert!(!check("verbose") && !check("") && !check("info,imapd=loud") && !check("info,=debug") && !check("5"));
    }
}
