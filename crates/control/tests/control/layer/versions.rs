//! Versions: published, read, deleted.

use std::sync::Arc;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_model::clock::Clock;
use rushlight_model::quota::AccountQuotas;
use rushlight_store::Digest;
use tokio::task::JoinSet;

use super::{LAYER, content, invalid, new_version, refused};
use crate::world::{Fault, World, archive, here, in_scope, new_function, package};

#[tokio::test]
async fn a_version_shows_what_it_was_given() {
    let world = World::new().await;
    let published = world
        .publish(PublishLayerVersionRequest {
            description: Some("Tools".into()),
            license_info: Some("MIT".into()),
            compatible_architectures: Some(vec!["x86_64".into(), "arm64".into()]),
            compatible_runtimes: Some(vec!["python3.12".into(), "nodejs".into()]),
            ..new_version("tools", "1")
        })
        .await
        .unwrap();
    let digest = Digest::of(&content("1"));
    let url =
        format!("http://localhost:9000/_rushlight/code/123456789012/eu-west-1/{digest}?X-Amz-Expires=600");
    let shown_content = published.content.clone().unwrap();
    assert_eq!(shown_content.location, Some(url));
    assert_eq!(shown_content.code_sha256, Some(digest.to_base64()));
    assert_eq!(shown_content.code_size, Some(content("1").len() as i64));
    assert_eq!(published.layer_arn.as_deref(), Some(LAYER));
    assert_eq!(published.layer_version_arn, Some(format!("{LAYER}:1")));
    assert_eq!((published.version, published.description.as_deref()), (Some(1), Some("Tools")));
    assert_eq!(published.license_info.as_deref(), Some("MIT"));
    let got = world.layer_version("tools", 1).await.unwrap();
    assert_eq!(got.content, published.content);
    assert_eq!(got.compatible_runtimes, published.compatible_runtimes);
    assert_eq!(got.compatible_architectures, published.compatible_architectures);
    assert_eq!(got.created_date, published.created_date);
    assert_eq!(world.layer_version(LAYER, 1).await.unwrap(), got);
    assert_eq!(world.by_arn(&here(), &format!("{LAYER}:1")).await.unwrap(), got);
    assert!(world.control.archive(&digest).unwrap().is_some());
}

#[tokio::test]
async fn what_was_not_given_is_not_shown() {
    let world = World::new().await;
    let published = world.publish(new_version("tools", "1")).await.unwrap();
    assert_eq!(published.description.as_deref(), Some(""));
    assert_eq!(published.license_info, None);
    assert_eq!((published.compatible_architectures, published.compatible_runtimes), (None, None));
    let empty = PublishLayerVersionRequest {
        compatible_architectures: Some(Vec::new()),
        compatible_runtimes: Some(Vec::new()),
        ..new_version("tools", "1")
    };
    let published = world.publish(empty).await.unwrap();
    assert_eq!(published.compatible_architectures, Some(Vec::new()));
    assert_eq!(published.compatible_runtimes, Some(Vec::new()));
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    let world = World::new().await;
    for expected in 1..=3 {
        assert_eq!(world.published("tools", "1").await, format!("{LAYER}:{expected}"));
    }
    assert_eq!(world.numbers("tools").await, [3, 2, 1]);
    world.delete_version("tools", 3).await.unwrap();
    assert_eq!(world.published(LAYER, "1").await, format!("{LAYER}:4"));
    for number in 1..=4 {
        world.delete_version("tools", number).await.unwrap();
    }
    assert_eq!(world.numbers("tools").await, [0; 0]);
    let world = world.restart().await;
    assert_eq!(world.published("tools", "1").await, format!("{LAYER}:5"));
    assert_eq!(world.published("other", "1").await.rsplit(':').next(), Some("1"));
}

#[tokio::test]
async fn versions_survive_a_restart_with_their_archives() {
    let world = World::new().await;
    world.published("tools", "1").await;
    let before = world.layer_version("tools", 1).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.layer_version("tools", 1).await.unwrap(), before);
    assert!(world.blobs.contains(&Digest::of(&content("1"))));
}

