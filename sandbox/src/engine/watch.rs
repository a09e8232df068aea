//! Is a loop endless? Looked at turn by turn, when a test that took long is run again.
//!
//! Beginners' endless loops mostly forget to change what their condition asks for, so the interpreter comes back to the very state in which
//! it was a few turns ago. The guest gives a signal at each backward jump of the submission (`watch.py`), and [`Watch::turn`] compares the
//! instance with an earlier turn: memory, globals, virtual clock and entropy. If nothing differs the loop never ends: the instance is
//! deterministic, and all that it is made of is equal. Photographs are taken at turns 64, 128, 256, …, so that a state that repeats after
//! any number of turns below [`MAX_TURNS`] is found (Brent 1980).
//!
//! Two things are not seen in memory. The counters of the adaptive interpreter, which lie within code objects, are left out of the
//! comparison: they choose between forms of an instruction that do the same. And a loop of the interpreter's own C code that calls back
//! into Python may count in a WebAssembly local; so only those turns count that happen with the stack pointer of the program's
//! outermost frame, below which every frame is suspended in the same place as before.
//!
//! What only adds up in a loop (a count, a list of what was found) would keep its state from coming back. Once a loop has turned often the
//! guest leaves such variables as they are (`watch.py`, `accumulators.py`): what the loop does next does not depend on them. They could end
//! it in one way only, by using up the memory. So the guest says how many bytes they would have grown by ([`Sums`]), and a loop
//! counts as endless only if, at the fuel that its turns take, its time is over before the memory is.
//!
//! It proves nothing about loops whose state never repeats otherwise, such as `i -= 1` for ever; these use up their time.

use std::ops::Range;
use std::sync::Arc;

use super::instance::Pristine;
use super::pagemap::PageMap;
use super::restore::PAGE;
use super::sums::{State, Sums};

/// Turns after which nothing is expected any more.
const MAX_TURNS: u32 = 6000;
/// Turns at which photographs begin.
const FIRST_PHOTO: u32 = 64;
/// Comparisons of the whole memory: most turns differ in the page that differed at the last.
const MAX_COMPARISONS: u32 = 400;
/// Bytes written since the instance was made, beyond which a photograph costs more than it gains.
const MAX_WRITTEN: usize = 8 << 20;
/// Turns of the harness's calibrating loops (`watch.py`).
const CALIBRATING: u32 = 12;

/// What a turn tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing yet.
    GoOn,
    /// The state is one that was there before.
    Endless,
    /// Too many turns without a repetition.
    GiveUp,
}

/// Whatever an instance's future depends on, apart from memory: globals and the host's counters.
pub type Registers = Vec<u64>;

/// Watches one instance.
pub struct Watch {
    pages: PageMap,
    pristine: Arc<Pristine>,
    /// Where code objects lie.
    code: Vec<Range<usize>>,
    /// The registers of a turn in the program's outermost frame.
    base: Option<Registers>,
    turns: u32,
    next_photo: u32,
    comparisons: u32,
    photo: Option<Photo>,
    /// Turns of the harness's own loop that are still to come.
    calibrating: u32,
    /// A page that is likely to differ.
    suspect: usize,
    /// Globals at the head of [`Registers`]: the part that tells the frame.
    globals: usize,
    sums: Sums,
}

struct Photo {
    registers: Registers,
    size: usize,
    /// Offset and content of every page that was written.
    pages: Vec<(usize, Vec<u8>)>,
}

impl Watch {
    /// `code`: where the submission's code objects lie. `globals`: how many registers are globals of the instance.
    ///
    /// # Errors
    /// The kernel cannot tell which pages were written.
    pub fn new(pristine: Arc<Pristine>, code: Vec<Range<usize>>, globals: usize, sums: Sums) -> std::io::Result<Watch> {
        let pages = PageMap::open()?;
        let (base, photo) = (None, None);
        let (turns, next_photo, comparisons, calibrating, suspect) = (0, FIRST_PHOTO, 0, 0, 0);
        Ok(Watch {
            pages,
            pristine,
            code,
            base,
            turns,
            next_photo,
            comparisons,
            photo,
            calibrating,
            suspect,
            globals,
            sums,
        })
    }

    /// A new run.
    pub fn restart(&mut self) {
        (self.base, self.photo) = (None, None);
        (self.turns, self.next_photo, self.comparisons, self.calibrating) = (0, FIRST_PHOTO, 0, 0);
    }

    /// The next turns are those of a loop of the harness in the outermost frame; or, where nothing adds up any more, the harness
    /// begins or ends a work of its own.
    pub fn mark(&mut self, memory: &[u8], fuel: i64) {
        if self.sums.state(memory) == State::Held {
            self.sums.mark(fuel);
        } else {
            self.restart();
            self.calibrating = CALIBRATING;
        }
    }

