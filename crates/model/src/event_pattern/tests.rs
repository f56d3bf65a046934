use proptest::prelude::*;
use serde_json::json;

use super::*;

fn matches(pattern: &Value, event: &Value) -> bool {
    EventPattern::parse(&pattern.to_string()).unwrap().matches(event)
}

/// `{"a": [matcher]}` against `{"a": value}`.
fn value_matches(matcher: &Value, value: &Value) -> bool {
    matches(&json!({ "a": [matcher] }), &json!({ "a": value }))
}

#[track_caller]
fn check(matcher: &Value, matching: &[Value], other: &[Value]) {
    for value in matching {
        assert!(value_matches(matcher, value), "{matcher} should match {value}");
    }
    for value in other {
        assert!(!value_matches(matcher, value), "{matcher} should not match {value}");
    }
}

#[test]
fn values_match_by_type_and_value() {
    check(&json!("x"), &[json!("x"), json!(["y", "x"])], &[json!("X"), json!("xx"), json!(null), json!({})]);
    check(&json!(""), &[json!("")], &[json!(null), json!(" ")]);
    check(&json!(1), &[json!(1), json!(1.0), json!([2, 1])], &[json!("1"), json!(2), json!(true)]);
    check(&json!(300), &[json!(300.0), json!(3.0e2)], &[json!(300.1)]);
    check(
        &json!(9_007_199_254_740_993_u64),
        &[json!(9_007_199_254_740_993_u64)],
        &[json!(9_007_199_254_740_992_u64)],
    );
    check(&json!(null), &[json!(null)], &[json!("null"), json!(0), json!("")]);
    check(&json!(true), &[json!(true)], &[json!(false), json!("true")]);
}

#[test]
fn texts() {
    check(&json!({"prefix": "ab"}), &[json!("ab"), json!("abc")], &[json!("Ab"), json!("cab"), json!(1)]);
    check(&json!({"suffix": ".png"}), &[json!("a.png")], &[json!("a.PNG"), json!("png")]);
    check(&json!({"equals-ignore-case": "Straße"}), &[json!("STRAßE"), json!("straße")], &[json!("strasse")]);
    check(&json!({"prefix": {"equals-ignore-case": "AB"}}), &[json!("abc"), json!("aBc")], &[json!("ba")]);
    check(&json!({"suffix": {"equals-ignore-case": ".PnG"}}), &[json!("a.png")], &[json!("a.pn")]);
    check(&json!({"prefix": ""}), &[json!(""), json!("x")], &[json!(null)]);
}

