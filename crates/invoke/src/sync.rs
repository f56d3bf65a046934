//! What the data plane locks and counts with. Tests have the same with an interleaving that `shuttle` decides, so that
//! what is [checked](crate::model) under every race is this code and no copy of it.

#[cfg(not(test))]
pub(crate) use std::sync::atomic::AtomicU32;

#[cfg(not(test))]
pub(crate) use parking_lot::{Mutex, RwLock};

#[cfg(test)]
pub(crate) use modelled::{AtomicU32, Mutex, RwLock};

#[cfg(test)]
mod modelled;
