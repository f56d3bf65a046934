//! Functions whose code is a container image.

use rushlight_api::lambda::types::*;

use crate::world::{Answer, ROLE, World, new_code, new_function, package};

const URI: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:latest";
const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn new_image(name: &str, uri: &str) -> CreateFunctionRequest {
    CreateFunctionRequest {
        function_name: name.into(),
        role: ROLE.into(),
        package_type: Some(PackageType::Image),
        code: FunctionCode { image_uri: Some(uri.into()), ..FunctionCode::default() },
        ..CreateFunctionRequest::default()
    }
}

fn other_image(name: &str, uri: &str) -> UpdateFunctionCodeRequest {
    UpdateFunctionCodeRequest {
        function_name: name.into(),
        image_uri: Some(uri.into()),
        ..UpdateFunctionCodeRequest::default()
    }
}

#[track_caller]
fn invalid(answer: Answer<FunctionConfiguration>, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!(
        (error.code.as_ref(), error.message.as_deref()),
        ("InvalidParameterValueException", Some(message))
    );
}

#[tokio::test]
async fn life_of_an_image() {
    let world = World::new().await;
    let config = ImageConfig {
        entry_point: Some(vec!["/bin/app".into()]),
        command: Some(vec!["serve".into(), "--all".into()]),
        working_directory: Some("/srv".into()),
    };
    let create = CreateFunctionRequest { image_config: Some(config.clone()), ..new_image("f", URI) };
    let created = world.create(create).await.unwrap();
    assert_eq!((created.state, created.code_size), (Some(State::Pending), Some(0)));
    let active = world.settled("f").await;
    assert_eq!(active.state, Some(State::Active));
    assert_eq!(active.package_type, Some(PackageType::Image));
    assert_eq!((active.runtime, active.handler, active.runtime_version_config), (None, None, None));
    assert_eq!(active.code_sha256, None, "what the tag leads to is not known");
    let shown = |config: ImageConfig| Some(ImageConfigResponse { image_config: Some(config), error: None });
    assert_eq!(active.image_config_response, shown(config));
    let location = |uri: &str, resolved: Option<&str>| {
        Some(FunctionCodeLocation {
            repository_type: Some("ECR".into()),
            image_uri: Some(uri.into()),
            resolved_image_uri: resolved.map(Into::into),
            ..FunctionCodeLocation::default()
        })
    };
    assert_eq!(world.get("f", None).await.unwrap().code, location(URI, None));
    let exact = format!("localhost:5000/app@sha256:{DIGEST}");
    world.update_code(other_image("f", &exact)).await.unwrap();
    let updated = world.settled("f").await;
    assert_eq!(updated.code_sha256.as_deref(), Some(DIGEST));
    assert_eq!(world.get("f", None).await.unwrap().code, location(&exact, Some(&exact)));
    let command = ImageConfig { command: Some(vec!["other".into()]), ..ImageConfig::default() };
    let replace = UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        image_config: Some(command.clone()),
        ..UpdateFunctionConfigurationRequest::default()
    };
    let replaced = world.update(replace.clone()).await.unwrap();
    assert_eq!(replaced.image_config_response, shown(command));
    world.settled("f").await;
    let clear = UpdateFunctionConfigurationRequest { image_config: Some(ImageConfig::default()), ..replace };
    assert_eq!(world.update(clear).await.unwrap().image_config_response, None);
    let world = world.restart().await;
    assert_eq!(world.get("f", None).await.unwrap().code, location(&exact, Some(&exact)));
    world.delete("f", None).await.unwrap();
}

