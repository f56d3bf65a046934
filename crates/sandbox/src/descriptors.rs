//! Forgetting inherited descriptors.

use std::os::fd::{AsRawFd, OwnedFd};

/// Closes every descriptor of a freshly forked process except the standard ones and those given.
///
/// What the process inherited beyond those must not be used or dropped any more; it ends by `_exit`.
pub(crate) fn close_all_but(keep: &[&OwnedFd]) {
    let mut numbers: Vec<_> = keep.iter().map(|descriptor| descriptor.as_raw_fd() as u32).collect();
    numbers.extend(0..=2);
    numbers.sort_unstable();
    let mut first = 0;
    for number in numbers {
        if number > first {
            close_range(first, number - 1);
        }
        first = number + 1;
    }
    close_range(first, u32::MAX);
}

fn close_range(first: u32, last: u32) {
    // SAFETY: the caller's process forgets everything that owned these descriptors, see `close_all_but`.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}
