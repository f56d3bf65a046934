//! SigV4 from the outside: AWS' published vectors, the SDK's own signer as an oracle, and attacks.

// The functions that tests share are not marked as tests, which is what clippy goes by.
#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod messages;
mod oracle;
mod support;
mod vectors;
