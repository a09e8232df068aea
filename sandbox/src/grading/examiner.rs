//! Tests that are Python: scripts with `test_passed()`, `unittest` classes, assert functions, doctests.
//!
//! They run in the examiner's instance. Whenever they touch the submission, the examiner asks the host ([`Channel`]), which asks the
//! subject's instance, reads its answer into data, and writes that data anew for the examiner: nothing that the submission wrote is ever
//! parsed by the examiner. All runs of the submission within a test share the test's time limit.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::ahead::Units;
use super::patience::Limit;
use super::reply::{Ending, Run};
use super::subject::{Loaded, Subject, files};
use super::trust::{Operation, Trust, Way, without_stop_iteration};
use super::{Grader, clip};
use crate::course::Problem;
use crate::deviations::{Deviation, double_quoted_guard};
use crate::engine::{Ask, INSTRUCTIONS_PER_MS, Instance, Stop};
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::report::{TestReport, visible};
use crate::value::{Value, decode, encode, to_message};

/// Time that the examiner itself may use for a test: so many times what the submission may, and at least so much. What a submission returns
/// decides how long comparing it takes.
const EXAMINER_SHARE: u64 = 5;
const EXAMINER_LEAST_MS: u64 = 200;
/// Seed of `random` in test scripts; the published grader uses the same.
const SCRIPT_SEED: i64 = 42;
/// Characters of a script's printed text that are kept.
const OUTPUT_LIMIT: usize = 4000;

/// The examiner's way to the submission during one test.
struct Channel {
    subject: Arc<Mutex<Subject>>,
    fuel_left: u64,
    fuel: u64,
    runs: i64,
    trust: Trust,
    /// Names that the submission may not take over.
    taken: HashSet<String>,
    /// After a stop, objects of the submission are gone.
    objects_lost: Option<String>,
    /// The worst that happened in the submission.
    worst: Option<Incident>,
    failure: Option<Error>,
}

impl Channel {
    /// Answer one request. Never fails: what goes wrong is an answer too.
    fn answer(&mut self, request: &[u8]) -> Vec<u8> {
        let Ok(Value::Tuple(parts)) = decode(request) else { return refusal("unreadable request") };
        let operation = parts.first().and_then(Value::as_str).unwrap_or_default();
        if operation == "compiles" {
            return encode(&Value::Dict(vec![(Value::str("status"), Value::str("ok"))]));
        }
        if let Some(reason) = self.objects_lost.as_ref().filter(|_| operation != "main") {
            return refusal(reason);
        }
        let mut subject = self.subject.lock().unwrap_or_else(PoisonError::into_inner);
        let before = subject.fuel;
        self.runs += 1;
        let result = match operation {
            "main" => {
                let text = parts.get(1).and_then(Value::as_str).unwrap_or_default();
                subject.main(text, self.runs, parts.get(2).cloned(), self.fuel_left)
            }
            "module" => {
                let stdin = parts.get(1).cloned().unwrap_or(Value::str(""));
                let run = subject.request(vec![Value::str("module"), Value::int(self.runs), stdin], self.fuel_left);
                run.map(|mut run| {
                    self.trust.module(&run);
                    if let Some(Value::Dict(names)) = &mut run.value {
                        names.retain(|(name, _)| name.as_str().is_some_and(|name| !self.taken.contains(name)));
                    }
                    without_stop_iteration(run)
                })
            }
            "operate" => {
                let Some(operation) = Operation::read(&parts) else { return refusal("unreadable request") };
                let result = match self.trust.way(&operation) {
                    Way::Forward => subject.request_bytes(request, self.fuel_left, false),
                    Way::Answer(value) => Ok(Run::answer(Value::Bool(value))),
                    Way::Refuse => Ok(Run::type_error()),
                    Way::AsNumber => {
                        let request = operation.as_number();
                        subject.request(request, self.fuel_left).map(|run| operation.calculated(run))
                    }
                };
                result.map(|run| {
                    self.trust.done(&operation, &run);
                    if operation.advances() { run } else { without_stop_iteration(run) }
                })
            }
            _ => return refusal("unknown request"),
        };
        self.fuel_left = self.fuel_left.saturating_sub(subject.fuel - before);
        if subject.unfinished.is_some() {
            self.fuel_left = 0; // also where a loop was proved endless before it had used up the time
        }
        drop(subject);
        match result {
            Ok(run) => self.forward(run),
            Err(error) => {
                self.failure = Some(error);
                refusal("the sandbox failed")
            }
        }
    }

