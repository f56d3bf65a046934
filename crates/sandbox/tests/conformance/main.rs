//! What every backend has to keep, run against every backend of the crate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says loudly what it leaves out"
)]

mod ahead;
mod attacks;
mod basics;
mod connecting;
mod daemons;
mod egress;
mod rate;
mod reaping;
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
                basics::signals_reach_one_process_and_its_group,
                basics::freezes_and_thaws,
                basics::listeners_are_reached_from_inside,
                connecting::what_listens_inside_is_reached,
                basics::shows_mounts_and_layers,
                basics::measures_memory,
                basics::destroy_ends_everything,
                basics::dropping_ends_everything,
                basics::shutdown_ends_everything,
                daemons::daemons_end_with_kill_all,
                daemons::daemons_end_with_destroy,
                daemons::daemons_end_with_the_handle,
                daemons::daemons_end_with_shutdown,
                daemons::daemons_end_with_their_sandbox_only,
                daemons::daemons_are_frozen_and_thawed,
                daemons::daemons_are_measured,
                daemons::a_daemon_cannot_run_away,
            ]
        );
    };
}

/// The attacks that every backend with isolation withstands.
macro_rules! attacks {
    ($name:ident, $make:expr) => {
        backend!(
            $name,
            $make,
            [
                attacks::code_files_and_environment_of_others_are_out_of_sight,
                attacks::no_socket_outside_is_reached,
                connecting::nobody_outside_is_reached,
                attacks::privileged_calls_are_refused,
                attacks::what_is_read_only_stays_so,
                attacks::set_uid_programs_confer_nothing,
                attacks::a_fork_bomb_is_contained,
                attacks::a_memory_bomb_is_killed_and_recognised,
                attacks::a_disk_bomb_fills_only_its_own_tmp,
                attacks::a_descriptor_bomb_ends_at_the_limit,
                attacks::init_withstands_signals_and_orphans,
                attacks::output_that_nobody_reads_blocks_only_its_writer,
                attacks::a_blocked_sigterm_does_not_delay_the_end,
                attacks::one_sandbox_after_the_other_and_many_at_once,
                attacks::a_root_file_system_of_its_own,
                attacks::a_sandbox_is_not_named_by_a_path,
                attacks::a_failed_creation_says_which_step,
            ]
        );
    };
}

every_backend!(process, crate::support::process());
every_backend!(process_unprivileged, crate::support::process_unprivileged());
every_backend!(linux, crate::support::linux());
every_backend!(rootless, crate::support::rootless());
every_backend!(rootless_as_root, crate::support::rootless_as_root());
attacks!(linux_attacked, crate::support::linux());
attacks!(linux_ready_attacked, crate::support::linux_ready());
attacks!(rootless_attacked, crate::support::rootless());
attacks!(rootless_as_root_attacked, crate::support::rootless_as_root());
backend!(
    linux_only,
    crate::support::linux(),
    [
        attacks::a_cpu_hog_gets_its_share,
        attacks::the_host_sees_no_mounts_and_no_shared_ids,
        attacks::a_dropped_creation_leaves_nothing,
    ]
);

/// What the kernel and the jailer clear away.
macro_rules! reaping {
    ($name:ident, $make:expr) => {
        backend!(
            $name,
            $make,
            [
                reaping::a_killed_server_leaves_nothing,
                reaping::a_killed_jailer_takes_the_sandboxes_along,
                reaping::a_jailer_does_not_end_by_a_terminals_signals,
                reaping::a_server_without_its_jailer_says_so,
                reaping::a_shutdown_leaves_nothing,
            ]
        );
    };
}

reaping!(process_reaped, crate::support::process());
reaping!(process_unprivileged_reaped, crate::support::process_unprivileged());
reaping!(linux_reaped, crate::support::linux());
reaping!(rootless_reaped, crate::support::rootless());
reaping!(rootless_as_root_reaped, crate::support::rootless_as_root());

backend!(
    process_only,
    crate::support::process(),
    [
        daemons::no_program_is_beyond_the_keepers_reach,
        reaping::a_killed_keeper_takes_its_sandbox_along,
        reaping::a_keeper_does_not_end_by_a_terminals_signals,
        reaping::a_keeper_that_is_stopped_keeps_nothing_alive,
    ]
);
backend!(linux_egress, crate::support::linux(), [egress::leads_out_and_nowhere_else]);
backend!(
    linux_ready,
    crate::support::linux_ready(),
    [
        ahead::each_sandbox_has_a_network_of_its_own,
        ahead::another_wish_gets_another_network,
        ahead::what_is_ready_is_taken,
        ahead::all_is_given_back_when_nothing_is_made,
        reaping::a_shutdown_leaves_nothing,
        reaping::a_killed_server_leaves_nothing,
    ]
);

mod rates {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "measures, and takes its time"]
    async fn of_sandboxes() {
        let Some(harness) = crate::support::linux().await else { return };
        crate::rate::of_sandboxes(&harness).await;
        harness.finish().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "measures, and takes its time"]
    async fn of_rootless_sandboxes() {
        let Some(harness) = crate::support::rootless().await else { return };
        crate::rate::of_sandboxes(&harness).await;
        harness.finish().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "measures, and takes its time"]
    async fn of_sandboxes_without_isolation() {
        let Some(harness) = crate::support::process().await else { return };
        crate::rate::of_sandboxes(&harness).await;
        harness.finish().await;
    }
}
