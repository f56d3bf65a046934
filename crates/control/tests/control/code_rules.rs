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
    let version =
        |version: &str| FunctionCode { s3_object_version: Some(version.into()), ..object("code", "f.zip") };
    let created = world.create(with_code("older", version("v1"))).await.unwrap();
    assert_eq!(created.code_sha256, Some(Digest::of(&package("from the bucket before")).to_base64()));
    refused(
        world.create(with_code("g", version("v9"))).await,
        INVALID,
        "Error occurred while GetObjectVersion. S3 Error Code: NoSuchVersion. S3 Error Message: The specified version \
         does not exist.",
    );
    refused(
        world.create(with_code("g", object("code", "denied"))).await,
        "AccessDeniedException",
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for \
         code/denied. S3 Error Code: AccessDenied. S3 Error Message: Access Denied",
    );
    refused(
        world.create(with_code("g", object("code", "huge"))).await,
        INVALID,
        "Unzipped size must be smaller than 262144000 bytes",
    );
    refused(
        world.create(with_code("g", object("code", "broken"))).await,
        "ServiceException",
        "Error occurred while GetObject. S3 Error Code: InternalError. S3 Error Message: We encountered an internal \
         error.",
    );
    refused(
        world.create(with_code("g", object("code", "silent"))).await,
        "ServiceException",
        "There is no service at http://x.",
    );
    assert!(world.head("g").await.is_none());
}

#[tokio::test]
async fn sources_of_code_exclude_each_other() {
    let world = World::new().await;
    let archive = FunctionCode { zip_file: Some(package("1")), ..FunctionCode::default() };
    for both in [
        FunctionCode { s3_bucket: Some("code".into()), s3_key: Some("f.zip".into()), ..archive.clone() },
        FunctionCode { s3_key: Some("f.zip".into()), ..archive.clone() },
        FunctionCode { s3_object_version: Some("1".into()), ..archive.clone() },
        FunctionCode { s3_object_storage_mode: Some(S3ObjectStorageMode::Copy), ..archive.clone() },
    ] {
        refused(
            world.create(with_code("g", both)).await,
            INVALID,
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        );
    }
    let half = "S3 Bucket and Key are required for uploading with S3 parameters.";
    for half_of_it in [
        FunctionCode { s3_bucket: Some("code".into()), ..FunctionCode::default() },
        FunctionCode { s3_key: Some("f.zip".into()), ..FunctionCode::default() },
        FunctionCode {
            s3_object_storage_mode: Some(S3ObjectStorageMode::Reference),
            ..FunctionCode::default()
        },
    ] {
        refused(world.create(with_code("g", half_of_it)).await, INVALID, half);
    }
    world.created("f").await;
    let update = UpdateFunctionCodeRequest { s3_bucket: Some("code".into()), ..new_code("f", "2") };
    refused(
        world.update_code(update).await,
        INVALID,
        "Please do not provide other FunctionCode parameters when providing a ZipFile.",
    );
}

fn reference(bucket: &str, version: Option<&str>) -> FunctionCode {
    FunctionCode {
        s3_object_version: version.map(Into::into),
        s3_object_storage_mode: Some(S3ObjectStorageMode::Reference),
        ..object(bucket, "f.zip")
    }
}

