//! The submission in its instance.

use super::reply::{Ending, Run};
use crate::course::Problem;
use crate::engine::{EngineOptions, INSTRUCTIONS_PER_MS, Instance, Stop};
use crate::error::Result;
use crate::value::{Value, decode, encode};

/// Instructions to start with, whatever a test allows: compiling again after a stop must not fail.
const RELOAD_FUEL: u64 = 2_000 * INSTRUCTIONS_PER_MS;

/// Whether a submission can be run.
pub enum Loaded {
    /// It compiled.
    Ready,
    /// It did not, and why.
    Failed(Box<Run>),
}

/// An instance with a submission in it.
pub struct Subject {
    instance: Instance,
    /// The request that loads the submission.
    request: Vec<u8>,
    in_place: bool,
    /// Runs since the instance was as the guest began.
    runs: u64,
    /// Bytes that a run may print to each stream.
    output_bytes: usize,
    /// Look for loops without end in every run from now on, which may use this much fuel by their own terms.
    watching: Option<u64>,
    /// Since [`Subject::begin`], at the first run that did not end: was it proved endless?
    pub unfinished: Option<bool>,
    /// Fuel used and bytes printed since `load`.
    pub fuel: u64,
    pub stdout_bytes: u64,
}

impl Subject {
    pub fn new(instance: Instance) -> Subject {
        Subject {
            instance,
            request: Vec::new(),
            in_place: false,
            runs: 0,
            output_bytes: 0,
            watching: None,
            unfinished: None,
            fuel: 0,
            stdout_bytes: 0,
        }
    }

    /// Whether loops can be proved endless here.
    pub fn can_watch(&self) -> bool {
        self.instance.can_watch()
    }

    /// A test begins, for the first time or again. `watching`: for loops without end, and the fuel that it may use by its own terms.
    pub fn begin(&mut self, watching: Option<u64>) {
        (self.watching, self.unfinished) = (watching, None);
    }

    /// Compile a submission. `prelude`: the problem's, compiled ahead.
    pub fn load(&mut self, problem: &Problem, prelude: &Value, code: &str, options: &EngineOptions) -> Result<Loaded> {
        self.reset()?;
        (self.fuel, self.stdout_bytes, self.output_bytes) = (0, 0, options.output_bytes as usize);
        self.begin(None);
        self.request = encode(&Value::Tuple(vec![
            Value::str("load"),
            Value::str(code),
            Value::str(&problem.filename),
            Value::str(problem.module()),
            prelude.clone(),
            files(problem),
            Value::int(options.output_bytes.into()),
            Value::Tuple(options.deviations.iter().map(|deviation| Value::str(deviation.name())).collect()),
        ]));
        let run = self.send_load(options.timeout_ms * INSTRUCTIONS_PER_MS)?;
        Ok(match run.ending {
            Ending::Finished => Loaded::Ready,
            _ => Loaded::Failed(Box::new(run)),
        })
    }

    fn send_load(&mut self, fuel: u64) -> Result<Run> {
        let request = std::mem::take(&mut self.request);
        let run = self.send(&request, fuel);
        self.request = request;
        let run = run?;
        self.in_place = run.ending == Ending::Finished;
        if let (true, Some(whole)) = (self.in_place, self.watching) {
            self.watch(whole)?;
        }
        Ok(run)
    }

    /// Ask the harness to tell of the loops' turns. Nothing of the submission has run yet, so its answer is the harness's own.
    fn watch(&mut self, whole: u64) -> Result<()> {
        let call = self.instance.call(&encode(&Value::Tuple(vec![Value::str("watch")])), RELOAD_FUEL, None)?;
        let reply = call.reply.ok().and_then(|bytes| decode(&bytes).ok());
        let ranges = reply.as_ref().and_then(|reply| reply.field("code")).and_then(Value::items).unwrap_or_default();
        let range = |item: &Value| {
            let [at, size] = item.items()? else { return None };
            let at = usize::try_from(at.as_i64()?).ok()?;
            Some(at..at.checked_add(usize::try_from(size.as_i64()?).ok()?)?)
        };
        let slate = reply.as_ref().and_then(|reply| reply.field("slate")).and_then(Value::as_i64).unwrap_or(0);
        self.instance.watch(ranges.iter().filter_map(range).collect(), usize::try_from(slate).unwrap_or(0), whole);
        Ok(())
    }

    /// Send a request about the loaded submission, loading it again if its instance had to be reset.
    pub fn request(&mut self, parts: Vec<Value>, fuel: u64) -> Result<Run> {
        let begins_anew = parts.first().and_then(Value::as_str).is_some_and(|operation| operation != "operate");
        self.request_bytes(&encode(&Value::Tuple(parts)), fuel, begins_anew)
    }

