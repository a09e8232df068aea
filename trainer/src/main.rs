//! novice
fn main() {}
