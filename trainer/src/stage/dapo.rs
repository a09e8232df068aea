//! DAPO: groups of multi-turn rollouts, graded in the sandbox, rewarded for tracking the real student.
//!
//! Yu et al. 2025, arXiv:2503.14476: decoupled clip, token-level loss over one count of drawn tokens, soft overlong
//! penalty, dynamic sampling. A group starts from a point in a real trajectory; each of its learners makes up to `turns`
//! submissions with the grader's answers in between; a rollout's reward compares its course with the student's own.
//! Groups whose rewards are all equal teach nothing: other starts are drawn in their place, a bounded number of times;
//! a step without any signal is skipped, said so, and counted. Feedback tokens carry no loss.
//!
//! Does not support: a KL term, credit per turn.

use super::Trainee;
use super::drive::{Named, Stage, Update};
use crate::config::{DapoSettings, OptimiserSettings, StageName};
use crate::error::{Error, Result};
use crate::forest;
use crate::generate::RngKey;
use crate::monitor::StageMonitor;
use crate::objective::{self, Advantage, AdvantageScale, Clip, Metrics, Sample};
use crate::random;
use crate::rollout::{Beside, End, Rollout, RolloutLine, Scored, Start, score};
use crate::tokens::{FlatTree, RolloutTree};
use crate::traces::Trajectory;
use serde_json::{Value, json};

/// Names this stage in the random numbers.
const STREAM: u32 = 3;

/// How far a log-prob may be from the one recorded when the token was drawn, before any update: what the order of
/// summation makes, generously. More means that sampling and training are not the same model.
fn largest_gap(dtype: tch::Kind) -> f64 {
    if dtype == tch::Kind::Float { 0.01 } else { 1.0 }
}

/// A point in a training trajectory: the rollout takes over after `position` real submissions.
#[derive(Debug, Clone, Copy)]
struct Point {
    trajectory: usize,
    position: usize,
}

/// A group whose rewards differ.
struct Group {
    tree: FlatTree,
    /// Drawn log-probs and advantage of each rollout, in the tree's target order.
    samples: Vec<(Vec<f32>, f64)>,
}

pub(super) struct Dapo {
    settings: DapoSettings,
    points: Vec<Point>,
    /// Points drawn so far: where the next step goes on in the shuffled list.
    cursor: u64,
    groups: Vec<Group>,
    rewards: Vec<f64>,
    /// Metrics of the current step's rollouts.
    seen: Named,
    options: forest::Options,
    budget: usize,
    seed: u64,
}

impl Dapo {
    pub fn prepare(at: &Trainee) -> Result<Self> {
        let settings = at.run.dapo.clone();
        let train = &at.workshop.dataset.train;
        let points: Vec<Point> = train
            .iter()
            .enumerate()
            .flat_map(|(trajectory, t)| (1..t.steps.len()).map(move |position| Point { trajectory, position }))
            .collect();
        if points.is_empty() {
            return Err(Error::Failed("dapo: no training trajectory has two submissions to start between".into()));
        }
        let options = forest::Options { temperature: settings.sampling.temperature, entropies: true, ..at.passes() };
        let (budget, seed) = (at.run.pack_tokens, at.run.seed);
        Ok(Dapo {
            settings,
            points,
            cursor: 0,
            groups: Vec::new(),
            rewards: Vec::new(),
            seen: Named::new(),
            options,
            budget,
            seed,
        })
    }

    /// The next `n` points of an endless shuffled list.
    fn draw(&mut self, n: usize) -> Vec<(u64, Point)> {
        let len = self.points.len() as u64;
        let picked = (self.cursor..self.cursor + n as u64).map(|k| {
            let order = random::permutation(self.seed, "dapo order", k / len, self.points.len());
            (k, self.points[order[(k % len) as usize]])
        });
        let picked: Vec<_> = picked.collect();
        self.cursor += n as u64;
        picked
    }

