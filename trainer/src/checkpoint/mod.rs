//! What survives a run: its folder, its checkpoints, and a clean stop in between.
//!
//! [`RunDir`] owns `runs/<name>/`; [`CheckpointStore`] keeps the newest states in it, complete or not at all;
//! [`Interrupt`] turns Ctrl-C into "finish this step, save, stop". [`write_atomic`](crate::files::write_atomic) is how every small file is
//! written. What a stage puts into its state is the stage's own business.

mod interrupt;
mod run_dir;
mod store;
mod tensors;
mod versions;

pub use interrupt::Interrupt;
pub use run_dir::{Existing, RunDir, RunFacts};
pub use store::{Checkpoint, CheckpointStore, Position};
pub use versions::Versions;
