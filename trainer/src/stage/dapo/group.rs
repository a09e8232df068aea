//! A group of rollouts as something to learn from: its tree, the advantage of every drawn token, and whether it is kept.

use crate::config::{Credit, DapoSettings, KeepBy, WeightedReward};
use crate::error::Result;
use crate::objective::{self, Advantage};
use crate::rollout::{Beside, End, Rollout, RolloutLine, Scored, Start, overlong, score};
use crate::tokens::{FlatTree, RolloutTree};
use novice_rewards::RewardName;

/// A group that teaches something.
pub(super) struct Group {
    pub tree: FlatTree,
    /// One a rollout, in the tree's target order.
    pub members: Vec<Member>,
    /// Log-probs of the targets under the reference, in the tree's target order; empty without one.
    pub reference: Vec<f32>,
}

/// A rollout of a group.
pub(super) struct Member {
    /// Log-probs of the drawn tokens, when they were drawn.
    pub drawn: Vec<f32>,
    /// What each of them was worth.
    pub advantages: Vec<f64>,
    /// Whether the loss counts it: false for one that was cut off, where those are masked.
    pub counts: bool,
}

impl Member {
    /// Tokens that the loss counts.
    pub fn tokens(&self) -> usize {
        if self.counts { self.drawn.len() } else { 0 }
    }

    pub fn advantage(&self) -> Advantage<'_> {
        Advantage::Tokens(&self.advantages)
    }
}

/// The rollouts of one start with their rewards.
pub(super) struct Played<'a> {
    pub beside: Beside<'a>,
    pub rollouts: Vec<Rollout>,
    pub scored: Vec<Scored>,
    /// Rewards with the overlong penalty.
    pub totals: Vec<f64>,
}

impl<'a> Played<'a> {
    pub fn new(beside: Beside<'a>, rollouts: Vec<Rollout>, settings: &DapoSettings) -> Self {
        let scored = score(beside, &rollouts.iter().collect::<Vec<_>>(), &settings.rewards);
        let of = |(rollout, scored): (&Rollout, &Scored)| {
            scored.total + settings.overlong_weight * overlong(rollout, settings)
        };
        let totals = rollouts.iter().zip(&scored).map(of).collect();
        Played { beside, rollouts, scored, totals }
    }

    /// The `sample`-th rollout as it is written down.
    pub fn line(&self, sample: usize) -> RolloutLine<'_> {
        let Beside { trajectory, position, .. } = self.beside;
        let (rollout, reward) = (&self.rollouts[sample], self.totals[sample]);
        RolloutLine::new(trajectory, position, sample, rollout, reward, self.scored.get(sample))
    }

    /// Whether there is a gradient in it at all.
    pub fn is_informative(&self) -> bool {
        objective::is_informative(&self.totals)
    }

    /// Whether its *outcomes* are worth a place in the step: not all equal, and their mean within the bounds. DAPO asks
    /// this of the outcome and not of the shaped reward, which hardly ever is the same twice: shaping alone would then
    /// decide what is trained on.
    pub fn is_kept(&self, settings: &DapoSettings) -> bool {
        let outcomes: Vec<f64> = match settings.keep.by {
            KeepBy::Reward => return true,
            KeepBy::FinalGrade => {
                self.rollouts.iter().map(|r| r.submissions().last().map_or(0.0, |turn| turn.grade() / 100.0)).collect()
            }
            KeepBy::GradeCurve => {
                let curve = [WeightedReward { name: RewardName::CurveArea, weight: 1.0 }];
                let all = score(self.beside, &self.rollouts.iter().collect::<Vec<_>>(), &curve);
                all.iter().map(|scored| scored.total).collect()
            }
        };
        let mean = outcomes.iter().sum::<f64>() / outcomes.len().max(1) as f64;
        objective::is_informative(&outcomes) && (settings.keep.low..=settings.keep.high).contains(&mean)
    }

    /// The group as the loss sees it.
    pub fn group(&self, start: &Start, settings: &DapoSettings) -> Result<Group> {
        let by_turn = match settings.credit {
            Credit::Rollout => {
                let of_rollout = objective::group_advantages(&self.totals, settings.advantage);
                self.rollouts.iter().zip(of_rollout).map(|(rollout, a)| vec![a; rollout.turns.len()]).collect()
            }
            Credit::Turn => objective::turn_advantages(&self.turn_values(settings)),
        };
        let members = self.rollouts.iter().zip(by_turn).map(|(rollout, by_turn)| {
            let turns = rollout.turns.iter().zip(by_turn);
            Member {
                drawn: rollout.turns.iter().flat_map(|t| t.log_probs.iter().copied()).collect(),
                advantages: turns.flat_map(|(turn, a)| vec![a; turn.log_probs.len()]).collect(),
                counts: !(settings.mask_truncated && rollout.turns.iter().any(|turn| !turn.stopped)),
            }
        });
        Ok(Group { members: members.collect(), tree: tree(start, &self.rollouts)?, reference: Vec::new() })
    }

    /// What each turn added to the reward of its rollout: the reward of what was done up to and including it, less
    /// that of what was done before it. What was done before a turn does not depend on what the turn draws, so
    /// subtracting it changes no expected gradient (Ng et al. 1999, "Policy invariance under reward transformations").
    fn turn_values(&self, settings: &DapoSettings) -> Vec<Vec<f64>> {
        let upto = |turns: usize| -> Vec<f64> {
            if turns >= settings.turns {
                return self.totals.clone();
            }
            let cut: Vec<Rollout> = self.rollouts.iter().map(|rollout| first(rollout, turns)).collect();
            Played::new(self.beside, cut, settings).totals
        };
        let worth: Vec<Vec<f64>> = (0..=settings.turns).map(upto).collect();
        let of = |rollout: usize| worth.windows(2).map(|pair| pair[1][rollout] - pair[0][rollout]).collect();
        (0..self.rollouts.len()).map(of).collect()
    }
}

/// The first `turns` submissions of a rollout.
fn first(rollout: &Rollout, turns: usize) -> Rollout {
    let end = if turns < rollout.turns.len() { Some(End::OutOfTurns) } else { rollout.end };
    Rollout { turns: rollout.turns.iter().take(turns).cloned().collect(), end }
}

/// One prefix, one branch a rollout, which grows turn by turn; drawn tokens are targets, the grader's answers are not.
fn tree(start: &Start, rollouts: &[Rollout]) -> Result<FlatTree> {
    let mut tree = RolloutTree::new(&start.prompt, rollouts.len())?;
    for (branch, rollout) in rollouts.iter().enumerate() {
        for turn in &rollout.turns {
            tree.submit(branch, &turn.tokens)?;
            if !turn.reply.is_empty() {
                tree.tell(branch, &turn.reply)?;
            }
        }
    }
    Ok(tree.tree().flatten())
}
