//! How a function's events are handled that nobody waits for: how often and how long they are tried, and where it is
//! told what became of them.
//!
//! See "Asynchronous invocation" and "Capturing records of Lambda asynchronous invocations" in the AWS Lambda developer
//! guide.

use serde::{Deserialize, Serialize};

use crate::arn::{FunctionId, Qualifier, Scope, is_account, is_region};
use crate::clock::Timestamp;

/// Retries after an error of the function, unless set otherwise.
pub const DEFAULT_RETRY_ATTEMPTS: u32 = 2;

/// Seconds that an event is kept at most, unless set otherwise: six hours.
pub const DEFAULT_EVENT_AGE_SECONDS: u32 = 21_600;

/// What is set for `$LATEST`, a version or an alias. What is not set is not shown, but has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInvokeConfig {
    /// Retries after an error of the function, 0 to 2.
    pub maximum_retry_attempts: Option<u32>,
    /// Seconds that an event is kept at most, 60 to 21,600.
    pub maximum_event_age_seconds: Option<u32>,
    /// ARN of where successes are told.
    pub on_success: Option<String>,
    /// ARN of where events go that were given up.
    pub on_failure: Option<String>,
    /// When it was last changed.
    pub last_modified: Timestamp,
}

impl EventInvokeConfig {
    /// Retries after an error of the function.
    #[must_use]
    pub fn retry_attempts(&self) -> u32 {
        self.maximum_retry_attempts.unwrap_or(DEFAULT_RETRY_ATTEMPTS)
    }

    /// Seconds that an event is kept at most.
    #[must_use]
    pub fn event_age_seconds(&self) -> u32 {
        self.maximum_event_age_seconds.unwrap_or(DEFAULT_EVENT_AGE_SECONDS)
    }
}

/// What the ARN of a destination leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A standard queue of Amazon SQS.
    Queue,
    /// A standard topic of Amazon SNS.
    Topic,
    /// A function.
    Function {
        /// Which.
        function: FunctionId,
        /// Which version or alias of it, if it is said.
        qualifier: Option<Qualifier>,
    },
    /// An event bus of Amazon EventBridge.
    EventBus,
    /// A bucket of Amazon S3. Takes only what was given up.
    Bucket,
}

/// Why an ARN is not that of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationError {
    /// No destination is of this service.
    Service,
    /// The service has destinations, but this is not one.
    Malformed,
    /// A topic that keeps the order of messages.
    FifoTopic,
}

impl Destination {
    /// Reads the ARN of a destination of a function in `here`.
    ///
    /// # Errors
    /// See [`DestinationError`].
    pub fn parse(here: &Scope, arn: &str) -> Result<Self, DestinationError> {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let &["arn", partition, service, region, account, resource] = fields.as_slice() else {
            return Err(DestinationError::Service);
        };
        let somewhere = is_region(region) && is_account(account);
        let nowhere = region.is_empty() && account.is_empty();
        let (placed, destination) = match service {
            "sqs" => (somewhere, queue(resource)),
            "sns" => (somewhere, topic(resource)?),
            "lambda" => (somewhere, function(region, account, resource)),
            "events" => (somewhere, event_bus(resource)),
            "s3" => (nowhere, bucket(resource)),
            _ => return Err(DestinationError::Service),
        };
        destination.filter(|_| placed && partition == here.partition()).ok_or(DestinationError::Malformed)
    }
}

fn queue(resource: &str) -> Option<Destination> {
    (is_name(resource) && !resource.ends_with(".fifo")).then_some(Destination::Queue)
}

fn topic(resource: &str) -> Result<Option<Destination>, DestinationError> {
    if is_name(resource) && resource.ends_with(".fifo") {
        return Err(DestinationError::FifoTopic);
    }
    Ok(is_name(resource).then_some(Destination::Topic))
}

fn function(region: &str, account: &str, resource: &str) -> Option<Destination> {
    let rest = resource.strip_prefix("function:")?;
    let (name, qualifier) = match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    };
    if !is_name(name) || qualifier.is_some_and(|text| !is_name(text.strip_prefix('$').unwrap_or(text))) {
        return None;
    }
    let scope = Scope { account: account.to_owned(), region: region.to_owned() };
    Some(Destination::Function {
        function: FunctionId { scope, name: name.to_owned() },
        qualifier: qualifier.map(Qualifier::parse),
    })
}

