//! Grade one program from a file against an `io` test and print everything.
use novice_sandbox::*;
fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let code = std::fs::read_to_string(std::env::args().nth(1).unwrap())?;
    let course = Course::from_yaml("problems: [{id: task, statement: s, tests: [{stdout: ''}]}]", "x")?;
    let pool =
        Pool::new(Engine::open(&EngineOptions { reset: std::env::args().nth(2).is_none(), ..Default::default() })?, 1)?;
    let report = pool.submit(course.problems[0].clone(), code).wait();
    println!("{report:#?}");
    Ok(())
}
