//! Settings of learners that are made up from reference solutions.

use serde::{Deserialize, Serialize};

/// How many learners and how they work. Rates are probabilities in 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticSettings {
    /// Learners. Default 60.
    pub students: usize,
    /// Problems that each learner attempts, drawn without replacement; all if there are fewer, or for 0. Default 8.
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
