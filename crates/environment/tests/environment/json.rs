//! Structured logs, wrapper scripts and the AWS endpoint.

use crate::support::{Function, everywhere};

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_are_objects_and_filtered_by_level() {
    let code = "import logging\nlog = logging.getLogger()\ndef handler(event, context):\n    log.info('kept')\n    log.debug('dropped')\n";
    let function = || {
        let mut function = Function::python(code)?;
        function.json_logs = true;
        Some(function)
    };
    everywhere(function, async |subject, _| {
        assert_eq!(subject.result("{}").await, "null");
        let log = subject.log.lines();
        let events: Vec<serde_json::Value> =
            log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> =
            events.iter().map(|event| event["type"].as_str().unwrap_or("application")).collect();
        assert_eq!(
            kinds,
            ["platform.initStart", "platform.start", "application", "platform.report"],
            "{log:#?}"
        );
        assert_eq!((&events[2]["message"], &events[2]["level"]), (&"kept".into(), &"INFO".into()));
        assert_eq!(events[3]["record"]["status"], "success");
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_starts_the_runtime() {
    let code = "import os\ndef handler(event, context): return os.environ['FROM_WRAPPER']\n";
    let function = || {
        let mut function = Function::python(code)?;
        let wrapper = "#!/bin/sh\nFROM_WRAPPER=yes exec \"$@\"\n";
        function.files.push(("wrapper", wrapper.as_bytes().to_vec()));
        function.environment.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/var/task/wrapper".to_owned());
        Some(function)
    };
    everywhere(function, async |subject, _| {
        assert_eq!(subject.result("{}").await, "\"yes\"");
        subject.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_that_is_not_there_ends_with_127() {
    let function = || {
        let mut function = Function::python("def handler(event, context): pass\n")?;
        function.environment.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/none".to_owned());
        Some(function)
    };
    everywhere(function, async |subject, _| {
        let (error_type, message) = subject.failure("{}").await;
        assert_eq!(error_type, "Runtime.ExitError");
        assert!(message.ends_with("Error: Runtime exited with error: exit status 127"), "{message}");
        assert!(subject.log.has("/opt/none: does not exist"), "{:?}", subject.log.lines());
        subject.end().await;
    })
    .await;
}
