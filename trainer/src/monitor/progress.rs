//! Progress of a stage on stderr: a bar with rate and time left on a terminal, otherwise a line at every tenth of the
//! way and at least every half minute, so that a log file shows that something moves.
//!
//! All bars belong to one [`MultiProgress`], through which log lines and messages go as well, so that none of them
//! writes over another.

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// A bar when stderr is a terminal, lines when it is not.
    #[default]
    Auto,
    /// Lines, wherever stderr goes.
    Lines,
    /// Nothing, no messages either.
    Off,
}

/// Longest silence in a log file.
const SILENCE: Duration = Duration::from_secs(30);
/// Numbers shown beside the progress.
const SHOWN: usize = 3;

/// The screen that all bars share.
pub(super) fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Prints to stderr, above any bar. That stderr is closed is no reason to stop.
pub fn say(text: &str) {
    bars().suspend(|| {
        let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
    });
}

/// What goes on.
pub(super) struct Task<'a> {
    /// Shown before everything else.
    pub name: &'a str,
    /// What is counted, in the singular.
    pub unit: &'static str,
    pub total: u64,
    /// What was done before it began.
    pub done: u64,
    pub begun: Instant,
}

/// Progress of one task.
pub(super) enum Progress {
    Bar { bar: ProgressBar, begun: Instant },
    Lines(Lines),
    Off,
}

impl Progress {
    /// Progress of a task.
    pub fn new(mode: ProgressMode, task: &Task) -> Progress {
        match mode {
            ProgressMode::Off => Progress::Off,
            ProgressMode::Auto if std::io::stderr().is_terminal() => Progress::bar(task),
            ProgressMode::Auto | ProgressMode::Lines => Progress::Lines(Lines::new(task)),
        }
    }

    fn bar(task: &Task) -> Progress {
        let unit = task.unit;
        let style = ProgressStyle::with_template("{prefix:>5} {bar:20} {pos}/{len}  {rate}  {left} left  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&rate(state.per_sec(), unit));
            })
            .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&duration(state.eta()));
            });
        let bar = ProgressBar::new(task.total).with_style(style).with_position(task.done);
        let bar = bars().add(bar.with_prefix(task.name.to_string()).with_elapsed(task.begun.elapsed()));
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_secs(1));
        Progress::Bar { bar, begun: task.begun }
    }

    /// `step` steps are done.
    pub fn step(&mut self, step: u64, values: &[(&str, f64)]) {
        match self {
            Progress::Bar { bar, .. } => {
                bar.set_position(step);
                bar.set_message(numbers(values));
            }
            Progress::Lines(lines) => {
                if let Some(line) = lines.line(step, values, Instant::now()) {
                    say(&line);
                }
            }
            Progress::Off => {}
        }
    }

    /// Whether messages are wanted.
    pub fn is_shown(&self) -> bool {
        !matches!(self, Progress::Off)
    }

    /// All is done: a line that stays says how long it took and where it ended.
    pub fn finish(&mut self) {
        let (stage, last, begun) = match self {
            Progress::Bar { bar, begun } => {
                bar.finish_and_clear();
                (bar.prefix(), bar.message(), *begun)
            }
            Progress::Lines(lines) => (lines.name.clone(), lines.numbers.clone(), lines.begun),
            Progress::Off => return,
        };
        let separator = if last.is_empty() { "" } else { ": " };
        say(&format!("{stage}: done in {}{separator}{last}", duration(begun.elapsed())));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Progress::Bar { bar, .. } = self
            && !bar.is_finished()
        {
            bar.abandon();
        }
    }
}

/// Progress in a file: decides when a line is due, and what it says.
pub(super) struct Lines {
    name: String,
    unit: &'static str,
    total: u64,
    done_before: u64,
    begun: Instant,
    last: Option<(u64, Instant)>,
    numbers: String,
}

impl Lines {
    fn new(task: &Task) -> Lines {
        let &Task { name, unit, total, done, begun } = task;
        Lines { name: name.into(), unit, total, done_before: done, begun, last: None, numbers: String::new() }
    }

