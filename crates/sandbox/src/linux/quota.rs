//! CPU time as a quota per period.

/// The period in microseconds: the one that AWS is known to use. A short period makes a small share feel like a
/// slow CPU instead of like a stop and go.
pub(crate) const PERIOD: u64 = 20_000;

/// The kernel accepts no smaller quota, in microseconds.
const MINIMUM: u64 = 1_000;

/// Microseconds of CPU time per [`PERIOD`] that make a share of `cpus`.
pub(crate) fn quota(cpus: f64) -> u64 {
    ((cpus * PERIOD as f64).round() as u64).max(MINIMUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_quotas() {
        assert_eq!(quota(1.0), 20_000);
        assert_eq!(quota(128.0 / 1769.0), 1_447);
        assert_eq!(quota(6.0), 120_000);
        assert_eq!(quota(0.001), MINIMUM);
        assert_eq!(quota(-1.0), MINIMUM);
    }
}