#[tokio::test]
async fn what_does_not_exist() {
    let world = World::new().await;
    world.published("tools", "1").await;
    let code = "ResourceNotFoundException";
    let text = "The resource you requested does not exist.";
    refused(world.layer_version("other", 1).await, code, text);
    refused(world.layer_version("tools", 2).await, code, text);
    refused(world.layer_version("tools", i64::MAX).await, code, text);
    refused(world.by_arn(&here(), &format!("{LAYER}:2")).await, code, text);
    refused(world.by_arn(&here(), &format!("{LAYER}:99999999999999999999")).await, code, text);
    refused(world.by_arn(&here(), "arn:aws:lambda:::awslayer:AmazonLinux1803").await, code, text);
    let elsewhere = LAYER.replace("eu-west-1", "us-east-1");
    refused(world.by_arn(&here(), &format!("{elsewhere}:1")).await, code, text);
    refused(world.layer_version(&elsewhere, 1).await, code, text);
    refused(world.publish(new_version(&elsewhere, "1")).await, code, text);
    for number in [0, -1] {
        let text = "Layer Version Cannot be less than 1";
        invalid(world.layer_version("tools", number).await, text);
        invalid(world.layer_version("other", number).await, text);
        invalid(world.delete_version("tools", number).await, text);
    }
    invalid(world.by_arn(&here(), &format!("{LAYER}:0")).await, "Layer Version Cannot be less than 1");
    world.delete_version("other", 1).await.unwrap();
    world.delete_version("tools", 9).await.unwrap();
    world.delete_version("tools", 1).await.unwrap();
    world.delete_version("tools", 1).await.unwrap();
    refused(world.layer_version("tools", 1).await, code, text);
    let other_region = in_scope("123456789012", "us-east-1");
    refused(world.layer_version_as(&other_region, "tools", 1).await, code, text);
}

#[tokio::test]
async fn archives_are_held_to_the_rules_of_code() {
    let world = World::new().await;
    let with = |content: LayerVersionContentInput| PublishLayerVersionRequest {
        layer_name: "tools".into(),
        content,
        ..PublishLayerVersionRequest::default()
    };
    let zip = |zip: bytes::Bytes| {
        with(LayerVersionContentInput { zip_file: Some(zip), ..LayerVersionContentInput::default() })
    };
    let object = |bucket: &str, key: &str| {
        with(LayerVersionContentInput {
            s3_bucket: Some(bucket.into()),
            s3_key: Some(key.into()),
            ..LayerVersionContentInput::default()
        })
    };
    let unreadable = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    invalid(world.publish(zip("not a zip".into())).await, unreadable);
    invalid(world.publish(zip(archive(&[("../outside", b"x")]))).await, unreadable);
    invalid(world.publish(zip(archive(&[]))).await, "Uploaded file must be a non-empty zip");
    refused(
        world.publish(zip(vec![0; 52_428_801].into())).await,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    );
    invalid(
        world.publish(object("nowhere", "f.zip")).await,
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not \
         exist",
    );
    invalid(
        world.publish(object("code", "other.zip")).await,
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
    );
    // Nothing of that took a number.
    let published = world.publish(object("code", "f.zip")).await.unwrap();
    assert_eq!(published.version, Some(1));
    let from_bucket = Digest::of(&package("from the bucket"));
    assert_eq!(published.content.unwrap().code_sha256, Some(from_bucket.to_base64()));
}

