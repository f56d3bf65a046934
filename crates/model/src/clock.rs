//! The one clock.
//!
//! Timeouts, retry schedules, ages, dates and billing all read a [`Clock`]. It is real, or virtual: a virtual clock
//! moves with real time and can also be pushed ahead, so that hours of schedule play in a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

/// A point on the time line of one [`Clock`], unaffected by changes of the machine's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(duration))
    }
}

/// Wall-clock time in microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// `2018-11-27T15:10:45.123+0000`: the form of `LastModified` in Lambda's answers.
    #[must_use]
    pub fn to_last_modified(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3f+0000")
    }

    /// `2018-11-27T15:10:45.123Z`: the form of times in log lines and telemetry.
    #[must_use]
    pub fn to_iso_millis(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// `2018-11-27T15:10:45.123456Z`: the form of times of function URLs.
    #[must_use]
    pub fn to_iso_micros(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.6fZ")
    }

    /// The beginning of a day in UTC, written `YYYY-MM-DD`.
    #[must_use]
    pub fn from_day(day: &str) -> Option<Self> {
        let day: jiff::civil::Date = day.parse().ok()?;
        let begin = day.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(begin.timestamp().as_microsecond()))
    }

    /// Formats in UTC with the directives of `strftime`. A time outside the calendar's range prints as the epoch.
    #[must_use]
    pub fn format(self, pattern: &str) -> String {
        let timestamp = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        timestamp.strftime(pattern).to_string()
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Reads the time and sleeps. Clones share one time line.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    /// How far this clock is ahead of real time, in nanoseconds.
    ahead: AtomicU64,
    /// Present on a virtual clock; told whenever `ahead` grows, so that sleepers look again.
    advanced: Option<watch::Sender<u64>>,
}

/// The clock is real and cannot be pushed ahead.
#[derive(Debug, thiserror::Error)]
#[error("the clock is real; start the server with --clock virtual to advance it")]
pub struct NotVirtual;

impl Clock {
    /// The machine's own time.
    #[must_use]
    pub fn real() -> Self {
        Self::new(None)
    }

    /// Real time that can be pushed ahead with [`Clock::advance`].
    #[must_use]
    pub fn new_virtual() -> Self {
        Self::new(Some(watch::Sender::new(0)))
    }

    fn new(advanced: Option<watch::Sender<u64>>) -> Self {
        Self { shared: Arc::new(Shared { started: Instant::now(), ahead: AtomicU64::new(0), advanced }) }
    }

    /// Wall-clock time on this clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        real_now() + self.ahead()
    }

    /// Wall-clock time as processes outside this program see it. Only for values handed to functions, which compare
    /// them with the machine's own clock (e.g. the deadline of an invocation).
    #[must_use]
    pub fn machine_now(&self) -> Timestamp {
        real_now()
    }

    /// The present moment on the monotonic time line.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(self.shared.started.elapsed() + self.ahead())
    }

    /// Pushes a virtual clock ahead; everything that sleeps until a moment now past wakes.
    ///
    /// # Errors
    /// [`NotVirtual`] on a real clock.
    pub fn advance(&self, by: Duration) -> Result<(), NotVirtual> {
        let sender = self.shared.advanced.as_ref().ok_or(NotVirtual)?;
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let before = self
            .shared
            .ahead
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |ahead| Some(ahead.saturating_add(nanos)))
            .unwrap_or_default();
        sender.send_replace(before.saturating_add(nanos));
        Ok(())
    }

    /// Completes at `moment` or at once if it is past. Cancel-safe.
    pub async fn sleep_until(&self, moment: Moment) {
        let mut advanced = self.shared.advanced.as_ref().map(watch::Sender::subscribe);
        loop {
            let left = moment.since(self.moment());
            if left.is_zero() {
                return;
            }
            match advanced.as_mut() {
                None => tokio::time::sleep(left).await,
                Some(advanced) => {
                    // An error means that the sender is gone, which cannot be while `self` is borrowed.
                    let _ = tokio::time::timeout(left, advanced.changed()).await;
                }
            }
        }
    }

    /// Completes after `duration` on this clock. Cancel-safe.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.moment() + duration).await;
    }

    fn ahead(&self) -> Duration {
        Duration::from_nanos(self.shared.ahead.load(Ordering::Acquire))
    }
}

#[allow(clippy::disallowed_methods)] // This is the one place that reads the wall clock.
fn real_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_lambda_does() {
        let timestamp = Timestamp::from_millis(1_543_331_445_123);
        assert_eq!(timestamp.to_last_modified(), "2018-11-27T15:10:45.123+0000");
        assert_eq!(timestamp.to_iso_millis(), "2018-11-27T15:10:45.123Z");
        assert_eq!(Timestamp::from_millis(0).to_iso_millis(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn real_clock_cannot_be_advanced() {
        assert!(Clock::real().advance(Duration::from_secs(1)).is_err());
    }

    #[tokio::test]
    async fn advancing_wakes_sleepers_and_moves_wall_time() {
        let clock = Clock::new_virtual();
        let before = clock.now();
        let sleeper = {
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(6 * 3600)).await }
        };
        let waker = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            clock.advance(Duration::from_secs(6 * 3600)).unwrap();
        };
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(sleeper, waker) }).await.unwrap();
        assert!(clock.now().as_seconds() - before.as_seconds() >= 6 * 3600);
        assert!(clock.machine_now().as_seconds() - before.as_seconds() < 3600);
    }
}
