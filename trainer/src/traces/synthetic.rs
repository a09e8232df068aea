//! Learners made up from correct solutions: deterministic practice data for the demo and the tests.
//!
//! Each learner has traits (skill, care, persistence, a style of writing). For each problem it takes one of the
//! solutions, writes it in its own style ([`style`]), makes one to five novice mistakes in it ([`mistakes`]) and then submits,
//! repairs, breaks again, submits the same thing twice, gives up or arrives ([`learner`]). What comes out is a log of ungraded
//! submissions; the sandbox grades it like any other log.
//!
//! The default rates are set so that the graded log of the demo course has the shape of a published one, the New Caledonia
//! introductory courses: there, from one submission to the next, the grade rises 29 %, stays 58 % and falls 13 % of the
//! time, 10 % are identical resubmissions, 97 % of trajectories end correct, and they are 5.3 submissions long. Here:
//! 35 %, 54 %, 11 %, 10 %, 97 %, 4.9. That log has no syntax errors; here a fifth of the submissions do not
//! parse, as novices' do not.
//!
//! Random numbers are counter-based and keyed by (seed, student, problem), so a learner's work does not depend on how
//! many learners or problems there are. It does not model learning from one problem to the next.

mod draw;
mod learner;
mod mistakes;
mod patch;
mod source;
mod style;

use serde::{Deserialize, Serialize};

use draw::Draw;
use learner::{Traits, work};

/// A problem as far as synthesis needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticProblem {
    /// The problem's id.
    pub id: String,
    /// Correct programs. Those that do not parse are passed over; a problem without any is not attempted.
    pub solutions: Vec<String>,
}

/// One ungraded submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticAttempt {
    /// Student id, `s0000` onwards.
    pub student: String,
    /// Problem id.
    pub problem: String,
    /// Position in the trajectory, from 1.
    pub attempt: usize,
    /// The submitted program.
    pub code: String,
}

/// How many learners and how they work. Rates are probabilities in 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticSettings {
    /// Learners. Default 60.
    pub students: usize,
    /// Problems that each learner attempts, drawn without replacement; all if there are fewer. Default 8.
    pub problems_per_student: usize,
    /// A trajectory is cut after this many submissions. Default 16.
    pub max_submissions: usize,
    /// Chance that a first submission is already right. Default 0.1.
    pub first_try_rate: f64,
    /// Chance of each of up to four mistakes beyond the first in a first submission. Default 0.1.
    pub further_mistake_rate: f64,
    /// Chance that the next submission is the same text again. Default 0.1.
    pub resubmit_rate: f64,
    /// Chance that an edit changes nothing that matters: a comment, a debugging print, needless brackets.
    /// Default 0.18.
    pub cosmetic_rate: f64,
    /// Chance that an edit puts another wrong thing in the place of a mistake. Default 0.1.
    pub wrong_edit_rate: f64,
    /// Chance that an edit brings a new mistake. Default 0.36.
    pub new_mistake_rate: f64,
    /// Chance, at each unfinished submission from the second on, that the learner gives up. Default 0.008.
    pub give_up_rate: f64,
    /// Share of new mistakes that are syntax errors. Default 0.27.
    pub syntax_share: f64,
}

impl Default for SyntheticSettings {
    fn default() -> Self {
        SyntheticSettings {
            students: 60,
            problems_per_student: 8,
            max_submissions: 16,
            first_try_rate: 0.1,
            further_mistake_rate: 0.1,
            resubmit_rate: 0.1,
            cosmetic_rate: 0.18,
            wrong_edit_rate: 0.1,
            new_mistake_rate: 0.36,
            give_up_rate: 0.008,
            syntax_share: 0.27,
        }
    }
}

impl SyntheticSettings {
    /// What is wrong with the settings, field by field; empty if nothing is.
    pub fn problems(&self) -> Vec<String> {
        let rates = [
            ("first_try_rate", self.first_try_rate),
            ("further_mistake_rate", self.further_mistake_rate),
            ("resubmit_rate", self.resubmit_rate),
            ("cosmetic_rate", self.cosmetic_rate),
            ("wrong_edit_rate", self.wrong_edit_rate),
            ("new_mistake_rate", self.new_mistake_rate),
            ("give_up_rate", self.give_up_rate),
            ("syntax_share", self.syntax_share),
        ];
        let mut found: Vec<String> = rates
            .iter()
            .filter(|(_, rate)| !(0.0..=1.0).contains(rate))
            .map(|(name, rate)| format!("`{name}` is {rate}: expected a probability from 0 to 1"))
            .collect();
        let edits = self.cosmetic_rate + self.wrong_edit_rate + self.new_mistake_rate;
        if edits >= 1.0 {
            found.push(format!(
                "`cosmetic_rate`, `wrong_edit_rate` and `new_mistake_rate` add up to {edits}: \
                 expected less than 1, so that some edits repair"
            ));
        }
        if self.max_submissions == 0 {
            found.push("`max_submissions` is 0: expected at least 1".to_owned());
        }
        found
    }
}

/// The submissions of all learners, by student, then by problem in the order of `problems`, then by attempt.
///
/// The same arguments give the same bytes, and the work of student `i` is the same whatever `settings.students` is.
pub fn synthesise(problems: &[SyntheticProblem], settings: &SyntheticSettings, seed: u64) -> Vec<SyntheticAttempt> {
    let mut attempts = Vec::new();
    for student in 0..settings.students {
        let mut draw = Draw::new(seed, student, "");
        let traits = Traits::draw(&mut draw);
        let mut chosen = draw.sample(problems.len(), settings.problems_per_student);
        chosen.sort_unstable();
        for problem in chosen.into_iter().filter_map(|index| problems.get(index)) {
            let mut draw = Draw::new(seed, student, &problem.id);
            let codes = work(&problem.solutions, &traits, settings, &mut draw);
            attempts.extend(codes.into_iter().enumerate().map(|(index, code)| SyntheticAttempt {
                student: format!("s{student:04}"),
                problem: problem.id.clone(),
                attempt: index + 1,
                code,
            }));
        }
    }
    attempts
}

#[cfg(test)]
mod tests;
