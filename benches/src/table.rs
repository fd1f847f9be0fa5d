//! Reports of several servers made into one table: medians over the rounds, ratios to the better of the peers, and what we
//! hold ourselves to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Report;

/// The server that the others are compared with.
const OURS: &str = "angarium";

/// The peers, in the order of the columns.
const PEERS: [&str; 2] = ["dovecot", "cyrus"];

/// What the machine does without a server.
const MACHINE: &str = "machine";

/// Of the deliveries that the bare file system makes durable, at least this part.
const OF_MACHINE: f64 = 0.7;

/// Over TLS, at least this part of the bytes for a CPU second.
const TLS_OF_PLAIN: f64 = 0.6;

/// What we hold ourselves to for one workload, by the beginning of its name.
struct Goal {
    name: &'static str,
    /// Throughput: at least this many times the better peer's.
    rate: f64,
    /// CPU time for the same work: at most this part of the thriftier peer's.
    cpu: f64,
}

/// The first whose name fits counts.
const GOALS: &[Goal] = &[
    Goal { name: "deliver", rate: 2.5, cpu: 0.25 },
    Goal { name: "append", rate: 2.0, cpu: 0.334 },
    Goal { name: "fetch-list", rate: 5.0, cpu: 0.125 },
    Goal { name: "fetch-headers", rate: 3.0, cpu: 0.25 },
    Goal { name: "fetch-body-tls", rate: 1.0, cpu: 1.0 },
    Goal { name: "fetch-body", rate: 1.5, cpu: 0.5 },
    Goal { name: "retr-tls", rate: 1.0, cpu: 1.0 },
    Goal { name: "retr", rate: 2.0, cpu: 0.5 },
    Goal { name: "store", rate: 3.0, cpu: 0.25 },
    Goal { name: "select", rate: 2.0, cpu: 0.25 },
    Goal { name: "login-tls", rate: 3.0, cpu: 0.334 },
    Goal { name: "login", rate: 2.5, cpu: 0.334 },
    Goal { name: "search-body", rate: 1.0, cpu: 1.0 },
    Goal { name: "search", rate: 3.0, cpu: 0.2 },
    Goal { name: "mixed", rate: 2.5, cpu: 0.334 },
    Goal { name: "list", rate: 1.0, cpu: 1.0 },
];

/// A figure of which less is better.
struct Limit {
    workload: &'static str,
    figure: &'static str,
    title: &'static str,
    /// `None`: the figure stands there to be seen.
    most: Option<f64>,
    /// At least this many times less than the better peer's, if that is a goal.
    factor: Option<f64>,
}

const LIMITS: &[Limit] = &[
    Limit {
        workload: "idle",
        figure: "pss_kib_each",
        title: "KiB for an idle connection",
        most: Some(12.0),
        factor: None,
    },
    Limit { workload: "idle", figure: "pss_mib", title: "MiB of the whole server with them", most: None, factor: None },
    Limit { workload: "push", figure: "p50_ms", title: "push, p50 in ms", most: Some(3.0), factor: None },
    Limit { workload: "push", figure: "p99_ms", title: "push, p99 in ms", most: Some(10.0), factor: None },
    Limit {
        workload: "big",
        figure: "select_cold_ms",
        title: "50,000: SELECT, cold, ms",
        most: Some(2.0),
        factor: Some(3.0),
    },
    Limit {
        workload: "big",
        figure: "flags_ms",
        title: "50,000: FLAGS of all, ms",
        most: Some(5.0),
        factor: Some(3.0),
    },
    Limit {
        workload: "big",
        figure: "expunge_ms",
        title: "50,000: EXPUNGE 10 %, ms",
        most: Some(60.0),
        factor: Some(3.0),
    },
];

/// Medians of one workload's figures, by server and figure.
type Medians = BTreeMap<String, BTreeMap<String, f64>>;

