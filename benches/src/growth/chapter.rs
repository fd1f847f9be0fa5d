//! The figures as a table of Markdown, for those who want the numbers.

use std::fmt::Write as _;

use super::scale::print;
use super::{Figures, Goal, Subject};

/// The text that stands between the markers of docs/performance.md.
#[must_use]
pub fn write(figures: &Figures) -> String {
    let mut out = format!("\n{}\n", figures.measured);
    for subject in &figures.subjects {
        write_table(&mut out, subject);
    }
    out
}

fn write_table(out: &mut String, subject: &Subject) {
    let mut sizes: Vec<f64> =
        subject.charts.iter().flat_map(|chart| &chart.curves).flat_map(|curve| &curve.points).map(|p| p.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let _ = write!(out, "\n| {} |", subject.axis);
    sizes.iter().for_each(|&size| {
        let _ = write!(out, " {} |", print(size));
    });
    let _ = writeln!(out, " goal |\n|---|{}---|", "--:|".repeat(sizes.len()));
    for chart in &subject.charts {
        for curve in &chart.curves {
            let _ = write!(out, "| {}: {}, {} |", chart.title, curve.name, chart.unit);
            for size in &sizes {
                let value = curve.points.iter().find(|point| point.0 == *size).map(|point| print(point.1));
                let _ = write!(out, " {} |", value.unwrap_or_default());
            }
            let goal = match chart.goal {
                Some(Goal::AtMost(bound)) => format!("<= {}", print(bound)),
                Some(Goal::AtLeast(bound)) => format!(">= {}", print(bound)),
                None => String::new(),
            };
            let _ = writeln!(out, " {goal} |");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Chart, Curve};
    use super::*;

    #[test]
    fn a_row_for_each_curve() {
        let curve = |name: &str, points| Curve { name: name.to_owned(), points };
        let curves = vec![curve("A", vec![(1.0, 0.5), (1000.0, 2.0)]), curve("B", vec![(1000.0, 3.0)])];
        let charts = vec![Chart::new("Title", "ms", Some(Goal::AtMost(4.0)), curves)];
        let subjects = vec![Subject { name: "x".to_owned(), axis: "things".to_owned(), charts }];
        let text = write(&Figures { measured: "Today.".to_owned(), subjects });
        assert_eq!(
            text,
            "\nToday.\n\n| things | 1 | 1,000 | goal |\n|---|--:|--:|---|\n\
             | Title: A, ms | 0.5 | 2 | <= 4 |\n| Title: B, ms |  | 3 | <= 4 |\n"
        );
    }
}