/// The object stays where it is, so it takes nothing of the quota and there is no URL of ours to download it from.
#[tokio::test]
async fn code_that_stays_in_its_bucket() {
    let quotas = AccountQuotas { code_storage_bytes: 0, ..AccountQuotas::default() };
    let world = World::with(Clock::real(), quotas).await;
    refused(
        world.create(with_code("f", reference("plain", None))).await,
        INVALID,
        "S3ObjectStorageMode REFERENCE needs a bucket that keeps versions.",
    );
    let created = world.create(with_code("f", reference("code", None))).await.unwrap();
    assert_eq!(created.code_sha256.as_deref(), Some(""));
    assert_eq!(created.code_size, i64::try_from(package("from the bucket").len()).ok());
    let active = world.settled("f").await;
    assert_eq!(active.code_sha256, Some(Digest::of(&package("from the bucket")).to_base64()));
    let resolved = |version: &str| {
        Some(FunctionCodeLocation {
            repository_type: Some("S3".into()),
            resolved_s3_object: Some(ResolvedS3Object {
                s3_bucket: Some("code".into()),
                s3_key: Some("f.zip".into()),
                s3_object_version: Some(version.into()),
            }),
            ..FunctionCodeLocation::default()
        })
    };
    assert_eq!(world.get("f", None).await.unwrap().code, resolved("v2"));
    let update = |version: Option<&str>, mode: Option<S3ObjectStorageMode>| UpdateFunctionCodeRequest {
        function_name: "f".into(),
        s3_bucket: Some("code".into()),
        s3_key: Some("f.zip".into()),
        s3_object_version: version.map(Into::into),
        s3_object_storage_mode: mode,
        ..UpdateFunctionCodeRequest::default()
    };
    let shown = world.update_code(update(Some("v1"), Some(S3ObjectStorageMode::Reference))).await.unwrap();
    assert_eq!(shown.code_sha256, None);
    let updated = world.settled("f").await;
    assert_eq!(updated.code_sha256, Some(Digest::of(&package("from the bucket before")).to_base64()));
    assert_eq!(world.get("f", None).await.unwrap().code, resolved("v1"));
    let described = world.update(new_description("f", "x")).await.unwrap();
    assert_eq!(described.code_sha256, updated.code_sha256);
    world.settled("f").await;
    // Without the mode it would be copied, for which there is no room here.
    refused(
        world.update_code(update(None, None)).await,
        "CodeStorageExceededException",
        "Code storage limit exceeded.",
    );
    let world = world.restart().await;
    assert_eq!(world.get("f", None).await.unwrap().code, resolved("v1"));
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
    assert_ne!(shown.last_modified, before.last_modified);
    let expected = FunctionConfiguration {
        code_sha256: Some(digest.to_base64()),
        architectures: Some(vec![Architecture::Arm64]),
        last_modified: shown.last_modified.clone(),
        state: Some(State::Pending),
        state_reason: Some("The function is being restored.".into()),
        state_reason_code: Some(StateReasonCode::Restoring),
        ..before.clone()
    };
    assert_eq!(shown, expected);
    assert_eq!(world.configuration("f").await.unwrap(), before);
    assert!(!world.blobs.contains(&digest));
    let stale = UpdateFunctionCodeRequest {
        revision_id: Some("00000000-0000-4000-8000-000000000000".into()),
        ..dry.clone()
    };
    assert!(world.update_code(stale).await.is_ok(), "AWS does not compare revisions when nothing changes");
    let published = UpdateFunctionCodeRequest { publish: Some(true), ..dry.clone() };
    refused(
        world.update_code(published.clone()).await,
        INVALID,
        "Publish and DryRun are mutually exclusive parameters. Please provide only one of the two parameters and try \
         again.",
    );
    // The archive comes first.
    let bad = UpdateFunctionCodeRequest { zip_file: Some("not a zip".into()), ..published };
    let unreadable = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    refused(world.update_code(bad).await, INVALID, unreadable);
    let bad_and_stale = UpdateFunctionCodeRequest {
        revision_id: Some("00000000-0000-4000-8000-000000000000".into()),
        zip_file: Some("not a zip".into()),
        ..new_code("f", "2")
    };
    refused(world.update_code(bad_and_stale).await, INVALID, unreadable);
}

#[tokio::test]
async fn an_update_of_code_may_change_the_architecture() {
    let world = World::new().await;
    world.created("f").await;
    let arm =
        UpdateFunctionCodeRequest { architectures: Some(vec![Architecture::Arm64]), ..new_code("f", "1") };
    let shown = world.update_code(arm).await.unwrap();
    assert_eq!(shown.architectures, Some(vec![Architecture::Arm64]));
    assert!(shown.last_modified.unwrap().ends_with(".000+0000"), "AWS notes updates to the second");
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
