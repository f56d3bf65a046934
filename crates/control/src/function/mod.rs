//! Functions: created, read, listed, updated, deleted.
//!
//! | file | what it holds |
//! |---|---|
//! | create, get, list, update, delete | one operation (or two of a kind) each |
//! | tags | changed and read |
//! | state | the states of a function and what moves it along |
//! | settings | what create and update have in common |
//! | name, code, image, runtime, environment, layers, logging, network, managed_instances | the rules of one part of a request |
//! | view | what a function looks like from outside |

pub(crate) mod code;
pub(crate) mod create;
pub(crate) mod delete;
mod environment;
pub(crate) mod get;
mod image;
mod layers;
pub(crate) mod list;
mod logging;
pub(crate) mod managed_instances;
pub(crate) mod name;
mod network;
pub(crate) mod runtime;
mod settings;
pub(crate) mod state;
pub(crate) mod tags;
pub(crate) mod update;
pub(crate) mod view;

use std::sync::Arc;

use rushlight_api::lambda::types;
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::{Architecture, FunctionHead};
use rushlight_store::table::Entry;

use crate::Control;
use crate::error::{Error, Result};

impl Control {
    /// The head of a function, or AWS' words for one that is not there, naming it as the caller did.
    pub(crate) async fn head(&self, reference: &FunctionReference) -> Result<Arc<FunctionHead>> {
        let entry = self.functions.get(&self.key(&reference.function)).await?;
        entry.map(|entry| entry.value).ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })
    }
}

/// The head within an update of it, or AWS' words for a function that is not there.
pub(crate) fn found<'a>(present: Option<&'a Entry<FunctionHead>>, arn: &str) -> Result<&'a FunctionHead> {
    present.map(|entry| &*entry.value).ok_or_else(|| Error::FunctionNotFound { arn: arn.to_owned() })
}

/// The head, if there is what the reference names; `missing` is what is said if there is not.
pub(crate) fn existing<'a>(
    present: Option<&'a Entry<FunctionHead>>,
    reference: &FunctionReference,
    missing: &str,
) -> Result<&'a FunctionHead> {
    present
        .map(|entry| &*entry.value)
        .filter(|head| head.version(reference.qualifier.as_ref()).is_some())
        .ok_or_else(|| Error::ResourceNotFound(missing.to_owned()))
}

/// Refuses a version or alias that the function does not have.
pub(crate) fn check_exists(head: &FunctionHead, reference: &FunctionReference) -> Result<()> {
    if head.version(reference.qualifier.as_ref()).is_some() {
        return Ok(());
    }
    match &reference.qualifier {
        // `$` is let through where a qualifier is read, but no alias has it.
        Some(Qualifier::Alias(name)) if !name.contains('$') => {
            Err(Error::ResourceNotFound(format!("Cannot find alias arn: {}", reference.arn())))
        }
        _ => Err(Error::FunctionNotFound { arn: reference.arn() }),
    }
}

/// The architecture that a request names, if it names one.
pub(crate) fn architecture(given: Option<&[types::Architecture]>) -> Option<Architecture> {
    given.and_then(<[_]>::first).map(|architecture| match architecture.as_str() {
        "arm64" => Architecture::Arm64,
        _ => Architecture::X86_64,
    })
}
