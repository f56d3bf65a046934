//! Pages of layers and of their versions.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use super::{LAYER, invalid, new_version, refused};
use crate::world::{Answer, World, here, in_scope};

async fn layers(world: &World, input: ListLayersRequest) -> Answer<ListLayersResponse> {
    world.control.list_layers(&here(), input).await
}

/// Names of the layers and numbers of their latest matching versions, over all pages, and how many pages there were.
async fn all_layers(world: &World, input: ListLayersRequest) -> (Vec<(String, i64)>, usize) {
    let (mut seen, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = layers(world, ListLayersRequest { marker, ..input.clone() }).await.unwrap();
        seen.extend(page.layers.unwrap().into_iter().map(|item| {
            let version = item.latest_matching_version.unwrap();
            (item.layer_name.unwrap(), version.version.unwrap())
        }));
        pages += 1;
        marker = page.next_marker;
        if marker.is_none() {
            return (seen, pages);
        }
    }
}

/// Numbers of a layer's versions over all pages, and how many pages there were.
async fn all_versions(world: &World, input: ListLayerVersionsRequest) -> (Vec<i64>, usize) {
    let (mut seen, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.list_versions(ListLayerVersionsRequest { marker, ..input.clone() }).await.unwrap();
        seen.extend(page.layer_versions.unwrap().iter().filter_map(|version| version.version));
        pages += 1;
        marker = page.next_marker;
        if marker.is_none() {
            return (seen, pages);
        }
    }
}

fn for_runtime(layer: &str, runtime: &str) -> PublishLayerVersionRequest {
    PublishLayerVersionRequest { compatible_runtimes: Some(vec![runtime.into()]), ..new_version(layer, "1") }
}

#[tokio::test]
async fn pages_of_versions_follow_each_other() {
    let world = World::new().await;
    for _ in 0..53 {
        world.published("tools", "1").await;
    }
    let expected: Vec<i64> = (1..=53).rev().collect();
    for (max_items, pages) in [(None, 2), (Some(50), 2), (Some(20), 3), (Some(1), 53)] {
        let input = ListLayerVersionsRequest {
            layer_name: "tools".into(),
            max_items,
            ..ListLayerVersionsRequest::default()
        };
        assert_eq!(all_versions(&world, input).await, (expected.clone(), pages), "{max_items:?}");
    }
    let whole = ListLayerVersionsRequest { layer_name: LAYER.into(), ..ListLayerVersionsRequest::default() };
    assert_eq!(all_versions(&world, whole).await.0, expected);
    let none = ListLayerVersionsRequest { layer_name: "other".into(), ..ListLayerVersionsRequest::default() };
    assert_eq!(all_versions(&world, none).await, (Vec::new(), 1));
}

#[tokio::test]
async fn pages_of_layers_follow_each_other() {
    let world = World::new().await;
    let mut expected: Vec<(String, i64)> = Vec::new();
    for number in 0..53 {
        let name = format!("l{number}");
        world.published(&name, "1").await;
        if number % 2 == 0 {
            world.published(&name, "2").await;
        }
        match number % 5 {
            // Without versions a layer is not listed.
            0 => {
                world.delete_version(&name, 1).await.unwrap();
                world.delete_version(&name, 2).await.unwrap();
            }
            _ => expected.push((name, 2 - number % 2)),
        }
    }
    expected.sort();
    for (max_items, pages) in [(None, 1), (Some(42), 1), (Some(41), 2), (Some(20), 3), (Some(1), 42)] {
        let input = ListLayersRequest { max_items, ..ListLayersRequest::default() };
        assert_eq!(all_layers(&world, input).await, (expected.clone(), pages), "{max_items:?}");
    }
    let elsewhere = in_scope("123456789012", "us-east-1");
    let listed = world.control.list_layers(&elsewhere, ListLayersRequest::default()).await.unwrap();
    assert_eq!(listed, ListLayersResponse { layers: Some(Vec::new()), next_marker: None });
}

