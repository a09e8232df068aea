//! What fits: which older exchanges are dropped from a conversation that is too long. Counts only; no tokens here.
//!
//! The preamble (system prompt, problem) is never dropped. An exchange (a submission and its feedback) is kept or dropped
//! whole, oldest first. For a prompt ([`context_start`]) `reserve_tokens` stay free for the submission that is to be
//! predicted. (The published rule is the same without a reserve, so that long targets were cut.)
//!
//! What an exchange takes may depend on whether another stands before it ([`Length`]): a diff says less than the program that has to
//! be written where the one before it was dropped.
//!
//! For training ([`windows`]) a conversation that fits is one chain in which every submission is a target. One that does
//! not is cut into windows. The first new target of a window sees exactly what [`context_start`] would leave it; the window then goes on
//! for as long as it fits, so later targets see at least that. Every target that fits behind the preamble alone is trained
//! exactly once; the others are named, so that they can be counted.

use crate::config::DialogueSettings;

/// How long a conversation may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest conversation in tokens.
    pub max_tokens: usize,
    /// Tokens of these that a prompt leaves free.
    pub reserve_tokens: usize,
}

impl From<&DialogueSettings> for Limits {
    fn from(settings: &DialogueSettings) -> Self {
        Limits { max_tokens: settings.max_tokens, reserve_tokens: settings.reserve_tokens }
    }
}

/// Tokens of something, by whether an exchange stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// When it is the oldest that is kept.
    pub oldest: usize,
    /// When another one is before it.
    pub later: usize,
}

impl Length {
    fn at(self, oldest: bool) -> usize {
        if oldest { self.oldest } else { self.later }
    }
}

impl From<usize> for Length {
    /// The same in any place.
    fn from(tokens: usize) -> Self {
        Length { oldest: tokens, later: tokens }
    }
}

/// Index of the oldest exchange that a prompt keeps, given the lengths of the preamble (and all else that must stay) and of the exchanges
/// before the target. `exchanges.len()` when none fits; `None` when not even the preamble does.
pub fn context_start(preamble: usize, exchanges: &[Length], limits: Limits) -> Option<usize> {
    let room = limits.max_tokens.saturating_sub(limits.reserve_tokens).checked_sub(preamble)?;
    Some(suffix_start(exchanges, room))
}

/// Start of the longest suffix whose sum is at most `room`.
fn suffix_start(lengths: &[Length], room: usize) -> usize {
    let mut start = lengths.len();
    let mut later = 0usize;
    for (i, length) in lengths.iter().enumerate().rev() {
        if later.saturating_add(length.oldest) <= room {
            start = i;
        }
        later = later.saturating_add(length.later);
        if later > room {
            break;
        }
    }
    start
}

/// One exchange, as [`windows`] sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Its tokens as history: submission and feedback.
    pub history: Length,
    /// The tokens that it takes as the last thing of a window: the submission, or the longest of its alternatives.
    pub target: Length,
    /// Whether it is to be trained.
    pub wanted: bool,
}

/// A chain: the preamble and the exchanges from `start` up to the last target, the last without its feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The oldest exchange in it.
    pub start: usize,
    /// The exchanges that are trained in it, in order; never empty.
    pub targets: Vec<usize>,
}

/// How a conversation is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows {
    /// The windows, in order.
    pub windows: Vec<Window>,
    /// Wanted exchanges that do not fit even behind the preamble alone.
    pub too_long: Vec<usize>,
}

