//! Filters and pages.

use std::collections::BTreeSet;

use super::*;

fn by_function(name: &str) -> ListEventSourceMappingsRequest {
    ListEventSourceMappingsRequest {
        function_name: Some(name.into()),
        ..ListEventSourceMappingsRequest::default()
    }
}

fn by_source(arn: &str) -> ListEventSourceMappingsRequest {
    ListEventSourceMappingsRequest {
        event_source_arn: Some(arn.into()),
        ..ListEventSourceMappingsRequest::default()
    }
}

fn uuids(mappings: &[Mapping]) -> BTreeSet<String> {
    mappings.iter().map(uuid).collect()
}

#[tokio::test]
async fn filters() {
    let world = world_with(&["f", "ff"]).await;
    let named = |function: &str, arn: &str| CreateEventSourceMappingRequest {
        function_name: function.into(),
        ..mapping_of(arn)
    };
    let plain = uuid(&created(&world, named("f", QUEUE)).await);
    let latest = uuid(&created(&world, named("f:$LATEST", QUEUE)).await);
    let other = uuid(&created(&world, named("ff", FIFO_QUEUE)).await);
    let kafka = uuid(&created(&world, self_managed()).await);
    let set = |ids: &[&String]| ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    for name in ["f", "function:f", "123456789012:function:f", arn] {
        assert_eq!(uuids(&list(&world, by_function(name)).await), set(&[&plain, &kafka]), "{name}");
        let qualified = format!("{name}:$LATEST");
        assert_eq!(uuids(&list(&world, by_function(&qualified)).await), set(&[&latest]), "{qualified}");
        assert!(list(&world, by_function(&format!("{name}:live"))).await.is_empty());
    }
    assert_eq!(uuids(&list(&world, by_source(QUEUE)).await), set(&[&plain, &latest]));
    assert_eq!(uuids(&list(&world, by_source(FIFO_QUEUE)).await), set(&[&other]));
    assert!(list(&world, by_source(STREAM)).await.is_empty());
    assert!(list(&world, by_function("unknown")).await.is_empty());
    let both = |name: &str, arn: &str| ListEventSourceMappingsRequest {
        function_name: Some(name.into()),
        ..by_source(arn)
    };
    assert_eq!(uuids(&list(&world, both("f", QUEUE)).await), set(&[&plain]));
    assert!(list(&world, both("f", FIFO_QUEUE)).await.is_empty());
    assert_eq!(uuids(&list_all(&world).await), set(&[&plain, &latest, &other, &kafka]));
    let error = world
        .control
        .list_event_source_mappings(&here(), by_function("arn:aws:lambda:us-east-1:123456789012:function:f"))
        .await
        .unwrap_err();
    assert_eq!(
        error.message.as_deref(),
        Some("Functions from 'us-east-1' are not reachable in this region ('eu-west-1')")
    );
}

#[tokio::test]
async fn pages_follow_each_other() {
    let world = world_with(&["f"]).await;
    let mut expected = BTreeSet::new();
    for number in 0..103 {
        let mapping = create(&world, mapping_of(&format!("{QUEUE}{number}"))).await.unwrap();
        expected.insert(uuid(&mapping));
    }
    for (max_items, pages) in [(None, 2), (Some(10_000), 2), (Some(50), 3), (Some(103), 2)] {
        for input in [ListEventSourceMappingsRequest::default(), by_function("f")] {
            let (mut seen, mut marker, mut count) = (Vec::new(), None, 0);
            loop {
                let input = ListEventSourceMappingsRequest { marker, max_items, ..input.clone() };
                let page = world.control.list_event_source_mappings(&here(), input).await.unwrap();
                seen.extend(page.event_source_mappings.unwrap());
                count += 1;
                marker = page.next_marker;
                if marker.is_none() {
                    break;
                }
            }
            assert_eq!((seen.len(), uuids(&seen), count), (103, expected.clone(), pages), "{max_items:?}");
        }
    }
    let input = ListEventSourceMappingsRequest {
        marker: Some("elsewhere".into()),
        ..ListEventSourceMappingsRequest::default()
    };
    let error = world.control.list_event_source_mappings(&here(), input).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
}

#[tokio::test]
async fn encrypted_filters_are_not_listed() {
    let world = world_with(&["f"]).await;
    let pattern = r#"{"body":{"a":[1]}}"#;
    let filtered = |arn: &str, key: Option<&str>| CreateEventSourceMappingRequest {
        filter_criteria: Some(FilterCriteria {
            filters: Some(vec![Filter { pattern: Some(pattern.into()) }]),
        }),
        kms_key_arn: key.map(Into::into),
        ..mapping_of(arn)
    };
    let plain = created(&world, filtered(QUEUE, None)).await;
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1";
    let encrypted = created(&world, filtered(FIFO_QUEUE, Some(key))).await;
    assert!(encrypted.filter_criteria.is_some());
    assert_eq!(list(&world, by_source(QUEUE)).await[0].filter_criteria, plain.filter_criteria);
    let listed = &list(&world, by_source(FIFO_QUEUE)).await[0];
    assert_eq!((listed.filter_criteria.as_ref(), listed.kms_key_arn.as_deref()), (None, Some(key)));
}
