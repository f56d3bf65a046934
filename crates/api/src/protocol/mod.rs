//! How requests and answers look on the wire, per protocol of the AWS services.

pub mod aws_json;
pub mod event_stream;
pub mod query;
pub mod rest_json;
