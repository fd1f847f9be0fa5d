//! Curves as SVG pictures that need nothing but a viewer: both axes logarithmic, every curve named at its end, legible on
//! light and on dark ground (`prefers-color-scheme`).

use std::fmt::Write as _;

use super::scale::{Scale, print};
use super::{Chart, Curve, Goal, Subject};

/// Charts beside each other.
const COLUMNS: usize = 2;

/// Of a chart, with its margins.
const WIDTH: f64 = 490.0;
const HEIGHT: f64 = 270.0;

/// Where a chart's axes are; on the right there is room for the names of the curves.
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 160.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 48.0;

/// From one line of text to the next one.
const LINE: f64 = 15.0;

/// From a line's middle to the baseline of a text beside it.
const BASELINE: f64 = 4.0;

/// Ground, text, grid and quiet text: on light ground, and on dark.
const GROUNDS: [[&str; 4]; 2] =
    [["#fff", "#1d2329", "#d5dae0", "#5c6670"], ["#14181d", "#e6e9ed", "#363e48", "#9aa4b0"]];

/// Colours of the curves, one after the other; they differ in lightness, too.
const COLOURS: [[&str; 4]; 2] =
    [["#005f99", "#b34700", "#2c6e1f", "#7b2d8b"], ["#5ab4f0", "#ff9d5c", "#7fd06a", "#d58be6"]];

