//! The two products of attention, queries with keys and weights with values, for some rows and one key head of a run: loops for
//! each set of instructions, which make the same operations in the same order.

use super::store::{BLOCK, Layout, Run};
use crate::lanes::Instructions;

/// Rows, each a query head of a token, that are worked off together: as many as have their sums in registers.
pub(super) fn together() -> usize {
    match Instructions::best() {
        #[cfg(target_arch = "x86_64")]
        Some(Instructions::Avx512) => avx512::MOST,
        #[cfg(target_arch = "x86_64")]
        Some(Instructions::Avx2) => avx2::MOST,
        None => plain::MOST,
    }
}

/// Rows of queries against one key head's keys of a run.
pub(super) struct Scores<'a> {
    pub layout: &'a Layout,
    pub head: usize,
    /// `[row][head_dim]`.
    pub q: &'a [f32],
    pub run: &'a Run<'a>,
    /// `[row][stride]`, from the run's first position on.
    pub scores: &'a mut [f32],
    pub stride: usize,
}

/// scores\[r·stride + j\] = q\[r\]·k\[j\]/√d for the rows r and the positions j of a run, and garbage up to the end of its last block.
pub(super) fn score(instructions: Option<Instructions>, s: &mut Scores<'_>) {
    let blocks = s.run.len.div_ceil(BLOCK);
    let rows = s.q.len() / s.layout.head_dim;
    assert!(s.run.keys.len() >= blocks * BLOCK * s.layout.width(), "a run has as many keys as it is long");
    assert!(rows > 0 && s.scores.len() >= (rows - 1) * s.stride + blocks * BLOCK, "there is room for the scores");
    match instructions {
        // SAFETY: the CPU has the instructions; all places were just checked.
        #[cfg(target_arch = "x86_64")]
        Some(Instructions::Avx512) => unsafe { avx512::score(s, rows, blocks) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Some(Instructions::Avx2) => unsafe { avx2::score(s, rows, blocks) },
        // SAFETY: as above.
        None => unsafe { plain::score(s, rows, blocks) },
    }
}

/// Rows of weights over one key head's values of a run.
pub(super) struct Mix<'a> {
    pub layout: &'a Layout,
    pub head: usize,
    /// `[row][stride]`, from the run's first position on.
    pub weights: &'a [f32],
    pub stride: usize,
    pub run: &'a Run<'a>,
    /// Which position of the chain is the run's first.
    pub at: usize,
    /// Sums of even and of odd positions since the block of the chain began, and of the blocks before: `[row][head_dim]`.
    pub even: &'a mut [f32],
    pub odd: &'a mut [f32],
    pub out: &'a mut [f32],
}