/// The names of buses of partners have slashes in them.
fn event_bus(resource: &str) -> Option<Destination> {
    let name = resource.strip_prefix("event-bus/")?;
    (!name.is_empty() && name.split('/').all(is_name)).then_some(Destination::EventBus)
}

fn bucket(resource: &str) -> Option<Destination> {
    is_name(resource).then_some(Destination::Bucket)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arn: &str) -> Result<Destination, DestinationError> {
        let here = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        Destination::parse(&here, arn)
    }

    #[test]
    fn five_services_have_destinations() {
        for (arn, destination) in [
            ("arn:aws:sqs:eu-west-1:123456789012:q", Destination::Queue),
            ("arn:aws:sqs:us-east-1:999999999999:q-2_x", Destination::Queue),
            ("arn:aws:sns:eu-west-1:123456789012:t", Destination::Topic),
            ("arn:aws:events:eu-west-1:123456789012:event-bus/default", Destination::EventBus),
            ("arn:aws:events:eu-west-1:123456789012:event-bus/aws.partner/a.com/b", Destination::EventBus),
            ("arn:aws:s3:::bucket.of-mine", Destination::Bucket),
        ] {
            assert_eq!(parse(arn), Ok(destination), "{arn}");
        }
        for arn in ["arn:aws:iam:eu-west-1:123456789012:function:f", "kafka://topic", "arn:aws:kinesis", ""] {
            assert_eq!(parse(arn), Err(DestinationError::Service), "{arn}");
        }
    }

    #[test]
    fn what_the_services_have_else_is_no_destination() {
        for arn in [
            "arn:aws:sqs:eu-west-1:123456789012:",
            "arn:aws:sqs:eu-west-1:123456789012:q:x",
            "arn:aws:sqs:::q",
            "arn:aws:sqs:eu-west-1:12345:q",
            "arn:aws-cn:sqs:eu-west-1:123456789012:q",
            "arn:aws:sqs:eu-west-1:123456789012:q.fifo",
            "arn:aws:sns:eu-west-1:123456789012::t",
            "arn:aws:events:eu-west-1:123456789012:rule/x",
            "arn:aws:events:eu-west-1:123456789012:event-bus/",
            "arn:aws:events:eu-west-1:123456789012:event-bus/a//b",
            "arn:aws:s3:eu-west-1:123456789012:bucket",
            "arn:aws:s3:::bucket/key",
            "arn:aws:lambda:eu-west-1:123456789012:layer:l",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "arn:aws:lambda:eu-west-1:123456789012:function:f:",
            "arn:aws:lambda:eu-west-1:123456789012:function:f:$",
            "arn:aws:lambda:eu-west-1:123456789012:function:f:1:2",
        ] {
            assert_eq!(parse(arn), Err(DestinationError::Malformed), "{arn}");
        }
        let fifo = parse("arn:aws:sns:eu-west-1:123456789012:t.fifo");
        assert_eq!(fifo, Err(DestinationError::FifoTopic));
    }

    #[test]
    fn functions_may_be_qualified() {
        for (end, qualifier) in [
            ("f", None),
            ("f:1", Some(Qualifier::Version(1))),
            ("f:$LATEST", Some(Qualifier::Latest)),
            ("f:x", Some(Qualifier::Alias("x".into()))),
        ] {
            let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{end}");
            match parse(&arn).unwrap() {
                Destination::Function { function, qualifier: found } => {
                    assert_eq!(function.arn(), "arn:aws:lambda:eu-west-1:123456789012:function:f");
                    assert_eq!(found, qualifier);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_set_has_defaults() {
        let nothing = EventInvokeConfig {
            maximum_retry_attempts: None,
            maximum_event_age_seconds: None,
            on_success: None,
            on_failure: None,
            last_modified: Timestamp::from_millis(0),
        };
        assert_eq!((nothing.retry_attempts(), nothing.event_age_seconds()), (2, 21_600));
        let set = EventInvokeConfig { maximum_retry_attempts: Some(0), ..nothing };
        assert_eq!(set.retry_attempts(), 0);
    }
}