/// Cuts a conversation into as few windows as the rule at the head of this room allows.
pub fn windows(preamble: usize, exchanges: &[Exchange], limits: Limits) -> Windows {
    let room = limits.max_tokens.saturating_sub(preamble);
    let fits = |e: &Exchange| preamble.saturating_add(e.target.oldest) <= limits.max_tokens;
    let history: Vec<Length> = exchanges.iter().map(|e| e.history).collect();
    let mut result = Windows::default();
    let mut todo = 0;
    while let Some((first, exchange)) = exchanges.iter().enumerate().skip(todo).find(|(_, e)| e.wanted) {
        if !fits(exchange) {
            result.too_long.push(first);
            todo = first + 1;
            continue;
        }
        let before = history.get(..first).unwrap_or_default();
        // A conversation that fits is not cut, even where its first target would see less under the rule for prompts.
        let whole = grow(exchanges, 0, first, room);
        let start = if result.windows.is_empty() && exchanges.iter().skip(whole.1).all(|e| !e.wanted) {
            0
        } else {
            let reserved = limits.reserve_tokens.max(exchange.target.later).min(limits.max_tokens);
            context_start(preamble, before, Limits { reserve_tokens: reserved, ..limits }).unwrap_or(first)
        };
        let (targets, next) = grow(exchanges, start, first, room);
        result.windows.push(Window { start, targets });
        todo = next;
    }
    result
}

