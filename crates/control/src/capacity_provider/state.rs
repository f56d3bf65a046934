//! What moves a capacity provider from one state to the next.

use rushlight_model::capacity_provider::{CapacityProvider, CapacityProviderId, CapacityProviderState};
use rushlight_store::Expect;

use super::row;
use crate::Control;
use crate::error::{Result, chain};
use crate::function::state::{RETRY, VISIBLE};

/// How many rows are read at a time at start.
const PAGE: usize = 500;

impl Control {
    /// Takes a provider that is Pending or Deleting to the end of it, in the background.
    pub(crate) fn settle_capacity_provider(&self, id: &CapacityProviderId) {
        let (control, id) = (self.clone(), id.clone());
        let visible_until = self.clock.moment() + VISIBLE;
        self.tasks.spawn(async move {
            let stop = control.stop.clone();
            let settling = async {
                control.clock.sleep_until(visible_until).await;
                while let Err(error) = control.finish_capacity_provider(&id).await {
                    tracing::warn!(provider = %id.arn(), error = %chain(&error), "capacity_provider.settling_failed");
                    control.clock.sleep(RETRY).await;
                }
            };
            // What is cut off here is taken up again when a server starts.
            tokio::select! {
                () = stop.cancelled() => {}
                () = settling => {}
            }
        });
    }

    /// Takes up what an earlier server left Pending or Deleting.
    pub(crate) async fn settle_capacity_providers(&self) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let rows = self.capacity_providers.list("", after.as_deref(), PAGE).await?;
            for (_, entry) in &rows {
                if entry.value.state != CapacityProviderState::Active {
                    self.settle_capacity_provider(&entry.value.id);
                }
            }
            match rows.into_iter().last() {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    async fn finish_capacity_provider(&self, id: &CapacityProviderId) -> Result<()> {
        let key = row(id);
        loop {
            let Some(entry) = self.capacity_providers.get(&key).await? else {
                return Ok(());
            };
            let expect = Expect::Revision(entry.revision);
            let done = match entry.value.state {
                CapacityProviderState::Active => return Ok(()),
                CapacityProviderState::Pending => {
                    let state = CapacityProviderState::Active;
                    let active = CapacityProvider { state, ..entry.value.as_ref().clone() };
                    self.capacity_providers.put(&key, active, expect).await.map(drop)
                }
                CapacityProviderState::Deleting => self.capacity_providers.delete(&key, expect).await,
            };
            match done {
                Err(error) if error.is_conflict() => {}
                result => return Ok(result?),
            }
        }
    }
}
