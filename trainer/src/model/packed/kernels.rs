//! The loops of [`super::linear`], for each set of instructions. Both make the same operations in the same order.

use std::ops::Range;

use crate::lanes::{Instructions, widest};

/// Inputs that are summed up by themselves, so that long sums lose less: then these sums are added up.
pub(super) const STRETCH: usize = 64;

/// How many numbers ahead of their use weights are asked for: beyond the page, where the processor does not look by itself.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 1024;

/// Outputs of a panel: two registers.
pub(super) fn panel(instructions: Instructions) -> usize {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => 32,
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => 16,
    }
}

/// The operands: `x [rows][inner]`, `w` in panels, `bias [out]`.
pub(super) struct Product<'a> {
    pub x: &'a [f32],
    pub w: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub inner: usize,
    pub out: usize,
    pub target: Target,
}

/// Where the outputs go: `[rows][out]`.
pub(super) struct Target(pub *mut f32);

// SAFETY: parts of the work write to different places, and nobody reads before all are done.
unsafe impl Sync for Target {}

impl Product<'_> {
    /// The outputs of some panels for some rows, which lie within the operands. No other thread computes them.
    pub(super) fn part(&self, instructions: Instructions, rows: Range<usize>, panels: Range<usize>) {
        let (panel, all) = (panel(instructions), self.out.div_ceil(panel(instructions)));
        assert!(rows.end * self.inner <= self.x.len() && panels.end <= all, "a part lies within the product");
        assert!(all * panel * self.inner <= self.w.len() && self.bias.is_none_or(|b| b.len() == self.out));
        match instructions {
            // SAFETY: the CPU has the instructions, since `Instructions::best` chose them; the rest was just asserted.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { avx512::part(self, rows, panels) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { avx2::part(self, rows, panels) },
        }
    }
}

/// Defines `part` for one set of instructions. A tile is M rows by P panels, whose sums over a stretch stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($feature:literal, $lanes:literal, $most:literal, $zero:ident, $load:ident, $set:ident, $fma:ident, $add:ident, $store:ident) => {
        use std::ops::Range;

        use super::{AHEAD, Product, STRETCH};
        use crate::lanes::ask;

        const PANEL: usize = 2 * $lanes;

        /// # Safety
        /// The CPU has the instructions; rows and panels lie within the operands.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn part(p: &Product<'_>, rows: Range<usize>, panels: Range<usize>) {
            // With few rows several panels at a time, so that there are sums enough for none to wait for another.
            let most = match rows.len() {
                1 => 4,
                2..=3 => 2,
                _ => 1,
            };
            let mut panel = panels.start;
            while panel < panels.end {
                let together = if panel + most <= panels.end { most } else { 1 };
                let mut row = rows.start;
                while row < rows.end {
                    // SAFETY: the tile lies within the rows and panels.
                    row += unsafe {
                        match (together, rows.end - row) {
                            (4, _) => tile::<1, 4>(p, row, panel),
                            (2, 1) => tile::<1, 2>(p, row, panel),
                            (2, _) => tile::<2, 2>(p, row, panel),
                            (_, $most..) => tile::<$most, 1>(p, row, panel),
                            (_, 4..) => tile::<4, 1>(p, row, panel),
                            (_, 2..) => tile::<2, 1>(p, row, panel),
                            _ => tile::<1, 1>(p, row, panel),
                        }
                    };
                }
                panel += together;
            }
        }

        /// Returns M.
        ///
        /// # Safety
        /// The CPU has the instructions; the tile lies within the operands.
        #[target_feature(enable = $feature)]
        unsafe fn tile<const M: usize, const P: usize>(p: &Product<'_>, row: usize, panel: usize) -> usize {
            let (inner, out) = (p.inner, p.out);
            let mut totals = [[[$zero(); 2]; P]; M];
            // SAFETY: as the caller has it, the rows of x, the panels and what is stored lie within their memory.
            unsafe {
                let (x, w) = (p.x.as_ptr().add(row * inner), p.w.as_ptr().add(panel * inner * PANEL));
                let mut from = 0;
                while from < inner {
                    let to = (from + STRETCH).min(inner);
                    let mut sums = [[[$zero(); 2]; P]; M];
                    for i in from..to {
                        for q in 0..P {
                            let at = w.add((q * inner + i) * PANEL);
                            ask(at, AHEAD);
                            ask(at, AHEAD + $lanes);
                            let (low, high) = ($load(at), $load(at.add($lanes)));
                            for m in 0..M {
                                let x = $set(*x.add(m * inner + i));
                                sums[m][q][0] = $fma(x, low, sums[m][q][0]);
                                sums[m][q][1] = $fma(x, high, sums[m][q][1]);
                            }
                        }
                    }
                    for m in 0..M {
                        for q in 0..P {
                            totals[m][q] = [$add(totals[m][q][0], sums[m][q][0]), $add(totals[m][q][1], sums[m][q][1])];
                        }
                    }
                    from = to;
                }
                for m in 0..M {
                    for q in 0..P {
                        let column = (panel + q) * PANEL;
                        let target = p.target.0.add((row + m) * out + column);
                        let whole = column + PANEL <= out;
                        let mut last = [0.0f32; PANEL];
                        let to = if whole { target } else { last.as_mut_ptr() };
                        for (half, &sum) in totals[m][q].iter().enumerate() {
                            let sum = match p.bias {
                                Some(bias) if whole => $add(sum, $load(bias.as_ptr().add(column + half * $lanes))),
                                _ => sum,
                            };
                            $store(to.add(half * $lanes), sum);
                        }
                        if !whole {
                            for (i, &sum) in last[..out - column].iter().enumerate() {
                                target.add(i).write(sum + p.bias.map_or(0.0, |bias| bias[column + i]));
                            }
                        }
                    }
                }
            }
            M
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    kernel!(
        "avx512f",
        16,
        8,
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

    kernel!(
        "avx2,fma",
        8,
        6,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
}

widest! {
    /// Rows `[n][inner]` of a weight, at most `panel`, to a panel `[inner][panel]`, in squares that lie in the cache.
    pub(super) fn turn(rows: &[f32], inner: usize, panel: usize, out: &mut [f32]) {
        const SQUARE: usize = 16;
        let mut start = 0;
        while start < inner {
            let end = (start + SQUARE).min(inner);
            for (lane, row) in rows.chunks_exact(inner).enumerate() {
                for (i, &x) in row[start..end].iter().enumerate() {
                    out[(start + i) * panel + lane] = x;
                }
            }
            start = end;
        }
    }
}