    fn line(&mut self, step: u64, values: &[(&str, f64)], now: Instant) -> Option<String> {
        self.numbers = numbers(values);
        let tenth = |step: u64| step.saturating_mul(10) / self.total.max(1);
        let due = match self.last {
            None => true,
            Some((last, at)) => tenth(step) > tenth(last) || now.duration_since(at) >= SILENCE || step == self.total,
        };
        if !due {
            return None;
        }
        self.last = Some((step, now));
        let percent = step.saturating_mul(100) / self.total.max(1);
        let mut line = format!("{} {step}/{} ({percent} %)", self.name, self.total);
        let (steps, seconds) = (step.saturating_sub(self.done_before), now.duration_since(self.begun).as_secs_f64());
        if steps > 0 && seconds > 0.0 {
            let per_second = steps as f64 / seconds;
            line += &format!(", {}", rate(per_second, self.unit));
            if step < self.total {
                let left = (self.total - step) as f64 / per_second;
                let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
                line += &format!(", {} left", duration(left));
            }
        }
        if !values.is_empty() {
            line += &format!(": {}", self.numbers);
        }
        Some(line)
    }
}

/// `4.2 steps/s`, or `3.5 s/step` when that is the greater number.
fn rate(per_second: f64, unit: &str) -> String {
    match per_second {
        r if r >= 1.0 => format!("{} {unit}s/s", short(r)),
        r if r > 0.0 => format!("{} s/{unit}", short(1.0 / r)),
        _ => format!("- s/{unit}"),
    }
}

/// The first few values, `loss 2.31, reward 0.5`.
fn numbers(values: &[(&str, f64)]) -> String {
    let shown: Vec<String> = values.iter().take(SHOWN).map(|(name, v)| format!("{name} {}", short(*v))).collect();
    shown.join(", ")
}

/// Four significant digits, without the zeros at the end.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..9.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.*}", (3.0 - magnitude).max(0.0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// `45 s`, `3 min 05 s`, `2 h 03 min`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(name: &str, total: u64, done: u64, begun: Instant) -> Lines {
        Lines::new(&Task { name, unit: "step", total, done, begun })
    }

    #[test]
    fn a_line_at_every_tenth() {
        let begun = Instant::now();
        let mut lines = steps("sft", 200, 0, begun);
        let at = |step: u64| begun + Duration::from_millis(step * 100);
        let said: Vec<u64> = (1..=200).filter(|&s| lines.line(s, &[], at(s)).is_some()).collect();
        assert_eq!(said, [1, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200]);
    }

    #[test]
    fn a_line_every_half_minute_when_steps_are_slow() {
        let begun = Instant::now();
        let mut lines = steps("dapo", 1000, 0, begun);
        let said: Vec<u64> =
            (1..=20).filter(|&s| lines.line(s, &[], begun + Duration::from_secs(s * 7)).is_some()).collect();
        assert_eq!(said, [1, 6, 11, 16]);
    }

    #[test]
    fn rate_and_time_left_count_the_steps_of_this_process_only() {
        let begun = Instant::now();
        let mut lines = steps("dpo", 100, 40, begun);
        let values = [("loss", 0.712_345), ("margin", -1.5), ("accuracy", 0.0), ("hidden", 1.0)];
        let line = lines.line(50, &values, begun + Duration::from_secs(20)).unwrap();
        assert_eq!(line, "dpo 50/100 (50 %), 2 s/step, 1 min 40 s left: loss 0.7123, margin -1.5, accuracy 0");
    }

    #[test]
    fn a_stage_without_steps_divides_by_nothing() {
        let begun = Instant::now();
        assert_eq!(steps("sft", 0, 0, begun).line(0, &[], begun).unwrap(), "sft 0/0 (0 %)");
    }

    #[test]
    fn numbers_and_times_are_short() {
        let given = [0.0, 1.0, 12.5, 123456.0, 0.000123456, 1e-5, -2.5e12, f64::NAN, 99.999, 0.1];
        let expected = ["0", "1", "12.5", "123456", "0.0001235", "1.00e-5", "-2.50e12", "NaN", "100", "0.1"];
        assert_eq!(given.map(short), expected);
        let seconds = [0, 59, 60, 3599, 3600, 90061].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(seconds, ["0 s", "59 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "25 h 01 min"]);
    }
}
