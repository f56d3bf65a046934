//! Custom runtimes: a `bootstrap` of the function's own.

use rushlight_environment::Wanted;
use std::time::Duration;

use rushlight_model::invocation::{Outcome, ReportStatus};

use crate::support::{Function, everywhere, invocation, settle};

const ECHO: &str = "while true; do next; respond \"$event\"; done";

#[tokio::test(flavor = "multi_thread")]
async fn bash_echoes() {
    everywhere(
        || Some(Function::bash(ECHO)),
        async |subject, _| {
            assert_eq!(subject.result("{\"a\": 1}").await, "{\"a\": 1}");
            assert_eq!(subject.result("{\"b\": 2}").await, "{\"b\": 2}");
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bootstrap() {
    let without = || Some(Function::new("provided.al2023", "x", "readme.txt", "nothing to run"));
    everywhere(without, async |subject, _| {
        let (error_type, message) = subject.failure("{}").await;
        assert_eq!(error_type, "Runtime.InvalidEntrypoint");
        assert!(
            message
                .ends_with("Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
            "{message}"
        );
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timeout_keeps_tmp_and_replaces_the_process() {
    let script = "next; if [ \"$event\" = '\"sleep\"' ]; then echo kept > ${TMPDIR:-/tmp}/kept; sleep 600; fi; \
                  respond \"\\\"$(cat ${TMPDIR:-/tmp}/kept) $$\\\"\"; next";
    everywhere(
        || Some(Function::bash(script).timeout(1)),
        async |subject, _| {
            let (outcome, finished) = subject.invoke("\"sleep\"").await;
            let (error_type, message) = crate::support::error(&outcome);
            assert_eq!(error_type, "Sandbox.Timedout");
            assert!(message.ends_with("Error: Task timed out after 1.00 seconds"), "{message}");
            assert_eq!(finished.report.status, ReportStatus::Timeout);
            let duration = finished.report.duration;
            assert!(duration >= Duration::from_secs(1) && duration < Duration::from_secs(3), "{duration:?}");
            assert!(subject.log.lines().last().unwrap().ends_with("Status: timeout"));
            assert!(subject.result("{}").await.starts_with("\"kept "));
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_error_without_exit_is_ended() {
    let script = "curl -sS -X POST -H 'Lambda-Runtime-Function-Error-Type: Runtime.Broken' \
                  -d '{\"errorType\":\"Runtime.Broken\",\"errorMessage\":\"by intent\"}' $api/init/error; sleep 600";
    everywhere(
        || Some(Function::bash(script)),
        async |subject, _| {
            assert_eq!(subject.failure("{}").await, ("Runtime.Broken".to_owned(), "by intent".to_owned()));
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misuse_of_the_api_is_refused_by_the_book() {
    let script = "status() { curl -sS -o ${TMPDIR:-/tmp}/body -w '%{http_code} ' \"$@\"; cat ${TMPDIR:-/tmp}/body; echo; }\n\
        status -X POST -d x $api/invocation/8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11/response\n\
        next\n\
        status $api/invocation/next\n\
        status -X POST -d x $api/invocation/8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11/response\n\
        status -X POST -d x $api/invocation/nonsense/error\n\
        status -X POST -H 'Lambda-Runtime-Invocation-Id: 8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11' -d x $api/invocation/$id/response\n\
        status $api/nothing\n\
        status -X DELETE $api/invocation/next\n\
        status ${api%/runtime}/ping\n\
        respond '\"good\"'\n\
        status -X POST -d '\"twice\"' $api/invocation/$id/response\n\
        status -X POST -d '{}' $api/invocation/$id/error\n\
        next";
    everywhere(|| Some(Function::bash(script)), async |subject, _| {
        assert_eq!(subject.result("{}").await, "\"good\"");
        let log = subject.log.lines();
        let answers: Vec<&str> = log
            .iter()
            .map(String::as_str)
            .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
            .collect();
        let invalid_id = r#"400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#;
        let refused = |from: &str, to: &str| {
            format!(
                r#"403 {{"errorMessage":"State transition from {from} to {to} failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}}"#
            )
        };
        assert_eq!(
            answers,
            [
                invalid_id,
                &refused("Running", "Ready"),
                invalid_id,
                invalid_id,
                r#"400 {"errorMessage":"Invalid invocation ID","errorType":"InvalidInvocationId"}"#,
                "404 404 page not found",
                "405 ",
                "200 pong",
                &refused("RuntimeResponseSentState", "InvocationResponse"),
                &refused("RuntimeResponseSentState", "InvocationErrorResponse"),
            ],
            "{log:#?}"
        );
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_ends_before_the_end_line() {
    let script = "next; for i in $(seq 20000); do echo \"line $i of the flood\"; done; respond '1'; next; respond '2'; next";
    everywhere(
        || Some(Function::bash(script)),
        async |subject, _| {
            let (_, finished) = subject.invoke("{}").await;
            let log = subject.log.lines();
            assert_eq!(log.iter().filter(|line| line.contains("of the flood")).count(), 20_000);
            assert!(log[log.len() - 2].starts_with("END ") && log[log.len() - 1].starts_with("REPORT "));
            assert_eq!(finished.log_tail.unwrap().len(), 4096);
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_holds_the_pipe_does_not_hold_the_environment() {
    let script = "next; (while true; do echo still here; sleep 0.05; done) & respond '1'; next; exit 3";
    everywhere(
        || Some(Function::bash(script)),
        async |subject, _| {
            assert_eq!(subject.result("{}").await, "1");
            let (error_type, _) = subject.failure("{}").await;
            assert_eq!(error_type, "Runtime.ExitError");
            // The child went with the process: nothing is written any more.
            let before = subject.log.lines().len();
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(subject.log.lines().len(), before);
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_after_the_answer_serves_the_caller_and_starts_anew() {
    everywhere(
        || Some(Function::bash("next; respond \"$$\"; exit 0")),
        async |subject, _| {
            let (first, finished) = subject.invoke("{}").await;
            assert!(matches!(first, Outcome::Success(_)));
            assert_eq!(finished.report.status, ReportStatus::Error("Runtime.ExitError".to_owned()));
            subject.told.wait_idle(1).await;
            let (second, _) = subject.invoke("{}").await;
            assert!(matches!(second, Outcome::Success(_)) && first != second);
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_environments_serve_the_next_invocation() {
    everywhere(
        || Some(Function::bash(ECHO)),
        async |subject, _| {
            assert_eq!(subject.result("1").await, "1");
            subject.told.wait_idle(1).await;
            subject.environment.freeze().await;
            assert_eq!(subject.result("2").await, "2");
            subject.told.wait_idle(2).await;
            subject.environment.freeze().await;
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_can_invoke_from_within_idle() {
    everywhere(
        || Some(Function::bash(ECHO)),
        async |subject, _| {
            let queued: Vec<_> =
                (0..5).map(|number| subject.told.enqueue(invocation(number.to_string()))).collect();
            assert_eq!(subject.result("\"first\"").await, "\"first\"");
            for (number, running) in queued.into_iter().enumerate() {
                let (outcome, _) = settle(running.await.unwrap()).await;
                assert_eq!(outcome, Outcome::Success(number.to_string().into()));
            }
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_cuts_an_invocation() {
    everywhere(
        || Some(Function::bash("next; sleep 600")),
        async |subject, _| {
            let running = subject.environment.invoke(invocation("{}"), Wanted::default()).unwrap();
            assert!(subject.environment.invoke(invocation("{}"), Wanted::default()).is_err());
            subject.environment.shutdown().await;
            let (outcome, finished) = settle(running).await;
            assert_eq!(crate::support::error(&outcome).0, "Sandbox.Failure");
            assert_eq!(finished.report.status, ReportStatus::Error("Sandbox.Failure".to_owned()));
            assert!(subject.environment.invoke(invocation("{}"), Wanted::default()).is_err());
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_without_owner_ends_itself() {
    everywhere(
        || Some(Function::bash(ECHO)),
        async |subject, _| {
            let crate::support::Subject { environment, told, tracker, .. } = subject;
            drop(told);
            tracker.close();
            tokio::time::timeout(crate::support::PATIENCE, tracker.wait()).await.unwrap();
            assert!(environment.invoke(invocation("{}"), Wanted::default()).is_err());
        },
    )
    .await;
}