/// The tables in Markdown.
#[must_use]
pub fn print(reports: &[Report]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for report in reports {
        if !names.contains(&report.name.as_str()) {
            names.push(&report.name);
        }
    }
    let workloads: Vec<(&str, Medians)> = names.iter().map(|name| (*name, medians(reports, name))).collect();
    let unit = |name: &str| reports.iter().find(|report| report.name == name).map_or("", |report| &report.unit);
    let mut out = String::from(
        "| workload | | Angarium | Dovecot | Cyrus | ratio | goal | | CPU us: A | D | C | ratio | goal | |\n\
         |---|---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|---|\n",
    );
    for (name, medians) in &workloads {
        if let Some(goal) = GOALS.iter().find(|goal| name.starts_with(goal.name)) {
            rate_row(&mut out, name, unit(name), medians, goal);
        }
    }
    out.push_str("\n| less is better | Angarium | Dovecot | Cyrus | goal | |\n|---|--:|--:|--:|--:|---|\n");
    for limit in LIMITS {
        for (_, medians) in workloads.iter().filter(|(name, _)| name.starts_with(limit.workload)) {
            limit_row(&mut out, medians, limit);
        }
    }
    out.push_str(&shares(&workloads));
    out
}

/// Replaces what stands between the markers of a document.
///
/// # Errors
/// The document itself when it has no markers.
pub fn insert(document: &str, table: &str) -> Result<String, String> {
    const BEGIN: &str = "<!-- table -->\n";
    const END: &str = "<!-- end of table -->";
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| document.to_owned())?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn rate_row(out: &mut String, name: &str, unit: &str, medians: &Medians, goal: &Goal) {
    let value = |server: &str, figure: &str| medians.get(server).and_then(|figures| figures.get(figure)).copied();
    let _ = write!(out, "| {name} | {unit}/s |");
    cells(out, medians, "rate");
    let best = PEERS.iter().filter_map(|peer| value(peer, "rate")).reduce(f64::max);
    let ratio = value(OURS, "rate").zip(best).map(|(ours, best)| ours / best);
    verdict(out, ratio, &format!(">= {}", goal.rate), |ratio| ratio >= goal.rate);
    cells(out, medians, "cpu_us_per_unit");
    let least = PEERS.iter().filter_map(|peer| value(peer, "cpu_us_per_unit")).reduce(f64::min);
    let ratio = value(OURS, "cpu_us_per_unit").zip(least).map(|(ours, least)| ours / least);
    verdict(out, ratio, &format!("<= {:.2}", goal.cpu), |ratio| ratio <= goal.cpu);
    out.push('\n');
}

fn limit_row(out: &mut String, medians: &Medians, limit: &Limit) {
    let value = |server: &str| medians.get(server).and_then(|figures| figures.get(limit.figure)).copied();
    let _ = write!(out, "| {} |", limit.title);
    cells(out, medians, limit.figure);
    let goal = match (limit.most, limit.factor) {
        (Some(most), Some(factor)) => format!("<= {most}, 1/{factor}"),
        (Some(most), None) => format!("<= {most}"),
        (None, _) => String::new(),
    };
    let best = PEERS.iter().filter_map(|peer| value(peer)).reduce(f64::min);
    let mark = match value(OURS).zip(limit.most) {
        Some((ours, most)) => {
            let is_fast = limit.factor.zip(best).is_none_or(|(factor, best)| ours * factor <= best);
            if ours <= most && is_fast { "yes" } else { "**no**" }
        }
        None => "",
    };
    let _ = writeln!(out, " {goal} | {mark} |");
}

/// Angarium compared with the machine, and with itself.
fn shares(workloads: &[(&str, Medians)]) -> String {
    let value = |name: &str, server: &str, figure: &str| {
        let (_, medians) = workloads.iter().find(|workload| workload.0 == name)?;
        medians.get(server)?.get(figure).copied()
    };
    let mut rows: Vec<(String, Option<f64>, f64)> = Vec::new();
    for (name, _) in workloads.iter().filter(|(_, medians)| medians.contains_key(MACHINE)) {
        let share = value(name, OURS, "rate").zip(value(name, MACHINE, "rate")).map(|(ours, most)| ours / most);
        rows.push((format!("{name}, of what the bare file system makes durable"), share, OF_MACHINE));
    }
    let cpu = |name| value(name, OURS, "cpu_us_per_unit");
    let share = cpu("fetch-body").zip(cpu("fetch-body-tls")).map(|(plain, tls)| plain / tls);
    rows.push(("fetch-body-tls, bytes for a CPU second, of fetch-body's".to_owned(), share, TLS_OF_PLAIN));
    rows.retain(|row| row.1.is_some());
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n| Angarium's share | | goal | |\n|---|--:|--:|---|\n");
    for (title, share, least) in rows {
        let _ = write!(out, "| {title} |");
        verdict(&mut out, share, &format!(">= {least}"), |share| share >= least);
        out.push('\n');
    }
    out
}