    /// What the examiner gets to see of a run.
    fn forward(&mut self, run: Run) -> Vec<u8> {
        let (status, error, types) = match &run.ending {
            Ending::Finished => ("ok", String::new(), Vec::new()),
            Ending::Exited(error) => ("exit", error.clone(), vec!["SystemExit".to_string()]),
            Ending::Raised { error, types } => ("error", error.clone(), types.clone()),
            Ending::Memory => ("error", run.failure(self.fuel).1, vec!["MemoryError".to_string()]),
            Ending::Syntax(error) => ("error", error.clone(), vec!["SyntaxError".to_string()]),
            Ending::Stopped(stop) => ("stopped", Subject::stop_text(stop), Vec::new()),
            Ending::Output | Ending::Large | Ending::Broken(_) => ("stopped", run.failure(self.fuel).1, Vec::new()),
        };
        if !matches!(run.ending, Ending::Finished | Ending::Exited(_)) {
            let (outcome, message) = run.failure(self.fuel);
            if self.worst.as_ref().is_none_or(|worst| worst.outcome < outcome) {
                self.worst = Some(Incident { outcome, message, trace: run.trace.clone() });
            }
            if status == "stopped" {
                self.objects_lost = Some(error.clone());
            }
        }
        let text = |text: &str| Value::str(text);
        let after = run
            .after
            .iter()
            .map(|(i, value)| Value::Tuple(vec![Value::int(*i), Value::Bytes(to_message(value))]))
            .collect();
        encode(&Value::Dict(vec![
            (text("status"), text(status)),
            (text("out"), Value::Bytes(run.out)),
            (text("err"), Value::Bytes(run.err)),
            (text("trace"), text(&run.trace)),
            (text("error"), text(&error)),
            (text("types"), Value::Tuple(types.iter().map(Value::str).collect())),
            (text("value"), run.value.as_ref().map_or(Value::None, |value| Value::Bytes(to_message(value)))),
            (text("after"), Value::List(after)),
            (text("drawn"), run.drawn.unwrap_or(Value::None)),
        ]))
    }
}

/// Something that went wrong in the submission while a test script ran.
struct Incident {
    outcome: Outcome,
    message: String,
    trace: String,
}

fn refusal(reason: &str) -> Vec<u8> {
    encode(&Value::Dict(vec![(Value::str("status"), Value::str("stopped")), (Value::str("error"), Value::str(reason))]))
}

/// How a test ended in the examiner.
struct Verdict {
    status: String,
    message: String,
    trace: String,
    output: String,
    score: Option<f64>,
}

impl Grader {
    /// Send a request to the examiner with a channel to the submission.
    fn examine(
        &mut self,
        taken: &HashSet<String>,
        request: &[u8],
        limit: Limit,
    ) -> Result<(Verdict, Option<Incident>)> {
        let channel = Channel {
            subject: self.subject.clone(),
            fuel_left: limit.fuel,
            fuel: limit.whole,
            runs: 0,
            trust: Trust::default(),
            taken: taken.clone(),
            objects_lost: None,
            worst: None,
            failure: None,
        };
        let channel = Arc::new(Mutex::new(channel));
        let shared = channel.clone();
        let ask: Ask = Box::new(move |request| shared.lock().unwrap_or_else(PoisonError::into_inner).answer(request));
        let own = (limit.whole * EXAMINER_SHARE).max(EXAMINER_LEAST_MS * INSTRUCTIONS_PER_MS);
        let reply = self.ask_examiner(request, own, ask)?;
        let mut channel = channel.lock().unwrap_or_else(PoisonError::into_inner);
        match channel.failure.take() {
            Some(error) => Err(error),
            None => Ok((reply, channel.worst.take())),
        }
    }

