//! Functions with layers.

use std::time::Duration;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_store::Digest;

use super::{LAYER, content, invalid, new_version};
use crate::world::{World, archive, eventually, here, new_code, new_description, new_function, package};

/// Longer than superseded code is kept.
const LONG: Duration = Duration::from_hours(1);
const LIMIT: usize = 262_144_000;

fn with_layers(name: &str, layers: &[&str]) -> CreateFunctionRequest {
    CreateFunctionRequest {
        layers: Some(layers.iter().map(|arn| (*arn).to_owned()).collect()),
        ..new_function(name)
    }
}

fn new_layers(name: &str, layers: &[&str]) -> UpdateFunctionConfigurationRequest {
    UpdateFunctionConfigurationRequest {
        function_name: name.into(),
        layers: Some(layers.iter().map(|arn| (*arn).to_owned()).collect()),
        ..UpdateFunctionConfigurationRequest::default()
    }
}

fn layer(arn: &str, text: &str) -> Layer {
    Layer { arn: Some(arn.into()), code_size: i64::try_from(content(text).len()).ok(), ..Layer::default() }
}

/// An archive with one file of so many bytes.
fn large(bytes: usize) -> bytes::Bytes {
    archive(&[("data", &vec![0; bytes])])
}

async fn publish_large(world: &World, name: &str, bytes: usize) -> String {
    let content =
        LayerVersionContentInput { zip_file: Some(large(bytes)), ..LayerVersionContentInput::default() };
    let input = PublishLayerVersionRequest { content, ..new_version(name, "") };
    world.publish(input).await.unwrap().layer_version_arn.unwrap()
}

#[tokio::test]
async fn layers_are_shown_in_their_order_and_unpacked() {
    let world = World::new().await;
    let (b, a) = (world.published("b", "b").await, world.published("a", "a").await);
    let created = world.create(with_layers("f", &[&b, &a])).await.unwrap();
    let expected = Some(vec![layer(&b, "b"), layer(&a, "a")]);
    assert_eq!(created.layers, expected);
    assert_eq!(world.settled("f").await.layers, expected);
    for text in ["a", "b"] {
        assert!(world.packages.path(&Digest::of(&content(text))).is_some());
    }
    world.update(new_description("f", "x")).await.unwrap();
    assert_eq!(world.settled("f").await.layers, expected);
    world.update_code(new_code("f", "2")).await.unwrap();
    assert_eq!(world.settled("f").await.layers, expected);
    let updated = world.update(new_layers("f", &[&a])).await.unwrap();
    assert_eq!(updated.layers, Some(vec![layer(&a, "a")]));
    world.settled("f").await;
    let updated = world.update(new_layers("f", &[])).await.unwrap();
    assert_eq!(updated.layers, None);
}

#[tokio::test]
async fn what_is_refused() {
    let world = World::new().await;
    let (first, second) = (world.published("tools", "1").await, world.published("tools", "2").await);
    world.created("g").await;
    let missing = |arn: &str| format!("Layer version {arn} does not exist.");
    let twice = |a: &str, b: &str| {
        format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {a} and \
             {b} are versions of the same layer."
        )
    };
    let third = format!("{LAYER}:3");
    let huge = format!("{LAYER}:99999999999999999999");
    let zero = format!("{LAYER}:0");
    let elsewhere = first.replace("eu-west-1", "us-east-1");
    let amazon = "arn:aws:lambda:::awslayer:AmazonLinux1803";
    for (layers, message) in [
        (vec![first.as_str(); 6], "Cannot reference more than 5 layers.".to_owned()),
        (vec![first.as_str(), &second], twice(&first, &second)),
        (vec![first.as_str(), &second, &first], twice(&first, &second)),
        (vec![first.as_str(), &first], twice(&first, &first)),
        (vec![third.as_str()], missing(&third)),
        (vec![first.as_str(), &third], missing(&third)),
        (vec![huge.as_str()], missing(&huge)),
        (vec![amazon], missing(amazon)),
        (vec![zero.as_str()], "Layer Version Cannot be less than 1".to_owned()),
        (
            vec![elsewhere.as_str()],
            "Layers are not in the same region as the function. Layers are expected to be in region eu-west-1."
                .to_owned(),
        ),
    ] {
        invalid(world.create(with_layers("f", &layers)).await, &message);
        invalid(world.update(new_layers("g", &layers)).await, &message);
    }
    let mut five = Vec::new();
    for number in 0..5 {
        five.push(world.published(&format!("l{number}"), "x").await);
    }
    let five: Vec<&str> = five.iter().map(String::as_str).collect();
    assert_eq!(world.create(with_layers("f", &five)).await.unwrap().layers.unwrap().len(), 5);
    world.delete_version("tools", 1).await.unwrap();
    invalid(world.create(with_layers("h", &[&first])).await, &missing(&first));
}

/// Nobody is held to what a layer says it is for.
#[tokio::test]
async fn compatibility_is_not_enforced() {
    let world = World::new().await;
    let input = PublishLayerVersionRequest {
        compatible_runtimes: Some(vec!["java21".into()]),
        compatible_architectures: Some(vec!["arm64".into()]),
        ..new_version("tools", "1")
    };
    let arn = world.publish(input).await.unwrap().layer_version_arn.unwrap();
    assert!(world.create(with_layers("f", &[&arn])).await.is_ok());
}