#[test]
fn wildcards() {
    let wildcard = |text: &str| json!({ "wildcard": text });
    check(
        &wildcard("a*z"),
        &[json!("az"), json!("abcz"), json!("azz")],
        &[json!("a"), json!("zaz"), json!("az1")],
    );
    check(&wildcard("*"), &[json!(""), json!("x")], &[json!(1)]);
    check(&wildcard("ab*ba"), &[json!("abba"), json!("abxba")], &[json!("aba")]);
    check(&wildcard("*a*b*"), &[json!("ab"), json!("xaxbx")], &[json!("ba"), json!("a")]);
    check(&wildcard(r"a\*b\\*"), &[json!(r"a*b\"), json!(r"a*b\c")], &[json!(r"axb\"), json!("a*b")]);
    check(&wildcard("abc"), &[json!("abc")], &[json!("abcd")]);
}

#[test]
fn numbers() {
    let numeric = |items: Value| json!({ "numeric": items });
    check(&numeric(json!(["=", 5])), &[json!(5), json!(5.0)], &[json!(4), json!("5")]);
    check(&numeric(json!([">", 0, "<=", 5])), &[json!(0.1), json!(5)], &[json!(0), json!(5.1)]);
    check(&numeric(json!([">=", 0])), &[json!(0), json!(1e300)], &[json!(-1)]);
    check(&numeric(json!(["<", -1.5])), &[json!(-2)], &[json!(-1.5)]);
}

#[test]
fn addresses() {
    let cidr = |text: &str| json!({ "cidr": text });
    check(&cidr("10.0.0.0/24"), &[json!("10.0.0.255")], &[json!("10.0.1.0"), json!("x"), json!("::1")]);
    check(&cidr("0.0.0.0/0"), &[json!("1.2.3.4")], &[json!("1.2.3")]);
    check(&cidr("10.0.0.7"), &[json!("10.0.0.7")], &[json!("10.0.0.8")]);
    check(&cidr("2001:db8::/32"), &[json!("2001:db8:1::")], &[json!("2001:db9::"), json!("10.0.0.1")]);
}

#[test]
fn anything_but() {
    let but = |operand: Value| json!({ "anything-but": operand });
    check(&but(json!("x")), &[json!("y"), json!(1), json!(null)], &[json!("x")]);
    check(&but(json!(["x", "y"])), &[json!("z"), json!(["x", "z"])], &[json!("x"), json!(["x", "y"])]);
    check(&but(json!([1, 2])), &[json!(3), json!("1")], &[json!(1), json!(2.0)]);
    check(&but(json!({"prefix": "a"})), &[json!("b")], &[json!("a"), json!("ab")]);
    check(&but(json!({"prefix": ["a", "b"]})), &[json!("c")], &[json!("ab"), json!("ba")]);
    check(&but(json!({"suffix": "a"})), &[json!("ab")], &[json!("ba")]);
    check(&but(json!({"equals-ignore-case": ["A", "b"]})), &[json!("c")], &[json!("a"), json!("B")]);
    check(&but(json!({"wildcard": "*/lib/*"})), &[json!("/src/")], &[json!("/lib/x")]);
    assert!(!matches(&json!({"a": [but(json!("x"))]}), &json!({})), "what is absent is not anything");
}

#[test]
fn presence() {
    check(&json!({"exists": true}), &[json!(null), json!(0), json!([1])], &[json!({"b": 1}), json!([])]);
    let absent = json!({"a": {"b": [{"exists": false}]}});
    for event in
        [json!({}), json!({"a": 1}), json!({"a": {}}), json!({"a": {"b": {"c": 1}}}), json!({"a": {"b": []}})]
    {
        assert!(matches(&absent, &event), "{event}");
    }
    for event in [json!({"a": {"b": null}}), json!({"a": [{"c": 1}, {"b": 1}]})] {
        assert!(!matches(&absent, &event), "{event}");
    }
    let absent_or_small = json!({"a": [{"exists": false}, {"numeric": ["<", 5]}]});
    assert!(matches(&absent_or_small, &json!({})));
    assert!(matches(&absent_or_small, &json!({"a": 4})));
    assert!(!matches(&absent_or_small, &json!({"a": 5})));
}

#[test]
fn all_fields_must_match() {
    let pattern = json!({"a": [1], "b": {"c": ["x", "y"]}});
    assert!(matches(&pattern, &json!({"a": 1, "b": {"c": "y", "d": 0}, "e": null})));
    assert!(!matches(&pattern, &json!({"a": 1, "b": {"c": "z"}})));
    assert!(!matches(&pattern, &json!({"a": 1})));
    assert!(!matches(&pattern, &json!({"a": 1, "b": "c"})));
}

#[test]
fn fields_of_an_array_of_objects_match_within_one() {
    let pattern = json!({"a": {"b": [1], "c": [2]}});
    assert!(matches(&pattern, &json!({"a": [{"b": 0}, {"b": 1, "c": 2}]})));
    assert!(matches(&pattern, &json!({"a": [[{"b": 1, "c": 2}]]})));
    assert!(!matches(&pattern, &json!({"a": [{"b": 1, "c": 0}, {"b": 0, "c": 2}]})));
}

#[test]
fn alternatives() {
    let pattern = json!({"source": ["s"], "$or": [{"a": [1]}, {"b": [{"exists": false}], "c": ["x"]}]});
    assert!(matches(&pattern, &json!({"source": "s", "a": 1, "b": 1})));
    assert!(matches(&pattern, &json!({"source": "s", "c": "x"})));
    assert!(!matches(&pattern, &json!({"source": "s", "b": 1, "c": "x"})));
    assert!(!matches(&pattern, &json!({"source": "t", "a": 1})));
    let nested = json!({"a": {"$or": [{"b": [1]}, {"c": {"$or": [{"d": [2]}, {"e": [3]}]}}]}});
    assert!(matches(&nested, &json!({"a": {"c": {"e": 3}}})));
    assert!(!matches(&nested, &json!({"a": {"c": {"e": 2}}})));
    let field = json!({"$or": [{"prefix": "a"}, {"suffix": "z"}]});
    assert!(matches(&field, &json!({"$or": "abc"})));
    assert!(!matches(&field, &json!({"or": "abc"})));
}

#[test]
fn what_is_not_an_object_matches_nothing() {
    for event in [json!(null), json!([{"a": 1}]), json!("a")] {
        assert!(!matches(&json!({"a": [{"exists": false}]}), &event));
    }
}

#[test]
fn malformed_patterns() {
    for text in [
        "",
        "x",
        "1",
        "[]",
        r#"[{"a":[1]}]"#,
        "{}",
        r#"{"a":[1]} x"#,
        r#"{"a":[1]"#,
        r#"{"a":1}"#,
        r#"{"a":"x"}"#,
        r#"{"a":null}"#,
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        r#"{"a":[[1]]}"#,
        r#"{"a":[1],"a":[2]}"#,
        r#"{"a":[{}]}"#,
        r#"{"a":[{"b":1}]}"#,
        r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
        r#"{"a":[{"prefix":1}]}"#,
        r#"{"a":[{"prefix":["x"]}]}"#,
        r#"{"a":[{"prefix":{"suffix":"x"}}]}"#,
        r#"{"a":[{"suffix":null}]}"#,
        r#"{"a":[{"equals-ignore-case":["x"]}]}"#,
        r#"{"a":[{"exists":"true"}]}"#,
        r#"{"a":[{"wildcard":"a**"}]}"#,
        r#"{"a":[{"wildcard":"a\\x"}]}"#,
        r#"{"a":[{"wildcard":"a\\"}]}"#,
        r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#,
        r#"{"a":[{"cidr":"10.0.0/8"}]}"#,
        r#"{"a":[{"cidr":"::/129"}]}"#,
        r#"{"a":[{"numeric":5}]}"#,
        r#"{"a":[{"numeric":[]}]}"#,
        r#"{"a":[{"numeric":["<"]}]}"#,
        r#"{"a":[{"numeric":["<","5"]}]}"#,
        r#"{"a":[{"numeric":["!=",5]}]}"#,
        r#"{"a":[{"numeric":["<",5,">",1]}]}"#,
        r#"{"a":[{"numeric":["=",5,"<",6]}]}"#,
        r#"{"a":[{"numeric":[">",5,"<",5]}]}"#,
        r#"{"a":[{"numeric":[">",1,"<",5,"<",6]}]}"#,
        r#"{"a":[{"numeric":["<",5000000001]}]}"#,
        r#"{"a":[{"anything-but":[]}]}"#,
        r#"{"a":[{"anything-but":null}]}"#,
        r#"{"a":[{"anything-but":true}]}"#,
        r#"{"a":[{"anything-but":[1,"x"]}]}"#,
        r#"{"a":[{"anything-but":[null]}]}"#,
        r#"{"a":[{"anything-but":{"numeric":["<",5]}}]}"#,
        r#"{"a":[{"anything-but":{"prefix":[]}}]}"#,
        r#"{"$or":[{"a":[1]}]}"#,
        r#"{"$or":[{"a":[1]},{}]}"#,
        r#"{"$or":[{"a":[1]},{"b":2}]}"#,
        r#"{"$or":[]}"#,
    ] {
        assert!(EventPattern::parse(text).is_err(), "{text}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    assert!(EventPattern::parse(&deep).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3..3_i32).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever the text, it is read or refused.
    #[test]
    fn any_text_is_read_or_refused(text in r#"[{}\[\]":,a$or0-9 *\\.-]{0,60}"#) {
        let _ = EventPattern::parse(&text);
    }

    /// Exactly one of presence and absence holds for any path of any event.
    #[test]
    fn presence_and_absence_are_opposites(event in value()) {
        let event = json!({ "a": event });
        for path in [json!({"a": ["?"]}), json!({"a": {"a": ["?"]}}), json!({"a": {"b": {"a": ["?"]}}})] {
            let with = |exists: &str| {
                let text = path.to_string().replace("\"?\"", &format!("{{\"exists\":{exists}}}"));
                EventPattern::parse(&text).unwrap().matches(&event)
            };
            prop_assert!(with("true") != with("false"), "{path} {event}");
        }
    }

    /// An event matches the pattern that is made of its own values.
    #[test]
    fn an_event_matches_its_own_values(event in value()) {
        fn pattern_of(value: &Value) -> Option<Value> {
            match value {
                Value::Object(members) => {
                    let fields: serde_json::Map<_, _> = members
                        .iter()
                        .filter_map(|(name, value)| Some((name.clone(), pattern_of(value)?)))
                        .collect();
                    (!fields.is_empty()).then_some(Value::Object(fields))
                }
                Value::Array(_) => None,
                leaf => Some(json!([leaf])),
            }
        }
        if let Some(pattern @ Value::Object(_)) = pattern_of(&event) {
            prop_assert!(matches(&pattern, &event), "{pattern} {event}");
        }
    }
}
