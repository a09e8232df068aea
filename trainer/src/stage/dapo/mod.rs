//! DAPO: groups of multi-turn rollouts, graded in the sandbox, rewarded for tracking the real student.
//!
//! Yu et al. 2025, arXiv:2503.14476: decoupled clip, token-level loss over one count of drawn tokens, soft overlong
//! penalty, dynamic sampling. A group starts from a point in a real trajectory; each of its learners makes up to `turns`
//! submissions with the grader's answers in between; a rollout's reward compares its course with the student's own.
//! Feedback tokens carry no loss.
//!
//! **Dynamic sampling.** A group is kept when its outcomes (`dapo.keep`) differ and their mean is within bounds. In
//! place of the others new starts are drawn, a bounded number of times; then the step goes on with what it has: groups
//! that have a gradient although their outcomes were not wanted fill the places, counted as `groups_second_choice`. A
//! step without any gradient is skipped, said so, and counted.
//!
//! **The parts**, each with its setting, what it is from, and the tests that compare it with numbers worked out by hand (and with
//! TRL's own code, where TRL has it):
//!
//! | part | `dapo.` | source | room and test |
//! |---|---|---|---|
//! | decoupled clip | `clip_low`, `clip_high` | DAPO, eq. 8 | [`objective`]: `dapo.rs` (`hand_computed`, `equals_trl`) |
//! | token-level loss, one normaliser a step | `loss_average: step` | DAPO, eq. 12 | `dapo.rs` (`averages_by_hand`, `equals_trl`) |
//! | averages a group, a rollout | `loss_average` | GRPO, Shao et al. 2024, eq. 3 | `dapo.rs` (`averages_by_hand`, `equals_trl`) |
//! | divergence from the SFT model | `kl_weight` | GRPO, eq. 4 | `dapo.rs` (`leaving_the_reference_costs`, `equals_trl`) |
//! | overlong penalty | `overlong_buffer`, `overlong_weight` | DAPO, eq. 13 | `advantage.rs` (`overlong_is_the_papers_ramp`), `tests.rs` |
//! | masking of truncated turns | `mask_truncated` | DAPO, 3.4 | `tests.rs` (`truncated_rollouts_can_be_masked`) |
//! | dynamic sampling, by outcome | `keep`, `resample_rounds` | DAPO, 3.2, eq. 11 | `tests.rs` (`groups_are_kept_by_outcome_…`) |
//! | advantages: mean and deviation, mean, leave-one-out | `advantage` | DAPO, eq. 9; Liu et al. 2025; Ahmadian et al. 2024 | `advantage.rs` |
//! | credit by turn | `credit: turn` | own; Ng et al. 1999 | `advantage.rs`, `tests.rs` (`what_a_turn_adds_is_its_own`) |
//! | several updates, ratios from the sampling log-probs | `updates` | PPO, Schulman et al. 2017 | `dapo.rs` (`equals_trl`) |

mod group;
mod saved;
mod seen;
#[cfg(test)]
mod tests;

use super::Trainee;
use super::drive::{Named, Stage, Update};
use crate::config::{DapoSettings, OptimiserSettings, StageName};
use crate::error::{Error, Result};
use crate::forest;
use crate::generate::RngKey;
use crate::model::Model;
use crate::monitor::StageMonitor;
use crate::objective::{self, Metrics, PolicyLoss, Sample};
use crate::random;
use crate::rollout::{Beside, Spent};
use crate::tokens::FlatTree;
use crate::workshop::model_folder;
use group::{Group, Played};
use saved::StepFile;
use seen::Seen;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

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

