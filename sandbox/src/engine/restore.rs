//! Putting an instance's memory back, page by page.
//!
//! To find the written pages the kernel walks the whole memory, which takes as long as a short test. So what it found is remembered: a page
//! once written stays this process's own, and another page becomes so only by a page fault of the thread that writes. Where no call
//! since the last look had one, no page has been added. That would not hold with huge pages, which come and grow by themselves: the memory is
//! kept free of them, or else every restoration looks.
//!
//! A page that has not changed for some time is given back, so that one large submission does not make all later ones slower.

use std::io::Result;

use super::instance::Pristine;
use super::pagemap::PageMap;

pub const PAGE: usize = 4096;
/// Memory with more written bytes than this is not restored: a new instance is quicker.
const LIMIT: usize = 8 << 20;
/// Restorations after which a page that did not change is given back. Each giving back, and each new write after it, interrupts the
/// other threads: with 64 two of them took 7 % longer.
const IDLE: u8 = 250;

/// Knows the written pages of one instance's memory at a time.
pub struct Restorer {
    pages: PageMap,
    /// In order.
    known: Vec<Page>,
    /// Whether there may be written pages that are not known.
    unsure: bool,
    /// Whether pages become written only by faults.
    single: bool,
}

struct Page {
    at: usize,
    /// What it holds in an untouched instance.
    first: Box<[u8]>,
    /// Restorations since it was last found changed.
    idle: u8,
}

impl Restorer {
    /// # Errors
    /// The kernel cannot tell which pages were written.
    pub fn new() -> Result<Restorer> {
        Ok(Restorer { pages: PageMap::open()?, known: Vec::new(), unsure: true, single: false })
    }

    /// Another instance, with this memory. Nothing that it may have grown by is looked after.
    pub fn begin(&mut self, memory: &mut [u8]) {
        self.known.clear();
        self.unsure = true;
        // SAFETY: advice about a mapping that is borrowed here; it changes no content.
        self.single = unsafe { libc::madvise(memory.as_mut_ptr().cast(), memory.len(), libc::MADV_NOHUGEPAGE) } == 0;
    }

    /// Do what writes to the memory, on this thread.
    pub fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = faults();
        let done = work();
        self.unsure |= !self.single || before.is_none() || before != faults();
        done
    }

    /// Make the memory what it was. False: it has too many written pages, and is no longer of use.
    pub fn restore(&mut self, memory: &mut [u8], pristine: &Pristine) -> Result<bool> {
        if self.unsure && !self.look(memory, pristine)? {
            return Ok(false);
        }
        let mut idle = Vec::new();
        for page in &mut self.known {
            let Some(now) = memory.get_mut(page.at..page.at + PAGE) else { return Ok(false) };
            if *now == *page.first {
                page.idle += 1;
                if page.idle >= IDLE {
                    idle.push(page.at);
                }
            } else {
                now.copy_from_slice(&page.first);
                page.idle = 0;
            }
        }
        let base = memory.as_mut_ptr();
        for run in idle.chunk_by(|a, b| a + PAGE == *b) {
            let Some(start) = run.first() else { continue };
            // SAFETY: within the memory that is borrowed here. What the mapping gives in place of these pages, the file's or zeros, is what
            // they held: they have just been compared with an untouched instance.
            unsafe { libc::madvise(base.add(*start).cast(), run.len() * PAGE, libc::MADV_DONTNEED) };
        }
        if !idle.is_empty() {
            self.known.retain(|page| page.idle < IDLE);
        }
        Ok(true)
    }

    /// Ask the kernel. False: too many pages.
    fn look(&mut self, memory: &[u8], pristine: &Pristine) -> Result<bool> {
        let (mut ranges, mut bytes) = (Vec::new(), 0);
        self.pages.written(memory.as_ptr() as usize, memory.len(), |start, end| {
            bytes += end - start;
            ranges.push(start..end);
        })?;
        if bytes > LIMIT {
            return Ok(false);
        }
        let mut before = std::mem::take(&mut self.known).into_iter().peekable();
        for at in ranges.into_iter().flat_map(|range| range.step_by(PAGE)) {
            while before.next_if(|page| page.at < at).is_some() {}
            let known = before.next_if(|page| page.at == at);
            self.known.push(known.unwrap_or_else(|| Page { at, first: pristine.page(at), idle: 0 }));
        }
        self.unsure = false;
        Ok(true)
    }
}