/// The targets of a window over `start..` whose first target is `first`, and the exchange at which the next window takes
/// over. When `first` itself does not fit behind `start..first`, there are no targets and `first` is returned.
fn grow(exchanges: &[Exchange], start: usize, first: usize, room: usize) -> (Vec<usize>, usize) {
    let mut used = 0usize;
    let mut targets = Vec::new();
    for (i, exchange) in exchanges.iter().enumerate().skip(start) {
        if i >= first && exchange.wanted {
            if used.saturating_add(exchange.target.at(i == start)) > room {
                return (targets, i);
            }
            targets.push(i);
        }
        used = used.saturating_add(exchange.history.at(i == start));
    }
    (targets, exchanges.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(max_tokens: usize, reserve_tokens: usize) -> Limits {
        Limits { max_tokens, reserve_tokens }
    }

    fn exchange(target: usize, feedback: usize) -> Exchange {
        Exchange { history: (target + feedback).into(), target: target.into(), wanted: true }
    }

    #[test]
    fn prompts_drop_the_oldest_exchanges() {
        let start = |max, reserve| context_start(10, &[20, 20, 20].map(Length::from), limits(max, reserve));
        assert_eq!(start(70, 0), Some(0));
        assert_eq!(start(69, 0), Some(1));
        assert_eq!(start(69, 20), Some(2));
        assert_eq!(start(20, 10), Some(3));
        assert_eq!(start(20, 11), None);
        assert_eq!(start(5, 20), None);
    }

    /// Where the rest is dropped, a diff becomes a program again.
    #[test]
    fn the_oldest_that_is_kept_takes_what_it_takes_alone() {
        let diff = Length { oldest: 20, later: 8 };
        let start = |max| context_start(10, &[20.into(), diff, diff], limits(max, 0));
        let found: Vec<_> = [46, 45, 38, 37, 30, 29].map(|max| start(max).unwrap()).into();
        assert_eq!(found, [0, 1, 1, 2, 2, 3]);
        // The older one is the shorter one when it stands alone.
        assert_eq!(context_start(0, &[5.into(), Length { oldest: 30, later: 8 }], limits(13, 0)), Some(0));
        let exchange = Exchange { history: diff, target: Length { oldest: 15, later: 3 }, wanted: true };
        let first = Exchange { history: 20.into(), target: 15.into(), ..exchange };
        let cut = windows(10, &[first, exchange, exchange], limits(33, 3));
        // 10 + 20 + 3, and again, since the second is as long as the first where it is the oldest.
        let expected = [Window { start: 0, targets: vec![0, 1] }, Window { start: 1, targets: vec![2] }];
        assert_eq!((cut.windows.as_slice(), cut.too_long.len()), (expected.as_slice(), 0));
        let cut = windows(10, &[first, exchange, exchange], limits(24, 0));
        assert_eq!(cut, Windows { windows: vec![], too_long: vec![0, 1, 2] });
        let cut = windows(10, &[first, exchange, exchange], limits(25, 0));
        assert_eq!(cut.windows.iter().map(|w| w.start).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_conversation_that_fits_is_one_window() {
        let all = [exchange(10, 5), exchange(10, 5), exchange(10, 5)];
        // 7 + 15 + 15 + 10: the last feedback is not counted.
        let one = windows(7, &all, limits(47, 40));
        assert_eq!(one.windows, [Window { start: 0, targets: vec![0, 1, 2] }]);
        // The first submission is not wanted, and a prompt for the second would drop it: still one window.
        let mut all = all;
        all[0].wanted = false;
        assert_eq!(windows(7, &all, limits(47, 40)).windows, [Window { start: 0, targets: vec![1, 2] }]);
    }

    #[test]
    fn a_longer_one_overlaps() {
        let all = [exchange(10, 5); 6];
        let cut = windows(7, &all, limits(47, 20));
        let expected = [
            Window { start: 0, targets: vec![0, 1, 2] },
            // A prompt for 3 may have 47 − 20 − 7 = 20 tokens of history: one exchange.
            Window { start: 2, targets: vec![3, 4] },
            Window { start: 4, targets: vec![5] },
        ];
        assert_eq!(cut.windows, expected);
    }

    #[test]
    fn what_never_fits_is_named_and_its_neighbours_are_trained() {
        let mut all = [exchange(10, 5); 3];
        all[1] = exchange(100, 5);
        let cut = windows(7, &all, limits(47, 20));
        assert_eq!(cut.too_long, [1]);
        let targets: Vec<_> = cut.windows.iter().flat_map(|w| w.targets.clone()).collect();
        assert_eq!(targets, [0, 2]);
        assert_eq!(cut.windows[1].start, 2, "the long exchange cannot be history either");
    }

    #[test]
    fn a_preamble_that_does_not_fit_leaves_nothing() {
        let cut = windows(50, &[exchange(1, 1)], limits(40, 10));
        assert_eq!(cut, Windows { windows: vec![], too_long: vec![0] });
    }

    proptest! {
        #[test]
        fn every_target_that_fits_is_trained_once_with_enough_history(
            preamble in 0..60usize,
            sizes in proptest::collection::vec((1..60usize, 0..40usize, 0..20usize, 0..30usize, any::<bool>()), 0..25),
            max_tokens in 1..300usize,
            reserve_tokens in 0..100usize,
        ) {
            let exchanges: Vec<Exchange> = sizes.iter().map(|&(body, feedback, alternative, more, wanted)| {
                let length = |later: usize| Length { oldest: later + more, later };
                Exchange { history: length(body + feedback), target: length(body + alternative), wanted }
            }).collect();
            let limits = limits(max_tokens, reserve_tokens);
            let cut = windows(preamble, &exchanges, limits);
            let mut seen: Vec<usize> = cut.windows.iter().flat_map(|w| w.targets.clone()).collect();
            seen.extend(&cut.too_long);
            seen.sort_unstable();
            let wanted: Vec<usize> = (0..exchanges.len()).filter(|&i| exchanges[i].wanted).collect();
            prop_assert_eq!(seen, wanted);
            for &i in &cut.too_long {
                prop_assert!(preamble + exchanges[i].target.oldest > max_tokens);
            }
            for window in &cut.windows {
                for &t in &window.targets {
                    let history: Vec<Length> = exchanges[..t].iter().map(|e| e.history).collect();
                    let kept = history.iter().enumerate().skip(window.start);
                    let used: usize = kept.map(|(i, length)| length.at(i == window.start)).sum();
                    prop_assert!(preamble + used + exchanges[t].target.at(t == window.start) <= max_tokens);
                    // Never less history than the prompt would have, unless the target is longer than the reserve.
                    let reserve = reserve_tokens.max(exchanges[window.targets[0]].target.later).min(max_tokens);
                    let prompt = context_start(preamble, &history, Limits { max_tokens, reserve_tokens: reserve });
                    prop_assert!(window.start <= prompt.unwrap_or(t));
                }
            }
        }
    }
}
