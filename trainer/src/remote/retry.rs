//! What passes by itself, and how long to wait for it.
//!
//! The wait before attempt n + 1 is `backoff · 2^n`, at most 64 times the backoff, times a number from 0.5 to 1 that is drawn for this
//! request and attempt, so that learners who failed together do not come back together. `Retry-After` (RFC 9110, section 10.2.3: seconds or
//! a date) is the least that is waited, and the backoff comes on top, for the same reason.

use reqwest::StatusCode;
use std::time::{Duration, SystemTime};

/// Doublings of the backoff at most.
const DOUBLINGS: u32 = 6;

/// Whether a request that was answered so may be answered otherwise later.
pub(super) fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 425 | 429) || status.is_server_error()
}

/// The time until which a server asks to be left alone, from now on.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The wait after the `attempt`-th failure, from 0; `unit` is in 0..1.
pub(super) fn wait(backoff: Duration, attempt: u32, unit: f64, retry_after: Option<Duration>) -> Duration {
    let backoff = backoff.saturating_mul(1 << attempt.min(DOUBLINGS)).mul_f64(0.5 + unit / 2.0);
    backoff.saturating_add(retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_spread() {
        let ms = |attempt, unit| wait(Duration::from_millis(100), attempt, unit, None).as_millis();
        assert_eq!([ms(0, 0.0), ms(1, 0.0), ms(2, 0.0), ms(2, 0.5)], [50, 100, 200, 300]);
        assert_eq!((ms(6, 0.0), ms(60, 0.0)), (3200, 3200));
        let asked = wait(Duration::from_millis(100), 0, 0.0, Some(Duration::from_secs(7)));
        assert_eq!(asked, Duration::from_millis(7050));
    }

    #[test]
    fn retry_after_by_hand() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let asked = |text: &str| retry_after(text, now).map(|d| d.as_millis());
        assert_eq!(asked("120"), Some(120_000));
        assert_eq!(asked(" 0.5 "), Some(500));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30_000));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!([asked("soon"), asked("-1"), asked(""), asked("NaN")], [None; 4]);
    }

    #[test]
    fn which_statuses_pass() {
        let passing: Vec<u16> =
            (200..600).filter(|code| passes(StatusCode::from_u16(*code).unwrap())).filter(|code| *code < 500).collect();
        assert_eq!(passing, [408, 409, 425, 429]);
        assert!((500..600).all(|code| passes(StatusCode::from_u16(code).unwrap())));
    }
}
