//! AWS' pace, where the owner of the machine wants it: how many requests a function takes and how fast it scales.
//!
//! See "Understanding and visualizing concurrency" (requests per second) and "Lambda scaling behavior" in the AWS Lambda
//! developer guide.

use std::collections::HashMap;

use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::Moment;
use rushlight_model::function::FunctionHead;
use rushlight_model::quota::{REQUESTS_PER_CONCURRENCY, SCALING_ENVIRONMENTS, SCALING_SECONDS};

use crate::admission::Throttle;
use crate::sync::Mutex;

/// What is left of each rate.
#[derive(Debug)]
pub(crate) struct Rates {
    /// The account's concurrency, from which its rate of requests follows.
    concurrent_executions: u32,
    /// Requests of functions without a reservation.
    accounts: Mutex<HashMap<Scope, Bucket>>,
    /// Requests of functions with one.
    reserved: Mutex<HashMap<FunctionId, Bucket>>,
    /// New environments.
    starts: Mutex<HashMap<FunctionId, Bucket>>,
}

impl Rates {
    pub(crate) fn new(concurrent_executions: u32) -> Self {
        Self {
            concurrent_executions,
            accounts: Mutex::default(),
            reserved: Mutex::default(),
            starts: Mutex::default(),
        }
    }

    /// Takes one request of a function into account.
    ///
    /// # Errors
    /// There were too many within the last second.
    pub(crate) fn request(&self, head: &FunctionHead, now: Moment) -> Result<(), Throttle> {
        let taken =
            |concurrency: u32| Rate::each_second(concurrency.saturating_mul(REQUESTS_PER_CONCURRENCY));
        match head.reserved_concurrency {
            // None at a time is another reason, and not for here to give.
            Some(0) => Ok(()),
            Some(concurrency) => take(&self.reserved, &head.id, taken(concurrency), now)
                .then_some(())
                .ok_or(Throttle::ReservedFunctionInvocationRateLimitExceeded),
            None => take(&self.accounts, &head.id.scope, taken(self.concurrent_executions), now)
                .then_some(())
                .ok_or(Throttle::FunctionInvocationRateLimitExceeded),
        }
    }

    /// Takes one new environment of a function into account.
    ///
    /// # Errors
    /// There were too many within the last ten seconds.
    pub(crate) fn start(&self, head: &FunctionHead, now: Moment) -> Result<(), Throttle> {
        let rate = Rate { most: SCALING_ENVIRONMENTS, seconds: SCALING_SECONDS };
        take(&self.starts, &head.id, rate, now)
            .then_some(())
            .ok_or(Throttle::ConcurrentInvocationLimitExceeded)
    }
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    most: u32,
    seconds: u32,
}

impl Rate {
    fn each_second(most: u32) -> Self {
        Self { most, seconds: 1 }
    }
}

/// A token bucket: full at first, filled at an even pace.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Moment,
}

fn take<K: Clone + Eq + std::hash::Hash>(
    buckets: &Mutex<HashMap<K, Bucket>>,
    key: &K,
    rate: Rate,
    now: Moment,
) -> bool {
    let mut buckets = buckets.lock();
    if let Some(bucket) = buckets.get_mut(key) {
        return bucket.take(rate, now);
    }
    let bucket = buckets.entry(key.clone()).or_insert(Bucket { tokens: f64::from(rate.most), filled: now });
    bucket.take(rate, now)
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: Moment) -> bool {
        let most = f64::from(rate.most);
        let gained = now.since(self.filled).as_secs_f64() * most / f64::from(rate.seconds);
        self.tokens = (self.tokens + gained).min(most);
        self.filled = self.filled.max(now);
        let is_enough = self.tokens >= 1.0;
        if is_enough {
            self.tokens -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rushlight_model::clock::Clock;

    use super::*;

    #[test]
    fn a_rate_is_an_amount_at_once_and_then_an_even_pace() {
        let (buckets, rate) = (Mutex::default(), Rate { most: 100, seconds: 10 });
        let start = Clock::real().moment();
        let taken = |key: &str, after_millis| {
            let now = start + Duration::from_millis(after_millis);
            std::iter::repeat_with(|| take(&buckets, &key.to_owned(), rate, now))
                .take_while(|taken| *taken)
                .count()
        };
        assert_eq!(taken("a", 0), 100);
        assert_eq!(taken("a", 50), 0);
        assert_eq!(taken("a", 1_050), 10);
        assert_eq!(taken("b", 1_050), 100, "each has its own");
        assert_eq!(taken("a", 0), 0, "time that goes back gives nothing");
        assert_eq!(taken("a", 500_000), 100, "what is not used is not saved up");
    }
    #[test]
    fn racing_requests_take_no_more_than_there_is() {
        use std::sync::Arc;

        use crate::model::{check_all, race};

        const RATE: Rate = Rate { most: 2, seconds: 1 };
        // The first request of all makes the bucket; later ones may be told an earlier time.
        for (millis, enough) in [([0, 0], 2), ([0, 500], 3), ([500, 0], 3)] {
            check_all(move || {
                let buckets = Arc::<Mutex<HashMap<&str, Bucket>>>::default();
                let taken = race(millis.map(|millis| {
                    let buckets = Arc::clone(&buckets);
                    let now = Moment::default() + Duration::from_millis(millis);
                    move || [(); 2].map(|()| take(&buckets, &"a", RATE, now))
                }));
                let taken = taken.iter().flatten().filter(|taken| **taken).count();
                assert!((2..=enough).contains(&taken), "{taken}");
            });
        }
    }
}
