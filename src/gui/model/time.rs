//! Days and times of day, in the reader's time zone.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The time now, and where.
#[derive(Debug, Clone)]
pub struct Clock {
    /// In ms since 1970.
    pub now_ms: i64,
    /// The reader's time zone.
    pub zone: TimeZone,
}

/// A day, seen from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// This one.
    Today,
    /// The one before.
    Yesterday,
    /// Another one.
    Other(Date),
}

impl Clock {
    /// The system's.
    pub fn now() -> Self {
        Self { now_ms: Timestamp::now().as_millisecond(), zone: TimeZone::system() }
    }

    /// The date of a moment; one that no calendar has counts as the first of all.
    pub fn date(&self, ms: i64) -> Date {
        let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        moment.to_zoned(self.zone.clone()).date()
    }

    /// The day of a moment, seen from now.
    pub fn day(&self, ms: i64) -> Day {
        let (date, today) = (self.date(ms), self.date(self.now_ms));
        match today.yesterday() {
            _ if date == today => Day::Today,
            Ok(yesterday) if date == yesterday => Day::Yesterday,
            _ => Day::Other(date),
        }
    }

    /// Hours and minutes.
    pub fn time(&self, ms: i64) -> String {
        let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = moment.to_zoned(self.zone.clone()).time();
        format!("{:02}:{:02}", time.hour(), time.minute())
    }

    /// Hours, minutes and seconds.
    pub fn seconds(&self, ms: i64) -> String {
        let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = moment.to_zoned(self.zone.clone()).time();
        format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
    }

    /// Now, as names of files have it: `20231115-080000`.
    pub fn stamp(&self) -> String {
        let moment = Timestamp::from_millisecond(self.now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        moment.to_zoned(self.zone.clone()).strftime("%Y%m%d-%H%M%S").to_string()
    }

    /// The minute of the day now.
    pub fn minute(&self) -> u16 {
        let moment = Timestamp::from_millisecond(self.now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = moment.to_zoned(self.zone.clone()).time();
        u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0)
    }

    /// Until the next midnight, when "today" becomes wrong.
    pub fn until_midnight(&self) -> std::time::Duration {
        let day = 24 * 3_600_000;
        let today = self.date(self.now_ms).to_zoned(self.zone.clone());
        let begun = today.map_or(0, |midnight| self.now_ms - midnight.timestamp().as_millisecond());
        std::time::Duration::from_millis(u64::try_from(day - begun).unwrap_or(0).max(1_000))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn clock(hour: i64) -> Clock {
        // eight hours east, as in China
        Clock { now_ms: 1_700_006_400_000 + hour * HOUR, zone: TimeZone::fixed(jiff::tz::offset(8)) }
    }

    #[test]
    fn days_are_the_readers() {
        // 1,700,006,400 s is 2023-11-15 00:00 UTC, 08:00 there
        let clock = clock(0);
        assert_eq!(clock.time(clock.now_ms), "08:00");
        assert_eq!(clock.day(clock.now_ms - 8 * HOUR), Day::Today);
        assert_eq!(clock.day(clock.now_ms - 8 * HOUR - 1), Day::Yesterday);
        assert_eq!(clock.day(clock.now_ms - 33 * HOUR), Day::Other(jiff::civil::date(2023, 11, 13)));
        assert_eq!(clock.day(clock.now_ms + 16 * HOUR), Day::Other(jiff::civil::date(2023, 11, 16)));
        assert_eq!(clock.until_midnight().as_secs(), 16 * 3600);
        assert_eq!(clock.minute(), 8 * 60);
        assert_eq!(clock.seconds(clock.now_ms + 61_000), "08:01:01");
        assert_eq!(clock.stamp(), "20231115-080000");
    }

    #[test]
    fn no_moment_panics() {
        for ms in [i64::MIN, -1, 0, i64::MAX] {
            let _ = (clock(0).day(ms), clock(0).time(ms), clock(0).seconds(ms));
        }
    }
}
