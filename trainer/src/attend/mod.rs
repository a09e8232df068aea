//! Attention on the CPU over pasts that are shared: keys and values in runs of positions, and what a token makes of a chain
//! of them. Decoding and the passes of training over a forest use the same loops, so that both compute the same numbers.

mod kernel;
mod loops;
mod store;

use std::cell::RefCell;
use std::sync::Mutex;

pub(crate) use store::{Layout, Run, Store};

use crate::lanes::Instructions;
use crate::parallel;

/// From this many numbers that are read on, the loops are shared out to several threads; in tests from the first, so that
/// they are tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 17 };

thread_local! {
    /// Work space of `kernel`.
    static WORK: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// New tokens of a sequence that follow each other and attend.
pub(crate) struct Piece<'a> {
    /// `[token][heads][head_dim]`.
    pub q: &'a [f32],
    /// What the last of them sees, itself included. Each token before sees one position less, all of the last run.
    pub chain: Vec<Run<'a>>,
    /// Where their mixes go; shaped as `q`.
    pub out: &'a mut [f32],
}

/// One key head of a few tokens, and where the mixes of the query heads go that share it.
struct Part<'a> {
    tile: usize,
    head: usize,
    outs: Mutex<Vec<&'a mut [f32]>>,
}

/// The attention of each piece by itself, on several threads if that pays.
pub(crate) fn attend_each(layout: &Layout, pieces: Vec<Piece<'_>>) {
    let (token, group) = (layout.heads * layout.head_dim, layout.group() * layout.head_dim);
    // Tokens of a tile.
    let size = (loops::together() / layout.group()).max(1);
    let (mut tiles, mut parts, mut positions) = (Vec::new(), Vec::new(), 0);
    for Piece { q, chain, out } in pieces {
        let n = q.len() / token;
        let (past, last) = chain.split_at(chain.len().saturating_sub(1));
        for (index, (q, out)) in q.chunks(size * token).zip(out.chunks_mut(size * token)).enumerate() {
            let hidden = n - (index * size + q.len() / token);
            let last = last.iter().map(|run| Run { len: run.len - hidden, ..*run });
            let chain: Vec<Run<'_>> = past.iter().copied().chain(last).collect();
            positions += q.len() / token * chain.iter().map(|run| run.len).sum::<usize>();
            let mut outs: Vec<Vec<&mut [f32]>> = (0..layout.kv_heads).map(|_| Vec::with_capacity(size)).collect();
            for out in out.chunks_exact_mut(token) {
                out.chunks_exact_mut(group).zip(&mut outs).for_each(|(out, outs)| outs.push(out));
            }
            let tile = tiles.len();
            parts.extend(outs.into_iter().enumerate().map(|(head, outs)| Part { tile, head, outs: Mutex::new(outs) }));
            tiles.push((q, chain));
        }
    }
    let best = Instructions::best();
    let attend = |part: usize| {
        let Part { tile, head, outs } = &parts[part];
        let (q, chain) = &tiles[*tile];
        // Nobody else asks for this lock: a part is done once.
        if let Ok(mut outs) = outs.lock() {
            WORK.with_borrow_mut(|work| kernel::attend(best, layout, *head, q, chain, work, &mut outs));
        }
    };
    match positions * layout.width() >= PARALLEL_FROM {
        true => parallel::for_each(parts.len(), &attend),
        false => (0..parts.len()).for_each(attend),
    }
}
