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

use crate::config::SyntheticSettings;

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

/// The submissions of all learners, by student, then by problem in the order of `problems`, then by attempt.
///
/// The same arguments give the same bytes, and the work of student `i` is the same whatever `settings.students` is.
pub fn synthesise(problems: &[SyntheticProblem], settings: &SyntheticSettings, seed: u64) -> Vec<SyntheticAttempt> {
    let mut attempts = Vec::new();
    for student in 0..settings.students {
        let mut draw = Draw::new(seed, student, "");
        let traits = Traits::draw(&mut draw);
        let wanted = match settings.problems_per_student {
            0 => problems.len(),
            n => n,
        };
        let mut chosen = draw.sample(problems.len(), wanted);
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