    /// The program's loop turns, in an instance with this memory, these registers, and this much fuel left.
    pub fn turn(&mut self, memory: &[u8], registers: Registers, fuel: i64) -> Turn {
        match self.sums.state(memory) {
            State::AddsUp => {}
            State::Held if self.sums.turn(fuel, memory) => self.next_photo = self.turns,
            State::Held => {}
            State::Void => return Turn::GiveUp,
        }
        if self.calibrating > 0 {
            self.calibrating -= 1;
            self.base = Some(registers);
            return Turn::GoOn;
        }
        self.turns += 1;
        if self.turns > MAX_TURNS || self.comparisons > MAX_COMPARISONS {
            return Turn::GiveUp;
        }
        let frame = |registers: &Registers| registers.get(..self.globals).map(<[u64]>::to_vec);
        if self.base.as_ref().map(frame) != Some(frame(&registers)) {
            return Turn::GoOn; // called from C code
        }
        if self.turns >= self.next_photo {
            self.next_photo = self.turns * 2;
            self.sums.restart();
            self.photo = self.take(memory, registers);
            return if self.photo.is_some() { Turn::GoOn } else { Turn::GiveUp };
        }
        let Some(photo) = self.photo.take() else { return Turn::GoOn };
        let same = self.same(&photo, memory, &registers);
        self.photo = Some(photo);
        match same {
            Some(true) if !self.sums.time_runs_out_first(memory) => Turn::GiveUp,
            Some(true) => Turn::Endless,
            Some(false) => Turn::GoOn,
            None => Turn::GiveUp,
        }
    }

    fn written(&mut self, memory: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut ranges = Vec::new();
        let scan = self.pages.written(memory.as_ptr() as usize, memory.len(), |start, end| ranges.push(start..end));
        scan.ok().map(|()| ranges)
    }

    fn take(&mut self, memory: &[u8], registers: Registers) -> Option<Photo> {
        let ranges = self.written(memory)?;
        if ranges.iter().map(Range::len).sum::<usize>() > MAX_WRITTEN {
            return None;
        }
        let page = |at| Some((at, memory.get(at..at + PAGE)?.to_vec()));
        let pages = ranges.into_iter().flat_map(|range| range.step_by(PAGE)).filter_map(page).collect();
        Some(Photo { registers, size: memory.len(), pages })
    }

    /// Whether nothing differs; `None` when the kernel does not say what was written.
    fn same(&mut self, photo: &Photo, memory: &[u8], registers: &Registers) -> Option<bool> {
        if photo.registers != *registers || photo.size != memory.len() {
            return Some(false);
        }
        if let Ok(found) = photo.pages.binary_search_by_key(&self.suspect, |page| page.0)
            && let Some((at, page)) = photo.pages.get(found)
            && self.differs(*at, page, memory)
        {
            return Some(false);
        }
        self.comparisons += 1;
        for (at, page) in &photo.pages {
            if self.differs(*at, page, memory) {
                self.suspect = *at;
                return Some(false);
            }
        }
        // Pages that were untouched when the photograph was taken.
        for at in self.written(memory)?.into_iter().flat_map(|range| range.step_by(PAGE)) {
            if photo.pages.binary_search_by_key(&at, |page| page.0).is_err()
                && self.differs(at, &self.pristine.page(at), memory)
            {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Whether a page differs from what is in memory now, code objects left out.
    fn differs(&self, at: usize, before: &[u8], memory: &[u8]) -> bool {
        let Some(now) = memory.get(at..at + before.len()) else { return true };
        before != now
            && before
                .iter()
                .zip(now)
                .enumerate()
                .any(|(i, (a, b))| a != b && !self.code.iter().any(|code| code.contains(&(at + i))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drive a watch over a memory that `step` changes, until it says something.
    fn drive(mut step: impl FnMut(u32, &mut [u8]) -> Registers) -> (Turn, u32) {
        let length = 16 * PAGE;
        // An anonymous mapping by way of the allocator is not page-aligned: take the aligned middle of a larger one.
        let mut block = vec![1u8; length + PAGE];
        let start = block.as_ptr().align_offset(PAGE);
        let memory = &mut block[start..start + length];
        let code = std::iter::once(5..9).collect();
        let Ok(mut watch) = Watch::new(Arc::new(Pristine::of(memory)), code, 1, Sums::default()) else {
            return (Turn::Endless, 0);
        };
        watch.mark(memory, 0);
        for _ in 0..CALIBRATING {
            assert_eq!(watch.turn(memory, vec![7, 0], 0), Turn::GoOn);
        }
        for turn in 1.. {
            let registers = step(turn, memory);
            match watch.turn(memory, registers, 0) {
                Turn::GoOn => {}
                said => return (said, turn),
            }
        }
        (Turn::GoOn, 0)
    }

    #[test]
    fn states_that_repeat_are_found_and_others_are_not() {
        // The kernel without the page scan: nothing to test.
        if Watch::new(Arc::new(Pristine::of(&[])), vec![], 1, Sums::default()).is_err() {
            return;
        }
        assert_eq!(drive(|_, _| vec![7, 3]), (Turn::Endless, 65));
        let period = |n: u32| {
            move |turn: u32, memory: &mut [u8]| {
                memory[9000] = (turn % n) as u8;
                memory[9001] = ((turn % n) >> 8) as u8;
                vec![7, 3]
            }
        };
        assert_eq!(drive(period(10)), (Turn::Endless, 74));
        assert_eq!(drive(period(300)), (Turn::Endless, 512 + 300));
        let counting = |turn: u32, memory: &mut [u8]| {
            memory[9000..9004].copy_from_slice(&turn.to_le_bytes());
            vec![7, 3]
        };
        assert_eq!(drive(counting), (Turn::GiveUp, MAX_TURNS + 1));
        // A clock that moves on, code objects that count, turns in other frames.
        assert_eq!(drive(|turn, _| vec![7, turn.into()]).0, Turn::GiveUp);
        let in_code = |turn: u32, memory: &mut [u8]| {
            memory[5..9].copy_from_slice(&turn.to_le_bytes());
            vec![7, 3]
        };
        assert_eq!(drive(in_code), (Turn::Endless, 65));
        assert_eq!(drive(|_, _| vec![6, 3]), (Turn::GiveUp, MAX_TURNS + 1));
    }
}
