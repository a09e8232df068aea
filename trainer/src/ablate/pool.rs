//! Runs the units of a plan as processes of their own, several at a time, and goes on after a failure.
//!
//! A finished unit leaves `units/ID.done`; one that was stopped is resumed from its last checkpoint; one that failed is tried again
//! the next time. Children end with this process, however it ends, so that nothing works on in the dark. What a child says is in
//! `units/ID.log`.

use super::unit::{Plan, Unit, Work};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::monitor::say;
use crate::workshop::{THREADS_VARIABLE, threads};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, PartialEq)]
enum State {
    Waiting,
    Running,
    Done,
    Failed(String),
}

/// Runs what is not done, up to `jobs` at a time; gives back why units failed, by their ids.
///
/// # Errors
/// When the ablation's folder cannot be written or another process works in it.
pub fn run(plan: &Plan, jobs: usize) -> Result<BTreeMap<String, String>> {
    let units = plan.folder.join("units");
    std::fs::create_dir_all(&units).map_err(Error::io("create", &units))?;
    let lock = units.join(".lock");
    let held = File::create(&lock).map_err(Error::io("create", &lock))?;
    if held.try_lock().is_err() {
        let message = "another process works on this ablation; wait for it or stop it";
        return Err(Error::Failed(format!("{}: {message}", plan.folder.display())));
    }
    let done = |unit: &Unit| units.join(format!("{}.done", unit.id)).exists();
    let begin = |unit: &Unit| if done(unit) { State::Done } else { State::Waiting };
    let states: Mutex<Vec<State>> = Mutex::new(plan.units.iter().map(begin).collect());
    let changed = Condvar::new();
    let share = (threads(plan.run.threads) / jobs.max(1)).max(1);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some((index, unit)) = next(plan, &states, &changed) {
                    let state = match work(plan, unit, share) {
                        Ok(()) => State::Done,
                        Err(error) => {
                            say(&format!("{} {} failed: {error}", unit.work.as_str(), unit.id));
                            State::Failed(error.to_string())
                        }
                    };
                    let mut states = lock_states(&states);
                    if let Some(place) = states.get_mut(index) {
                        *place = state;
                    }
                    let over = states.iter().filter(|s| matches!(s, State::Done | State::Failed(_))).count();
                    say(&format!("{over} of {} done: {} {}", states.len(), unit.work.as_str(), unit.id));
                    changed.notify_all();
                }
            });
        }
    });
    let states = states.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = plan.units.iter().zip(states).filter_map(|(unit, state)| match state {
        State::Failed(why) => Some((unit.id.clone(), why)),
        _ => None,
    });
    Ok(failed.collect())
}

fn lock_states(states: &Mutex<Vec<State>>) -> MutexGuard<'_, Vec<State>> {
    states.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next unit whose model is there; waits while others run that may make one; `None` when nothing is left.
fn next<'a>(plan: &'a Plan, states: &Mutex<Vec<State>>, changed: &Condvar) -> Option<(usize, &'a Unit)> {
    let mut states = lock_states(states);
    loop {
        // Units stand after what they need, so one pass carries a failure to all that hangs on it.
        for (index, unit) in plan.units.iter().enumerate() {
            let before = unit.after.as_ref().and_then(|id| plan.units.iter().position(|u| u.id == *id));
            let before = before.and_then(|at| states.get(at)).cloned().unwrap_or(State::Done);
            let Some(state) = states.get_mut(index).filter(|s| **s == State::Waiting) else { continue };
            match before {
                State::Done => {
                    *state = State::Running;
                    return Some((index, unit));
                }
                State::Failed(why) => *state = State::Failed(why),
                _ => {}
            }
        }
        if !states.contains(&State::Running) {
            return None;
        }
        states = changed.wait(states).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Runs one unit to its end.
fn work(plan: &Plan, unit: &Unit, threads: usize) -> Result<()> {
    let file = |ending: &str| plan.folder.join("units").join(format!("{}.{ending}", unit.id));
    let (config, log) = (file("yaml"), file("log"));
    let there = unit.run.folder().exists();
    if unit.work == Work::Evaluate || !there || !config.exists() {
        // A run that was begun is resumed with what it was begun with.
        write_atomic(&config, unit.run.to_yaml()?.as_bytes())?;
    }
    let output = File::create(&log).map_err(Error::io("create", &log))?;
    let program = std::env::current_exe().map_err(Error::io("find", "novice"))?;
    let mut command = Command::new(&program);
    match unit.work {
        Work::Evaluate => command.arg("evaluate").arg(&config).args(["--only", &unit.policy, "--tallies"]),
        _ if there => command.arg("train").arg(&config).arg("--resume"),
        _ => command.arg("train").arg(&config),
    };
    command.env(THREADS_VARIABLE, threads.to_string()).stdin(Stdio::null());
    command.stderr(output.try_clone().map_err(Error::io("write", &log))?).stdout(output);
    end_with_parent(&mut command);
    let status = command.status().map_err(Error::io("start", &program))?;
    if !status.success() {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
        return Err(Error::Failed(format!("{last} ({status}; see {})", log.display())));
    }
    write_atomic(file("done"), b"")
}

/// Has the system end the child when this process ends.
fn end_with_parent(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one system call, which is safe there; it touches no memory.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}
