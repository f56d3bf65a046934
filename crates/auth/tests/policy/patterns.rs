//! Wildcards, and which actions and resources a statement covers.

use proptest::prelude::*;
use rushlight_auth::policy::{Context, Policies, Request, evaluate};
use serde_json::{Value, json};

use crate::support::{FUNCTION, INVOKE, ana, compares, identity};

fn allows(statement: Value, action: &str, resource: &str) -> bool {
    let documents = [identity(json!([statement]))];
    let (principal, context) = (ana(), Context::new());
    let policies = Policies { identity: &documents, ..Policies::default() };
    evaluate(&Request::new(&principal, action, resource, &context), &policies).is_allowed()
}

#[test]
fn wildcards_match_as_in_a_table() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "anything:at/all", true),
        ("**", "", true),
        ("?", "", false),
        ("?", "é", true),
        ("?", "ab", false),
        ("??", "𝄞é", true),
        ("a*", "a", true),
        ("*a", "ba", true),
        ("*a", "ab", false),
        ("a*b", "ab", true),
        ("a*b", "aab", true),
        ("a*a", "a", false),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
        ("*ab*", "xaaby", true),
        ("*a?c*", "aacabc", true),
        ("*a?c", "abcabd", false),
        ("a*b*c", "a-c-b", false),
        ("a*b*c", "a-c-b-c", true),
        ("*é?", "éé", true),
        ("?*?", "a", false),
        ("?*?", "ab", true),
        ("*aab", "aaab", true),
        ("*.*.*", "a.b", false),
        (r"\*", r"\x", true),
        ("[a]", "a", false),
    ] {
        assert_eq!(compares("StringLike", &json!(pattern), &[text]), expected, "{pattern} {text}");
    }
}

#[test]
fn actions_match_in_any_case() {
    for (action, expected) in [
        ("*", true),
        ("*:*", true),
        ("lambda:*", true),
        ("lambda:InvokeFunction", true),
        ("LAMBDA:invokefunction", true),
        ("lambda:Invoke*", true),
        ("lambda:*Function", true),
        ("lambda:Invoke?unction", true),
        ("lambda:Invoke", false),
        ("lambda:InvokeFunctionUrl", false),
        ("s3:*", false),
        // The Kelvin sign is no K, whatever its lower case.
        ("lambda:Invo\u{212a}eFunction", false),
    ] {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        assert_eq!(allows(statement, INVOKE, FUNCTION), expected, "{action}");
        let statement = json!({"Effect": "Allow", "NotAction": ["iam:*", action], "Resource": "*"});
        assert_eq!(allows(statement, INVOKE, FUNCTION), !expected, "not {action}");
    }
}

#[test]
fn resources_match_across_components_and_by_case() {
    for (resource, expected) in [
        ("*", true),
        (FUNCTION, true),
        ("arn:aws:lambda:*", true),
        ("arn:aws:lambda:*:hello", true),
        ("arn:*:hello", true),
        ("arn:aws:lambda:eu-west-1:111122223333:function:h*", true),
        ("arn:aws:lambda:eu-west-?:111122223333:function:hello", true),
        ("arn:aws:lambda:eu-west-1:111122223333:function:Hello", false),
        ("arn:aws:lambda:eu-west-1:111122223333:function:hello:*", false),
        ("arn:aws:lambda:eu-west-1:111122223333:function:hell", false),
        ("arn:aws:s3:::*", false),
    ] {
        let statement = json!({"Effect": "Allow", "Action": "*", "Resource": resource});
        assert_eq!(allows(statement, INVOKE, FUNCTION), expected, "{resource}");
        let statement = json!({"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:sns:*", resource]});
        assert_eq!(allows(statement, INVOKE, FUNCTION), !expected, "not {resource}");
    }
}

#[test]
fn actions_without_resource_need_the_wildcard() {
    for (resource, expected) in [("*", true), ("arn:aws:lambda:*", false), (FUNCTION, false)] {
        let statement = json!({"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": resource});
        assert_eq!(allows(statement, "lambda:ListFunctions", "*"), expected, "{resource}");
    }
}

/// What wildcards mean, without a thought for time.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some(('*', rest)), _) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
        (Some(('?', rest)), Some((_, behind))) => naive(rest, behind),
        (Some((letter, rest)), Some((found, behind))) => letter == found && naive(rest, behind),
        (Some(_), None) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_matcher_agrees_with_the_naive_one(pattern in "[abé*?]{0,9}", text in "[abé]{0,9}") {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = naive(&letters(&pattern), &letters(&text));
        prop_assert_eq!(compares("StringLike", &json!(pattern), &[&*text]), expected, "{} {}", pattern, text);
    }

    #[test]
    fn actions_agree_with_the_naive_matcher(pattern in "[abAB*?]{1,7}", text in "[abAB]{1,7}") {
        let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
        let expected = naive(&letters(&pattern), &letters(&text));
        let statement = json!({"Effect": "Allow", "Action": format!("x:{pattern}"), "Resource": "*"});
        prop_assert_eq!(allows(statement, &format!("X:{text}"), FUNCTION), expected, "{} {}", pattern, text);
    }

    #[test]
    fn arns_agree_with_the_naive_matcher_by_component(
        pattern in prop::collection::vec("[ab*?]{0,3}", 6),
        arn in prop::collection::vec("[ab]{0,3}", 6),
        tail in "(:[ab]{0,2})?",
    ) {
        let last = format!("{}{tail}", arn[5]);
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = (0..6).all(|at| {
            naive(&letters(&pattern[at]), &letters(if at == 5 { &last } else { &arn[at] }))
        });
        let text = format!("{}{tail}", arn.join(":"));
        prop_assert_eq!(compares("ArnLike", &json!(pattern.join(":")), &[&*text]), expected, "{:?} {}", pattern, text);
    }
}
