//! What every backend has to keep, run against every backend of the crate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod basics;
mod support;

/// Makes a module of tests for one backend: `backend!(name, maker, [group::test, …])`.
macro_rules! backend {
    ($name:ident, $make:expr, [$($group:ident :: $test:ident),* $(,)?]) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let Some(harness) = $make.await else { return };
                    crate::$group::$test(&harness).await;
                    harness.finish().await;
                }
            )*
        }
    };
}

/// The tests that every backend passes.
macro_rules! every_backend {
    ($name:ident, $make:expr) => {
        backend!(
            $name,
            $make,
            [
                basics::runs_a_program_and_reports_its_output_and_status,
                basics::reports_the_signal_that_ended_a_process,
                basics::says_why_a_program_cannot_be_executed,
                basics::hands_over_the_environment_and_nothing_else,
                basics::gives_a_log_descriptor_when_asked,
                basics::kill_all_ends_children_too_and_the_sandbox_runs_on,
                basics::freezes_and_thaws,
                basics::listeners_are_reached_from_inside,
                basics::shows_mounts_and_layers,
                basics::measures_memory,
                basics::destroy_ends_everything,
                basics::dropping_ends_everything,
                basics::shutdown_ends_everything,
            ]
        );
    };
}

every_backend!(process, crate::support::process());
every_backend!(linux, crate::support::linux());
