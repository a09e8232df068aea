//! A workshop without logs, for the tests of this crate.

use super::Workshop;
use crate::config::{Run, Template};
use crate::tokens::testing::renderer;
use crate::traces::testing::course;
use crate::traces::{Dataset, Statistics};
use novice_sandbox::{Engine, EngineOptions, Pool};

/// The workshop of `run` with one problem, `p`, with this statement, that `x = 1` solves.
pub(crate) fn workshop(run: &Run, statement: &str) -> Workshop {
    let pool = Pool::new(Engine::open(&EngineOptions::default()).unwrap(), 2).unwrap();
    let statistics = Statistics::of(&[], &[]);
    let dataset = Dataset { train: Vec::new(), held_out: Vec::new(), audit: Default::default(), statistics };
    Workshop::assemble(run, course(&[("p", statement, "")]), (pool, String::new()), dataset, renderer(Template::Chatml))
}
