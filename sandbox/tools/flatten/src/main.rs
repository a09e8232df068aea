//! flatten
fn main() {}