    fn ask_examiner(&mut self, request: &[u8], fuel: u64, ask: Ask) -> Result<Verdict> {
        let reply = self.examiner_call(request, fuel, Some(ask))?;
        let text = |name: &str| reply.field(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let output = reply.field("out").and_then(Value::as_bytes).unwrap_or_default();
        let score = match reply.field("score") {
            Some(Value::Float(score)) => Some(*score),
            _ => None,
        };
        let mut message = text("message");
        if message.is_empty() {
            message = text("error");
        }
        let output = visible(&clip(&String::from_utf8_lossy(output), OUTPUT_LIMIT));
        Ok(Verdict { status: text("status"), message, trace: text("trace"), output, score })
    }

    /// The examiner's reply as data; a dictionary with status "slow" or "broken" if it was stopped.
    pub(super) fn examiner_call(&mut self, request: &[u8], fuel: u64, ask: Option<Ask>) -> Result<Value> {
        if self.examiner.is_none() {
            self.examiner = Some(Instance::new(self.engine.clone())?);
        }
        let ended = |status: &str, reason: String| {
            Value::Dict(vec![(Value::str("status"), Value::str(status)), (Value::str("message"), Value::str(reason))])
        };
        let Some(examiner) = self.examiner.as_mut() else { return Ok(ended("broken", "no examiner".into())) };
        let call = examiner.call(request, fuel, ask)?;
        Ok(match call.reply {
            Ok(bytes) => decode(&bytes).unwrap_or_else(|error| ended("broken", error.to_string())),
            Err(stop @ Stop::Fuel) => ended("slow", stop.to_string()),
            Err(stop @ Stop::Output) => ended("output", stop.to_string()),
            Err(stop @ Stop::Memory) => ended("memory", stop.to_string()),
            Err(stop) => ended("broken", stop.to_string()),
        })
    }

    /// What every request to run a test ends with: the submission as a file, names to import it by, files, seed, output limit.
    fn context(&self, problem: &Problem, code: &str) -> Vec<Value> {
        let names = problem.import_names();
        let filenames = names.iter().map(|name| Value::str(format!("{name}.py"))).collect();
        vec![
            Value::str(code),
            Value::Tuple(filenames),
            Value::Tuple(names.iter().map(Value::str).collect()),
            files(problem),
            Value::int(SCRIPT_SEED),
            Value::int(self.engine.options().output_bytes.into()),
        ]
    }

    /// A test of kind `script`: its source, its code, and the names that are its own.
    pub(super) fn script(
        &mut self,
        problem: &Problem,
        code: &str,
        start: TestReport,
        (script, ready, taken): (&str, &Value, &HashSet<String>),
        max_score: f64,
        fuel: u64,
    ) -> Result<TestReport> {
        let deviations = &self.engine.options().deviations;
        if let Some(line) = double_quoted_guard(script).filter(|_| deviations.contains(&Deviation::SingleQuotedGuard)) {
            let reason = format!(
                "test script: IndentationError: expected an indented block after 'if' statement on line {line}"
            );
            return Ok(TestReport { possible: max_score, ..start.with(Outcome::Exception, reason, "") });
        }
        let shared_random = Value::Bool(deviations.contains(&Deviation::SharedRandom));
        let mut request = vec![Value::str("script"), Value::str(script), ready.clone(), shared_random];
        request.extend(self.context(problem, code));
        let request = encode(&Value::Tuple(request));
        let (verdict, worst) = self.patiently(fuel, |grader, limit| grader.examine(taken, &request, limit))?;
        let mut report = start;
        report.possible = max_score;
        if !report.hidden {
            report.output = verdict.output.clone();
        }
        let Some(score) = verdict.score.filter(|score| !score.is_nan()) else {
            return Ok(judge(report, &verdict, worst));
        };
        if score >= max_score {
            return Ok(report.passed());
        }
        report.earned = score.max(0.0);
        let points = format!("{} of {} points", crate::report::number(score), crate::report::number(max_score));
        Ok(match worst {
            Some(worst) => report.with(worst.outcome, format!("{points}; {}", worst.message), &worst.trace),
            None => report.wrong(points),
        })
    }

    /// A test of kind `unittest`: one report for each of its test functions.
    pub(super) fn unittest(
        &mut self,
        problem: &Problem,
        code: &str,
        start: TestReport,
        (source, units): (&str, &std::result::Result<Units, String>),
        fuel: u64,
        loaded: &Loaded,
    ) -> Result<Vec<TestReport>> {
        self.forget()?;
        let units = match units {
            Ok(units) => units,
            Err(reason) => return Ok(vec![start.with(Outcome::WrongAnswer, format!("test script: {reason}"), "")]),
        };
        let mut reports = Vec::with_capacity(units.tests.len());
        for unit in &units.tests {
            let mut report = start.clone();
            report.weight = start.weight / units.tests.len() as f64;
            report.name.clone_from(&unit.shown);
            if let Loaded::Failed(run) = loaded {
                reports.push(report.failed(run, fuel));
                continue;
            }
            let mut request = vec![Value::str("unit"), Value::str(source), Value::str(&unit.name), unit.code.clone()];
            request.extend(self.context(problem, code));
            let request = encode(&Value::Tuple(request));
            let (verdict, worst) =
                self.patiently(fuel, |grader, limit| grader.examine(&units.taken, &request, limit))?;
            reports.push(judge(report, &verdict, worst));
        }
        Ok(reports)
    }

    /// An untouched examiner.
    pub(super) fn forget(&mut self) -> Result<()> {
        self.examiner.as_mut().map_or(Ok(()), Instance::reset)
    }
}

/// Outcome of a test from what the examiner says and the worst that the host saw the submission do.
fn judge(report: TestReport, verdict: &Verdict, worst: Option<Incident>) -> TestReport {
    // A submission that had to be stopped has not passed, whatever the test made of it.
    if let Some(worst) = worst.as_ref().filter(|worst| worst.outcome > Outcome::SyntaxError) {
        return report.with(worst.outcome, worst.message.clone(), &worst.trace);
    }
    match verdict.status.as_str() {
        "passed" => report.passed(),
        "failed" => report.wrong(verdict.message.clone()),
        "student" => report.with(Outcome::Exception, verdict.message.clone(), &verdict.trace),
        "slow" => report.with(Outcome::Timeout, format!("test script: {}", verdict.message), ""),
        "output" => report.with(Outcome::OutputLimit, format!("test script: {}", verdict.message), ""),
        "memory" => report.with(Outcome::OutOfMemory, format!("test script: {}", verdict.message), ""),
        "broken" => report.with(Outcome::Crashed, format!("test script: {}", verdict.message), ""),
        _ => {
            let (outcome, trace) =
                worst.map_or((Outcome::Exception, String::new()), |worst| (worst.outcome, worst.trace));
            report.with(outcome, format!("test script: {}", verdict.message), &trace)
        }
    }
}
