//! Requests and tokens a minute, evenly spread: each takes its share of the minute, and the next begins when it is over.
//!
//! How many tokens a request takes is known only when it is answered. It reserves an estimate, and the difference is given back or added
//! then. Time is a number of seconds that the caller brings, so that tests need no clock.

/// One limit.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    /// 0 for no limit.
    per_minute: f64,
    /// When the next one may begin, in seconds.
    ready: f64,
}

impl Meter {
    pub fn new(per_minute: u32) -> Self {
        Meter { per_minute: f64::from(per_minute), ready: 0.0 }
    }

    /// Takes `amount` from `now` on. Gives the seconds to wait before it may begin.
    pub fn reserve(&mut self, amount: f64, now: f64) -> f64 {
        if self.per_minute == 0.0 {
            return 0.0;
        }
        let begin = self.ready.max(now);
        self.ready = begin + amount * 60.0 / self.per_minute;
        begin - now
    }

    /// What was reserved turned out to be `more`, or less.
    pub fn correct(&mut self, more: f64) {
        if self.per_minute > 0.0 {
            self.ready += more * 60.0 / self.per_minute;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_a_minute_is_one_a_second() {
        let mut meter = Meter::new(60);
        assert_eq!([0.0, 0.0, 0.5].map(|now| meter.reserve(1.0, now)), [0.0, 1.0, 1.5]);
        assert_eq!(meter.reserve(1.0, 10.0), 0.0, "time that was not used is not saved up");
        assert_eq!(meter.reserve(1.0, 10.0), 1.0);
        let mut none = Meter::new(0);
        none.correct(1e9);
        assert_eq!((0..9).map(|_| none.reserve(1e9, 0.0)).sum::<f64>(), 0.0);
    }

    #[test]
    fn an_estimate_is_put_right() {
        let mut meter = Meter::new(600);
        assert_eq!(meter.reserve(100.0, 0.0), 0.0);
        meter.correct(-50.0);
        assert_eq!(meter.reserve(0.0, 1.0), 4.0);
        meter.correct(20.0);
        assert_eq!(meter.reserve(0.0, 1.0), 6.0);
    }
}
