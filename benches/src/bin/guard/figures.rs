//! The committed figures, and how those of now compare with them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How far a path may rise, in percent, where the file says nothing else.
pub(crate) const TOLERANCE: f64 = 5.0;

const HEADING: &str = "\
# Instructions for a round of each path (benches/README.md, \"Guard\"). A path that is noisier than others has its own
# tolerance in percent and the reason for it, which stay when the figures are written anew:
#
#     cargo run --profile guard -p benches --bin guard -- --bless

";

/// benches/instructions.toml.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    /// The compiler that they hold for.
    pub(crate) compiler: String,
    pub(crate) paths: BTreeMap<String, Figure>,
}

/// What one path may take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    pub(crate) instructions: u64,
    /// Percent; [`TOLERANCE`] if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tolerance: Option<f64>,
    /// Why the path has its own tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Figures {
    pub(crate) fn read(file: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?)
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(file, format!("{HEADING}{}", toml::to_string(self)?))?)
    }

    /// Takes the figures of now; `all` if they are those of all paths, so that others are gone.
    pub(crate) fn bless(&mut self, now: &BTreeMap<String, u64>, compiler: String, all: bool) {
        self.compiler = compiler;
        if all {
            self.paths.retain(|path, _| now.contains_key(path));
        }
        for (path, &instructions) in now {
            self.paths.entry(path.clone()).or_default().instructions = instructions;
        }
    }
}

/// A path then and now.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) path: String,
    now: Option<u64>,
    committed: Option<u64>,
    tolerance: f64,
}

/// A row for each path that is on either side.
pub(crate) fn compare(now: &BTreeMap<String, u64>, committed: &BTreeMap<String, Figure>) -> Vec<Row> {
    let mut paths: Vec<_> = now.keys().chain(committed.keys()).collect();
    paths.sort();
    paths.dedup();
    let row = |path: &String| {
        let figure = committed.get(path);
        Row {
            path: path.clone(),
            now: now.get(path).copied(),
            committed: figure.map(|figure| figure.instructions),
            tolerance: figure.and_then(|figure| figure.tolerance).unwrap_or(TOLERANCE),
        }
    };
    paths.into_iter().map(row).collect()
}

impl Row {
    /// In percent of what was committed.
    fn change(&self) -> Option<f64> {
        let (now, committed) = (self.now? as f64, self.committed? as f64);
        Some((now - committed) / committed * 100.0)
    }

    /// Whether it rose by more than it may, or is on one side only.
    pub(crate) fn is_failure(&self) -> bool {
        // Not `>`: a figure of zero was committed by mistake, and no change can be computed from it.
        !self.change().is_some_and(|change| change <= self.tolerance)
    }

    /// What is to be done about it, if anything.
    pub(crate) fn remark(&self) -> Option<String> {
        let Row { path, tolerance, .. } = self;
        match (self.now, self.committed) {
            (None, _) => Some(format!("{path} is committed and was not measured: --bless if it is gone.")),
            (_, None) => Some(format!("{path} is not committed yet: --bless.")),
            _ if self.is_failure() => Some(format!(
                "{path} rose by more than {tolerance} %: look for the reason, or --bless and say in the commit why."
            )),
            _ if self.change().is_some_and(|change| change < -tolerance) => {
                Some(format!("{path} fell by more than {tolerance} %: --bless, so that it stays so."))
            }
            _ => None,
        }
    }
}

