//! Whatever a stranger sends is answered, never a panic.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rushlight_api::fuzz_decode;
use rushlight_api::lambda::Operation;
use rushlight_api::logs;

/// Paths that reach an operation with arbitrary labels.
fn target() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        Just("functions".to_owned()),
        Just("layers".to_owned()),
        Just("versions".to_owned()),
        Just("invocations".to_owned()),
        Just("event-source-mappings".to_owned()),
        "[a-zA-Z0-9%:$+_.-]{0,12}",
    ];
    let date = prop_oneof![Just("2015-03-31"), Just("2018-10-31"), Just("2025-12-01"), Just("2019-09-30")];
    let query = prop_oneof![
        Just(String::new()),
        "\\?(Qualifier|MaxItems|StartedAfter|Statuses|tagKeys)=[a-zA-Z0-9%:+&=.-]{0,30}"
    ];
    (date, prop::collection::vec(segment, 0..5), query)
        .prop_map(|(date, segments, query)| format!("/{date}/{}{query}", segments.join("/")))
}

/// JSON texts whose members have the names of real ones.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "\"[^\"\\\\\\x00-\\x1f]{0,20}\"",
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let name = prop::sample::select(vec![
            "FunctionName",
            "Role",
            "Code",
            "ZipFile",
            "Environment",
            "Variables",
            "Layers",
            "VpcConfig",
            "SubnetIds",
            "Tags",
            "FilterCriteria",
            "Filters",
            "Pattern",
            "StartingPositionTimestamp",
            "SelfManagedEventSource",
            "Endpoints",
            "KAFKA_BOOTSTRAP_SERVERS",
            "Updates",
            "Error",
            "logGroupName",
            "logStreamName",
            "logEvents",
            "timestamp",
            "message",
            "RoutingConfig",
            "AdditionalVersionWeights",
            "1",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|entries| format!("[{}]", entries.join(","))),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz_decode(&data);
    }

    #[test]
    fn arbitrary_members(method in "(GET|POST|PUT|DELETE)", target in target(), header in "[ -~]{0,10}", json in json()) {
        fuzz_decode(format!("{method} {target}\n{header}\n{json}").as_bytes());
    }

    #[test]
    fn every_json_for_every_operation(json in json()) {
        use rushlight_api::{Labels, Query, lambda};
        let (labels, query) = (Labels::decode(["f", "1", "s"]), Query::default());
        for operation in Operation::ALL {
            let _ = lambda::decode::check(operation, &labels, &query, &http::HeaderMap::new(), json.clone().into());
        }
        for operation in logs::Operation::ALL {
            let _ = logs::decode::check(operation, json.clone().into());
        }
    }
}
