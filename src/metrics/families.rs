//! The families of figures: name, type, labels, and where the numbers come from.

use std::sync::atomic::{AtomicU64, Ordering};

use ldap::{Ldap, Meter};
use wire::listen::Refusal;
use wire::meter::Latency;

use super::Metrics;

/// What a family's numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It grows from zero while the process lives.
    Counter,
    /// It is how it is now.
    Gauge,
    /// Counts by classes of time.
    Histogram,
}

impl Kind {
    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(u64),
    Fraction(f64),
}

/// Where the samples of a family go. Label values come in the order of the family's labels.
pub(super) trait Samples {
    fn number(&mut self, labels: &[&str], number: Number);
    fn latency(&mut self, labels: &[&str], latency: &Latency);
}

/// A family of figures.
pub(super) struct Family {
    /// Its name, without the `_total` that counters have on the wire.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// One sentence without its stop.
    pub(super) help: &'static str,
    pub(super) read: fn(&Metrics, &mut dyn Samples),
}

impl Family {
    /// As samples are named on the wire.
    #[cfg(test)]
    pub(super) fn wire_name(&self) -> String {
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{suffix}", self.name)
    }
}

/// All of them, in the order of the page.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "angarium_build_info",
        kind: Kind::Gauge,
        labels: &["version"],
        help: "Always 1; which version runs",
        read: |_, out| out.number(&[env!("CARGO_PKG_VERSION")], Number::Whole(1)),
    },
    Family {
        name: "angarium_start_time_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the server started, in Unix seconds",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.started)),
    },
    Family {
        name: "angarium_connections_open",
        kind: Kind::Gauge,
        labels: &["service"],
        help: "Connections that have a session now",
        read: |metrics, out| {
            for (service, traffic) in metrics.gate.traffic() {
                out.number(&[service], Number::Whole(traffic.open()));
            }
        },
    },
    Family {
        name: "angarium_connections_accepted",
        kind: Kind::Counter,
        labels: &["service"],
        help: "Connections that got a session",
        read: |metrics, out| {
            for (service, traffic) in metrics.gate.traffic() {
                out.number(&[service], Number::Whole(traffic.accepted()));
            }
        },
    },
    Family {
        name: "angarium_connections_refused",
        kind: Kind::Counter,
        labels: &["service", "reason"],
        help: "Connections that were turned away because there were too many",
        read: |metrics, out| {
            for (service, traffic) in metrics.gate.traffic() {
                out.number(&[service, "total"], Number::Whole(traffic.refused(Refusal::Total)));
                out.number(&[service, "address"], Number::Whole(traffic.refused(Refusal::Address)));
                out.number(&[service, "rate"], Number::Whole(traffic.refused(Refusal::Rate)));
                out.number(&[service, "memory"], Number::Whole(traffic.refused(Refusal::Memory)));
            }
        },
    },
    Family {
        name: "angarium_buffer_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "What all connections together hold in buffers",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.gate.memory().used())),
    },
    Family {
        name: "angarium_buffer_limit_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "What they may hold",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.gate.memory().limit())),
    },
    Family {
        name: "angarium_buffer_refusals",
        kind: Kind::Counter,
        labels: &[],
        help: "Commands that were refused because they needed more",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.gate.memory().refused())),
    },
    Family {
        name: "angarium_command_duration_seconds",
        kind: Kind::Histogram,
        labels: &["service", "command", "result"],
        help: "Commands by how they ended and how long they took, from the whole command to the queued reply",
        read: commands,
    },
    Family {
        name: "angarium_deliveries",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Recipients of messages over LMTP by what the sending server was told",
        read: |metrics, out| {
            let deliveries = &metrics.lmtp.meters().deliveries;
            let mut say = |result: &str, counter: &AtomicU64| {
                out.number(&[result], Number::Whole(counter.load(Ordering::Relaxed)));
            };
            say("accepted", &deliveries.accepted);
            say("duplicate", &deliveries.duplicates);
            say("refused", &deliveries.refused);
            say("deferred", &deliveries.deferred);
        },
    },
    Family {
        name: "angarium_messages_appended",
        kind: Kind::Counter,
        labels: &[],
        help: "Messages that came into a mailbox: delivered, appended, copied",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().appended.get())),
    },
    Family {
        name: "angarium_messages_appended_bytes",
        kind: Kind::Counter,
        labels: &[],
        help: "Sizes of these messages together",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().appended_octets.get())),
    },
    Family {
        name: "angarium_messages_expunged",
        kind: Kind::Counter,
        labels: &[],
        help: "Messages that were expunged",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().expunged.get())),
    },
    Family {
        name: "angarium_syncs",
        kind: Kind::Counter,
        labels: &["what"],
        help: "Waits for the disk, by what was made durable",
        read: |metrics, out| {
            let counters = metrics.store.counters();
            out.number(&["message"], Number::Whole(counters.message_syncs.get()));
            out.number(&["directory"], Number::Whole(counters.directory_syncs.get()));
            out.number(&["mailbox"], Number::Whole(counters.mailbox_syncs.get()));
            out.number(&["database"], Number::Whole(mailstore::sled_syncs()));
        },
    },
    Family {
        name: "angarium_cache_records",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Cache records that were wanted: whole, or made anew from the message",
        read: |metrics, out| {
            let counters = metrics.store.counters();
            out.number(&["hit"], Number::Whole(counters.cache_hits.get()));
            out.number(&["healed"], Number::Whole(counters.cache_heals.get()));
        },
    },
    Family {
        name: "angarium_mailboxes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Mailboxes, deleted ones that wait for their end included",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.mailbox_count() as u64)),
    },
    Family {
        name: "angarium_mailboxes_open",
        kind: Kind::Gauge,
        labels: &[],
        help: "Mailboxes whose files are open now",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.open_mailboxes() as u64)),
    },
    Family {
        name: "angarium_mailbox_heals",
        kind: Kind::Counter,
        labels: &["file"],
        help: "Files of mailboxes that were not in order when they were opened, and are now",
        read: |metrics, out| {
            let heals = &metrics.store.counters().heals;
            out.number(&["index"], Number::Whole(heals.index.get()));
            out.number(&["header"], Number::Whole(heals.header.get()));
            out.number(&["cache"], Number::Whole(heals.cache.get()));
            out.number(&["seen"], Number::Whole(heals.seen.get()));
            out.number(&["counters"], Number::Whole(heals.counters.get()));
        },
    },
    Family {
        name: "angarium_reconstructs",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Repairs of damaged mailboxes in the background",
        read: |metrics, out| {
            let healing = &metrics.store.counters().healing;
            out.number(&["repaired"], Number::Whole(healing.repaired.get()));
            out.number(&["left"], Number::Whole(healing.left.get()));
            out.number(&["failed"], Number::Whole(healing.failed.get()));
            out.number(&["skipped"], Number::Whole(healing.skipped.get()));
        },
    },
    Family {
        name: "angarium_reconstructs_waiting",
        kind: Kind::Gauge,
        labels: &[],
        help: "Damaged mailboxes that wait for their repair in the background",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().healing.waiting.get())),
    },
    Family {
        name: "angarium_quota_refusals",
        kind: Kind::Counter,
        labels: &[],
        help: "Messages that were refused because a quota was full, or the command that announced them",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().quota.refusals.get())),
    },
    Family {
        name: "angarium_quota_drifts",
        kind: Kind::Counter,
        labels: &[],
        help: "Quota roots whose usage was found wrong",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().quota.drifts.get())),
    },
    Family {
        name: "angarium_quota_corrections",
        kind: Kind::Counter,
        labels: &[],
        help: "Quota roots whose usage was found wrong and put right",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().quota.corrected.get())),
    },
    Family {
        name: "angarium_quota_drift_octets",
        kind: Kind::Gauge,
        labels: &[],
        help: "Octets by which the usage of quota roots was wrong when all of them were last looked at",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().quota.drift_octets.get())),
    },
    Family {
        name: "angarium_quota_roots_drifted",
        kind: Kind::Gauge,
        labels: &[],
        help: "Quota roots whose usage was wrong when all of them were last looked at",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().quota.drift_roots.get())),
    },
    Family {
        name: "angarium_scrub_age_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How long ago the last full pass of the scrubber ended; nothing before the first",
        read: |metrics, out| {
            let last = metrics.store.counters().scrub.last_pass.get();
            if last > 0 {
                out.number(&[], Number::Whole(super::now().saturating_sub(last)));
            }
        },
    },
    Family {
        name: "angarium_scrub_last_errors",
        kind: Kind::Gauge,
        labels: &[],
        help: "What the last full pass of the scrubber left to an administrator",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().scrub.last_errors.get())),
    },
    Family {
        name: "angarium_scrub_findings",
        kind: Kind::Counter,
        labels: &["result"],
        help: "What the scrubber found: repaired, or left to an administrator",
        read: |metrics, out| {
            let scrub = &metrics.store.counters().scrub;
            out.number(&["repaired"], Number::Whole(scrub.repaired.get()));
            out.number(&["left"], Number::Whole(scrub.errors.get()));
        },
    },
    Family {
        name: "angarium_scrub_bytes",
        kind: Kind::Counter,
        labels: &[],
        help: "Bytes that the scrubber has read",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().scrub.octets.get())),
    },
    Family {
        name: "angarium_scrub_messages",
        kind: Kind::Counter,
        labels: &[],
        help: "Message files that the scrubber has compared with their hashes",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.store.counters().scrub.messages.get())),
    },
    Family {
        name: "angarium_ldap_up",
        kind: Kind::Gauge,
        labels: &[],
        help: "Whether the LDAP server that keeps the directory answers: 1 or 0; nothing where none does",
        read: |metrics, out| ldap(metrics, out, |ldap| Number::Whole(ldap.status().outage.is_none().into())),
    },
    Family {
        name: "angarium_ldap_connections",
        kind: Kind::Gauge,
        labels: &[],
        help: "Connections to it that are open",
        read: |metrics, out| ldap(metrics, out, |ldap| Number::Whole(ldap.status().connections as u64)),
    },
    Family {
        name: "angarium_ldap_connects",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Connections to it that were made, or could not be",
        read: |metrics, out| {
            ldap_counts(metrics, out, |meter| vec![("made", &meter.connected), ("failed", &meter.refused)]);
        },
    },
    Family {
        name: "angarium_ldap_requests",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Requests that it has answered, or not",
        read: |metrics, out| {
            ldap_counts(metrics, out, |meter| vec![("answered", &meter.answered), ("lost", &meter.lost)]);
        },
    },
    Family {
        name: "angarium_ldap_request_seconds",
        kind: Kind::Counter,
        labels: &[],
        help: "How long all of these took together",
        read: |metrics, out| ldap(metrics, out, |ldap| Number::Fraction(ldap.meter().waited().as_secs_f64())),
    },
    Family {
        name: "angarium_ldap_lookups",
        kind: Kind::Counter,
        labels: &["result"],
        help: "Questions about users and aliases, by who answered: memory, the LDAP server, or memory in its place",
        read: |metrics, out| {
            ldap_counts(metrics, out, |meter| {
                vec![("remembered", &meter.remembered), ("asked", &meter.asked), ("bridged", &meter.bridged)]
            });
        },
    },
    Family {
        name: "angarium_ldap_remembered",
        kind: Kind::Gauge,
        labels: &[],
        help: "Answers that are remembered",
        read: |metrics, out| ldap(metrics, out, |ldap| Number::Whole(ldap.status().cached as u64)),
    },
    Family {
        name: "angarium_blocking_waiting",
        kind: Kind::Gauge,
        labels: &[],
        help: "Work of sessions that waits for a thread that may block",
        read: |_, out| out.number(&[], Number::Whole(wire::work::blocking_load().0)),
    },
    Family {
        name: "angarium_blocking_running",
        kind: Kind::Gauge,
        labels: &[],
        help: "Work of sessions that runs on such a thread",
        read: |_, out| out.number(&[], Number::Whole(wire::work::blocking_load().1)),
    },
    Family {
        name: "angarium_runtime_threads",
        kind: Kind::Gauge,
        labels: &[],
        help: "Threads that serve connections",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.runtime.metrics().num_workers() as u64)),
    },
    Family {
        name: "angarium_runtime_tasks",
        kind: Kind::Gauge,
        labels: &[],
        help: "Tasks alive: sessions, listeners, and work on its way to other threads",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.runtime.metrics().num_alive_tasks() as u64)),
    },
    Family {
        name: "angarium_runtime_queue",
        kind: Kind::Gauge,
        labels: &[],
        help: "Tasks that could go on and wait for a thread",
        read: |metrics, out| out.number(&[], Number::Whole(metrics.runtime.metrics().global_queue_depth() as u64)),
    },
    Family {
        name: "angarium_runtime_busy_seconds",
        kind: Kind::Counter,
        labels: &[],
        help: "Time for which the threads that serve connections were busy, together",
        read: |metrics, out| {
            let runtime = metrics.runtime.metrics();
            let busy: std::time::Duration =
                (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum();
            out.number(&[], Number::Fraction(busy.as_secs_f64()));
        },
    },
];

/// A figure of the LDAP server, if one keeps the directory.
fn ldap(metrics: &Metrics, out: &mut dyn Samples, read: fn(&Ldap) -> Number) {
    if let Some(ldap) = &metrics.ldap {
        out.number(&[], read(ldap));
    }
}

/// Counters of what was asked of it.
fn ldap_counts(
    metrics: &Metrics,
    out: &mut dyn Samples,
    read: for<'a> fn(&'a Meter) -> Vec<(&'static str, &'a AtomicU64)>,
) {
    for (result, counter) in metrics.ldap.iter().flat_map(|ldap| read(ldap.meter())) {
        out.number(&[result], Number::Whole(counter.load(Ordering::Relaxed)));
    }
}

/// Commands that nobody has given are left out: there are dozens.
fn commands(metrics: &Metrics, out: &mut dyn Samples) {
    for (service, commands) in &metrics.commands {
        for (command, verdict, latency) in commands.iter() {
            if latency.read().0.iter().any(|count| *count > 0) {
                out.latency(&[service, command, verdict.name()], latency);
            }
        }
    }
}
