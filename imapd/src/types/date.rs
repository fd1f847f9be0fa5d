//! Date and time of a message's arrival, as APPEND and INTERNALDATE write it (RFC 9051, 9: `date-time`).

use jiff::{Timestamp, civil, tz::Offset};

/// A moment and the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    local: civil::DateTime,
    offset: Offset,
}

impl DateTime {
    /// Local time and its zone, in minutes east of UTC; `None` outside the years that a time stamp can hold.
    pub fn new(local: civil::DateTime, zone_minutes: i32) -> Option<DateTime> {
        let offset = Offset::from_seconds(zone_minutes.checked_mul(60)?).ok()?;
        offset.to_timestamp(local).ok()?;
        Some(DateTime { local, offset })
    }

    /// The moment in seconds since 1970, in UTC.
    pub fn from_seconds(seconds: i64) -> Option<DateTime> {
        let timestamp = Timestamp::from_second(seconds).ok()?;
        Some(DateTime { local: Offset::UTC.to_datetime(timestamp), offset: Offset::UTC })
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        // `new` has made this very conversion, so the fallback is never taken.
        self.offset.to_timestamp(self.local).map_or(0, Timestamp::as_second)
    }

    /// Date and time on the writer's clock.
    pub fn local(&self) -> civil::DateTime {
        self.local
    }

    /// The zone, in minutes east of UTC.
    pub fn zone_minutes(&self) -> i32 {
        self.offset.seconds() / 60
    }
}