/// An archive that stays in its bucket takes nothing of the account's code storage.
#[tokio::test]
async fn content_may_stay_in_its_bucket() {
    let world = World::new().await;
    let content = LayerVersionContentInput {
        s3_bucket: Some("code".into()),
        s3_key: Some("f.zip".into()),
        s3_object_version: Some("v1".into()),
        s3_object_storage_mode: Some(S3ObjectStorageMode::Reference),
        ..LayerVersionContentInput::default()
    };
    let input = PublishLayerVersionRequest { content, ..new_version("tools", "1") };
    let published = world.publish(input).await.unwrap();
    let expected = ResolvedS3Object {
        s3_bucket: Some("code".into()),
        s3_key: Some("f.zip".into()),
        s3_object_version: Some("v1".into()),
    };
    assert_eq!(published.content.unwrap().resolved_s3_object, Some(expected));
    let usage = |settings: GetAccountSettingsResponse| settings.account_usage.unwrap().total_code_size;
    let settings = world.control.get_account_settings(&here(), GetAccountSettingsRequest {}).await.unwrap();
    assert_eq!(usage(settings), Some(0));
    assert!(world.blobs.contains(&Digest::of(&package("from the bucket before"))));
}

#[tokio::test]
async fn unknown_runtimes() {
    let world = World::new().await;
    let input = PublishLayerVersionRequest {
        compatible_runtimes: Some(vec!["invalid".into(), "python3.12".into()]),
        ..new_version("tools", "1")
    };
    let error = world.publish(input).await.unwrap_err();
    assert_eq!(error.code, "ValidationException");
    let message = error.message.unwrap();
    assert!(
        message.starts_with(
            "1 validation error detected: Value '[invalid, python3.12]' at 'compatibleRuntimes' failed to satisfy \
             constraint: Member must satisfy enum value set: [nodejs20.x, python3.14, "
        ),
        "{message}"
    );
}

#[tokio::test]
async fn layers_count_as_code_storage() {
    let size = content("1").len() as u64;
    let quotas = AccountQuotas {
        code_storage_bytes: 2 * size + package("1").len() as u64,
        ..AccountQuotas::default()
    };
    let world = World::with(Clock::real(), quotas).await;
    world.created("f").await;
    world.published("tools", "1").await;
    world.published("tools", "1").await;
    refused(
        world.publish(new_version("tools", "1")).await,
        "CodeStorageExceededException",
        "Code storage limit exceeded.",
    );
    let settings = world.control.get_account_settings(&here(), GetAccountSettingsRequest {}).await.unwrap();
    let usage = settings.account_usage.unwrap();
    assert_eq!(usage.total_code_size, Some(quotas.code_storage_bytes as i64));
    assert_eq!(usage.function_count, Some(1));
    refused(
        world.create(new_function("g")).await,
        "CodeStorageExceededException",
        "Code storage limit exceeded.",
    );
    let world = world.restart().await;
    refused(
        world.publish(new_version("tools", "1")).await,
        "CodeStorageExceededException",
        "Code storage limit exceeded.",
    );
    world.delete_version("tools", 1).await.unwrap();
    assert_eq!(world.published("tools", "1").await, format!("{LAYER}:3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_publish_at_a_time() {
    let world = Arc::new(World::new().await);
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let world = world.clone();
        clients.spawn(async move { world.published("tools", &client.to_string()).await });
    }
    let mut arns = clients.join_all().await;
    arns.sort();
    arns.dedup();
    assert_eq!(arns.len(), 16);
    assert_eq!(world.numbers("tools").await, (1..=16).rev().collect::<Vec<_>>());
}

/// The store fails when the number is taken: whatever is on disk then, the next version is whole and has a number of
/// its own.
#[tokio::test]
async fn a_publication_that_is_cut_off_leaves_no_half_version() {
    for (fault, next) in [(Fault::BeforeCommit, 1), (Fault::AfterCommit, 2)] {
        let world = World::new().await;
        *world.disk.fault.lock() = Some(fault);
        let error = world.publish(new_version("tools", "1")).await.unwrap_err();
        assert_eq!(error.code, "ServiceException");
        let world = world.restart().await;
        assert_eq!(world.numbers("tools").await, [0; 0]);
        assert_eq!(world.published("tools", "1").await, format!("{LAYER}:{next}"));
    }
}
