//! Logarithmic axes, and numbers as people read them.

use std::ops::RangeInclusive;

/// Less is drawn and told as this: a logarithm knows no zero, and nothing we measure is smaller.
const LEAST: f64 = 0.001;

/// Decades that an axis shows at least: in less, noise looks like growth.
const DECADES: f64 = 2.0;

/// An axis: values to places.
pub(super) struct Scale {
    /// Logarithms of the values at both ends.
    from: f64,
    to: f64,
    /// Where these are drawn.
    places: RangeInclusive<f64>,
}

impl Scale {
    /// An axis with a margin at both ends.
    pub(super) fn around(values: impl Iterator<Item = f64>, places: RangeInclusive<f64>) -> Self {
        let (low, high) = ends(values);
        let margin = ((high - low) * 0.06).max(0.1);
        Self { from: low - margin, to: high + margin, places }
    }

    /// An axis of whole decades.
    pub(super) fn of_decades(values: impl Iterator<Item = f64>, places: RangeInclusive<f64>) -> Self {
        let (low, high) = ends(values);
        let (mut from, mut to) = (low.floor(), high.ceil());
        // The room goes to the side that has less of it.
        while to - from < DECADES {
            if low - from < to - high { from -= 1.0 } else { to += 1.0 }
        }
        Self { from, to, places }
    }

    /// Where a value is drawn.
    pub(super) fn place(&self, value: f64) -> f64 {
        let part = (value.max(LEAST).log10() - self.from) / (self.to - self.from);
        self.places.start() + part * (self.places.end() - self.places.start())
    }

    /// The powers of ten on the axis.
    pub(super) fn powers(&self) -> impl Iterator<Item = f64> {
        (self.from.ceil() as i32..=self.to.floor() as i32).map(|exponent| 10f64.powi(exponent))
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(start, |(low, high), value| {
        let log = value.max(LEAST).log10();
        (low.min(log), high.max(log))
    });
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// Three digits that count: `0.083`, `12.4`, `1,160,000`.
pub(super) fn print(value: f64) -> String {
    let value = value.max(0.0);
    let digits = if value < LEAST { 0 } else { value.log10().floor() as i32 };
    let unit = 10f64.powi(digits - 2);
    let rounded = (value / unit).round() * unit;
    let places = (2 - digits).clamp(0, 3) as usize;
    let text = format!("{rounded:.places$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        for (value, expected) in [
            (0.0, "0"),
            (0.0831, "0.083"),
            (0.5, "0.5"),
            (1.0, "1"),
            (1.2345, "1.23"),
            (12.46, "12.5"),
            (999.6, "1,000"),
            (50_000.0, "50,000"),
            (1_158_586.0, "1,160,000"),
            (-1.0, "0"),
        ] {
            assert_eq!(print(value), expected);
        }
    }

    #[test]
    fn axes_hold_what_is_drawn() {
        let values = [0.4, 0.5, 0.0];
        let scale = Scale::of_decades(values.into_iter(), 100.0..=0.0);
        assert!(values.iter().all(|&value| (0.0..=100.0).contains(&scale.place(value))));
        assert_eq!(scale.powers().count(), 4);
        let flat = Scale::of_decades([0.4, 0.5].into_iter(), 0.0..=100.0);
        assert_eq!(flat.powers().count(), 3);
        let around = Scale::around([1000.0, 1_000_000.0].into_iter(), 0.0..=100.0);
        assert!(around.place(1000.0) > 0.0 && around.place(1_000_000.0) < 100.0);
    }
}
