//! Policies: what a principal may do, and who may use a resource.
//!
//! A [`Document`] is read and compiled once. [`evaluate`] holds a [`Request`] against all the [`Policies`] that have a
//! say in it, and either lets it pass or says why not ([`Denial`]). Deciding allocates only for policies with
//! variables, and for conditions that compare what is no string as one.
//!
//! Nothing is guessed: a document with anything in it that is not understood is refused as a whole.

mod address;
mod condition;
mod context;
mod date;
mod denial;
mod document;
mod error;
mod evaluate;
mod json;
pub mod key;
mod number;
mod operator;
mod pattern;
mod principals;
mod request;
mod statement;
mod trust;
mod variable;

pub use context::{Context, Value};
pub use denial::{Denial, DenialKind, PolicyType};
pub use document::{Document, Kind};
pub use error::MalformedPolicy;
pub use evaluate::{Decision, Policies, evaluate};
pub use request::Request;
pub use trust::{ASSUME_ROLE, LAMBDA, service_may_assume};