/// Page faults of this thread so far.
fn faults() -> Option<[i64; 2]> {
    // SAFETY: all zeros are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the request writes one `rusage`.
    let done = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    (done == 0).then_some([usage.ru_minflt, usage.ru_majflt])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A private mapping of a file of so many pages, each filled with its number. Never unmapped.
    fn mapping(pages: usize) -> &'static mut [u8] {
        let file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..pages * PAGE).map(|at| (at / PAGE) as u8).collect();
        std::io::Write::write_all(&mut &file, &content).unwrap();
        let (read_write, descriptor) = (libc::PROT_READ | libc::PROT_WRITE, std::os::fd::AsRawFd::as_raw_fd(&file));
        // SAFETY: a new mapping of a file of that length which nothing else has open.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), content.len(), read_write, libc::MAP_PRIVATE, descriptor, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        // SAFETY: the mapping made above, which nothing else refers to.
        unsafe { std::slice::from_raw_parts_mut(at.cast(), content.len()) }
    }

    #[test]
    fn written_pages_are_put_back_and_unused_ones_given_back() {
        let Ok(mut restorer) = Restorer::new() else { return }; // older kernel: every instance is fresh
        let memory = mapping(64);
        let first = memory.to_vec();
        let pristine = Pristine::of(memory);
        restorer.begin(memory);
        for round in 0..3 * usize::from(IDLE) {
            // Page 3 is written each time, page 9 only at first, page 40 now and then.
            restorer.during(|| memory[3 * PAGE + round] = 255);
            if round == 0 || round % 50 == 49 {
                restorer.during(|| memory[if round == 0 { 9 } else { 40 } * PAGE] = 255);
            }
            assert!(restorer.restore(memory, &pristine).unwrap());
            assert!(*memory == *first, "round {round}");
        }
        assert_eq!(restorer.known.iter().map(|page| page.at / PAGE).collect::<Vec<_>>(), [3, 40]);
        restorer.during(|| memory[9 * PAGE..12 * PAGE].fill(0));
        assert!(restorer.restore(memory, &pristine).unwrap());
        assert!(*memory == *first);
    }

    #[test]
    fn the_kernel_is_asked_only_after_a_fault() {
        let Ok(mut restorer) = Restorer::new() else { return };
        let memory = mapping(8);
        let pristine = Pristine::of(memory);
        restorer.begin(memory);
        restorer.during(|| memory[5] = 77);
        assert!(restorer.unsure);
        restorer.restore(memory, &pristine).unwrap();
        restorer.during(|| memory[6] = 78);
        assert_eq!(restorer.unsure, !restorer.single);
        restorer.during(|| memory[PAGE] = 79);
        assert!(restorer.unsure);
        restorer.restore(memory, &pristine).unwrap();
        assert_eq!((memory[5], memory[6], memory[PAGE]), (0, 0, 1));
        // Another instance: nothing is known of it.
        restorer.begin(memory);
        assert!(restorer.unsure && restorer.known.is_empty());
    }

    #[test]
    fn much_written_memory_is_not_restored() {
        let Ok(mut restorer) = Restorer::new() else { return };
        let memory = mapping(LIMIT / PAGE + 1);
        let pristine = Pristine::of(memory);
        restorer.begin(memory);
        restorer.during(|| memory.fill(1));
        assert!(!restorer.restore(memory, &pristine).unwrap());
    }
}