    /// Rolls out groups until there are enough with a signal, or the rounds are used up.
    fn collect(&mut self, at: &Trainee, step: usize, log: &mut StageMonitor) -> Result<Named> {
        self.groups.clear();
        self.rewards.clear();
        let mut seen = Seen::default();
        for round in 0..=self.settings.resample_rounds {
            let missing = self.settings.groups - self.groups.len();
            if missing == 0 {
                break;
            }
            if round > 0 {
                seen.resampled += missing;
            }
            let points = self.draw(missing);
            self.roll_out(at, &points, step, round == 0, &mut seen, log)?;
        }
        if self.groups.is_empty() {
            log.message(&format!(
                "step {}: none of {} groups had unequal rewards ({} all solved, {} all malformed); nothing to learn from",
                step + 1,
                seen.groups,
                seen.all_solved,
                seen.all_malformed,
            ));
        }
        log.histogram(step as u64 + 1, "reward", &self.rewards)?;
        Ok(seen.named(&self.rewards, self.groups.len(), self.settings.groups))
    }

    fn roll_out(
        &mut self,
        at: &Trainee,
        points: &[(u64, Point)],
        step: usize,
        show: bool,
        seen: &mut Seen,
        log: &mut StageMonitor,
    ) -> Result<()> {
        let train = &at.workshop.dataset.train;
        let settings = &self.settings;
        let mut starts = Vec::new();
        let mut kept = Vec::new();
        for &(k, point) in points {
            let key = RngKey { seed: self.seed, learner: k, stage: STREAM, step: step as u32, ..RngKey::default() };
            match at.workshop.start(&train[point.trajectory], point.position, key)? {
                Some(start) => {
                    starts.push(start);
                    kept.push(point);
                }
                None => seen.too_long += 1,
            }
        }
        let classroom = at.workshop.classroom(at.model, settings.turns, settings.max_new_tokens, settings.sampling);
        let rolled = classroom.run(&starts, settings.group_size, &|_, _| {})?;
        for ((start, point), group) in starts.iter().zip(kept).zip(rolled) {
            let trajectory = &train[point.trajectory];
            let beside = Beside {
                trajectory,
                position: point.position,
                turns: settings.turns,
                max_new_tokens: settings.max_new_tokens,
            };
            let scored = score(beside, &group.iter().collect::<Vec<_>>(), &settings.rewards);
            let totals: Vec<f64> = group
                .iter()
                .zip(&scored)
                .map(|(rollout, scored)| {
                    let overlong = overlong(rollout, settings);
                    seen.observe(rollout, scored, overlong);
                    scored.total + settings.overlong_weight * overlong
                })
                .collect();
            self.rewards.extend(&totals);
            seen.groups += 1;
            seen.all_solved += usize::from(group.iter().all(|r| r.end == Some(End::Solved)));
            seen.all_malformed += usize::from(group.iter().all(|r| r.end == Some(End::Malformed)));
            let samples = at.run.monitor.samples;
            let every = at.run.monitor.samples_every;
            if show && every > 0 && step.is_multiple_of(every) && seen.groups <= samples {
                show_rollout(at, log, step, trajectory, point.position, &group, &totals)?;
            }
            for (sample, ((rollout, reward), scored)) in group.iter().zip(&totals).zip(&scored).enumerate() {
                let line = RolloutLine::new(trajectory, point.position, sample, rollout, *reward, Some(scored));
                log.rollout(step as u64 + 1, &line)?;
            }
            if !objective::is_informative(&totals) {
                continue;
            }
            let scale = if settings.scale_advantages { AdvantageScale::Std } else { AdvantageScale::None };
            let advantages = objective::group_advantages(&totals, scale);
            let tree = group_tree(start, &group)?;
            let samples = group.iter().zip(advantages);
            let samples = samples
                .map(|(rollout, advantage)| {
                    (rollout.turns.iter().flat_map(|t| t.log_probs.iter().copied()).collect(), advantage)
                })
                .collect();
            self.groups.push(Group { tree, samples });
        }
        Ok(())
    }
}

