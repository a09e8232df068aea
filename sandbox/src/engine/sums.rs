//! What a watched loop would have counted and collected, had the guest not left it as it was (`watch`): bytes, against the fuel of its turns.
//!
//! The guest says how things stand on a slate in its memory, and with a mark when its harness begins and ends a work of its own, whose fuel
//! is not the program's.

/// Fuel that the harness takes at a turn, and where the program would add up, outside of the times when it is not counted. At most: found by
/// comparing loops that differ in one more turn (6,407 with the harness, 306 without), one more `append` (5,456 and 487), and one more
/// `n = n + 1` (6,110 and 752), of which the sum is made by the program all the same.
const TURN_FUEL: u64 = 6150;
const SITE_FUEL: u64 = 5000;
const ASSIGNED_SITE_FUEL: u64 = 5400;
/// Numbers on the slate (`watch.py`).
const STATE: usize = 0;
const GROWTH: usize = 1;
const ELSEWHERE: usize = 3;
const ASSIGNED: usize = 4;
/// Values of the first.
const HELD: u32 = 1;
const VOID: u32 = 2;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The program runs as it is.
    AddsUp,
    /// A loop of it leaves its sums as they are.
    Held,
    /// That loop ended: whatever follows, the program might not do.
    Void,
}

/// What variables that do not add up any more would have come to.
#[derive(Default)]
pub struct Sums {
    /// Where the guest notes how things stand.
    slate: usize,
    /// Fuel that a run may use by its own terms.
    whole: u64,
    /// Bytes that it may still take.
    room: u64,
    /// Whether there was a turn at which nothing added up any more.
    held: bool,
    /// Fuel that was left when the program last went on. `None`: the harness is at work.
    since: Option<i64>,
    /// Since the photograph was taken: fuel, bytes, turns, and times that the program would have added up.
    fuel: u64,
    bytes: u64,
    turns: u64,
    sites: u64,
}

impl Sums {
    pub fn new(slate: usize, whole: u64, room: u64) -> Sums {
        Sums { slate, whole, room, ..Sums::default() }
    }

    /// A number on the slate.
    fn note(&self, number: usize, memory: &[u8]) -> u32 {
        let at = self.slate + 4 * number;
        let bytes = memory.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        if self.slate == 0 { 0 } else { bytes.map_or(VOID, u32::from_le_bytes) }
    }

    pub fn state(&self, memory: &[u8]) -> State {
        match self.note(STATE, memory) {
            0 => State::AddsUp,
            HELD => State::Held,
            _ => State::Void,
        }
    }

    /// The harness begins or ends its work, with this much fuel left.
    pub fn mark(&mut self, left: i64) {
        match self.since.take() {
            Some(since) => self.fuel += u64::try_from(since - left).unwrap_or(0),
            None => {
                self.since = Some(left);
                self.sites += 1;
            }
        }
    }

    /// A turn at which nothing adds up is over, with this much fuel left → whether it is the first one.
    pub fn turn(&mut self, left: i64, memory: &[u8]) -> bool {
        self.since = Some(left);
        self.turns += 1;
        self.bytes += u64::from(self.note(GROWTH, memory));
        !std::mem::replace(&mut self.held, true)
    }

    /// The photograph is taken.
    pub fn restart(&mut self) {
        (self.fuel, self.bytes, self.turns, self.sites) = (0, 0, 0, 0);
    }

    /// Whether the time is over before the memory is, when what happened since the photograph happens again and again.
    pub fn time_runs_out_first(&self, memory: &[u8]) -> bool {
        if self.bytes == 0 {
            return true;
        }
        let site = if self.note(ASSIGNED, memory) == 0 { SITE_FUEL } else { ASSIGNED_SITE_FUEL };
        let fuel = self.fuel.saturating_sub(TURN_FUEL * self.turns + site * self.sites);
        let rounds = self.whole.checked_div(fuel).unwrap_or(u64::MAX);
        self.note(ELSEWHERE, memory) == 0 && rounds.saturating_add(1).saturating_mul(self.bytes) <= self.room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_uses_up_the_memory_first_is_not_endless() {
        // The slate at 16: growth of 10 bytes a turn.
        let mut memory = vec![0u8; 64];
        memory[16] = HELD as u8;
        assert_eq!(Sums::new(16, 0, 0).state(&memory), State::Held);
        memory[16 + 4 * GROWTH] = 10;
        let after = |fuel: i64, room: u64, memory: &[u8]| {
            let mut sums = Sums::new(16, 1_000_000, room);
            assert!(sums.turn(900_000, memory));
            sums.restart();
            // Two turns, in the first of which the program would have added up once.
            let mut left = 900_000 - fuel - (2 * TURN_FUEL + SITE_FUEL) as i64;
            sums.mark(left);
            sums.mark(left);
            left -= 1;
            sums.mark(left);
            sums.turn(left, memory);
            sums.mark(left);
            sums.turn(left, memory);
            sums.time_runs_out_first(memory)
        };
        // 999 fuel and one more: 1,000 rounds of 20 bytes, and the one that is under way.
        assert!(after(999, 20_020, &memory));
        assert!(!after(999, 20_019, &memory));
        assert!(!after(-1, u64::MAX - 1, &memory));
        memory[16 + 4 * ELSEWHERE] = 1;
        assert!(!after(999, 20_020, &memory));
        memory[16 + 4 * GROWTH] = 0;
        assert!(after(999, 0, &memory));
    }
}
