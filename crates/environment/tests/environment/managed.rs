//! Managed runtimes through their clients.

use rushlight_environment::Wanted;
use rushlight_model::invocation::{Outcome, ReportStatus};

use rushlight_sandbox::Isolation;

use crate::support::{Function, everywhere, invocation, settle};

#[tokio::test(flavor = "multi_thread")]
async fn python_says_hello_twice_from_one_process() {
    let code = "import os\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    print('on stdout')\n    return {'hello': event['name'], 'count': count, 'pid': os.getpid(), 'id': context.aws_request_id}\n";
    everywhere(
        || Function::python(code),
        async |subject, _| {
            let first = invocation(r#"{"name":"one"}"#);
            let id = first.request_id;
            let (outcome, finished) =
                settle(subject.environment.invoke(first, Wanted { log_tail: true, stream: false }).unwrap())
                    .await;
            let value: serde_json::Value = serde_json::from_slice(outcome.payload()).unwrap();
            assert_eq!(
                (&value["hello"], &value["count"], &value["id"]),
                (&"one".into(), &1.into(), &id.to_string().into())
            );
            assert!(finished.report.init_duration.is_some());
            assert_eq!(finished.report.status, ReportStatus::Done);

            let (again, finished) = subject.invoke(r#"{"name":"two"}"#).await;
            let again: serde_json::Value = serde_json::from_slice(again.payload()).unwrap();
            assert_eq!((&again["count"], &again["pid"]), (&2.into(), &value["pid"]));
            assert!(finished.report.init_duration.is_none());

            let tail = String::from_utf8(finished.log_tail.unwrap().to_vec()).unwrap();
            let lines: Vec<&str> = tail.lines().collect();
            assert!(
                lines[0].starts_with("START RequestId: ") && lines[0].ends_with(" Version: $LATEST"),
                "{tail}"
            );
            assert_eq!(lines[1], "on stdout");
            assert!(lines[2].starts_with("END RequestId: "), "{tail}");
            assert!(lines[3].starts_with("REPORT RequestId: ") && lines[3].ends_with(" MB\t"), "{tail}");

            let log = subject.log.lines();
            assert!(log[0].starts_with("INIT_START Runtime Version: python:3."), "{log:?}");
            assert!(log[0].contains("\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:"));
            assert!(log[1].starts_with(&format!("START RequestId: {id} Version: $LATEST")), "{log:?}");
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_says_hello() {
    let code = "exports.handler = async (event) => { console.log('hi'); return { hello: event.name }; };";
    everywhere(
        || Function::node(code),
        async |subject, _| {
            assert_eq!(subject.result(r#"{"name":"node"}"#).await, r#"{"hello":"node"}"#);
            assert!(
                subject.log.lines().iter().any(|line| line.ends_with("\tINFO\thi")),
                "{:?}",
                subject.log.lines()
            );
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_raises() {
    let code = "def handler(event, context):\n    raise ValueError('no')\n";
    everywhere(
        || Function::python(code),
        async |subject, _| {
            let (outcome, finished) = subject.invoke("{}").await;
            let Outcome::Error(error) = &outcome else { panic!("{outcome:?}") };
            assert_eq!(error.error_type, None);
            let value: serde_json::Value = serde_json::from_slice(&error.payload).unwrap();
            assert_eq!((&value["errorType"], &value["errorMessage"]), (&"ValueError".into(), &"no".into()));
            assert_eq!(finished.report.status, ReportStatus::Done);
            assert!(subject.log.has("[ERROR] ValueError: no"));
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_cannot_be_imported() {
    let code = "import nothing_of_that_name\ndef handler(event, context): pass\n";
    everywhere(
        || Function::python(code),
        async |subject, _| {
            let (outcome, finished) = subject.invoke("{}").await;
            let Outcome::Error(error) = &outcome else { panic!("{outcome:?}") };
            let value: serde_json::Value = serde_json::from_slice(&error.payload).unwrap();
            assert_eq!(value["errorType"], "Runtime.ImportModuleError");
            assert_eq!(value["requestId"], "");
            assert_eq!(finished.report.status, ReportStatus::Error("Runtime.ImportModuleError".to_owned()));
            let log = subject.log.lines();
            let reports: Vec<_> = log.iter().filter(|line| line.starts_with("INIT_REPORT")).collect();
            assert_eq!(reports.len(), 2, "once by itself, once within the invocation: {log:#?}");
            assert!(
                reports[0].ends_with("\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError")
            );
            assert!(
                reports[1].ends_with("\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError")
            );
            // It is tried again by the next invocation.
            assert_eq!(subject.failure("{}").await.0, "Runtime.ImportModuleError");
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_exits() {
    let code = "import os, signal, sys\ndef handler(event, context):\n    if event == 'kill': os.kill(os.getpid(), signal.SIGKILL)\n    os._exit(event)\n";
    everywhere(
        || Function::python(code),
        async |subject, _| {
            for (event, expected) in [
                ("0", "Error: Runtime exited without providing a reason"),
                ("3", "Error: Runtime exited with error: exit status 3"),
                ("\"kill\"", "Error: Runtime exited with error: signal: killed"),
            ] {
                let (error_type, message) = subject.failure(event).await;
                assert_eq!(error_type, "Runtime.ExitError");
                assert!(message.starts_with("RequestId: ") && message.ends_with(expected), "{message}");
            }
            assert!(subject.log.has("\tStatus: error\tError Type: Runtime.ExitError"));
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_megabytes_pass_and_one_byte_more_does_not() {
    let code = "def handler(event, context):\n    return event if isinstance(event, str) else 'x' * event\n";
    everywhere(
        || Function::python(code),
        async |subject, _| {
            // In and out: the quotes are part of the payload.
            let payload = format!("\"{}\"", "y".repeat(6 * 1024 * 1024 - 2));
            let (outcome, _) = subject.invoke(payload.clone()).await;
            assert!(outcome == Outcome::Success(payload.into()));
            let limit = 6 * 1024 * 1024 + 100;
            let (outcome, _) = subject.invoke((limit - 2).to_string()).await;
            assert_eq!(outcome.payload().len(), limit);
            let (outcome, _) = subject.invoke((limit - 1).to_string()).await;
            assert_eq!(
                crate::support::error(&outcome),
                (
                    "Function.ResponseSizeTooLarge".to_owned(),
                    "Response payload size exceeded maximum allowed payload size (6291556 bytes).".to_owned()
                )
            );
            subject.end().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_are_those_of_lambda() {
    let code = "import os\ndef handler(event, context): return dict(os.environ)\n";
    let function = || {
        let mut function = Function::python(code)?;
        function.environment.insert("OWN".to_owned(), "of the function".to_owned());
        function.environment.insert("LANG".to_owned(), "C.UTF-8".to_owned());
        Some(function)
    };
    everywhere(function, async |subject, _| {
        let variables: serde_json::Value = serde_json::from_str(&subject.result("{}").await).unwrap();
        for (name, value) in [
            ("_HANDLER", "app.handler"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &subject.environment.log_stream().stream),
            ("AWS_LAMBDA_LOG_FORMAT", "Text"),
            ("TZ", ":UTC"),
            ("LANG", "C.UTF-8"),
            ("OWN", "of the function"),
            ("_X_AMZN_TRACE_ID", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"),
        ] {
            assert_eq!(variables[name], value, "{name}");
        }
        assert!(variables["AWS_EXECUTION_ENV"].as_str().unwrap().starts_with("AWS_Lambda_python3."));
        for absent in
            ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_LEVEL", "_LAMBDA_TELEMETRY_LOG_FD"]
        {
            assert!(variables.get(absent).is_none(), "{absent}");
        }
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_is_a_kill() {
    let code =
        "held = []\ndef handler(event, context):\n    while True: held.append(bytearray(b'x' * 8_000_000))\n";
    everywhere(
        || Function::python(code),
        async |subject, isolation| {
            // Elsewhere it would be the machine's memory.
            if isolation == Isolation::Sandbox {
                let (outcome, finished) = subject.invoke("{}").await;
                let (error_type, message) = crate::support::error(&outcome);
                assert_eq!(error_type, "Runtime.OutOfMemory");
                assert!(message.ends_with("Error: Runtime exited with error: signal: killed"), "{message}");
                assert_eq!(finished.report.max_memory_used_mb, 256);
            }
            subject.end().await;
        },
    )
    .await;
}