/// Σ_j weights\[r·stride + j\] · v\[j\] for the rows r, over the positions j of a run. The sums of even and of odd positions are added
/// to `out` behind each BLOCK-th position of the chain.
pub(super) fn mix(instructions: Option<Instructions>, m: &mut Mix<'_>) {
    let rows = m.out.len() / m.layout.head_dim;
    assert!(m.run.values.len() >= m.run.len * m.layout.width(), "a run has as many values as it is long");
    assert!(rows > 0 && m.weights.len() >= (rows - 1) * m.stride + m.run.len, "each position has its weight");
    assert!(m.even.len() == m.out.len() && m.odd.len() == m.out.len());
    match instructions {
        // SAFETY: the CPU has the instructions; all places were just checked.
        #[cfg(target_arch = "x86_64")]
        Some(Instructions::Avx512) => unsafe { avx512::mix(m, rows) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Some(Instructions::Avx2) => unsafe { avx2::mix(m, rows) },
        // SAFETY: as above.
        None => unsafe { plain::mix(m, rows) },
    }
}

/// Defines the loops for one set of instructions: registers of some lanes, tiles of at most `most` rows, of which each size is
/// named. All sets make the same operations in the same order.
macro_rules! loops {
    ([$(#[$attr:meta])*], $lanes:literal, $most:literal, [$($size:literal)*], $zero:ident, $load:ident, $set:ident, $fma:ident, $add:ident, $store:ident) => {
        use crate::attend::store::BLOCK;
        use super::{Mix, Scores};
        use crate::lanes::ask;

        /// Rows of a tile at most.
        pub(super) const MOST: usize = $most;
        /// Registers that a block of keys takes.
        const REGISTERS: usize = BLOCK / $lanes;

        /// # Safety
        /// The CPU has the instructions; keys, queries and scores have the places.
        $(#[$attr])*
        pub(super) unsafe fn score(s: &mut Scores<'_>, rows: usize, blocks: usize) {
            let column = s.layout.head_dim * BLOCK;
            for block in 0..blocks {
                let keys = &s.run.keys[(block * s.layout.kv_heads + s.head) * column..];
                for first in (0..rows).step_by(MOST) {
                    // SAFETY: the tile's rows are among the queries', its block among the keys.
                    unsafe {
                        match (rows - first).min(MOST) {
                            $($size => score_tile::<$size>(s, first, block, keys),)*
                            _ => {}
                        }
                    }
                }
            }
        }

        /// G rows against one block of keys.
        ///
        /// # Safety
        /// As [`score`].
        $(#[$attr])*
        unsafe fn score_tile<const G: usize>(s: &mut Scores<'_>, first: usize, block: usize, keys: &[f32]) {
            let head_dim = s.layout.head_dim;
            let mut sums = [[$zero(); REGISTERS]; G];
            // The next block is asked for once.
            let next = if first == 0 { s.layout.kv_heads * head_dim * BLOCK } else { 0 };
            // SAFETY: as the caller has it.
            unsafe {
                let (q, from) = (s.q.as_ptr().add(first * head_dim), keys.as_ptr());
                for i in 0..head_dim {
                    for r in 0..REGISTERS {
                        let at = i * BLOCK + r * $lanes;
                        if next > 0 {
                            ask(from, at + next);
                        }
                        let k = $load(from.add(at));
                        for g in 0..G {
                            sums[g][r] = $fma($set(*q.add(g * head_dim + i)), k, sums[g][r]);
                        }
                    }
                }
                let scale = $set(1.0 / (head_dim as f32).sqrt());
                for g in 0..G {
                    for r in 0..REGISTERS {
                        let to = s.scores.as_mut_ptr().add((first + g) * s.stride + block * BLOCK + r * $lanes);
                        $store(to, $fma(sums[g][r], scale, $zero()));
                    }
                }
            }
        }

        /// # Safety
        /// The CPU has the instructions; values, weights and sums have the places.
        $(#[$attr])*
        pub(super) unsafe fn mix(m: &mut Mix<'_>, rows: usize) {
            let mut j = 0;
            while j < m.run.len {
                let begin = (m.at + j) % BLOCK;
                let n = (BLOCK - begin).min(m.run.len - j);
                for first in (0..rows).step_by(MOST) {
                    // SAFETY: the tile's rows are among the weights', its positions among the values.
                    unsafe {
                        match (rows - first).min(MOST) {
                            $($size => mix_tile::<$size>(m, first, j, begin, n),)*
                            _ => {}
                        }
                    }
                }
                j += n;
            }
        }

        /// G rows over `n` positions of a run, from `j` on, the first of which is the `begin`-th of a block of the chain.
        ///
        /// # Safety
        /// As [`mix`].
        $(#[$attr])*
        unsafe fn mix_tile<const G: usize>(m: &mut Mix<'_>, first: usize, j: usize, begin: usize, n: usize) {
            let head_dim = m.layout.head_dim;
            let mut start = 0;
            // SAFETY: as the caller has it, and the numbers of a head are not passed.
            unsafe {
                while start + 2 * $lanes <= head_dim {
                    mix_lanes::<G, 2>(m, first, j, begin, n, start);
                    start += 2 * $lanes;
                }
                while start + $lanes <= head_dim {
                    mix_lanes::<G, 1>(m, first, j, begin, n, start);
                    start += $lanes;
                }
            }
            for i in start..head_dim {
                for row in first..first + G {
                    let at = row * head_dim + i;
                    let mut sums = if begin > 0 { [m.even[at], m.odd[at]] } else { [0.0; 2] };
                    for k in 0..n {
                        let value = m.run.values[(j + k) * m.layout.width() + m.head * head_dim + i];
                        let sum = &mut sums[(begin + k) % 2];
                        *sum = m.weights[row * m.stride + j + k].mul_add(value, *sum);
                    }
                    match begin + n == BLOCK {
                        true => m.out[at] += sums[0] + sums[1],
                        false => [m.even[at], m.odd[at]] = sums,
                    }
                }
            }
        }

        /// Of each row of the tile W registers' worth from `start` on: positions of either parity have a sum each, so that one
        /// addition need not wait for the other.
        ///
        /// # Safety
        /// As [`mix`]; the numbers are the head's.
        $(#[$attr])*
        unsafe fn mix_lanes<const G: usize, const W: usize>(m: &mut Mix<'_>, first: usize, j: usize, begin: usize, n: usize, start: usize) {
            let (head_dim, width) = (m.layout.head_dim, m.layout.width());
            let mut sums = [[[$zero(); W]; G]; 2];
            let place = first * head_dim + start;
            // SAFETY: as the caller has it.
            unsafe {
                if begin > 0 {
                    for (sums, from) in sums.iter_mut().zip([m.even.as_ptr(), m.odd.as_ptr()]) {
                        for g in 0..G {
                            for w in 0..W {
                                sums[g][w] = $load(from.add(place + g * head_dim + w * $lanes));
                            }
                        }
                    }
                }
                let values = m.run.values.as_ptr().add(j * width + m.head * head_dim + start);
                let weights = m.weights.as_ptr().add(first * m.stride + j);
                // The next block is asked for once.
                let next = if first == 0 { BLOCK * width } else { 0 };
                let [mut even, mut odd] = sums;
                let mut k = 0;
                if begin % 2 == 1 {
                    for w in 0..W {
                        let v = $load(values.add(w * $lanes));
                        for g in 0..G {
                            odd[g][w] = $fma($set(*weights.add(g * m.stride)), v, odd[g][w]);
                        }
                    }
                    k = 1;
                }
                while k + 2 <= n {
                    for w in 0..W {
                        let at = values.add(k * width + w * $lanes);
                        if next > 0 {
                            ask(at, next);
                            ask(at, next + width);
                        }
                        let (v, u) = ($load(at), $load(at.add(width)));
                        for g in 0..G {
                            let weight = weights.add(g * m.stride + k);
                            even[g][w] = $fma($set(*weight), v, even[g][w]);
                            odd[g][w] = $fma($set(*weight.add(1)), u, odd[g][w]);
                        }
                    }
                    k += 2;
                }
                if k < n {
                    for w in 0..W {
                        let v = $load(values.add(k * width + w * $lanes));
                        for g in 0..G {
                            even[g][w] = $fma($set(*weights.add(g * m.stride + k)), v, even[g][w]);
                        }
                    }
                }
                let ends = begin + n == BLOCK;
                for g in 0..G {
                    for w in 0..W {
                        let at = place + g * head_dim + w * $lanes;
                        if ends {
                            let out = m.out.as_mut_ptr().add(at);
                            $store(out, $add($load(out), $add(even[g][w], odd[g][w])));
                        } else {
                            $store(m.even.as_mut_ptr().add(at), even[g][w]);
                            $store(m.odd.as_mut_ptr().add(at), odd[g][w]);
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    loops!(
        [#[target_feature(enable = "avx512f")]],
        16,
        6,
        [6 5 4 3 2 1],
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    loops!(
        [#[target_feature(enable = "avx2,fma")]],
        8,
        3,
        [3 2 1],
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
}

/// For other CPUs: what a compiler makes of arrays.
mod plain {
    use super::plain_register::*;

    loops!([], 4, 2, [2 1], zero, load, set, fma, add, store);
}

/// A register of four numbers.
mod plain_register {
    type Register = [f32; 4];

    #[inline(always)]
    pub(super) fn zero() -> Register {
        [0.0; 4]
    }

    /// # Safety
    /// There are four numbers.
    #[inline(always)]
    pub(super) unsafe fn load(from: *const f32) -> Register {
        // SAFETY: as the caller has it.
        unsafe { from.cast::<Register>().read_unaligned() }
    }

    #[inline(always)]
    pub(super) fn set(x: f32) -> Register {
        [x; 4]
    }

    #[inline(always)]
    pub(super) fn fma(a: Register, b: Register, sum: Register) -> Register {
        std::array::from_fn(|i| a[i].mul_add(b[i], sum[i]))
    }

    #[inline(always)]
    pub(super) fn add(a: Register, b: Register) -> Register {
        std::array::from_fn(|i| a[i] + b[i])
    }

    /// # Safety
    /// There is room for four numbers.
    #[inline(always)]
    pub(super) unsafe fn store(to: *mut f32, x: Register) {
        // SAFETY: as the caller has it.
        unsafe { to.cast::<Register>().write_unaligned(x) }
    }
}
