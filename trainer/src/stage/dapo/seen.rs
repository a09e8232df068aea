//! What the rollouts of a step looked like: the numbers that are logged.

use super::super::drive::Named;
use super::group::Played;
use crate::config::DapoSettings;
use crate::rollout::{End, Rollout, Scored, overlong};
use novice_sandbox::Outcome;
use std::collections::BTreeMap;

/// Why rollouts ended, by the name under which it is logged.
const ENDS: [(&str, End); 6] = [
    ("solved", End::Solved),
    ("out_of_turns", End::OutOfTurns),
    ("out_of_tokens", End::OutOfTokens),
    ("malformed", End::Malformed),
    ("gave_up", End::GaveUp),
    ("repeated", End::Repeated),
];

/// Sums over the rollouts of a step.
#[derive(Default)]
pub(super) struct Seen {
    pub groups: usize,
    pub resampled: usize,
    pub too_long: usize,
    pub all_solved: usize,
    pub all_malformed: usize,
    /// Groups whose rewards were all equal.
    degenerate: usize,
    /// Groups that were taken although their outcomes were not wanted, because the rounds were used up.
    pub second_choice: usize,
    rollouts: f64,
    turns: f64,
    tokens: f64,
    grade: f64,
    overlong: f64,
    copied: f64,
    ends: BTreeMap<&'static str, f64>,
    verdicts: BTreeMap<&'static str, f64>,
    parts: Vec<(String, f64)>,
    rewards: Vec<f64>,
}

impl Seen {
    pub fn group(&mut self, played: &Played, settings: &DapoSettings) {
        let all = |end| usize::from(played.rollouts.iter().all(|r| r.end == Some(end)));
        self.groups += 1;
        self.all_solved += all(End::Solved);
        self.all_malformed += all(End::Malformed);
        self.degenerate += usize::from(!played.is_informative());
        self.rewards.extend(&played.totals);
        for (rollout, scored) in played.rollouts.iter().zip(&played.scored) {
            self.rollout(rollout, scored, overlong(rollout, settings));
        }
    }

    fn rollout(&mut self, rollout: &Rollout, scored: &Scored, overlong: f64) {
        self.rollouts += 1.0;
        self.turns += rollout.turns.len() as f64;
        self.tokens += rollout.turns.iter().map(|t| t.tokens.len()).sum::<usize>() as f64;
        self.grade += rollout.submissions().last().map_or(0.0, |t| t.grade());
        self.overlong += overlong;
        self.copied += scored.copied;
        if let Some((name, _)) = ENDS.iter().find(|(_, end)| rollout.end == Some(*end)) {
            *self.ends.entry(name).or_default() += 1.0;
        }
        for report in rollout.turns.iter().filter_map(|turn| turn.report.as_ref()) {
            *self.verdicts.entry(report.verdict.name()).or_default() += 1.0;
        }
        for (i, (name, value)) in scored.components.iter().enumerate() {
            match self.parts.get_mut(i) {
                Some(part) => part.1 += value,
                None => self.parts.push((name.clone(), *value)),
            }
        }
    }

    /// Rewards of all rollouts, those of groups that were not kept too.
    pub fn rewards(&self) -> &[f64] {
        &self.rewards
    }

    /// The numbers of a step that has `kept` groups of the `wanted`.
    pub fn named(&self, kept: usize, wanted: usize) -> Named {
        let n = self.rollouts.max(1.0);
        let mean = self.rewards.iter().sum::<f64>() / n;
        let deviation = (self.rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
        let graded: f64 = self.verdicts.values().sum::<f64>().max(1.0);
        let mut named: Named = vec![
            ("reward".into(), mean),
            ("reward_std".into(), deviation),
            ("rollouts".into(), self.rollouts),
            ("turns".into(), self.turns / n),
            ("tokens".into(), self.tokens),
            ("tokens_per_turn".into(), self.tokens / self.turns.max(1.0)),
            ("final_grade".into(), self.grade / n),
            ("copied".into(), self.copied / n),
            ("overlong_penalty".into(), self.overlong / n),
            ("groups_with_signal".into(), kept as f64 / wanted.max(1) as f64),
            ("groups_degenerate".into(), self.degenerate as f64 / self.groups.max(1) as f64),
            ("groups_resampled".into(), self.resampled as f64),
            ("groups_second_choice".into(), self.second_choice as f64),
            ("groups_all_solved".into(), self.all_solved as f64),
            ("groups_all_malformed".into(), self.all_malformed as f64),
            ("starts_too_long".into(), self.too_long as f64),
        ];
        let share = |name: &str| self.ends.get(name).copied().unwrap_or(0.0) / n;
        named.extend(ENDS.iter().map(|(name, _)| (format!("end/{name}"), share(name))));
        let share = |outcome: &Outcome| self.verdicts.get(outcome.name()).copied().unwrap_or(0.0) / graded;
        named.extend(Outcome::ALL.iter().map(|outcome| (format!("verdict/{}", outcome.name()), share(outcome))));
        named.extend(self.parts.iter().map(|(name, sum)| (format!("reward/{name}"), sum / n)));
        named
    }
}
