//! Gives notice, once, that the runtimes of functions come to their end.
//!
//! | policy | e-mail | Health | advisor |
//! |---|---|---|---|
//! | today's | 180 days before | 180 days before | 180 days before |
//! | classic | 60 days before | | 120 days before |
//!
//! Only the clock drives this. Who has no such function at that time, and one later, is told then. Functions of container
//! images are their owner's to keep up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rushlight_model::arn::{Qualifier, Scope};
use rushlight_model::clock::Timestamp;
use rushlight_model::function::{Code, FunctionHead};
use rushlight_model::notice::{Channel, Notice};
use rushlight_model::version::Version;
use rushlight_runtimes::calendar::{self, Known, Policy};
use rushlight_store::table::Table;
use rushlight_store::table::notice::{NOTICES, key};
use rushlight_store::{Backend, Expect};

use crate::Control;
use crate::dependencies::Postbox;
use crate::error::{Error, Result, chain};
use crate::ledger;

/// How often it is looked whether there is notice to be given.
const INTERVAL: Duration = Duration::from_hours(24);
/// When what could not be sent is tried again.
const RETRY: Duration = Duration::from_mins(5);
/// How long the Health Dashboard keeps a notice.
const HEALTH_KEEPS: Duration = days(90);

const fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// How long before the deprecation notice is given, and how.
fn lead(policy: Policy) -> &'static [(Channel, Duration)] {
    const CURRENT: [(Channel, Duration); 3] =
        [(Channel::Email, days(180)), (Channel::Health, days(180)), (Channel::Advisor, days(180))];
    const CLASSIC: [(Channel, Duration); 2] = [(Channel::Advisor, days(120)), (Channel::Email, days(60))];
    match policy {
        Policy::Current => &CURRENT,
        Policy::Classic => &CLASSIC,
    }
}

/// The notices that were given.
pub(crate) struct Notices {
    table: Table<Notice>,
    postboxes: Vec<Arc<dyn Postbox>>,
}

impl Notices {
    pub(crate) fn new(store: &Arc<dyn Backend>, postboxes: Vec<Arc<dyn Postbox>>) -> Self {
        Self { table: Table::new(store.clone(), NOTICES, 0), postboxes }
    }
}

/// Runs until the control plane is closed.
pub(crate) async fn run(control: Control) {
    loop {
        let pause = match give(&control).await {
            Ok(true) => INTERVAL,
            Ok(false) => RETRY,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "notices.failed");
                RETRY
            }
        };
        // Both branches are cancel-safe.
        tokio::select! {
            () = control.stop.cancelled() => return,
            () = control.clock.sleep(pause) => {}
        }
    }
}

/// Functions that have a runtime: with `$LATEST` alone, and with all versions.
#[derive(Default)]
struct Concerned {
    latest: Vec<String>,
    all: Vec<String>,
}

/// Gives the notices that are due, and sends those that were not; whether all were taken.
async fn give(control: &Control) -> Result<bool> {
    let now = control.clock.now();
    let due = |known: &&Known| {
        let longest = lead(control.deprecation_policy).iter().map(|(_, lead)| *lead).max();
        known.deprecation().zip(longest).is_some_and(|(day, lead)| now + lead >= day)
    };
    let due: Vec<&Known> = calendar::all().iter().filter(due).collect();
    for ((scope, runtime), functions) in concerned(control).await? {
        let Some(known) = due.iter().find(|known| known.identifier == runtime) else { continue };
        for (channel, lead) in lead(control.deprecation_policy) {
            if known.deprecation().is_some_and(|day| now + *lead >= day) {
                note(control, &scope, known, *channel, &functions, now).await?;
            }
        }
    }
    send(control).await
}

