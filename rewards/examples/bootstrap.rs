//! How long intervals take: 1,000 trajectories of 400 students, every statistic, 10,000 resamples, and a comparison of two policies.
//!
//!     cargo run --release -p novice-rewards --example bootstrap

use novice_rewards::metrics::diversity::Memory;
use novice_rewards::metrics::interval::{Bootstrap, bootstrap, compare};
use novice_rewards::metrics::statistics::STATISTICS;
use novice_rewards::metrics::tally::Tally;
use novice_rewards::{RewardInput, Start, StepView};
use std::time::Instant;

fn main() {
    let start = Some(Start { program: "x = 0", grade: 0.0, passed: &[] });
    let step = |grade: usize| StepView::ran("x = 1", grade as f64);
    let policy = |shift: usize| -> Vec<Tally> {
        let mut students = vec![Tally::new(5); 400];
        for trajectory in 0..1000 {
            let at = |turn: usize| step((trajectory * 37 + turn * 13) % 100);
            let (model, real) = ([at(shift), at(1 + shift)], [at(0), at(1), at(2)]);
            let input = RewardInput { start, rollout: &model, student: &real, max_turns: 5, max_new_tokens: 0 };
            if let Some(tally) = students.get_mut(trajectory % 400) {
                tally.observe(&input, &Memory::default(), &[]);
            }
        }
        students
    };
    let (one, other) = (policy(1), policy(2));
    let options = Bootstrap { resamples: 10_000, confidence: 0.95, seed: 7 };
    let clock = Instant::now();
    let intervals = bootstrap(&one, &STATISTICS, options);
    println!(
        "{} statistics of 400 students, 10,000 resamples: {:.2} s",
        intervals.len(),
        clock.elapsed().as_secs_f64()
    );
    let clock = Instant::now();
    let differences = compare(&one, &other, &STATISTICS, options);
    println!("{} differences: {:.2} s", differences.len(), clock.elapsed().as_secs_f64());
}
