//! The managed runtimes that AWS names, and when each may no longer be chosen.
//!
//! See "Lambda runtimes" in the AWS Lambda developer guide. Whether this machine can run one of them is another
//! question: see [`Runtimes`](crate::Runtimes).

use rushlight_model::clock::Timestamp;

use crate::error::{Error, Result};

/// A runtime identifier with its calendar.
struct ManagedRuntime {
    identifier: &'static str,
    /// From this day (`YYYY-MM-DD`, UTC) no function is created with it.
    block_create: Option<&'static str>,
    /// From this day no function that has it is updated.
    block_update: Option<&'static str>,
    snap_start: bool,
}

const fn runtime(
    identifier: &'static str,
    block_create: Option<&'static str>,
    block_update: Option<&'static str>,
) -> ManagedRuntime {
    ManagedRuntime { identifier, block_create, block_update, snap_start: false }
}

const fn snap_start(runtime: ManagedRuntime) -> ManagedRuntime {
    ManagedRuntime { snap_start: true, ..runtime }
}

/// In the order in which AWS lists them when it refuses an unknown one. That is the order of a Java hash set: by
/// `(hash ^ hash >>> 16) % 64` of the identifier.
const RUNTIMES: &[ManagedRuntime] = &[
    runtime("nodejs20.x", Some("2027-02-01"), Some("2027-03-03")),
    snap_start(runtime("python3.14", Some("2029-07-31"), Some("2029-08-31"))),
    runtime("provided.al2023", Some("2029-07-31"), Some("2029-08-31")),
    snap_start(runtime("python3.15", None, None)),
    snap_start(runtime("python3.12", Some("2028-11-30"), Some("2029-01-10"))),
    snap_start(runtime("python3.13", Some("2029-07-31"), Some("2029-08-31"))),
    runtime("nodejs24.x", Some("2028-06-01"), Some("2028-07-01")),
    runtime("nodejs22.x", Some("2027-06-01"), Some("2027-07-01")),
    snap_start(runtime("java25", Some("2029-07-31"), Some("2029-08-31"))),
    runtime("nodejs26.x", None, None),
    runtime("python3.10", Some("2027-02-01"), Some("2027-03-03")),
    runtime("python3.11", Some("2027-07-31"), Some("2027-08-31")),
    snap_start(runtime("java21", Some("2029-07-31"), Some("2029-08-31"))),
    runtime("ruby3.3", Some("2027-04-30"), Some("2027-05-31")),
    runtime("ruby3.4", Some("2028-04-30"), Some("2028-05-31")),
    runtime("ruby4.0", Some("2029-04-30"), Some("2029-05-31")),
    runtime("ruby3.2", Some("2027-02-01"), Some("2027-03-03")),
    runtime("python3.8", Some("2027-02-01"), Some("2027-03-03")),
    runtime("python3.9", Some("2027-02-01"), Some("2027-03-03")),
    snap_start(runtime("java17.al2023", None, None)),
    snap_start(runtime("java17", Some("2027-07-31"), Some("2027-08-31"))),
    runtime("nodejs16.x", Some("2027-02-01"), Some("2027-03-03")),
    snap_start(runtime("dotnet10", Some("2028-12-14"), Some("2029-01-15"))),
    snap_start(runtime("dotnet8", Some("2027-02-01"), Some("2027-03-03"))),
    runtime("java8.al2023", None, None),
    snap_start(runtime("java11", Some("2027-07-31"), Some("2027-08-31"))),
    runtime("dotnet6", Some("2027-02-01"), Some("2027-03-03")),
    runtime("nodejs18.x", Some("2027-02-01"), Some("2027-03-03")),
    runtime("provided.al2", Some("2027-02-01"), Some("2027-03-03")),
    runtime("java8.al2", Some("2027-07-31"), Some("2027-08-31")),
    snap_start(runtime("java11.al2023", None, None)),
    // No longer offered for new functions, so not in AWS' list.
    runtime("java8", Some("2024-02-08"), Some("2027-03-03")),
    runtime("go1.x", Some("2024-02-08"), Some("2027-03-03")),
    runtime("provided", Some("2024-02-08"), Some("2027-03-03")),
    runtime("nodejs14.x", Some("2024-01-09"), Some("2027-03-03")),
    runtime("python3.7", Some("2024-01-09"), Some("2027-03-03")),
    runtime("ruby2.7", Some("2024-01-09"), Some("2027-03-03")),
    runtime("dotnetcore3.1", Some("2023-04-03"), Some("2023-05-03")),
    runtime("nodejs12.x", Some("2023-03-31"), Some("2023-04-30")),
    runtime("python3.6", Some("2022-07-18"), Some("2022-08-29")),
    runtime("dotnetcore2.1", Some("2022-01-05"), Some("2022-04-13")),
    runtime("nodejs10.x", Some("2021-07-30"), Some("2022-02-14")),
    runtime("ruby2.5", Some("2021-07-30"), Some("2022-03-31")),
    runtime("python2.7", Some("2021-07-15"), Some("2022-05-30")),
    runtime("nodejs8.10", Some("2020-02-04"), Some("2020-03-06")),
    runtime("nodejs6.10", Some("2019-07-12"), Some("2019-08-12")),
    runtime("dotnetcore2.0", Some("2019-04-30"), Some("2019-05-30")),
    runtime("dotnetcore1.0", Some("2019-06-27"), Some("2019-07-30")),
    runtime("nodejs4.3", Some("2020-02-04"), Some("2020-03-06")),
    runtime("nodejs4.3-edge", Some("2019-03-31"), Some("2019-04-30")),
    runtime("nodejs", Some("2016-10-31"), Some("2016-10-31")),
];