    /// As [`Subject::request`], for a request that is already written. `begins_anew`: it needs nothing of what earlier requests made.
    pub fn request_bytes(&mut self, request: &[u8], fuel: u64, begins_anew: bool) -> Result<Run> {
        if !self.in_place {
            let before = self.fuel;
            let run = self.send_load(RELOAD_FUEL)?;
            self.fuel = before; // the same work was counted at the first loading
            if !self.in_place {
                return Ok(run);
            }
        }
        let earlier = self.runs;
        let run = self.send(request, fuel)?;
        if run.lacked_memory() && earlier > 0 && begins_anew {
            // What earlier runs left uncollected must not cost this one its points.
            self.reset()?;
            return self.request_bytes(request, fuel, true);
        }
        self.runs += u64::from(self.in_place);
        self.stdout_bytes += run.out.len() as u64;
        Ok(run)
    }

    /// Send requests that begin anew, all at once. `None`: that would not be the same as one by one, or something stopped them; what they
    /// left is to be reset.
    pub fn together(&mut self, requests: Vec<Value>, fuel: u64) -> Result<Option<Vec<Run>>> {
        let count = requests.len();
        let message = encode(&Value::Tuple(vec![Value::str("several"), Value::Tuple(requests)]));
        let call = self.instance.call(&message, fuel, None)?;
        self.fuel += call.fuel;
        let Some(runs) = call.reply.ok().filter(|_| call.untouched).and_then(|bytes| Run::read_several(&bytes)) else {
            return Ok(None);
        };
        if runs.len() != count || !runs.iter().all(Run::stands_alone) {
            return Ok(None);
        }
        let runs: Vec<Run> = runs.into_iter().map(|run| run.within(self.output_bytes)).collect();
        self.runs += count as u64;
        self.stdout_bytes += runs.iter().map(|run| run.out.len() as u64).sum::<u64>();
        Ok(Some(runs))
    }

    fn send(&mut self, request: &[u8], fuel: u64) -> Result<Run> {
        let call = self.instance.call(request, fuel, None)?;
        self.fuel += call.fuel;
        Ok(match call.reply {
            Ok(bytes) => {
                let run = Run::read(&bytes).within(self.output_bytes);
                if call.memory_denied { run.short_of_memory() } else { run }
            }
            Err(stop) => {
                (self.in_place, self.runs) = (false, 0);
                let stop = match stop {
                    Stop::Fuel | Stop::Endless | Stop::Unproven => {
                        self.unfinished.get_or_insert(stop == Stop::Endless);
                        Stop::Fuel
                    }
                    other => other,
                };
                Run::stopped(stop)
            }
        })
    }

    /// Import the submission and evaluate an expression (text or code) in it.
    pub fn call(&mut self, expression: &Value, fuel: u64) -> Result<Run> {
        self.request(call(expression), fuel)
    }

    /// Run it as a script. `drawn`: the state of Python's `random` to go on from.
    pub fn main(&mut self, stdin: &str, seed: i64, drawn: Option<Value>, fuel: u64) -> Result<Run> {
        let mut request = main(stdin, seed);
        request.extend(drawn);
        self.request(request, fuel)
    }

    /// Forget the submission and put the instance back.
    pub fn reset(&mut self) -> Result<()> {
        (self.in_place, self.runs) = (false, 0);
        self.instance.reset()
    }

    #[cfg(test)]
    pub fn is_pristine(&mut self) -> bool {
        self.instance.is_pristine()
    }

    /// Instances made and resets done.
    #[cfg(test)]
    pub fn counts(&self) -> (u64, u64) {
        (self.instance.made, self.instance.resets)
    }

    /// What a stop in the middle of a test script is called there.
    pub fn stop_text(stop: &Stop) -> String {
        match stop {
            Stop::Fuel => "TimeoutError: the program did not finish in time".into(),
            Stop::Memory => "MemoryError: the program used too much memory".into(),
            Stop::Output => "the program printed too much".into(),
            other => other.to_string(),
        }
    }
}

/// The request of [`Subject::call`].
pub fn call(expression: &Value) -> Vec<Value> {
    vec![Value::str("call"), expression.clone(), Value::int(1)]
}

/// The request of [`Subject::main`].
pub fn main(stdin: &str, seed: i64) -> Vec<Value> {
    vec![Value::str("main"), Value::str(stdin), Value::int(seed)]
}

/// The problem's files as a dictionary of bytes.
pub fn files(problem: &Problem) -> Value {
    Value::Dict(
        problem.files.iter().map(|(name, text)| (Value::str(name), Value::Bytes(text.clone().into_bytes()))).collect(),
    )
}