fn cells(out: &mut String, medians: &Medians, figure: &str) {
    for server in [OURS].into_iter().chain(PEERS) {
        match medians.get(server).and_then(|figures| figures.get(figure)) {
            Some(&value) => {
                let _ = write!(out, " {} |", number(value));
            }
            None => out.push_str(" |"),
        }
    }
}

fn verdict(out: &mut String, ratio: Option<f64>, goal: &str, is_met: impl Fn(f64) -> bool) {
    match ratio {
        Some(ratio) => {
            let mark = if is_met(ratio) { "yes" } else { "**no**" };
            let _ = write!(out, " {ratio:.2} | {goal} | {mark} |");
        }
        None => {
            let _ = write!(out, " | {goal} | |");
        }
    }
}

fn medians(reports: &[Report], name: &str) -> Medians {
    let mut all: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.name == name) {
        let figures = all.entry(report.label.clone()).or_default();
        let mut add = |figure: &str, value| figures.entry(figure.to_owned()).or_default().push(value);
        add("rate", report.rate);
        add("p50_ms", report.p50_ms);
        add("p99_ms", report.p99_ms);
        if let Some(cpu) = report.cpu_us_per_unit {
            add("cpu_us_per_unit", cpu);
        }
        for (figure, &value) in &report.extra {
            add(figure, value);
        }
    }
    let median_of_all = |figures: BTreeMap<String, Vec<f64>>| {
        figures.into_iter().map(|(figure, values)| (figure, median(values))).collect()
    };
    all.into_iter().map(|(server, figures)| (server, median_of_all(figures))).collect()
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => 0.0,
        all if all.len() % 2 == 1 => all[middle],
        all => f64::midpoint(all[middle - 1], all[middle]),
    }
}

/// Three significant places, or whole numbers with separators.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(label: &str, name: &str, rate: f64, cpu: f64, extra: &[(&str, f64)]) -> Report {
        Report {
            label: label.to_owned(),
            name: name.to_owned(),
            unit: "copies".to_owned(),
            work: 1.0,
            seconds: 1.0,
            rate,
            p50_ms: 1.0,
            p99_ms: 2.0,
            cpu_seconds: Some(1.0),
            cpu_us_per_unit: Some(cpu),
            client_cpu_seconds: 0.0,
            extra: extra.iter().map(|(figure, value)| ((*figure).to_owned(), *value)).collect(),
        }
    }

    #[test]
    fn medians_are_compared_with_the_better_peer() {
        let reports = [
            report("angarium", "deliver-8x1", 3000.0, 100.0, &[]),
            report("angarium", "deliver-8x1", 1.0, 9000.0, &[]),
            report("angarium", "deliver-8x1", 2500.0, 200.0, &[]),
            report("dovecot", "deliver-8x1", 1000.0, 500.0, &[]),
            report("cyrus", "deliver-8x1", 500.0, 400.0, &[]),
            Report::of_machine("deliver-8x1", "copies", 5000.0),
            report("angarium", "big", 1.0, 1.0, &[("flags_ms", 4.0)]),
            report("cyrus", "big", 1.0, 1.0, &[("flags_ms", 10.0)]),
        ];
        let table = print(&reports);
        let row = "| deliver-8x1 | copies/s | 2,500 | 1,000 | 500 | 2.50 | >= 2.5 | yes | 200 | 500 | 400 | 0.50 | <= 0.25 | **no** |";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("durable | 0.50 | >= 0.7 | **no** |"), "{table}");
        assert!(table.contains("| 50,000: FLAGS of all, ms | 4.00 | | 10.0 | <= 5, 1/3 | **no** |"), "{table}");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.123, "0.12"), (12.34, "12.3"), (999.6, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        assert!((median(vec![3.0, 1.0]) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn tables_replace_each_other() {
        let document = "before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n";
        let expected = "before\n<!-- table -->\nnew\n<!-- end of table -->\nafter\n";
        assert_eq!(insert(document, "new\n").as_deref(), Ok(expected));
        assert!(insert("no markers", "new\n").is_err());
    }
}