/// The picture of a subject.
#[must_use]
pub fn draw(subject: &Subject) -> String {
    let rows = subject.charts.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * COLUMNS.min(subject.charts.len()) as f64, HEIGHT * rows as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <title>What grows with the {}</title>\n<style>\n\
         .curve{{fill:none;stroke-width:2.2}}\n.goal{{stroke-width:1.5;stroke-dasharray:6 4}}\n\
         .title{{font-weight:600;font-size:13.5px}}\n{}@media (prefers-color-scheme:dark){{\n{}}}\n</style>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n",
        escape(&subject.axis),
        colours(0),
        colours(1),
    );
    for (index, chart) in subject.charts.iter().enumerate() {
        let (x, y) = ((index % COLUMNS) as f64 * WIDTH, (index / COLUMNS) as f64 * HEIGHT);
        let _ = writeln!(out, "<g transform=\"translate({x} {y})\">");
        draw_chart(&mut out, chart, &subject.axis);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

/// The style sheet's part for light (0) or dark ground (1).
fn colours(ground: usize) -> String {
    let [ground, text, grid, quiet] = GROUNDS[ground.min(1)].map(str::to_owned);
    let mut out = format!(
        ".ground{{fill:{ground}}}text{{fill:{text}}}.quiet{{fill:{quiet}}}.grid{{stroke:{grid}}}.goal{{stroke:{quiet}}}\n"
    );
    let of_curves = if ground == GROUNDS[0][0] { COLOURS[0] } else { COLOURS[1] };
    for (index, colour) in of_curves.iter().enumerate() {
        let _ = writeln!(out, ".c{index}{{stroke:{colour}}}.f{index}{{fill:{colour}}}");
    }
    out
}

fn draw_chart(out: &mut String, chart: &Chart, axis: &str) {
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let bound = chart.goal.map(Goal::bound);
    let across = Scale::around(points().map(|point| point.0), LEFT..=RIGHT);
    let up = Scale::of_decades(points().map(|point| point.1).chain(bound), BOTTOM..=TOP);
    text(out, LEFT, 22.0, "title", "start", &format!("{}, {}", chart.title, chart.unit));
    for power in up.powers() {
        let y = up.place(power);
        line(out, "grid", (LEFT, y), (RIGHT, y));
        text(out, LEFT - 8.0, y + BASELINE, "quiet", "end", &print(power));
    }
    let mut sizes: Vec<f64> = points().map(|point| point.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for size in sizes {
        let x = across.place(size);
        line(out, "grid", (x, TOP), (x, BOTTOM));
        text(out, x, BOTTOM + 17.0, "quiet", "middle", &print(size));
    }
    text(out, f64::midpoint(LEFT, RIGHT), BOTTOM + 35.0, "quiet", "middle", axis);
    if let Some(goal) = chart.goal {
        let y = up.place(goal.bound());
        line(out, "goal", (LEFT, y), (RIGHT, y));
    }
    for (index, curve) in chart.curves.iter().enumerate() {
        draw_curve(out, curve, index % COLOURS[0].len(), &across, &up);
    }
    draw_names(out, chart, &up);
}

fn draw_curve(out: &mut String, curve: &Curve, colour: usize, across: &Scale, up: &Scale) {
    let places: Vec<_> = curve.points.iter().map(|&(x, y)| (across.place(x), up.place(y))).collect();
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(out, "<polyline class=\"curve c{colour}\" points=\"{}\"/>", path.join(" "));
    for (x, y) in places {
        let _ = writeln!(out, "<circle class=\"f{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
}

/// Names on the right: of each curve, with its last figure, and of the goal; beside their lines, or as near as there is
/// room.
fn draw_names(out: &mut String, chart: &Chart, up: &Scale) {
    let mut names: Vec<(f64, String, String)> = Vec::new();
    for (index, curve) in chart.curves.iter().enumerate() {
        if let Some(&(_, last)) = curve.points.last() {
            let class = format!("f{}", index % COLOURS[0].len());
            names.push((up.place(last), class, format!("{} {}", curve.name, print(last))));
        }
    }
    if let Some(goal) = chart.goal {
        let sign = if matches!(goal, Goal::AtMost(_)) { '≤' } else { '≥' };
        let name = format!("goal {sign} {}", print(goal.bound()));
        names.push((up.place(goal.bound()), "quiet".to_owned(), name));
    }
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted: Vec<f64> = names.iter().map(|name| name.0).collect();
    for (y, (_, class, name)) in spread(&wanted).into_iter().zip(&names) {
        text(out, RIGHT + 8.0, y + BASELINE, class, "start", name);
    }
}

/// Places with at least [`LINE`] between them and as near as may be to the wanted ones, which ascend. Those that are too
/// near to each other share the room around their middle.
fn spread(wanted: &[f64]) -> Vec<f64> {
    // Each group: the sum of what its members want for the first of them, and how many they are.
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let first = |group: &(f64, usize)| group.0 / group.1 as f64;
    for &place in wanted {
        let mut group = (place, 1);
        while let Some(before) = groups.pop_if(|before| first(before) + before.1 as f64 * LINE > first(&group)) {
            group = (before.0 + group.0 - group.1 as f64 * before.1 as f64 * LINE, before.1 + group.1);
        }
        groups.push(group);
    }
    groups.iter().flat_map(|group| (0..group.1).map(move |member| first(group) + member as f64 * LINE)).collect()
}

impl Goal {
    fn bound(self) -> f64 {
        let (Self::AtMost(bound) | Self::AtLeast(bound)) = self;
        bound
    }
}

fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(out, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

fn text(out: &mut String, x: f64, y: f64, class: &str, anchor: &str, what: &str) {
    let what = escape(what);
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_distance() {
        for (wanted, expected) in [
            (&[10.0, 100.0][..], vec![10.0, 100.0]),
            (&[50.0, 50.0], vec![42.5, 57.5]),
            (&[50.0, 51.0, 52.0], vec![36.0, 51.0, 66.0]),
            (
                &[10.0, 50.0, 50.0, 64.0],
                vec![10.0, 39.666_666_666_666_664, 54.666_666_666_666_664, 69.666_666_666_666_67],
            ),
            (&[], vec![]),
        ] {
            let places = spread(wanted);
            assert_eq!(places.len(), expected.len());
            assert!(places.iter().zip(&expected).all(|(place, wanted)| (place - wanted).abs() < 1e-9), "{places:?}");
        }
    }

    #[test]
    fn everything_is_named() {
        let curve = |name: &str, last| Curve { name: name.to_owned(), points: vec![(1.0, 0.1), (10.0, last)] };
        let curves = vec![curve("a < b", 0.1), curve("c", 4.0)];
        let chart = Chart::new("Title", "ms", Some(Goal::AtMost(3.0)), curves);
        let subject = Subject { name: "x".to_owned(), axis: "things".to_owned(), charts: vec![chart] };
        let picture = draw(&subject);
        for part in ["Title, ms", "a &lt; b 0.1", ">c 4<", "goal ≤ 3", ">things<", "prefers-color-scheme"] {
            assert!(picture.contains(part), "{part}: {picture}");
        }
        assert_eq!(picture.matches("<polyline").count(), 2);
    }
}
