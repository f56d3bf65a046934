//! The control plane on a real store in a temporary directory, with real archives, without HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that does not go as it should ends there.

mod answers;
mod capacity_provider;
mod code_rules;
mod code_signing_config;
mod crashes;
mod event_invoke_config;
mod event_source_mapping;
mod function_scaling;
mod function_url;
mod images;
mod layer;
mod lists;
mod managed_instances;
mod permission;
mod races;
mod removal;
mod restarts;
mod rules;
mod runtime_management;
mod sequences;
mod states;
mod tags;
mod versions;
mod world;