fn find(identifier: &str) -> Option<&'static ManagedRuntime> {
    RUNTIMES.iter().find(|runtime| runtime.identifier == identifier)
}

fn has_come(day: Option<&str>, now: Timestamp) -> bool {
    day.is_some_and(|day| now.format("%Y-%m-%d").as_str() >= day)
}

/// Refuses an identifier that a function cannot be given at this time.
pub(super) fn check_choice(identifier: &str, now: Timestamp) -> Result<()> {
    match find(identifier) {
        None => Err(unknown(identifier, now)),
        Some(runtime) if has_come(runtime.block_create, now) => Err(no_longer_supported(identifier)),
        Some(_) => Ok(()),
    }
}

/// Refuses an identifier that AWS never named.
pub(super) fn check_known(identifier: &str, now: Timestamp) -> Result<()> {
    find(identifier).map_or_else(|| Err(unknown(identifier, now)), |_| Ok(()))
}

/// Refuses an update that leaves a function with a runtime whose functions are no longer updated.
pub(super) fn check_update(identifier: &str, now: Timestamp) -> Result<()> {
    match find(identifier) {
        Some(runtime) if has_come(runtime.block_update, now) => Err(no_longer_supported(identifier)),
        _ => Ok(()),
    }
}

/// Refuses SnapStart where the runtime has none.
pub(super) fn check_snap_start(identifier: &str) -> Result<()> {
    match find(identifier) {
        Some(runtime) if runtime.snap_start => Ok(()),
        _ => Err(Error::invalid(format!("{identifier} is not supported for SnapStart enabled functions."))),
    }
}

/// The identifiers that functions can be given, in AWS' order.
pub(crate) fn offered(now: Timestamp) -> Vec<&'static str> {
    RUNTIMES
        .iter()
        .filter(|runtime| !has_come(runtime.block_create, now))
        .map(|runtime| runtime.identifier)
        .collect()
}

fn unknown(identifier: &str, now: Timestamp) -> Error {
    let offered = offered(now);
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

    /// 23 November 2026.
    const TODAY: Timestamp = Timestamp::from_millis(1_795_392_000_000);

    fn on(day: &str) -> Timestamp {
        (0..4000)
            .map(|days| Timestamp::from_millis(TODAY.as_millis() + days * 86_400_000))
            .find(|time| time.format("%Y-%m-%d") == day)
            .unwrap()
    }

    #[test]
    fn an_unknown_runtime_is_answered_with_the_list() {
        assert_eq!(
            check_choice("Python3.12", TODAY).unwrap_err().to_string(),
            "Value Python3.12 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
             [nodejs20.x, python3.14, provided.al2023, python3.15, python3.12, python3.13, nodejs24.x, nodejs22.x, \
             java25, nodejs26.x, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby4.0, ruby3.2, python3.8, \
             python3.9, java17.al2023, java17, nodejs16.x, dotnet10, dotnet8, java8.al2023, java11, dotnet6, \
             nodejs18.x, provided.al2, java8.al2, java11.al2023] or be a valid ARN"
        );
    }

    #[test]
    fn the_list_is_in_the_order_of_a_hash_set() {
        let bucket = |identifier: &str| {
            let hash = identifier
                .bytes()
                .fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
            (hash ^ (hash >> 16)) % 64
        };
        let offered = RUNTIMES
            .iter()
            .filter(|runtime| !has_come(runtime.block_create, TODAY))
            .map(|runtime| bucket(runtime.identifier));
        assert!(offered.is_sorted());
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
                check_choice(blocked, TODAY).unwrap_err().to_string(),
                format!(
                    "The runtime parameter of {blocked} is no longer supported for creating or updating AWS Lambda \
                     functions. We recommend you use a supported runtime while creating or updating functions."
                )
            );
        }
    }

    #[test]
    fn a_runtime_ends_on_its_days() {
        assert!(check_choice("python3.12", on("2028-11-29")).is_ok());
        assert!(check_choice("python3.12", on("2028-11-30")).is_err());
        assert!(check_update("python3.12", on("2029-01-09")).is_ok());
        assert!(check_update("python3.12", on("2029-01-10")).is_err());
    }

    #[test]
    fn snap_start_is_for_some() {
        assert!(check_snap_start("python3.12").is_ok());
        assert_eq!(
            check_snap_start("nodejs22.x").unwrap_err().to_string(),
            "nodejs22.x is not supported for SnapStart enabled functions."
        );
        assert!(check_snap_start("python3.11").is_err());
    }

    /// The catalogue that the environment starts runtimes from holds the same days.
    #[test]
    fn dates_agree_with_the_catalogue() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes");
        let mut compared = 0;
        for folder in std::fs::read_dir(root).unwrap() {
            let Ok(text) = std::fs::read_to_string(folder.unwrap().path().join("runtime.toml")) else {
                continue;
            };
            let catalogue: toml::Table = text.parse().unwrap();
            let identifier = catalogue["identifier"].as_str().unwrap();
            let day = |key| catalogue["dates"].get(key).and_then(|day| day.as_str());
            let runtime = find(identifier).unwrap();
            // The catalogue leaves out days that were past when it was made.
            if let Some(day) = day("block-create") {
                assert_eq!(runtime.block_create, Some(day), "{identifier}");
            }
            assert_eq!(runtime.block_update, day("block-update"), "{identifier}");
            let snap_start = catalogue["features"]
                .as_array()
                .unwrap()
                .iter()
                .any(|feature| feature.as_str() == Some("snap-start"));
            assert_eq!(runtime.snap_start, snap_start, "{identifier}");
            compared += 1;
        }
        assert!(compared >= 10, "only {compared} runtimes found");
    }
}