/// Prints a group's first rollout as the conversation that it was.
fn show_rollout(
    at: &Trainee,
    log: &mut StageMonitor,
    step: usize,
    trajectory: &Trajectory,
    position: usize,
    group: &[Rollout],
    totals: &[f64],
) -> Result<()> {
    let (Some(rollout), Some(reward)) = (group.first(), totals.first()) else { return Ok(()) };
    let turns = at.workshop.told(trajectory, position, rollout)?;
    let turns: Vec<(&str, &str)> = turns.iter().map(|(role, text)| (role.name(), text.as_str())).collect();
    let Trajectory { student, problem, .. } = trajectory;
    let title = format!("{problem}, after {position} submissions of {student}; reward {reward:.3}");
    log.conversation(step as u64 + 1, "rollout", &title, &turns)
}

/// The soft overlong penalty of a rollout, −1..=0: that of its longest submission.
fn overlong(rollout: &Rollout, settings: &DapoSettings) -> f64 {
    let longest = rollout.turns.iter().map(|t| t.tokens.len()).max().unwrap_or(0);
    objective::overlong(longest, settings.max_new_tokens, settings.overlong_buffer)
}

/// One prefix, one branch a rollout, which grows turn by turn; drawn tokens are targets, the grader's answers are not.
fn group_tree(start: &Start, group: &[Rollout]) -> Result<FlatTree> {
    let mut tree = RolloutTree::new(&start.prompt, group.len())?;
    for (branch, rollout) in group.iter().enumerate() {
        for turn in &rollout.turns {
            tree.submit(branch, &turn.tokens)?;
            if !turn.reply.is_empty() {
                tree.tell(branch, &turn.reply)?;
            }
        }
    }
    Ok(tree.tree().flatten())
}

/// What the rollouts of a step looked like.
#[derive(Default)]
struct Seen {
    groups: usize,
    resampled: usize,
    too_long: usize,
    all_solved: usize,
    all_malformed: usize,
    rollouts: f64,
    turns: f64,
    tokens: f64,
    grade: f64,
    solved: f64,
    malformed: f64,
    out_of_tokens: f64,
    overlong: f64,
    copied: f64,
    parts: Vec<(String, f64)>,
}

impl Seen {
    fn observe(&mut self, rollout: &Rollout, scored: &Scored, overlong: f64) {
        let is = |end| f64::from(u8::from(rollout.end == Some(end)));
        self.rollouts += 1.0;
        self.turns += rollout.turns.len() as f64;
        self.tokens += rollout.turns.iter().map(|t| t.tokens.len()).sum::<usize>() as f64;
        self.grade += rollout.turns.last().map_or(0.0, |t| t.grade());
        self.solved += is(End::Solved);
        self.malformed += is(End::Malformed);
        self.out_of_tokens += is(End::OutOfTokens);
        self.overlong += overlong;
        self.copied += scored.copied;
        for (i, (name, value)) in scored.components.iter().enumerate() {
            match self.parts.get_mut(i) {
                Some(part) => part.1 += value,
                None => self.parts.push((name.clone(), *value)),
            }
        }
    }

    fn named(&self, rewards: &[f64], informative: usize, wanted: usize) -> Named {
        let n = self.rollouts.max(1.0);
        let mean = rewards.iter().sum::<f64>() / n;
        let deviation = (rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
        let mut named: Named = vec![
            ("reward".into(), mean),
            ("reward_std".into(), deviation),
            ("rollouts".into(), self.rollouts),
            ("turns".into(), self.turns / n),
            ("tokens_per_turn".into(), self.tokens / self.turns.max(1.0)),
            ("final_grade".into(), self.grade / n),
            ("solved".into(), self.solved / n),
            ("malformed".into(), self.malformed / n),
            ("out_of_tokens".into(), self.out_of_tokens / n),
            ("copied".into(), self.copied / n),
            ("overlong_penalty".into(), self.overlong / n),
            ("groups_with_signal".into(), informative as f64 / wanted.max(1) as f64),
            ("groups_resampled".into(), self.resampled as f64),
            ("groups_all_solved".into(), self.all_solved as f64),
            ("groups_all_malformed".into(), self.all_malformed as f64),
            ("starts_too_long".into(), self.too_long as f64),
        ];
        named.extend(self.parts.iter().map(|(name, sum)| (format!("reward/{name}"), sum / n)));
        named
    }
}

impl Stage for Dapo {
    fn name(&self) -> StageName {
        StageName::Dapo
    }

