//! Which pages of a private mapping have been written since it was made.
//!
//! The `PAGEMAP_SCAN` request of Linux 6.7 (`include/uapi/linux/fs.h`, `Documentation/admin-guide/mm/pagemap.rst`) walks the page table
//! and reports ranges by category. In a copy-on-write mapping of a file a written page is present and no longer
//! a page of the file; in an anonymous mapping it is present and not the shared zero page.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::AsRawFd;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

#[repr(C)]
#[derive(Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`
const PAGEMAP_SCAN: u64 = 0xC060_6610;
const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;
const REGIONS: usize = 4096;

/// An open page map of this process.
pub struct PageMap {
    file: File,
    regions: Vec<PageRegion>,
}

impl PageMap {
    /// Open it and try one scan.
    pub fn open() -> Result<PageMap> {
        let mut map =
            PageMap { file: File::open("/proc/self/pagemap")?, regions: vec![PageRegion::default(); REGIONS] };
        let page = vec![1u8; 4 * 4096];
        map.written(page.as_ptr() as usize & !4095, 4096, |_, _| {})?;
        Ok(map)
    }

    /// Call `found(start, end)`, offsets from `base`, for each range of written pages in `[base, base + length)`.
    /// `base` is page-aligned.
    pub fn written(&mut self, base: usize, length: usize, mut found: impl FnMut(usize, usize)) -> Result<()> {
        let (mut at, end) = (base as u64, (base + length) as u64);
        while at < end {
            let mut arguments = ScanArguments {
                size: size_of::<ScanArguments>() as u64,
                start: at,
                end,
                vec: self.regions.as_mut_ptr() as u64,
                vec_len: REGIONS as u64,
                // Not of the file, not the zero page, and either in memory or swapped out.
                category_inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
                category_mask: PAGE_IS_FILE | PAGE_IS_PFNZERO,
                category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                ..Default::default()
            };
            // SAFETY: the request reads and writes `arguments`, whose layout and size are the kernel's, and writes at most `vec_len`
            // regions to `vec`, which holds that many. The scanned range is only looked at, never accessed.
            let count = unsafe { libc::ioctl(self.file.as_raw_fd(), PAGEMAP_SCAN as _, &raw mut arguments) };
            let count = usize::try_from(count).map_err(|_| Error::last_os_error())?;
            for region in self.regions.iter().take(count) {
                found((region.start - base as u64) as usize, (region.end - base as u64) as usize);
            }
            if arguments.walk_end <= at {
                return Err(Error::other("the page scan does not advance"));
            }
            at = arguments.walk_end;
        }
        Ok(())
    }
}

/// Whether this kernel has the request.
pub fn available() -> bool {
    PageMap::open().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_exactly_the_written_pages() {
        let Ok(mut map) = PageMap::open() else { return }; // older kernel: the fallback is tested with the engine
        let length = 64 * 4096;
        // SAFETY: a fresh anonymous mapping of `length` bytes, used only within this test and unmapped at its end.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        // SAFETY: as above; no huge pages, so that single pages are told apart.
        unsafe { libc::madvise(base, length, libc::MADV_NOHUGEPAGE) };
        for page in [3usize, 4, 40] {
            // SAFETY: within the mapping.
            unsafe { base.cast::<u8>().add(page * 4096 + 7).write_volatile(1) };
        }
        let mut found = Vec::new();
        map.written(base as usize, length, |a, b| found.push((a / 4096, b / 4096))).unwrap();
        assert_eq!(found, [(3, 5), (40, 41)]);
        // SAFETY: the mapping made above.
        unsafe { libc::munmap(base, length) };
    }
}
