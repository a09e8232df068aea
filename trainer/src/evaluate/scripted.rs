//! Scripts, played: what a policy without a model submits from a point, graded.
//!
//! Other students are those of the training data. There are no tokens: lengths are estimated at [`BYTES_A_TOKEN`]. A policy stops when it has
//! solved the problem or has made as many submissions as it may.

use super::Point;
use super::script::Script;
use crate::random;
use crate::rollout::{End, Rollout, Turn};
use crate::traces::{Step, Trajectory};
use novice_rewards::similarity::edit_similarity;
use novice_rewards::view::SOLVED;
use novice_sandbox::{Course, Outcome, Pool, Report};
use std::collections::{BTreeMap, HashMap};

/// Bytes that count as a token where there is no tokenizer.
pub const BYTES_A_TOKEN: usize = 3;

/// A submission of a script before it is graded.
enum Play {
    /// Graded when the data were read.
    Known(String, Box<Report>),
    /// To be graded.
    New(String),
    /// No program; cut off by the limit of tokens or not.
    Nothing { text: String, cut: bool },
}

impl From<&Step> for Play {
    fn from(step: &Step) -> Self {
        Play::Known(step.code.clone(), Box::new(step.report.clone()))
    }
}

/// What scripts play with.
pub struct Stage<'a> {
    course: &'a Course,
    pool: &'a Pool,
    others: BTreeMap<&'a str, Vec<&'a Trajectory>>,
    seed: u64,
    /// Submissions of a rollout at most.
    pub turns: usize,
    /// Tokens of a submission at most.
    pub max_new_tokens: usize,
}

impl<'a> Stage<'a> {
    /// A stage with `others` as the other students.
    pub fn new(
        course: &'a Course,
        pool: &'a Pool,
        others: impl IntoIterator<Item = &'a Trajectory>,
        seed: u64,
        turns: usize,
        max_new_tokens: usize,
    ) -> Self {
        let mut by_problem: BTreeMap<&str, Vec<&Trajectory>> = BTreeMap::new();
        for trajectory in others {
            by_problem.entry(&trajectory.problem).or_default().push(trajectory);
        }
        Stage { course, pool, others: by_problem, seed, turns, max_new_tokens }
    }

