//! `novice doctor`: what is installed, whether it works, and what to do about what does not.
//!
//! Every line is a finding: `ok`, `note` (works, but could be better) or `FAIL`. The exit status is 1 when anything failed.

use crate::checkpoint::Versions;
use crate::workshop::{device, threads};
use anyhow::anyhow;
use clap::Args;
use novice_sandbox::{Engine, EngineOptions, Pool, self_test};
use std::process::{Command, Stdio};
use std::time::Instant;
use tch::{Kind, Tensor};

#[derive(Debug, Args)]
pub(super) struct Doctor {}

/// How a check ended.
enum Finding {
    Ok(String),
    /// Works; what would be better and how to get it.
    Note(String),
    /// What is wrong and what to do.
    Fail(String),
}

use Finding::{Fail, Note, Ok as Fine};

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut failed = 0;
        let mut print = |name: &str, finding: Finding| {
            let (mark, text) = match finding {
                Fine(text) => ("ok", text),
                Note(text) => ("note", text),
                Fail(text) => {
                    failed += 1;
                    ("FAIL", text)
                }
            };
            println!("{mark:>4}  {name:<14} {text}");
        };
        print("processor", processor());
        print("memory", memory());
        print("libtorch", libtorch());
        print("device", devices());
        match open_sandbox() {
            Ok((engine, pool, finding)) => {
                print("sandbox", finding);
                print("cache", cache(&engine));
                print("reset", reset(&engine));
                for (name, finding) in programs(&pool)? {
                    print(name, finding);
                }
            }
            Err(error) => print("sandbox", Fail(format!("{error}"))),
        }
        print("tensorboard", tensorboard());
        match failed {
            0 => Ok(()),
            1 => Err(anyhow!("one check failed")),
            n => Err(anyhow!("{n} checks failed")),
        }
    }
}

fn processor() -> Finding {
    Fine(format!("{} cores for training and for grading", threads(0)))
}

/// Memory that the system can give, from `/proc/meminfo`.
fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> Option<f64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / f64::from(1 << 20))
    };
    match (field("MemAvailable:"), field("MemTotal:")) {
        (Some(free), Some(total)) if free < 2.0 => {
            Note(format!("{free:.1} of {total:.1} GiB free; the demo wants 2 GiB: close something"))
        }
        (Some(free), Some(total)) => Fine(format!("{free:.1} of {total:.1} GiB free")),
        _ => Note("the system does not say how much is free".into()),
    }
}

/// Whether libtorch computes: a product and its gradient in each precision.
fn libtorch() -> Finding {
    let version = Versions::current(None).libtorch.unwrap_or_else(|| "of unknown version".into());
    for kind in [Kind::Float, Kind::BFloat16] {
        let gradient = || -> Result<f64, tch::TchError> {
            let x = Tensor::f_from_slice(&[1.0, 2.0, 3.0])?.f_to_kind(kind)?.f_requires_grad_(true)?;
            x.f_square()?.f_sum(Kind::Float)?.f_backward()?;
            x.f_grad()?.f_sum(Kind::Float)?.f_double_value(&[])
        };
        match gradient() {
            Ok(12.0) => {}
            Ok(wrong) => {
                return Fail(format!(
                    "{version}: the gradient in {kind:?} sums to {wrong}, not 12: `make clean-libtorch setup`"
                ));
            }
            Err(error) => return Fail(format!("{version}: {error}: `make clean-libtorch setup` fetches it anew")),
        }
    }
    Fine(format!("{version}; products and gradients in float32 and bfloat16"))
}

fn devices() -> Finding {
    match (tch::Cuda::is_available(), tch::Cuda::device_count()) {
        (true, count) => Fine(format!("CUDA, {count} found; runs use {:?}", device())),
        (false, _) if std::path::Path::new("/dev/nvidiactl").exists() => Note(
            "a GPU is there, but this libtorch has no CUDA: install the full torch, export LIBTORCH, build again"
                .into(),
        ),
        (false, _) => Fine("the processor; there is no GPU".into()),
    }
}

fn open_sandbox() -> novice_sandbox::Result<(Engine, Pool, Finding)> {
    let start = Instant::now();
    let engine = Engine::open(&EngineOptions { timeout_ms: 200, cached_reports: 0, ..EngineOptions::default() })?;
    let opened = start.elapsed();
    let pool = Pool::new(engine.clone(), threads(0))?;
    let how = if engine.from_cache() { "its machine code came from the cache" } else { "compiled now" };
    let guest = engine.guest_hash().get(..12).unwrap_or_default().to_string();
    let finding = Fine(format!("guest {guest}, opened in {:.0} ms: {how}", opened.as_secs_f64() * 1e3));
    Ok((engine, pool, finding))
}

fn cache(engine: &Engine) -> Finding {
    match engine.cache_folder() {
        Some(folder) => Fine(format!("{}", folder.display())),
        None => Note(
            "no private folder: the guest is compiled at each start (seconds); make $XDG_CACHE_HOME or ~/.cache writable"
                .into(),
        ),
    }
}

fn reset(engine: &Engine) -> Finding {
    if engine.resets() {
        return Fine("instances are put back by their written pages".into());
    }
    Note("this kernel cannot tell written pages (Linux 6.7 can): each submission gets a fresh instance, some 0.6 ms slower".into())
}

/// The sandbox's own programs, and how long a right one takes.
fn programs(pool: &Pool) -> novice_sandbox::Result<Vec<(&'static str, Finding)>> {
    let start = Instant::now();
    let tests = self_test(pool)?;
    let elapsed = start.elapsed().as_secs_f64();
    let wrong: Vec<String> = tests
        .iter()
        .filter(|test| !test.holds())
        .map(|t| format!("{} got {} and {}, expected {}", t.program, t.found, t.grade, t.expected))
        .collect();
    if !wrong.is_empty() {
        return Ok(vec![("self-test", Fail(format!("{}; please report this", wrong.join("; "))))]);
    }
    let mut lines: Vec<(&str, Finding)> =
        tests.iter().map(|test| ("  program", Fine(format!("{}: {}", test.program, test.found.words())))).collect();
    lines.push(("self-test", Fine(format!("{} programs, all as they must, in {elapsed:.1} s", tests.len()))));
    Ok(lines)
}

fn tensorboard() -> Finding {
    let asked = Command::new("tensorboard").arg("--version_tb").stdin(Stdio::null()).stderr(Stdio::null()).output();
    match asked {
        Ok(answer) if answer.status.success() => {
            Fine(format!("version {}", String::from_utf8_lossy(&answer.stdout).trim()))
        }
        _ => Note("not installed; to watch runs: pip install tensorboard".into()),
    }
}
