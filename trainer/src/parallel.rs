//! Work shared out to the threads that libtorch computes with.
//!
//! libtorch's threads are those of the OpenMP runtime it is linked to, and they wait for work by spinning. Threads of
//! our own would have to fight them for the cores, so the runtime's own entry point is used (`GOMP_parallel`, which
//! GCC's and LLVM's runtimes export; it is what a compiler makes of `#pragma omp parallel`). Where it is missing the
//! work is done by the caller alone.

use std::ffi::{c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

type GompParallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, c_uint, c_uint);

/// What the threads share: each takes the next part until none is left.
struct Shared<'a> {
    next: AtomicUsize,
    parts: usize,
    work: &'a (dyn Fn(usize) + Sync),
}

/// Calls `work(part)` for every part from 0 to `parts`, on as many threads as libtorch uses. Which thread does which
/// part is left open, so parts must not depend on each other; a panic in a part ends the process.
pub(crate) fn for_each(parts: usize, work: &(dyn Fn(usize) + Sync)) {
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).min(parts);
    match gomp_parallel() {
        Some(parallel) if threads > 1 => {
            let shared = Shared { next: AtomicUsize::new(0), parts, work };
            // SAFETY: `run` is called with this pointer by `threads` threads, all of which have returned from it when
            // `parallel` returns (an OpenMP region ends with a barrier), so `shared` outlives its use; `Shared` is
            // Sync.
            unsafe { parallel(run, (&raw const shared).cast_mut().cast(), threads as c_uint, 0) };
        }
        _ => (0..parts).for_each(work),
    }
}

extern "C" fn run(shared: *mut c_void) {
    // SAFETY: `for_each` passes a pointer to a `Shared` that lives until every thread has returned, and only shared
    // references are made of it.
    let shared = unsafe { &*shared.cast_const().cast::<Shared<'_>>() };
    loop {
        let part = shared.next.fetch_add(1, Ordering::Relaxed);
        if part >= shared.parts {
            return;
        }
        (shared.work)(part);
    }
}

/// The entry point of the OpenMP runtime that is loaded with libtorch, if it has one.
fn gomp_parallel() -> Option<GompParallel> {
    static FOUND: OnceLock<Option<GompParallel>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the name is a C string; the default handle searches the libraries that are loaded.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"GOMP_parallel".as_ptr()) };
        // SAFETY: the symbol of this name has had this signature since GCC 4.9, and LLVM's runtime keeps to it.
        (!symbol.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, GompParallel>(symbol) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_own_process;

    #[test]
    fn every_part_is_done_once() {
        in_own_process(module_path!(), "every_part_is_done_once", || {
            for n in [1, 2, 3] {
                tch::set_num_threads(n);
                for parts in [0, 1, 2, 100] {
                    let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                    for_each(parts, &|part| {
                        done[part].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(done.iter().all(|d| d.load(Ordering::Relaxed) == 1));
                }
            }
        });
        assert!(gomp_parallel().is_some(), "libtorch is linked to an OpenMP runtime");
    }
}