    /// The trajectories of other students on the problem of `point`.
    fn others(&self, point: &Point) -> impl Iterator<Item = &'a Trajectory> + use<'_, 'a> {
        let student = point.trajectory.student.clone();
        let all = self.others.get(point.trajectory.problem.as_str()).into_iter().flatten().copied();
        all.filter(move |other| other.student != student)
    }

    /// Plays a script from each point; `sample` numbers the rollouts from one point and matters to random scripts only.
    ///
    /// A point from which a script cannot play (nobody else tried the problem, nobody solved it) gives `None`.
    pub fn play(&self, script: Script, points: &[Point], sample: usize) -> Vec<Option<Rollout>> {
        let plays: Vec<Option<Vec<Play>>> = points.iter().map(|point| self.plays(script, point, sample)).collect();
        self.grade(points, plays)
    }

    /// Rollouts that are the continuations of the other students nearest to the start, nearest first, at most `most`, each another student's.
    pub fn neighbours(&self, point: &Point, most: usize) -> Vec<Rollout> {
        let continuations = self.nearest(point, most).into_iter().map(|steps| self.known(steps.iter().map(Play::from)));
        continuations.collect()
    }

    fn known(&self, plays: impl Iterator<Item = Play>) -> Rollout {
        let turns = plays.take(self.turns).filter_map(|play| match play {
            Play::Known(code, report) => Some(turn(code, Some(*report), true)),
            _ => None,
        });
        ended(turns.collect(), self.turns)
    }

    /// Grades what is new, all at once, and makes rollouts of it.
    fn grade(&self, points: &[Point], plays: Vec<Option<Vec<Play>>>) -> Vec<Option<Rollout>> {
        let mut tickets = HashMap::new();
        for (point, plays) in points.iter().zip(&plays) {
            for play in plays.iter().flatten() {
                if let (Play::New(code), Some(problem)) = (play, self.course.problem(&point.trajectory.problem)) {
                    tickets
                        .entry((point.trajectory.problem.clone(), code.clone()))
                        .or_insert_with(|| self.pool.submit(problem.clone(), code.clone()));
                }
            }
        }
        let reports: HashMap<_, _> = tickets.into_iter().map(|(key, ticket)| (key, ticket.wait())).collect();
        let rollout = |point: &Point, plays: Vec<Play>| {
            let turns = plays.into_iter().take(self.turns).map(|play| match play {
                Play::Known(code, report) => turn(code, Some(*report), true),
                Play::New(code) => {
                    let report = reports.get(&(point.trajectory.problem.clone(), code.clone())).cloned();
                    turn(code, report, true)
                }
                Play::Nothing { text, cut } => Turn { program: None, ..turn(text, None, !cut) },
            });
            ended(turns.collect(), self.turns)
        };
        points.iter().zip(plays).map(|(point, plays)| plays.map(|plays| rollout(point, plays))).collect()
    }

    fn plays(&self, script: Script, point: &Point, sample: usize) -> Option<Vec<Play>> {
        let Trajectory { student, problem, steps, .. } = point.trajectory;
        let last = steps.get(point.position.checked_sub(1)?)?;
        let each = |make: &dyn Fn(usize) -> String| (0..self.turns).map(|turn| Play::New(make(turn))).collect();
        let room = self.max_new_tokens.max(1) * BYTES_A_TOKEN;
        Some(match script {
            Script::Oracle => steps.get(point.position..)?.iter().map(Play::from).collect(),
            Script::RandomStudent => {
                let all: Vec<&[Step]> = self.others(point).flat_map(continuations).collect();
                let ids = [student.as_str(), problem, &point.position.to_string(), &sample.to_string()];
                let pick = random::below(&mut random::keyed(self.seed, "random student", &ids), all.len());
                all.get(pick)?.iter().map(Play::from).collect()
            }
            Script::NearestStudent => self.nearest(point, 1).first()?.iter().map(Play::from).collect(),
            Script::Copy => (0..self.turns).map(|_| Play::from(last)).collect(),
            Script::DisguisedCopy => each(&|turn| format!("{}\nunused_{turn} = {turn}\n", last.code.trim_end())),
            Script::SolveAtOnce => vec![self.solution(point)?],
            Script::Mixed if sample % 4 == 3 => vec![self.solution(point)?],
            Script::Mixed => self.plays(Script::DisguisedCopy, point, sample)?,
            Script::AlwaysZero => each(&|turn| format!("nothing_{turn} = {turn}\n")),
            Script::Empty => each(&|_| String::new()),
            Script::Silent => {
                (0..self.turns).map(|_| Play::Nothing { text: "I do not know.".into(), cut: false }).collect()
            }
            Script::Giant => {
                let text = format!("```python\n{}\n{}", last.code, "unused = 0\n".repeat(room / 11 + 1));
                vec![Play::Nothing { text: text.chars().take(room).collect(), cut: true }]
            }
            Script::Endless => each(&|_| "while True:\n    pass\n".into()),
            Script::Exit => each(&|_| "import os, sys\nsys.exit(0)\nos._exit(0)\n".into()),
            Script::EqualsAll => each(&|turn| equals_all(&last.code, turn)),
            Script::Flood => each(&|_| "while True:\n    print('100 ' * 1000)\n".into()),
        })
    }

    fn solution(&self, point: &Point) -> Option<Play> {
        let problem = &point.trajectory.problem;
        if let Some(code) = self.course.problem(problem).and_then(|problem| problem.solutions.first()) {
            return Some(Play::New(code.clone()));
        }
        let solved = |t: &'a Trajectory| t.steps.iter().find(|step| step.report.grade >= SOLVED);
        self.others(point).find_map(solved).map(Play::from)
    }

    /// The continuations of other students, each from the submission that is nearest to the start.
    fn nearest(&self, point: &Point, most: usize) -> Vec<&'a [Step]> {
        let Some(start) = point.position.checked_sub(1).and_then(|last| point.trajectory.steps.get(last)) else {
            return Vec::new();
        };
        let mut by_tests: Vec<(usize, &Trajectory, usize)> = Vec::new();
        for other in self.others(point) {
            for (at, step) in other.steps.iter().enumerate().take(other.steps.len().saturating_sub(1)) {
                by_tests.push((unequal(&step.report, &start.report), other, at));
            }
        }
        // The text is looked at only among those whose outcomes are nearest.
        by_tests.sort_by_key(|(differ, ..)| *differ);
        by_tests.truncate(8 * most.max(1));
        let mut ranked: Vec<(usize, f64, &Trajectory, usize)> = by_tests
            .into_iter()
            .filter_map(|(differ, other, at)| {
                Some((differ, edit_similarity(&other.steps.get(at)?.code, &start.code), other, at))
            })
            .collect();
        ranked.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut chosen: Vec<(&str, &[Step])> = Vec::new();
        for (_, _, other, at) in ranked {
            if chosen.len() < most && chosen.iter().all(|(student, _)| *student != other.student) {
                chosen.extend(other.steps.get(at + 1..).map(|steps| (other.student.as_str(), steps)));
            }
        }
        chosen.into_iter().map(|(_, steps)| steps).collect()
    }
}

/// The continuations of a trajectory after each of its submissions but the last.
fn continuations(trajectory: &Trajectory) -> impl Iterator<Item = &[Step]> {
    (1..trajectory.steps.len()).filter_map(|from| trajectory.steps.get(from..))
}

