//! Where code may come from and how large it may be.

use rushlight_api::lambda::types::*;
use rushlight_control::request_too_large;
use rushlight_model::clock::Clock;
use rushlight_model::quota::AccountQuotas;
use rushlight_store::Digest;

use crate::world::{Answer, World, archive, new_code, new_description, new_function, package};

fn with_code(name: &str, code: FunctionCode) -> CreateFunctionRequest {
    CreateFunctionRequest { code, ..new_function(name) }
}

fn zip(zip: impl Into<bytes::Bytes>) -> FunctionCode {
    FunctionCode { zip_file: Some(zip.into()), ..FunctionCode::default() }
}

fn object(bucket: &str, key: &str) -> FunctionCode {
    FunctionCode { s3_bucket: Some(bucket.into()), s3_key: Some(key.into()), ..FunctionCode::default() }
}

#[track_caller]
fn refused(answer: Answer<FunctionConfiguration>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

const INVALID: &str = "InvalidParameterValueException";

#[tokio::test]
async fn archives_that_are_none() {
    let world = World::new().await;
    let unreadable = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    refused(world.create(with_code("f", zip("not a zip"))).await, INVALID, unreadable);
    let whole = package("1");
    refused(world.create(with_code("f", zip(whole.slice(..whole.len() - 5)))).await, INVALID, unreadable);
    refused(
        world.create(with_code("f", zip(archive(&[])))).await,
        INVALID,
        "Uploaded file must be a non-empty zip",
    );
    refused(
        world.create(with_code("f", FunctionCode::default())).await,
        INVALID,
        "Please provide a source for function code.",
    );
    world.created("f").await;
    let nothing =
        UpdateFunctionCodeRequest { function_name: "f".into(), ..UpdateFunctionCodeRequest::default() };
    refused(world.update_code(nothing).await, INVALID, "Please provide a source for function code.");
}

#[tokio::test]
async fn archives_that_are_too_large() {
    let world = World::new().await;
    refused(
        world.create(with_code("f", zip(vec![0; 52_428_801]))).await,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    );
    let error = request_too_large("CreateFunction");
    assert_eq!(error.status.as_u16(), 413);
    assert_eq!(
        error.message.as_deref(),
        Some("Request must be smaller than 70167211 bytes for the CreateFunction operation")
    );
}

#[tokio::test]
async fn code_from_a_bucket() {
    let world = World::new().await;
    let created = world.create(with_code("f", object("code", "f.zip"))).await.unwrap();
    let expected = Digest::of(&package("from the bucket")).to_base64();
    assert_eq!(created.code_sha256, Some(expected));
    refused(
        world.create(with_code("g", object("code", "absent"))).await,
        INVALID,
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
    );
    refused(
        world.create(with_code("g", object("absent", "f.zip"))).await,
        INVALID,
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not \
         exist",
    );
    let both = FunctionCode { zip_file: Some(package("1")), ..object("code", "f.zip") };
    refused(
        world.create(with_code("g", both)).await,
        INVALID,
        "Please do not provide other FunctionCode parameters when providing a ZipFile.",
    );
}

#[tokio::test]
async fn images_and_archives_do_not_mix() {
    let world = World::new().await;
    let image = FunctionCode { image_uri: Some("repository:tag".into()), ..FunctionCode::default() };
    refused(
        world.create(with_code("f", image)).await,
        INVALID,
        "Please don't provide ImageUri when creating a function with packageType Zip.",
    );
    world.created("f").await;
    let image = UpdateFunctionCodeRequest {
        function_name: "f".into(),
        image_uri: Some("repository:tag".into()),
        ..UpdateFunctionCodeRequest::default()
    };
    refused(
        world.update_code(image).await,
        INVALID,
        "Please don't provide ImageUri when updating a function with packageType Zip.",
    );
}

#[tokio::test]
async fn a_dry_run_shows_and_changes_nothing() {
    let world = World::new().await;
    let before = world.created("f").await;
    let dry = UpdateFunctionCodeRequest {
        dry_run: Some(true),
        architectures: Some(vec![Architecture::Arm64]),
        ..new_code("f", "2")
    };
    let shown = world.update_code(dry.clone()).await.unwrap();
    let digest = Digest::of(&package("2"));
    assert_eq!(shown.code_sha256, Some(digest.to_base64()));
    assert_eq!(shown.architectures, Some(vec![Architecture::Arm64]));
    assert_eq!(world.configuration("f").await.unwrap(), before);
    assert!(!world.blobs.contains(&digest));
    let bad = UpdateFunctionCodeRequest { zip_file: Some("not a zip".into()), ..dry };
    assert!(world.update_code(bad).await.is_err());
}

#[tokio::test]
async fn an_update_of_code_may_change_the_architecture() {
    let world = World::new().await;
    world.created("f").await;
    let arm =
        UpdateFunctionCodeRequest { architectures: Some(vec![Architecture::Arm64]), ..new_code("f", "1") };
    let shown = world.update_code(arm).await.unwrap();
    assert_eq!(shown.architectures, Some(vec![Architecture::Arm64]));
    world.settled("f").await;
    let kept = world.update_code(new_code("f", "2")).await.unwrap();
    assert_eq!(kept.architectures, Some(vec![Architecture::Arm64]));
}

#[tokio::test]
async fn code_storage_is_limited() {
    let size = package("1").len() as u64;
    let quotas = AccountQuotas { code_storage_bytes: 2 * size, ..AccountQuotas::default() };
    let world = World::with(Clock::real(), quotas).await;
    world.created("f").await;
    world.created("g").await;
    let full = "Code storage limit exceeded.";
    refused(world.create(new_function("h")).await, "CodeStorageExceededException", full);
    world.update_code(new_code("f", "2")).await.unwrap();
    world.settled("f").await;
    world.update(new_description("f", "x")).await.unwrap();
    world.settled("f").await;
    refused(world.update_code(new_code("f", "longer")).await, "CodeStorageExceededException", full);
    world.delete("g", None).await.unwrap();
    world.create(new_function("h")).await.unwrap();
}
