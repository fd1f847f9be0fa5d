//! The figures in the text format of OpenMetrics, and as JSON.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};
use wire::meter::{BOUNDS, Latency};

use super::Metrics;
use super::families::{FAMILIES, Family, Kind, Number, Samples};

/// Microseconds in a second.
const MICROS: f64 = 1_000_000.0;

/// All figures as text.
pub(super) fn text(metrics: &Arc<Metrics>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(Arc::clone(metrics))));
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = text::encode(&mut text, &registry);
    text
}

/// All figures as an object of lists of samples, each with its labels.
pub(super) fn json(metrics: &Metrics) -> Value {
    let families = FAMILIES.iter().map(|family| {
        let mut samples = Objects { family, samples: Vec::new() };
        (family.read)(metrics, &mut samples);
        (family.name.to_owned(), Value::Array(samples.samples))
    });
    Value::Object(families.collect())
}

/// Reads everything when it is asked.
#[derive(Debug)]
struct Collected(Arc<Metrics>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in FAMILIES {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            let mut lines = Lines { family, metric, result: Ok(()) };
            (family.read)(&self.0, &mut lines);
            lines.result?;
        }
        Ok(())
    }
}

/// Samples as lines of text.
struct Lines<'a> {
    family: &'a Family,
    metric: MetricEncoder<'a>,
    result: fmt::Result,
}

impl Lines<'_> {
    fn add(&mut self, labels: &[&str], add: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result) {
        let labels: Vec<_> = self.family.labels.iter().copied().zip(labels.iter().copied()).collect();
        let added = match &labels[..] {
            [] => add(&mut self.metric),
            _ => self.metric.encode_family(&labels).and_then(|mut metric| add(&mut metric)),
        };
        self.result = self.result.and(added);
    }
}

impl Samples for Lines<'_> {
    fn number(&mut self, labels: &[&str], number: Number) {
        let kind = self.family.kind;
        self.add(labels, |metric| match (kind, number) {
            (Kind::Counter, Number::Whole(whole)) => metric.encode_counter::<NoLabelSet, u64, f64>(&whole, None),
            (Kind::Counter, Number::Fraction(part)) => metric.encode_counter::<NoLabelSet, f64, f64>(&part, None),
            (_, Number::Whole(whole)) => metric.encode_gauge(&i64::try_from(whole).unwrap_or(i64::MAX)),
            (_, Number::Fraction(part)) => metric.encode_gauge(&part),
        });
    }

    fn latency(&mut self, labels: &[&str], latency: &Latency) {
        let (classes, sum) = latency.read();
        // The encoder adds the classes up.
        let bounds = BOUNDS.iter().map(|micros| *micros as f64 / MICROS).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(classes).collect();
        let count = classes.iter().sum();
        self.add(labels, |metric| metric.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None));
    }
}

/// Samples as JSON objects.
struct Objects<'a> {
    family: &'a Family,
    samples: Vec<Value>,
}

impl Objects<'_> {
    fn labelled(&self, labels: &[&str]) -> Map<String, Value> {
        let labels = self.family.labels.iter().zip(labels);
        labels.map(|(label, value)| ((*label).to_owned(), Value::from(*value))).collect()
    }
}

impl Samples for Objects<'_> {
    fn number(&mut self, labels: &[&str], number: Number) {
        let mut sample = self.labelled(labels);
        let number = match number {
            Number::Whole(whole) => json!(whole),
            Number::Fraction(part) => json!(part),
        };
        sample.insert("value".to_owned(), number);
        self.samples.push(Value::Object(sample));
    }

    fn latency(&mut self, labels: &[&str], latency: &Latency) {
        let (classes, sum) = latency.read();
        let mut sample = self.labelled(labels);
        sample.insert("count".to_owned(), json!(classes.iter().sum::<u64>()));
        sample.insert("seconds".to_owned(), json!(sum.as_secs_f64()));
        self.samples.push(Value::Object(sample));
    }
}
