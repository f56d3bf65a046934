//! The managed runtimes that AWS names, and when each may no longer be chosen.
//!
//! Whether this machine can run one of them is another question: see [`Runtimes`](crate::Runtimes).

use rushlight_model::clock::Timestamp;
use rushlight_runtimes::calendar::{self, Policy};

use crate::error::{Error, Result};

/// Refuses an identifier that a function cannot be given at this time.
pub(super) fn check_choice(identifier: &str, policy: Policy, now: Timestamp) -> Result<()> {
    match calendar::find(identifier) {
        None => Err(unknown(identifier, policy, now)),
        Some(runtime) if !runtime.is_offered(policy, now) => Err(no_longer_supported(identifier)),
        Some(_) => Ok(()),
    }
}

/// Refuses an identifier that AWS never named.
pub(super) fn check_known(identifier: &str, policy: Policy, now: Timestamp) -> Result<()> {
    calendar::find(identifier).map_or_else(|| Err(unknown(identifier, policy, now)), |_| Ok(()))
}

/// Refuses an update that leaves a function with a runtime whose functions are no longer updated.
pub(super) fn check_update(identifier: &str, policy: Policy, now: Timestamp) -> Result<()> {
    match calendar::find(identifier) {
        Some(runtime) if !runtime.is_updated(policy, now) => Err(no_longer_supported(identifier)),
        _ => Ok(()),
    }
}

/// Refuses SnapStart where the runtime has none.
pub(super) fn check_snap_start(identifier: &str) -> Result<()> {
    match calendar::find(identifier) {
        Some(runtime) if runtime.has_snap_start() => Ok(()),
        _ => Err(Error::invalid(format!("{identifier} is not supported for SnapStart enabled functions."))),
    }
}

/// The identifiers that functions can be given, in AWS' order.
pub(crate) fn offered(policy: Policy, now: Timestamp) -> Vec<&'static str> {
    let offered = calendar::all().iter().filter(|runtime| runtime.is_offered(policy, now));
    offered.map(|runtime| runtime.identifier.as_str()).collect()
}

fn unknown(identifier: &str, policy: Policy, now: Timestamp) -> Error {
    let offered = offered(policy, now);
    Error::invalid(format!(
        "Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be \
         a valid ARN",
        offered.join(", ")
    ))
}

fn no_longer_supported(identifier: &str) -> Error {
    Error::invalid(format!(
        "The runtime parameter of {identifier} is no longer supported for creating or updating AWS Lambda functions. \
         We recommend you use a supported runtime while creating or updating functions."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy::Current;

    fn today() -> Timestamp {
        Timestamp::from_day("2026-11-23").unwrap()
    }

    #[test]
    fn an_unknown_runtime_is_answered_with_the_list() {
        let refusal = check_choice("Python3.12", POLICY, today()).unwrap_err().to_string();
        let begin = "Value Python3.12 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
                     [nodejs20.x, python3.14, ";
        assert!(
            refusal.starts_with(begin) && refusal.ends_with(", java11.al2023] or be a valid ARN"),
            "{refusal}"
        );
        assert_eq!(check_known("Python3.12", POLICY, today()).unwrap_err().to_string(), refusal);
        assert!(check_known("python2.7", POLICY, today()).is_ok());
    }

    #[test]
    fn blocked_runtimes_say_so() {
        for blocked in [
            "python3.7",
            "nodejs12.x",
            "nodejs14.x",
            "java8",
            "go1.x",
            "provided",
            "ruby2.7",
            "dotnetcore3.1",
        ] {
            assert_eq!(
                check_choice(blocked, POLICY, today()).unwrap_err().to_string(),
                format!(
                    "The runtime parameter of {blocked} is no longer supported for creating or updating AWS Lambda \
                     functions. We recommend you use a supported runtime while creating or updating functions."
                )
            );
        }
        assert!(check_update("python3.7", POLICY, today()).is_ok());
        assert!(check_update("python2.7", POLICY, today()).is_err());
    }

    #[test]
    fn snap_start_is_for_some() {
        assert!(check_snap_start("python3.12").is_ok());
        assert_eq!(
            check_snap_start("nodejs22.x").unwrap_err().to_string(),
            "nodejs22.x is not supported for SnapStart enabled functions."
        );
    }
}