/// The rows for people to read.
pub(crate) fn table(rows: &[Row]) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut text = String::from(
        "| path | instructions now | committed | change |\n\
         | :----------- | ---------------: | ---------: | -------: |\n",
    );
    for row in rows {
        let change = row.change().map_or_else(|| "-".to_owned(), |change| format!("{change:+.2} %"));
        let (now, committed) = (number(row.now), number(row.committed));
        let _ = writeln!(text, "| {:12} | {now:>16} | {committed:>10} | {change:>8} |", row.path);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(now: Option<u64>, committed: Option<Figure>, fails: bool, remark: &str) {
        let now = now.map(|now| ("store".to_owned(), now)).into_iter().collect();
        let figures = committed.clone().map(|figure| ("store".to_owned(), figure)).into_iter().collect();
        let rows = compare(&now, &figures);
        let [row] = &rows[..] else { panic!("one path, {rows:?}") };
        assert_eq!(row.is_failure(), fails, "{row:?}");
        let text = row.remark().unwrap_or_default();
        assert!(if remark.is_empty() { text.is_empty() } else { text.contains(remark) }, "{row:?}: {text}");
        assert!(table(&rows).contains("| store "));
    }

    fn figure(instructions: u64, tolerance: Option<f64>) -> Option<Figure> {
        Some(Figure { instructions, tolerance, reason: None })
    }

    #[test]
    fn only_a_rise_above_the_tolerance_fails() {
        check(Some(1000), figure(1000, None), false, "");
        check(Some(1050), figure(1000, None), false, "");
        check(Some(1051), figure(1000, None), true, "store rose by more than 5 %");
        check(Some(950), figure(1000, None), false, "");
        check(Some(949), figure(1000, None), false, "store fell by more than 5 %");
        check(Some(1090), figure(1000, Some(10.0)), false, "");
        check(Some(1101), figure(1000, Some(10.0)), true, "store rose by more than 10 %");
        check(Some(1011), figure(1000, Some(1.0)), true, "store rose by more than 1 %");
    }

    #[test]
    fn a_path_on_one_side_only_fails() {
        check(Some(1000), None, true, "store is not committed yet");
        check(None, figure(1000, None), true, "store is committed and was not measured");
        check(Some(1000), figure(0, None), true, "store rose");
        check(Some(0), figure(0, None), true, "store rose");
    }

    #[test]
    fn what_is_blessed_passes_and_keeps_its_tolerance() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut figures = Figures::default();
        for (path, tolerance) in [("gone", None), ("idle", Some(8.0)), ("store", None)] {
            let reason = tolerance.map(|_| "threads".to_owned());
            figures.paths.insert(path.to_owned(), Figure { instructions: 1, tolerance, reason });
        }
        let now = [("idle", 2000), ("store", 1000), ("new", 7)].map(|(path, now)| (path.to_owned(), now)).into();
        figures.bless(&now, "rustc 1".to_owned(), true);
        figures.write(file.path()).unwrap();
        let read = Figures::read(file.path()).unwrap();
        assert_eq!((&read.paths, read.compiler.as_str()), (&figures.paths, "rustc 1"));
        assert_eq!(read.paths.keys().collect::<Vec<_>>(), ["idle", "new", "store"]);
        assert_eq!(read.paths["idle"].tolerance, Some(8.0));
        assert_eq!(read.paths["idle"].reason.as_deref(), Some("threads"));
        assert!(compare(&now, &read.paths).iter().all(|row| !row.is_failure() && row.remark().is_none()));
    }

    #[test]
    fn blessing_some_paths_keeps_the_others() {
        let mut figures = Figures::default();
        figures.bless(&[("idle".to_owned(), 1), ("store".to_owned(), 2)].into(), "rustc 1".to_owned(), true);
        figures.bless(&[("store".to_owned(), 3)].into(), "rustc 1".to_owned(), false);
        assert_eq!((figures.paths["idle"].instructions, figures.paths["store"].instructions), (1, 3));
    }

    #[test]
    fn the_committed_file_can_be_read() {
        let figures = Figures::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")).unwrap();
        assert!(figures.paths.keys().eq(sorted(crate::names())), "{figures:?}");
        for (path, figure) in &figures.paths {
            assert_eq!(figure.tolerance.is_some(), figure.reason.is_some(), "{path}: a tolerance has its reason");
        }
    }

    fn sorted(mut names: Vec<&str>) -> Vec<&str> {
        names.sort_unstable();
        names
    }
}
