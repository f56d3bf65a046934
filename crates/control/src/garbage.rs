//! Code that no function names any more, removed in the background.
//!
//! An archive is superseded when the last function that named it gets other code or is deleted. It stays for a while,
//! because URLs to download it were handed out and environments may still run from it:
//!
//! | while | it stays |
//! |---|---|
//! | an environment has the package mounted, or is about to | always |
//! | it was superseded less than [`GRACE`] ago | always |
//! | it was superseded less than [`RETENTION`] ago | unless all superseded archives together exceed [`SUPERSEDED_BYTES`] |
//!
//! So deploying a thousand times in a row does not fill the disk. What a server that was killed left behind without a
//! name is found when the next one starts.

use std::collections::VecDeque;
use std::time::Duration;

use rushlight_model::clock::Moment;
use rushlight_model::function::{Code, FunctionConfiguration};
use rushlight_store::Digest;

use crate::Control;
use crate::error::{Result, chain};
use crate::function::get::LOCATION_VALID;
use crate::ledger;

/// Longer than it takes from reading which code a function has to having it mounted.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// Longer than a URL for downloading the code is good for.
pub(crate) const RETENTION: Duration = LOCATION_VALID.saturating_add(Duration::from_mins(1));
/// How much superseded code is kept for the sake of its URLs, in bytes.
pub(crate) const SUPERSEDED_BYTES: u64 = 1024 * 1024 * 1024;
/// How often it is looked for what can go.
const INTERVAL: Duration = Duration::from_secs(15);
/// How old, by the file system, an archive without a name must be to be taken for one that a killed server left.
const ORPHANED: Duration = Duration::from_hours(1);

impl Control {
    /// Removes the images that no version of a function is made of, before any of them is in use.
    pub(crate) async fn sweep_images(&self) -> Result<()> {
        let Some(images) = &self.images else { return Ok(()) };
        let mut named = Vec::new();
        let mut note = |configuration: &FunctionConfiguration| {
            if let Code::Image { resolved_uri, .. } = &configuration.code {
                named.extend(resolved_uri.clone());
            }
        };
        ledger::for_each_row(&self.functions, |_, head| {
            note(&head.latest);
            head.serving.iter().for_each(|serving| note(serving));
        })
        .await?;
        ledger::for_each_row(&self.versions, |_, version| note(&version.configuration)).await?;
        images.retain(named).await;
        Ok(())
    }
}

/// An archive that nobody names.
struct Superseded {
    archive: Digest,
    bytes: u64,
    since: Moment,
}

/// What may go, oldest first.
#[derive(Default)]
pub(crate) struct Garbage {
    superseded: VecDeque<Superseded>,
}

impl Garbage {
    /// Notes what lost its last name since the last call, and forgets what got one again.
    fn note(&mut self, control: &Control) {
        let now = control.clock.moment();
        for (archive, bytes) in control.ledger.take_unnamed() {
            self.superseded.retain(|known| known.archive != archive);
            self.superseded.push_back(Superseded { archive, bytes, since: now });
        }
        self.superseded.retain(|known| !control.ledger.is_named(&known.archive));
    }

    /// What may go now, by age and by size.
    fn due(&self, now: Moment) -> Vec<Digest> {
        let mut excess =
            self.superseded.iter().map(|known| known.bytes).sum::<u64>().saturating_sub(SUPERSEDED_BYTES);
        let mut due = Vec::new();
        for known in &self.superseded {
            let age = now.since(known.since);
            if age >= RETENTION || (age >= GRACE && excess > 0) {
                due.push(known.archive);
                excess = excess.saturating_sub(known.bytes);
            }
        }
        due
    }

    /// Removes what may go.
    pub(crate) async fn collect(&mut self, control: &Control) -> Result<()> {
        control.ledger.refresh().await?;
        self.note(control);
        for archive in self.due(control.clock.moment()) {
            if remove(control, archive).await? {
                self.superseded.retain(|known| known.archive != archive);
            }
        }
        Ok(())
    }
}

/// Removes an archive and its package; false if somebody needs it.
async fn remove(control: &Control, archive: Digest) -> Result<bool> {
    if control.data_plane.in_use(&archive) {
        return Ok(false);
    }
    control.ledger.refresh().await?;
    let Some(_removal) = control.ledger.begin_removal(archive) else {
        return Ok(false);
    };
    // The package first: so there is never a package without the archive that it is found by.
    control.packages.remove(&archive).await?;
    control.blobs.remove(&archive).await?;
    tracing::debug!(package = %archive, "package.removed");
    Ok(true)
}

/// Removes what a killed server left behind.
pub(crate) async fn sweep(control: &Control) -> Result<()> {
    let (blobs, packages, named) = (control.blobs.clone(), control.packages.clone(), control.ledger.named());
    let looking = tokio::task::spawn_blocking(move || {
        packages.sweep()?;
        blobs.garbage(&named, ORPHANED)
    });
    let Ok(orphans) = looking.await else {
        return Ok(());
    };
    for archive in orphans? {
        remove(control, archive).await?;
    }
    Ok(())
}

/// Runs until the control plane is closed.
pub(crate) async fn run(control: Control) {
    report(sweep(&control).await);
    let mut garbage = Garbage::default();
    loop {
        tokio::select! {
            () = control.stop.cancelled() => return,
            () = control.clock.sleep(INTERVAL) => {}
        }
        report(garbage.collect(&control).await);
    }
}

fn report(result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(error = %chain(&error), "package.removal_failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superseded(count: u8, bytes: u64) -> Garbage {
        let superseded = (0..count)
            .map(|number| Superseded { archive: Digest::of(&[number]), bytes, since: Moment::default() })
            .collect();
        Garbage { superseded }
    }

    fn due(garbage: &Garbage, age: Duration) -> usize {
        garbage.due(Moment::default() + age).len()
    }

    #[test]
    fn little_stays_until_its_urls_have_ended() {
        let garbage = superseded(3, 1000);
        assert_eq!(due(&garbage, GRACE), 0);
        assert_eq!(due(&garbage, LOCATION_VALID), 0);
        assert_eq!(due(&garbage, RETENTION), 3);
    }

    #[test]
    fn much_goes_after_the_grace_oldest_first() {
        let garbage = superseded(5, SUPERSEDED_BYTES / 2);
        assert_eq!(due(&garbage, GRACE - Duration::from_millis(1)), 0);
        assert_eq!(
            garbage.due(Moment::default() + GRACE),
            [Digest::of(&[0]), Digest::of(&[1]), Digest::of(&[2])]
        );
    }
}