async fn concerned(control: &Control) -> Result<BTreeMap<(Scope, String), Concerned>> {
    let mut heads: Vec<FunctionHead> = Vec::new();
    ledger::for_each_row(&control.functions, |_, head| {
        if matches!(head.latest.code, Code::Zip { .. }) {
            heads.push(head.clone());
        }
    })
    .await?;
    let mut concerned: BTreeMap<(Scope, String), Concerned> = BTreeMap::new();
    for head in &heads {
        let published = head.versions.keys().map(|number| Version::Published(*number));
        for version in [Version::Latest].into_iter().chain(published) {
            let configuration = match control.version(head, version).await {
                Ok(configuration) => configuration,
                // Deleted meanwhile: notice of others is not held up for it.
                Err(Error::VersionLost { .. }) => continue,
                Err(error) => return Err(error),
            };
            let Code::Zip { runtime, .. } = &configuration.code else { continue };
            let of = concerned.entry((head.id.scope.clone(), runtime.clone())).or_default();
            let arn = head.id.qualified_arn(&Qualifier::from(version));
            if version == Version::Latest {
                of.latest.push(head.id.arn());
            }
            of.all.push(arn);
        }
    }
    Ok(concerned)
}

/// Notes a notice, unless it was given before.
async fn note(
    control: &Control,
    scope: &Scope,
    known: &Known,
    channel: Channel,
    functions: &Concerned,
    now: Timestamp,
) -> Result<()> {
    let listed = match channel {
        Channel::Email => &functions.latest,
        Channel::Health | Channel::Advisor => &functions.all,
    };
    let Some(deprecation) = known.dates.deprecation.clone().filter(|_| !listed.is_empty()) else {
        return Ok(());
    };
    let notice = Notice {
        scope: scope.clone(),
        runtime: known.identifier.clone(),
        channel,
        deprecation,
        block_create: known.block_create(control.deprecation_policy).map(str::to_owned),
        functions: listed.clone(),
        given_at: now,
        sent: Vec::new(),
    };
    match control.notices.table.put(&notice_key(&notice), notice, Expect::Absent).await {
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(entry) => {
            let Notice { scope, runtime, functions, .. } = &*entry.value;
            tracing::warn!(
                account = scope.account,
                region = scope.region,
                runtime,
                channel = channel.as_str(),
                functions = functions.len(),
                "notice.given"
            );
            Ok(())
        }
    }
}

fn notice_key(notice: &Notice) -> String {
    let Notice { scope, runtime, channel, .. } = notice;
    key(&scope.account, &scope.region, runtime, channel.as_str())
}

/// Sends what was not sent; whether all of it was taken.
async fn send(control: &Control) -> Result<bool> {
    let mut all_taken = true;
    for postbox in &control.notices.postboxes {
        let mut unsent = Vec::new();
        ledger::for_each_row(&control.notices.table, |_, notice| {
            if postbox.takes(notice.channel) && !notice.sent.iter().any(|name| name == postbox.name()) {
                unsent.push(notice.clone());
            }
        })
        .await?;
        for mut notice in unsent {
            if let Err(reason) = postbox.send(&notice).await {
                all_taken = false;
                let (runtime, to) = (&notice.runtime, postbox.name());
                tracing::warn!(runtime, channel = notice.channel.as_str(), to, reason, "notice.not_sent");
                continue;
            }
            notice.sent.push(postbox.name().to_owned());
            control.notices.table.put(&notice_key(&notice), notice, Expect::Any).await?;
        }
    }
    Ok(all_taken)
}

impl Control {
    /// The notices that were given in all accounts, oldest first, without those that their place has forgotten.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn notices(&self) -> Result<Vec<Notice>> {
        let now = self.clock.now();
        let mut notices = Vec::new();
        ledger::for_each_row(&self.notices.table, |_, notice| {
            let is_forgotten = notice.channel == Channel::Health && notice.given_at + HEALTH_KEEPS <= now;
            if !is_forgotten {
                notices.push(notice.clone());
            }
        })
        .await?;
        notices.sort_by_key(|notice| notice.given_at);
        Ok(notices)
    }
}
