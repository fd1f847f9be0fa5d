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

    /// The beginning of time stamps: midnight of 1 January 1970, UTC.
    pub const EPOCH: DateTime =
        DateTime { local: civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0), offset: Offset::UTC };

    /// So many seconds after [`DateTime::EPOCH`], on a clock `zone_minutes` east of UTC.
    pub fn from_seconds_in(seconds: i64, zone_minutes: i32) -> Option<DateTime> {
        let timestamp = Timestamp::from_second(seconds).ok()?;
        let offset = Offset::from_seconds(zone_minutes.checked_mul(60)?).ok()?;
        Some(DateTime { local: offset.to_datetime(timestamp), offset })
    }

    /// The same in UTC.
    pub fn from_seconds(seconds: i64) -> Option<DateTime> {
        Self::from_seconds_in(seconds, 0)
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
