//! Moments as the directory keeps them, in Unix seconds, and as they are shown.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A moment in UTC (RFC 3339): `2026-11-23T09:10:00Z`.
pub(crate) fn moment(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.to_string())
}
