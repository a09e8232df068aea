//! Novice.