#[tokio::test]
async fn filters() {
    let world = World::new().await;
    world.publish(for_runtime("a", "python3.12")).await.unwrap();
    world.publish(for_runtime("a", "nodejs22.x")).await.unwrap();
    world.published("a", "1").await;
    let both = PublishLayerVersionRequest {
        compatible_architectures: Some(vec!["x86_64".into(), "arm64".into()]),
        ..for_runtime("b", "python3.12")
    };
    world.publish(both).await.unwrap();
    let x86 = PublishLayerVersionRequest {
        compatible_architectures: Some(vec!["x86_64".into()]),
        ..for_runtime("b", "python3.12")
    };
    world.publish(x86).await.unwrap();
    let filtered = |runtime: Option<&str>, architecture: Option<&str>| ListLayersRequest {
        compatible_runtime: runtime.map(Into::into),
        compatible_architecture: architecture.map(Into::into),
        ..ListLayersRequest::default()
    };
    let named = |items: &[(&str, i64)]| -> Vec<(String, i64)> {
        items.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    };
    for (runtime, architecture, expected) in [
        (None, None, named(&[("a", 3), ("b", 2)])),
        (Some("python3.12"), None, named(&[("a", 1), ("b", 2)])),
        (Some("nodejs22.x"), None, named(&[("a", 2)])),
        (Some("java21"), None, named(&[])),
        (None, Some("arm64"), named(&[("b", 1)])),
        (Some("python3.12"), Some("x86_64"), named(&[("b", 2)])),
        (Some("nodejs22.x"), Some("x86_64"), named(&[])),
    ] {
        assert_eq!(all_layers(&world, filtered(runtime, architecture)).await.0, expected);
    }
    let of_b = |runtime: &str, architecture: &str| ListLayerVersionsRequest {
        layer_name: "b".into(),
        compatible_runtime: Some(runtime.into()),
        compatible_architecture: Some(architecture.into()),
        ..ListLayerVersionsRequest::default()
    };
    assert_eq!(all_versions(&world, of_b("python3.12", "x86_64")).await.0, [2, 1]);
    assert_eq!(all_versions(&world, of_b("python3.12", "arm64")).await.0, [1]);
    assert_eq!(all_versions(&world, of_b("java21", "arm64")).await.0, [0; 0]);
    let error = layers(&world, filtered(Some("unknown"), None)).await.unwrap_err();
    assert_eq!(error.code, "ValidationException");
    let message = error.message.unwrap();
    assert!(
        message.starts_with(
            "1 validation error detected: Value 'unknown' at 'compatibleRuntime' failed to satisfy constraint: Member \
             must satisfy enum value set: [ruby3.5, ruby2.6, dotnetcore1.0, "
        ),
        "{message}"
    );
}

/// Looking for a rare version takes several pages, of which some are empty, but each takes bounded work.
#[tokio::test]
async fn what_is_rare_is_found() {
    let world = World::new().await;
    world.publish(for_runtime("a", "java21")).await.unwrap();
    world.publish(for_runtime("z", "java21")).await.unwrap();
    // Rows as they would be after 1200 more publications, without as many archives.
    let (_, entry) = world.layer_versions.list("", None, 1).await.unwrap().remove(0);
    for number in 2..=1201 {
        let mut version = (*entry.value).clone();
        version.number = number;
        version.compatible_runtimes = None;
        let key = rushlight_store::table::layer::version_key(
            &version.layer.scope.account,
            &version.layer.scope.region,
            "a",
            number,
        );
        world.layer_versions.put(&key, version, rushlight_store::Expect::Absent).await.unwrap();
    }
    let input =
        ListLayersRequest { compatible_runtime: Some("java21".into()), ..ListLayersRequest::default() };
    let (seen, pages) = all_layers(&world, input).await;
    assert_eq!(seen, [("a".to_owned(), 1), ("z".to_owned(), 1)]);
    assert_eq!(pages, 2);
    let input = ListLayerVersionsRequest {
        layer_name: "a".into(),
        compatible_runtime: Some("java21".into()),
        ..ListLayerVersionsRequest::default()
    };
    assert_eq!(all_versions(&world, input).await, (vec![1], 2));
}

#[tokio::test]
async fn markers_that_are_none() {
    let world = World::new().await;
    let text = "The provided Marker is not valid. Use the NextMarker of an earlier answer.";
    let input = ListLayersRequest { marker: Some("x".into()), ..ListLayersRequest::default() };
    invalid(layers(&world, input).await, text);
    let input = ListLayerVersionsRequest {
        layer_name: "tools".into(),
        marker: Some("x".into()),
        ..ListLayerVersionsRequest::default()
    };
    invalid(world.list_versions(input).await, text);
}

#[tokio::test]
async fn versions_of_other_accounts_are_not_listed() {
    let world = World::new().await;
    world.published("tools", "1").await;
    let input = ListLayerVersionsRequest { layer_name: LAYER.into(), ..ListLayerVersionsRequest::default() };
    let stranger = in_scope("999999999999", "eu-west-1");
    refused(
        world.control.list_layer_versions(&stranger, input).await,
        "AccessDeniedException",
        &format!(
            "User: arn:aws:iam::999999999999:root is not authorized to perform: lambda:ListLayerVersions on \
             resource: {LAYER} because no resource-based policy allows the lambda:ListLayerVersions action"
        ),
    );
}