#[tokio::test]
async fn code_and_layers_fit_into_one_limit() {
    let world = World::new().await;
    let half = LIMIT / 2;
    let (a, b) = (publish_large(&world, "a", half).await, publish_large(&world, "b", half).await);
    let code = |name: &str, layers: &[&str], bytes: usize| CreateFunctionRequest {
        code: FunctionCode { zip_file: Some(large(bytes)), ..FunctionCode::default() },
        ..with_layers(name, layers)
    };
    let update = |name: &str, bytes: usize| UpdateFunctionCodeRequest {
        function_name: name.into(),
        zip_file: Some(large(bytes)),
        ..UpdateFunctionCodeRequest::default()
    };
    invalid(
        world.create(code("f", &[&a], half + 1)).await,
        "Unzipped size must be smaller than 131072000 bytes",
    );
    let one = publish_large(&world, "one", 1).await;
    invalid(
        world.create(code("f", &[&a, &b, &one], 1)).await,
        "Layers consume more than the available size of 262144000 bytes",
    );
    world.create(code("f", &[&a], half)).await.unwrap();
    world.settled("f").await;
    invalid(
        world.update_code(update("f", half + 1)).await,
        "Unzipped size must be smaller than 131072000 bytes",
    );
    invalid(
        world.update(new_layers("f", &[&a, &one])).await,
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is \
         262144001 bytes.",
    );
    world.update(new_layers("f", &[&b])).await.unwrap();
    world.settled("f").await;
    world.update_code(update("f", 1)).await.unwrap();
    assert_eq!(world.settled("f").await.last_update_status, Some(LastUpdateStatus::Successful));
}

#[tokio::test]
async fn a_deleted_version_stays_where_it_is_used() {
    let world = World::with_virtual_clock().await;
    let arn = world.published("tools", "used").await;
    world.published("tools", "unused").await;
    world.create(with_layers("f", &[&arn])).await.unwrap();
    world.settled("f").await;
    world.delete_version("tools", 1).await.unwrap();
    world.delete_version("tools", 2).await.unwrap();
    let (used, unused) = (Digest::of(&content("used")), Digest::of(&content("unused")));
    eventually("what nobody uses goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&unused)
    })
    .await;
    assert!(world.blobs.contains(&used) && world.packages.path(&used).is_some());
    // The package is lost, the archive is not.
    let world = world.restart().await;
    world.packages.remove(&used).await.unwrap();
    world.update(new_description("f", "x")).await.unwrap();
    let shown = world.settled("f").await;
    assert_eq!(shown.layers, Some(vec![layer(&arn, "used")]));
    assert!(world.packages.path(&used).is_some());
    world.update(new_layers("f", &[])).await.unwrap();
    world.settled("f").await;
    eventually("it goes with its last user", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&used) && world.packages.path(&used).is_none()
    })
    .await;
    assert!(world.blobs.contains(&Digest::of(&package("1"))));
}

/// What is not a function's yet stays, also while nobody uses it.
#[tokio::test]
async fn archives_of_layers_are_no_garbage() {
    let world = World::with_virtual_clock().await;
    world.published("tools", "1").await;
    let mut other = new_function("f");
    other.code.zip_file = Some(package("other"));
    world.create(other).await.unwrap();
    world.settled("f").await;
    world.delete("f", None).await.unwrap();
    let (kept, gone) = (Digest::of(&content("1")), Digest::of(&package("other")));
    eventually("what f had goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&gone)
    })
    .await;
    assert!(world.blobs.contains(&kept));
    // Nor after a restart, when what nobody names is looked for on disk.
    world.age(&kept, LONG * 2);
    let world = world.restart().await;
    world.clock.advance(LONG).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.blobs.contains(&kept));
}

#[tokio::test]
async fn published_versions_keep_their_layers() {
    let world = World::with_virtual_clock().await;
    let arn = world.published("tools", "1").await;
    world.create(with_layers("f", &[&arn])).await.unwrap();
    world.settled("f").await;
    let publish = PublishVersionRequest { function_name: "f".into(), ..PublishVersionRequest::default() };
    let published = world.control.publish_version(&here(), publish).await.unwrap();
    assert_eq!(published.layers, Some(vec![layer(&arn, "1")]));
    world.update(new_layers("f", &[])).await.unwrap();
    world.settled("f").await;
    world.delete_version("tools", 1).await.unwrap();
    world.published("tools", "unused").await;
    world.delete_version("tools", 2).await.unwrap();
    let (kept, unused) = (Digest::of(&content("1")), Digest::of(&content("unused")));
    eventually("what nobody uses goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&unused)
    })
    .await;
    assert!(world.blobs.contains(&kept));
    let shown = world.get("f", Some("1")).await.unwrap().configuration.unwrap();
    assert_eq!(shown.layers, Some(vec![layer(&arn, "1")]));
    world.delete("f", Some("1")).await.unwrap();
    eventually("it goes with the version", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&kept)
    })
    .await;
}
