//! Which code packages execution environments have mounted, so that none is removed under a running function.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use rushlight_environment::Environment;

use crate::sync::Mutex;

/// Users of packages by SHA-256 in lower-case hex.
#[derive(Debug, Default)]
pub(crate) struct PackageUses {
    uses: Mutex<HashMap<String, Uses>>,
}

#[derive(Debug, Default)]
struct Uses {
    /// Environments being made: they are about to mount the package.
    starting: Vec<Weak<()>>,
    mounted: Vec<Weak<Environment>>,
}

impl Uses {
    fn prune(&mut self) {
        self.starting.retain(|starting| starting.strong_count() > 0);
        self.mounted.retain(|environment| environment.strong_count() > 0);
    }

    fn is_empty(&self) -> bool {
        self.starting.is_empty() && self.mounted.is_empty()
    }
}

impl PackageUses {
    /// The package counts as used while the returned token lives.
    pub(crate) fn starting(&self, package: &str) -> Arc<()> {
        let token = Arc::new(());
        let mut uses = self.uses.lock();
        uses.entry(package.to_owned()).or_default().starting.push(Arc::downgrade(&token));
        token
    }

    /// The package counts as used while `environment` lives.
    pub(crate) fn mounted(&self, package: &str, environment: &Arc<Environment>) {
        let mut uses = self.uses.lock();
        let uses = uses.entry(package.to_owned()).or_default();
        uses.prune();
        uses.mounted.push(Arc::downgrade(environment));
    }

    pub(crate) fn is_used(&self, package: &str) -> bool {
        let mut uses = self.uses.lock();
        let Some(of_package) = uses.get_mut(package) else { return false };
        of_package.prune();
        let used = !of_package.is_empty();
        if !used {
            uses.remove(package);
        }
        used
    }
}