/// Tests that ended otherwise.
fn unequal(a: &Report, b: &Report) -> usize {
    let passed = |report: &Report, test: usize| report.tests.get(test).is_some_and(|t| t.outcome == Outcome::Passed);
    (0..a.tests.len().max(b.tests.len())).filter(|test| passed(a, *test) != passed(b, *test)).count()
}

/// The functions of `code`, each answering with an object that claims to be equal to everything.
fn equals_all(code: &str, turn: usize) -> String {
    let mut text = format!(
        "class Any_{turn}(int):\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n    \
         def __hash__(self):\n        return 0\n    def __repr__(self):\n        return '100'\n"
    );
    let names = code.lines().filter_map(|line| line.strip_prefix("def ")).filter_map(|rest| rest.split('(').next());
    for name in names {
        text += &format!("def {}(*values, **named):\n    return Any_{turn}()\n", name.trim());
    }
    text + "print(100)\n"
}

fn turn(text: String, report: Option<Report>, stopped: bool) -> Turn {
    Turn {
        tokens: vec![0; text.len().div_ceil(BYTES_A_TOKEN)],
        log_probs: Vec::new(),
        stopped,
        program: Some(text.clone()),
        malformed: None,
        text,
        report,
        feedback: String::new(),
        reply: Vec::new(),
    }
}

/// A rollout that stops where it has solved the problem or was cut off.
fn ended(mut turns: Vec<Turn>, most: usize) -> Rollout {
    if let Some(solved) = turns.iter().position(|turn| turn.grade() >= SOLVED) {
        turns.truncate(solved + 1);
        return Rollout { turns, end: Some(End::Solved) };
    }
    let end = match turns.last() {
        Some(turn) if !turn.stopped => Some(End::OutOfTokens),
        Some(turn) if turn.program.is_none() => Some(End::Malformed),
        _ if turns.len() >= most => Some(End::OutOfTurns),
        // A student who stopped.
        _ => None,
    };
    if end == Some(End::Malformed) {
        turns.truncate(1);
    }
    Rollout { turns, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::{course, pool, trajectory};

    fn play(script: Script, others: &[Trajectory]) -> Option<Rollout> {
        let course = course(&[("p", "", "")]);
        let stage = Stage::new(&course, pool(), others, 7, 3, 20);
        let own = trajectory("s", "p", &[("y = 0", 0.0), ("y = 1", 0.0), ("x = 1", 100.0)]);
        let points = [Point { trajectory: &own, cell: "", position: 1 }];
        stage.play(script, &points, 0).remove(0)
    }

    fn programs(rollout: &Rollout) -> Vec<&str> {
        rollout.turns.iter().map(|turn| turn.program.as_deref().unwrap_or("-")).collect()
    }

    #[test]
    fn scripts_by_hand() {
        let others = [
            trajectory("far", "p", &[("z()", 50.0), ("zz()", 50.0)]),
            trajectory("near", "p", &[("y = 2", 0.0), ("y = 3", 0.0), ("x = 1 # solved", 100.0)]),
            trajectory("s", "p", &[("y = 0", 0.0), ("own()", 0.0)]),
        ];
        let oracle = play(Script::Oracle, &others).unwrap();
        assert_eq!((programs(&oracle), oracle.end), (vec!["y = 1", "x = 1"], Some(End::Solved)));
        let nearest = play(Script::NearestStudent, &others).unwrap();
        assert_eq!(programs(&nearest), ["y = 3", "x = 1 # solved"]);
        let copy = play(Script::Copy, &others).unwrap();
        assert_eq!((programs(&copy), copy.end), (vec!["y = 0"; 3], Some(End::OutOfTurns)));
        let solved = play(Script::SolveAtOnce, &others).unwrap();
        assert_eq!(programs(&solved), ["x = 1 # solved"]);
        let zero = play(Script::AlwaysZero, &others).unwrap();
        assert!(zero.turns.len() == 3 && zero.turns.iter().all(|turn| turn.grade() == 0.0));
        let giant = play(Script::Giant, &others).unwrap();
        assert_eq!((giant.end, giant.turns[0].tokens.len()), (Some(End::OutOfTokens), 20));
        assert_eq!(play(Script::Silent, &others).unwrap().end, Some(End::Malformed));
        assert!(play(Script::RandomStudent, &[]).is_none() && play(Script::NearestStudent, &[]).is_none());
        assert!(play(Script::SolveAtOnce, &[]).is_none());
    }

    #[test]
    fn hostile_programs_do_not_pass() {
        for script in [Script::Endless, Script::Exit, Script::EqualsAll, Script::Flood, Script::Empty] {
            let rollout = play(script, &[]).unwrap();
            assert!(rollout.turns.iter().all(|turn| turn.grade() == 0.0), "{script:?}");
        }
    }
}