    fn steps(&self) -> usize {
        self.settings.steps
    }

    fn updates(&self) -> usize {
        self.settings.updates
    }

    fn optimiser(&self) -> &OptimiserSettings {
        &self.settings.optimiser
    }

    fn eval_every(&self) -> usize {
        0
    }

    fn accumulate(&mut self, at: &Trainee, step: usize, update: usize, log: &mut StageMonitor) -> Result<Update> {
        if update == 0 {
            self.seen = self.collect(at, step, log)?;
        }
        let mut named = self.seen.clone();
        if self.groups.is_empty() {
            return Ok(Update::Skip(named));
        }
        let drawn: usize = self.groups.iter().map(|g| g.tree.edges.len()).sum();
        let clip = Clip { clip_low: self.settings.clip_low, clip_high: self.settings.clip_high };
        let (mut loss, mut entropy, mut metrics) = (0.0, 0.0, Metrics::default());
        for pack in forest::pack(&self.groups.iter().map(|g| g.tree.tokens.len()).collect::<Vec<_>>(), self.budget) {
            let packed: Vec<&Group> = pack.iter().map(|&i| &self.groups[i]).collect();
            let trees: Vec<&FlatTree> = packed.iter().map(|g| &g.tree).collect();
            let read = forest::backward(at.model, &trees, &self.options, &mut |read| {
                let mut gradients = Vec::with_capacity(read.len());
                for (group, read) in packed.iter().zip(read) {
                    let mut rest = read.log_probs.as_slice();
                    let mut samples = Vec::with_capacity(group.samples.len());
                    for (old, advantage) in &group.samples {
                        let (new, after) = rest.split_at_checked(old.len()).unwrap_or((rest, &[]));
                        samples.push(Sample { new, old, advantage: Advantage::Sample(*advantage) });
                        rest = after;
                    }
                    let o = objective::dapo(&samples, &clip, drawn as f64)?;
                    loss += o.loss;
                    metrics.merge(&o.metrics);
                    gradients.push(o.grad.concat());
                }
                Ok(gradients)
            })?;
            entropy += read.iter().flat_map(|r| &r.entropies).map(|&e| f64::from(e)).sum::<f64>();
        }
        let (gap, limit) = (metrics.get("log_prob_gap").unwrap_or(0.0), largest_gap(at.model.dtype()));
        if update == 0 && (gap.is_nan() || gap > limit) {
            return Err(Error::Failed(format!(
                "dapo: step {}: a token's log-prob is {gap:.3e} from the one recorded when it was drawn (limit {limit}): sampling and training do not compute the same; this is a defect, please report it with the run's config.yaml",
                step + 1
            )));
        }
        named.push(("loss".into(), loss));
        named.push(("entropy".into(), entropy / drawn as f64));
        named.extend(metrics.iter().map(|(name, value)| (name.to_string(), value)));
        Ok(Update::Apply(named))
    }

    fn held_out(&mut self, _: &Trainee) -> Result<Named> {
        Ok(Named::new())
    }

    fn state(&self) -> Value {
        json!({"cursor": self.cursor})
    }

    fn restore(&mut self, state: &Value) -> Result<()> {
        let cursor = state.get("cursor").and_then(Value::as_u64);
        self.cursor = cursor.ok_or_else(|| Error::Failed("the checkpoint of dapo has no cursor".into()))?;
        Ok(())
    }
}
