//! Ablations: a matrix of settings × seeds over one configuration, run with no work done twice, and one table of all arms.
//!
//! | room | job |
//! |---|---|
//! | `matrix` | the file: base, axes or named arms, seeds |
//! | `unit` | what has to be run: stages and evaluations, each named by the hash of all that determines it |
//! | `pool` | runs units as processes of their own, several at a time, and goes on after a failure |
//! | `outcome` | the table and TensorBoard's page HParams, of what the evaluations counted |

mod matrix;
mod outcome;
mod pool;
mod unit;

pub use matrix::{Arm, Matrix};
pub use outcome::Outcome;
pub use pool::run;
pub use unit::{ArmRun, Plan, Unit, Work};