#[tokio::test]
async fn what_images_do_not_have() {
    let world = World::new().await;
    let text =
        "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    let layer = "arn:aws:lambda:eu-west-1:123456789012:layer:l:1".to_owned();
    for create in [
        CreateFunctionRequest { handler: Some("h.h".into()), ..new_image("f", URI) },
        CreateFunctionRequest { runtime: Some("python3.12".into()), ..new_image("f", URI) },
        CreateFunctionRequest { layers: Some(vec![layer.clone()]), ..new_image("f", URI) },
    ] {
        invalid(world.create(create).await, text);
    }
    let without_layers = CreateFunctionRequest { layers: Some(Vec::new()), ..new_image("f", URI) };
    world.create(without_layers).await.unwrap();
    world.settled("f").await;
    let update = UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        ..UpdateFunctionConfigurationRequest::default()
    };
    for update in [
        UpdateFunctionConfigurationRequest { handler: Some("h.h".into()), ..update.clone() },
        UpdateFunctionConfigurationRequest { runtime: Some("python3.12".into()), ..update.clone() },
        UpdateFunctionConfigurationRequest { layers: Some(vec![layer.clone()]), ..update.clone() },
    ] {
        invalid(world.update(update).await, text);
    }
    let signed = CreateFunctionRequest {
        code_signing_config_arn: Some(
            "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-00000000000000000".into(),
        ),
        ..new_image("g", URI)
    };
    invalid(
        world.create(signed).await,
        "Code signing is not supported for functions created with container images.",
    );
}

#[tokio::test]
async fn sources_of_images() {
    let world = World::new().await;
    let with = |code: FunctionCode| CreateFunctionRequest { code, ..new_image("f", URI) };
    invalid(
        world.create(with(FunctionCode::default())).await,
        "Please provide ImageUri when creating a function with packageType Image.",
    );
    let archive = FunctionCode { zip_file: Some(package("1")), ..FunctionCode::default() };
    invalid(
        world.create(with(archive.clone())).await,
        "Please provide ImageUri when creating a function with packageType Image.",
    );
    let both = FunctionCode { image_uri: Some(URI.into()), ..archive };
    invalid(
        world.create(with(both.clone())).await,
        "Please do not provide other FunctionCode parameters when providing an ImageUri.",
    );
    invalid(
        world.create(with(FunctionCode { image_uri: Some("app".into()), ..FunctionCode::default() })).await,
        "Source image app is not valid. Provide a valid source image.",
    );
    // Without the package type it is taken for an archive.
    let zip = |code: FunctionCode| CreateFunctionRequest { code, ..new_function("f") };
    let image = FunctionCode { image_uri: Some(URI.into()), ..FunctionCode::default() };
    invalid(world.create(zip(image)).await, "Please provide a source for function code.");
    invalid(
        world.create(zip(both)).await,
        "Please do not provide other FunctionCode parameters when providing a ZipFile.",
    );
    world.created("zip").await;
    invalid(
        world.update_code(other_image("zip", URI)).await,
        "Please don't provide ImageUri when updating a function with packageType Zip.",
    );
    world.create(new_image("image", URI)).await.unwrap();
    world.settled("image").await;
    invalid(
        world.update_code(new_code("image", "2")).await,
        "Please provide ImageUri when updating a function with packageType Image.",
    );
    invalid(
        world.update_code(other_image("image", "app")).await,
        "Source image app is not valid. Provide a valid source image.",
    );
    let config = ImageConfig { command: Some(vec!["c".into()]), ..ImageConfig::default() };
    let configured = CreateFunctionRequest { image_config: Some(config), ..new_function("f") };
    invalid(
        world.create(configured).await,
        "Please don't provide ImageConfig for a function with packageType Zip.",
    );
}

#[tokio::test]
async fn settings_of_images_are_limited() {
    let world = World::new().await;
    let with = |bytes: usize| CreateFunctionRequest {
        image_config: Some(ImageConfig {
            entry_point: Some(vec!["a".repeat(bytes - 10)]),
            command: Some(vec!["b".repeat(5)]),
            working_directory: Some("/".repeat(5)),
        }),
        ..new_image("f", URI)
    };
    invalid(world.create(with(16_385)).await, "The settings of a container image may not exceed 16 KB.");
    world.create(with(16_384)).await.unwrap();
}
