//! Freed memory stays with the process.
//!
//! glibc returns large blocks to the system as soon as they are freed and fetches fresh ones, page by page, for the next
//! tensor of the same size. A training or decoding step makes the same large tensors again and again, and the page faults
//! are a fifth of a small model's step. The price is fragmentation: up to a third more memory at the peak.
//! Does nothing where the C library is another, or where the user has set glibc's own variables.

/// Tells the allocator to keep what is freed. Call it once, before the first large tensor.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    {
        let by_user = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"];
        if by_user.iter().any(|name| std::env::var_os(name).is_some()) {
            return;
        }
        // SAFETY: `mallopt` takes two numbers and may be called at any time. It answers 0 when it refuses; then all stays as
        // it was.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    }
}