pub(super) struct Dapo {
    settings: DapoSettings,
    points: Vec<Point>,
    /// Points drawn so far: where the next step goes on in the shuffled list.
    cursor: u64,
    /// What the current step is trained on.
    groups: Vec<Group>,
    /// Groups with a gradient whose outcomes were not wanted.
    set_aside: Vec<Group>,
    /// The current step's rollouts as they are saved; `None` where they are not.
    file: Option<StepFile>,
    /// Metrics of the current step's rollouts.
    seen: Named,
    /// What the policy is held to, when it is.
    reference: Option<Model>,
    options: forest::Options,
    budget: usize,
    seed: u64,
    spent: Spent,
    training: f64,
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
        let reference = if settings.kl_weight > 0.0 { Some(reference(at)?) } else { None };
        let options = forest::Options { temperature: settings.sampling.temperature, entropies: true, ..at.passes() };
        let (budget, seed) = (at.run.pack_tokens, at.run.seed);
        Ok(Dapo {
            settings,
            points,
            cursor: 0,
            groups: Vec::new(),
            set_aside: Vec::new(),
            file: None,
            seen: Named::new(),
            reference,
            options,
            budget,
            seed,
            spent: Spent::default(),
            training: 0.0,
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

    /// Rolls out groups until there are enough that are wanted, or the rounds are used up.
    fn collect(&mut self, at: &Trainee, step: usize, log: &mut StageMonitor) -> Result<Named> {
        self.groups.clear();
        self.set_aside.clear();
        self.spent = Spent::default();
        self.file = at.run.monitor.rollout_tokens.then(StepFile::default);
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
        if let Some(file) = self.file.take() {
            file.write(at.dir.path(), step)?;
        }
        let missing = self.settings.groups - self.groups.len();
        seen.second_choice = missing.min(self.set_aside.len());
        self.groups.extend(self.set_aside.drain(..seen.second_choice));
        if self.groups.is_empty() {
            log.message(&format!(
                "step {}: none of {} groups had unequal rewards ({} all solved, {} all malformed); nothing to learn from",
                step + 1,
                seen.groups,
                seen.all_solved,
                seen.all_malformed,
            ));
        }
        self.refer()?;
        log.histogram(step as u64 + 1, "reward", seen.rewards())?;
        Ok(seen.named(self.groups.len(), self.settings.groups))
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
        let (mut starts, mut kept) = (Vec::new(), Vec::new());
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
        let mut classroom = at.workshop.classroom(at.model, settings.turns, settings.max_new_tokens, settings.sampling);
        classroom.limits.max_repeats = settings.max_repeats;
        classroom.limits.grading_delay = Duration::from_millis(settings.grading_delay_ms);
        let rolled = classroom.run(&starts, settings.group_size, &|_, _| {})?;
        self.spent += rolled.spent;
        for ((start, point), rollouts) in starts.iter().zip(kept).zip(rolled.groups) {
            let beside = Beside {
                trajectory: &train[point.trajectory],
                position: point.position,
                turns: settings.turns,
                max_new_tokens: settings.max_new_tokens,
            };
            let played = Played::new(beside, rollouts, settings);
            seen.group(&played, settings);
            let (samples, every) = (at.run.monitor.samples, at.run.monitor.samples_every);
            if show && every > 0 && step.is_multiple_of(every) && seen.groups <= samples {
                show_rollout(at, log, step, &played)?;
            }
            for sample in 0..played.rollouts.len() {
                log.rollout(step as u64 + 1, &played.line(sample))?;
            }
            let group = if played.is_informative() { Some(played.group(start, settings)?) } else { None };
            if let Some(file) = &mut self.file {
                file.add(step, start, &played, group.as_ref(), at.workshop.renderer.tokenizer())?;
            }
            if let Some(group) = group {
                if played.is_kept(settings) { self.groups.push(group) } else { self.set_aside.push(group) }
            }
        }
        Ok(())
    }

    /// Asks the reference about the drawn tokens.
    fn refer(&mut self) -> Result<()> {
        let Some(reference) = &self.reference else { return Ok(()) };
        let lengths: Vec<usize> = self.groups.iter().map(|g| g.tree.tokens.len()).collect();
        for pack in forest::pack(&lengths, self.budget) {
            let trees: Vec<&FlatTree> = pack.iter().map(|&i| &self.groups[i].tree).collect();
            let options = forest::Options { entropies: false, ..self.options.clone() };
            for (read, i) in forest::log_probs(reference, &trees, &options)?.into_iter().zip(pack) {
                self.groups[i].reference = read.log_probs;
            }
        }
        Ok(())
    }

    /// The gradients of the step's groups.
    fn learn(&self, at: &Trainee, step: usize, update: usize) -> Result<Named> {
        let DapoSettings { clip_low, clip_high, kl_weight, loss_average, .. } = self.settings;
        let settings = PolicyLoss { clip_low, clip_high, kl_weight };
        let tokens: Vec<Vec<usize>> =
            self.groups.iter().map(|g| g.members.iter().map(group::Member::tokens).collect()).collect();
        let normalisers = objective::normalisers(loss_average, &tokens);
        let drawn: usize = self.groups.iter().map(|g| g.tree.edges.len()).sum();
        let (mut loss, mut entropy, mut metrics) = (0.0, 0.0, Metrics::default());
        for pack in forest::pack(&self.groups.iter().map(|g| g.tree.tokens.len()).collect::<Vec<_>>(), self.budget) {
            let trees: Vec<&FlatTree> = pack.iter().map(|&i| &self.groups[i].tree).collect();
            let read = forest::backward(at.model, &trees, &self.options, &mut |read| {
                let mut gradients = Vec::with_capacity(read.len());
                for (&i, read) in pack.iter().zip(read) {
                    let (group, mut from, mut gradient) = (&self.groups[i], 0, Vec::new());
                    for (member, &normaliser) in group.members.iter().zip(&normalisers[i]) {
                        let span = from..from + member.drawn.len();
                        from = span.end;
                        if member.tokens() == 0 {
                            gradient.extend(vec![0.0; span.len()]);
                            continue;
                        }
                        let o = objective::dapo(
                            &[Sample {
                                new: read.log_probs.get(span.clone()).unwrap_or_default(),
                                old: &member.drawn,
                                reference: group.reference.get(span),
                                advantage: member.advantage(),
                                normaliser,
                            }],
                            &settings,
                        )?;
                        loss += o.loss;
                        metrics.merge(&o.metrics);
                        gradient.extend(o.grad.concat());
                    }
                    gradients.push(gradient);
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
        let mut named: Named = vec![("loss".into(), loss), ("entropy".into(), entropy / drawn.max(1) as f64)];
        named.extend(metrics.iter().map(|(name, value)| (name.to_string(), value)));
        Ok(named)
    }
}

/// The SFT model of this run; without one, the model that the run started from.
fn reference(at: &Trainee) -> Result<Model> {
    let folder = |stage| model_folder(at.dir.path(), stage);
    let base = at.run.model.path.clone().unwrap_or_else(|| folder("base"));
    let path = Some(folder(StageName::Sft.as_str())).filter(|path| path.join("config.json").exists()).unwrap_or(base);
    at.workshop.load_model(&path)
}

/// Prints a group's first rollout as the conversation that it was.
fn show_rollout(at: &Trainee, log: &mut StageMonitor, step: usize, played: &Played) -> Result<()> {
    let (Some(rollout), Some(reward)) = (played.rollouts.first(), played.totals.first()) else { return Ok(()) };
    let Beside { trajectory, position, .. } = played.beside;
    let turns = at.workshop.told(trajectory, position, rollout)?;
    let turns: Vec<(&str, &str)> = turns.iter().map(|(role, text)| (role.name(), text.as_str())).collect();
    let (problem, student) = (&trajectory.problem, &trajectory.student);
    let title = format!("{problem}, after {position} submissions of {student}; reward {reward:.3}");
    log.conversation(step as u64 + 1, "rollout", &title, &turns)
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
            self.training = 0.0;
        }
        let mut named = self.seen.clone();
        if self.groups.iter().flat_map(|g| &g.members).all(|member| member.tokens() == 0) {
            return Ok(Update::Skip(named));
        }
        let begun = Instant::now();
        named.extend(self.learn(at, step, update)?);
        self.training += begun.elapsed().as_secs_f64();
        Ok(Update::Apply(named))
    }

    fn held_out(&mut self, _: &Trainee) -> Result<Named> {
        Ok(Named::new())
    }

    fn timings(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("reading_seconds", self.spent.reading.as_secs_f64()),
            ("decoding_seconds", self.spent.decoding.as_secs_f64()),
            ("grading_seconds", self.spent.waiting.as_secs_f64()),
            ("training_seconds", self.training),
        ]
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
