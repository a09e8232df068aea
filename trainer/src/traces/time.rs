//! [`Moment`]: a time as logs write it, comparable across offsets. RFC 3339, with a space for the `T` and without seconds
//! or offset allowed, since logs do so; without an offset, UTC is meant. No calendar arithmetic beyond that.

use serde::{Serialize, Serializer};

/// A moment, with the text that said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    text: String,
    instant: (i64, u32),
}

impl Moment {
    /// Reads `2024-03-09T14:05:59.25+01:00` and its shorter forms; `None` when it is no such time.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let mut parts = date.split('-');
        let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
            return None;
        }
        let clock = rest.strip_prefix(['T', 't', ' '])?;
        let (clock, offset) = split_offset(clock)?;
        let (clock, nanos) = match clock.split_once(['.', ',']) {
            Some((clock, fraction)) => (clock, fraction_nanos(fraction)?),
            None => (clock, 0),
        };
        let mut parts = clock.split(':');
        let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let second = parts.next().map_or(Some(0), |s| digits(s, 2))?;
        // 60: a leap second.
        if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Some(Moment { text: text.to_string(), instant: (seconds, nanos) })
    }

    /// Seconds since 1970-01-01T00:00:00Z and nanoseconds: what moments are ordered by.
    pub fn instant(&self) -> (i64, u32) {
        self.instant
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

fn digits(text: &str, len: usize) -> Option<i64> {
    (text.len() == len && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction_nanos(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nine: String = text.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok()
}

/// The clock without its offset, and the offset in seconds.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let (clock, offset) = clock.split_at_checked(at)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':').or_else(|| offset.split_at_checked(2))?;
    let (hours, minutes) = (digits(hours, 2)?, if minutes.is_empty() { 0 } else { digits(minutes, 2)? });
    let seconds = hours * 3600 + minutes * 60;
    (hours < 24 && minutes < 60).then_some((clock, if sign == "-" { -seconds } else { seconds }))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Option<(i64, u32)> {
        Moment::parse(text).map(|m| m.instant())
    }

    #[test]
    fn known_moments() {
        assert_eq!(instant("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(instant("2020-04-13T22:40:57Z"), Some((1_586_817_657, 0)));
        assert_eq!(instant("2000-02-29 12:00"), Some((951_825_600, 0)));
        assert_eq!(instant("1969-12-31T23:59:59.5Z"), Some((-1, 500_000_000)));
        assert_eq!(instant("2020-04-14T00:40:57+02:00"), instant("2020-04-13T22:40:57Z"));
        assert_eq!(instant("2020-04-13T17:10:57-0530"), instant("2020-04-13T22:40:57Z"));
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            "today",
            "2020-04-13",
            "2020-13-01T00:00:00Z",
            "2021-02-29T00:00Z",
            "2020-04-13T24:00:00Z",
            "1586817657",
            "2020-04-13T22:40:57+25:00",
            "2020-04-13T22:40:57.Z",
            "2020-4-13T22:40:57Z",
            "é020-04-13T22:40:57Z",
            "2020-04-13X22:40:57Z",
            "+020-04-13T22:40:57Z",
            "2020-04-13T2a:40:57Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text:?}");
        }
    }
}
