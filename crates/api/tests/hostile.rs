//! Whatever a stranger sends is answered, never a panic.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rushlight_api::fuzz_decode;
use rushlight_api::lambda::Operation;
use rushlight_api::protocol::query::parse_form;
use rushlight_api::{iam, logs, sts};

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

/// Forms whose parameters have the names of real ones, at indices that nobody would use.
fn form() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        prop::sample::select(vec![
            "RoleName",
            "Tags",
            "TagKeys",
            "PolicyArns",
            "ProvidedContexts",
            "Key",
            "Value",
            "arn",
            "MaxItems",
            "DurationSeconds",
            "SetAsDefault",
            "Status",
            "member",
            "1",
            "0",
            "4000000000",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z0-9%+ -]{0,4}",
    ];
    let name = prop::collection::vec(segment, 0..6).prop_map(|segments| segments.join("."));
    let value = prop_oneof![Just(String::new()), Just("true".to_owned()), "[0-9-]{1,20}", "[^&]{0,10}"];
    let pair = (name, value).prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..12).prop_map(|pairs| pairs.join("&"))
}

fn check_form(body: &[u8]) {
    let Ok(form) = parse_form(body) else { return };
    for operation in iam::Operation::ALL {
        let _ = iam::decode::check(operation, &form);
    }
    for operation in sts::Operation::ALL {
        let _ = sts::decode::check(operation, &form);
    }
}

#[test]
fn forms_meant_to_exhaust_us() {
    let deep = format!("Tags{}=x", ".member.1".repeat(500_000));
    let wide: Vec<String> = (0..9_000_u64).map(|at| format!("Tags.member.{}.Key=k", at * 477_218)).collect();
    let same = "Tags.member.1.Key=k&".repeat(9_000);
    let crossed: Vec<String> = (0..9_000).map(|at| format!("{}.{at}={at}", at % 95)).collect();
    let many = "&".repeat(1_000_000);
    for body in [deep, wide.join("&"), same, crossed.join("&"), many] {
        check_form(body.as_bytes());
    }
}

proptest! {
    #[test]
    fn arbitrary_forms(form in form(), data in prop::collection::vec(any::<u8>(), 0..100)) {
        check_form(form.as_bytes());
        check_form(&data);
        fuzz_decode(format!("TagRole\n\n{form}").as_bytes());
    }

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
