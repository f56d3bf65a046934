//! Function URLs: their settings, and that an id leads to its function and to nothing else, also over races and crashes.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_control::RequestContext;
use rushlight_store::Backend;
use rushlight_store::table::function_url::FUNCTION_URLS;
use tokio::task::JoinSet;

use crate::world::{ACCOUNT, Answer, Fault, REGION, World, here, in_scope, new_function};

fn arn(end: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{end}")
}

/// A function `f` with an alias `live`.
async fn world() -> World {
    let world = World::new().await;
    world.created("f").await;
    alias(&world, "live").await;
    world
}

async fn alias(world: &World, name: &str) {
    let input = CreateAliasRequest {
        function_name: "f".into(),
        name: name.into(),
        function_version: "$LATEST".into(),
        ..CreateAliasRequest::default()
    };
    world.control.create_alias(&here(), input).await.unwrap();
}

fn open_to_all(function: &str) -> CreateFunctionUrlConfigRequest {
    CreateFunctionUrlConfigRequest {
        function_name: function.into(),
        qualifier: None,
        auth_type: FunctionUrlAuthType::None,
        cors: None,
        invoke_mode: None,
    }
}

async fn create(world: &World, function: &str) -> Answer<CreateFunctionUrlConfigResponse> {
    world.control.create_function_url_config(&here(), open_to_all(function)).await
}

async fn get(world: &World, function: &str) -> Answer<GetFunctionUrlConfigResponse> {
    let input = GetFunctionUrlConfigRequest { function_name: function.into(), qualifier: None };
    world.control.get_function_url_config(&here(), input).await
}

async fn delete(world: &World, function: &str) -> Answer<()> {
    let input = DeleteFunctionUrlConfigRequest { function_name: function.into(), qualifier: None };
    world.control.delete_function_url_config(&here(), input).await
}

fn id_of(url: &str) -> String {
    let id = url.strip_prefix("http://").unwrap().split('.').next().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    assert_eq!(url, format!("http://{id}.lambda-url.{REGION}.localhost:9000/"));
    id.to_owned()
}

/// The function and qualifier that an id leads to.
async fn led(world: &World, id: &str) -> Option<String> {
    let (head, target) = world.control.function_by_url(id).await.unwrap()?;
    assert_eq!(head.urls[&target.qualifier].id, id);
    Some(format!("{}:{}", head.id.name, target.qualifier))
}

async fn rows(world: &World) -> usize {
    world.disk.list(&format!("{FUNCTION_URLS}/"), None, 1000).await.unwrap().len()
}

#[tokio::test]
async fn an_id_leads_to_its_function_or_alias_while_there_is_one() {
    let world = world().await;
    let own = id_of(&create(&world, "f").await.unwrap().function_url);
    let live = id_of(&create(&world, "f:live").await.unwrap().function_url);
    assert_eq!(led(&world, &own).await.as_deref(), Some("f:$LATEST"));
    assert_eq!(led(&world, &live).await.as_deref(), Some("f:live"));
    for nobody in ["", "x", "../f", &own[1..], &own.to_uppercase()] {
        assert_eq!(led(&world, nobody).await, None);
    }
    let world = world.restart().await;
    assert_eq!(id_of(&get(&world, "f").await.unwrap().function_url), own);
    assert_eq!(led(&world, &live).await.as_deref(), Some("f:live"));
    delete(&world, "f").await.unwrap();
    assert_eq!((led(&world, &own).await, rows(&world).await), (None, 1));
    let again = id_of(&create(&world, "f").await.unwrap().function_url);
    assert_ne!(again, own, "no id is given twice");
}

#[tokio::test]
async fn urls_go_with_their_alias_and_with_their_function() {
    let world = world().await;
    let own = id_of(&create(&world, "f").await.unwrap().function_url);
    let live = id_of(&create(&world, "f:live").await.unwrap().function_url);
    let input = DeleteAliasRequest { function_name: "f".into(), name: "live".into() };
    world.control.delete_alias(&here(), input).await.unwrap();
    assert_eq!((led(&world, &live).await, rows(&world).await), (None, 1));
    alias(&world, "live").await;
    assert_eq!(get(&world, "f:live").await.unwrap_err().code, "ResourceNotFoundException");
    world.delete("f", None).await.unwrap();
    assert_eq!((led(&world, &own).await, rows(&world).await), (None, 0));
    world.created("f").await;
    assert_eq!(led(&world, &own).await, None, "a new function of the name has nothing of the old one");
}

#[tokio::test]
async fn the_mode_is_told_by_changes_only_if_it_was_said() {
    let world = world().await;
    assert_eq!(create(&world, "f").await.unwrap().invoke_mode, None);
    assert_eq!(get(&world, "f").await.unwrap().invoke_mode, Some(InvokeMode::Buffered));
    let update = |invoke_mode| {
        let input = UpdateFunctionUrlConfigRequest {
            function_name: "f".into(),
            invoke_mode,
            ..UpdateFunctionUrlConfigRequest::default()
        };
        let control = world.control.clone();
        async move { control.update_function_url_config(&here(), input).await.unwrap().invoke_mode }
    };
    assert_eq!(update(None).await, None);
    assert_eq!(update(Some(InvokeMode::ResponseStream)).await, Some(InvokeMode::ResponseStream));
    assert_eq!(update(None).await, Some(InvokeMode::ResponseStream));
    assert_eq!(get(&world, "f").await.unwrap().invoke_mode, Some(InvokeMode::ResponseStream));
}

#[tokio::test]
async fn cors_is_replaced_as_a_whole_and_removed_by_an_empty_one() {
    let world = world().await;
    let origins = Cors { allow_origins: Some(vec!["*".into()]), max_age: Some(0), ..Cors::default() };
    let input = CreateFunctionUrlConfigRequest { cors: Some(origins.clone()), ..open_to_all("f") };
    let created = world.control.create_function_url_config(&here(), input).await.unwrap();
    assert_eq!(created.cors, Some(origins.clone()));
    let update = |cors| {
        let input = UpdateFunctionUrlConfigRequest {
            function_name: "f".into(),
            cors,
            ..UpdateFunctionUrlConfigRequest::default()
        };
        let control = world.control.clone();
        async move { control.update_function_url_config(&here(), input).await.unwrap().cors }
    };
    assert_eq!(update(None).await, Some(origins));
    let methods = Cors { allow_methods: Some(vec!["GET".into(), "*".into()]), ..Cors::default() };
    assert_eq!(update(Some(methods.clone())).await, Some(methods));
    assert_eq!(update(Some(Cors::default())).await, None);
    assert_eq!(get(&world, "f").await.unwrap().cors, None);
}

#[tokio::test]
async fn urls_lead_back_the_way_the_caller_came() {
    let world = world().await;
    create(&world, "f").await.unwrap();
    for (host, authority) in
        [(Some("10.0.0.1:1234"), "localhost:1234"), (Some("lambda"), "localhost"), (None, "localhost:1")]
    {
        let context = RequestContext { host: host.map(Into::into), ..here() };
        let input = GetFunctionUrlConfigRequest { function_name: "f".into(), qualifier: None };
        let url = world.control.get_function_url_config(&context, input).await.unwrap().function_url;
        assert!(url.ends_with(&format!(".lambda-url.{REGION}.{authority}/")), "{url}");
    }
}

#[tokio::test]
async fn functions_whose_callers_must_be_named_have_no_url() {
    let world = World::new().await;
    let mut input = new_function("f");
    input.tenancy_config = Some(TenancyConfig { tenant_isolation_mode: TenantIsolationMode::PerTenant });
    world.create(input).await.unwrap();
    world.settled("f").await;
    let error = create(&world, "f").await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn other_accounts_and_regions_see_nothing() {
    let world = world().await;
    create(&world, "f").await.unwrap();
    for context in [in_scope("999999999999", REGION), in_scope(ACCOUNT, "us-east-1")] {
        let input = GetFunctionUrlConfigRequest { function_name: "f".into(), qualifier: None };
        let error = world.control.get_function_url_config(&context, input).await.unwrap_err();
        assert_eq!(error.code, "ResourceNotFoundException");
        let input = DeleteFunctionUrlConfigRequest { function_name: "f".into(), qualifier: None };
        world.control.delete_function_url_config(&context, input).await.unwrap_err();
    }
    assert!(get(&world, "f").await.is_ok());
}

#[tokio::test]
async fn of_many_who_create_one_wins_and_the_others_leave_nothing() {
    let world = world().await;
    let mut creators = JoinSet::new();
    for _ in 0..16 {
        let control = world.control.clone();
        creators.spawn(async move { control.create_function_url_config(&here(), open_to_all("f")).await });
    }
    let (won, lost): (Vec<_>, Vec<_>) = creators.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), rows(&world).await), (1, 1));
    for error in lost.into_iter().map(Result::unwrap_err) {
        let message = format!(
            "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists \
             for this Lambda function",
            arn("f")
        );
        assert_eq!((&*error.code, error.message), ("ResourceConflictException", Some(message)));
    }
    let url = won.into_iter().next().unwrap().unwrap().function_url;
    assert_eq!(led(&world, &id_of(&url)).await.as_deref(), Some("f:$LATEST"));
}

/// The store fails at each point of a creation: the URL is there and found by its id, or it is not there at all.
#[tokio::test]
async fn a_creation_that_is_cut_off_leaves_all_or_nothing() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        for spared in 0..2 {
            let world = world().await;
            world.disk.fail_after(spared, fault);
            assert_eq!(create(&world, "f").await.unwrap_err().code, "ServiceException");
            let world = world.restart().await;
            match get(&world, "f").await {
                Ok(url) => {
                    assert_eq!((fault, spared), (Fault::AfterCommit, 1));
                    assert_eq!(led(&world, &id_of(&url.function_url)).await.as_deref(), Some("f:$LATEST"));
                    assert_eq!(rows(&world).await, 1);
                }
                Err(_) => assert_eq!(rows(&world).await, 0, "what no head names is swept"),
            }
            let _ = create(&world, "f").await;
            assert!(get(&world, "f").await.is_ok());
        }
    }
}

#[tokio::test]
async fn a_deletion_that_is_cut_off_leaves_all_or_nothing() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        let world = world().await;
        let id = id_of(&create(&world, "f").await.unwrap().function_url);
        *world.disk.fault.lock() = Some(fault);
        delete(&world, "f").await.unwrap_err();
        // The row may be there; without the head it leads nowhere.
        let there = get(&world, "f").await.is_ok();
        assert_eq!(there, fault == Fault::BeforeCommit);
        assert_eq!(led(&world, &id).await.is_some(), there);
        let world = world.restart().await;
        assert_eq!((led(&world, &id).await.is_some(), rows(&world).await), (there, usize::from(there)));
    }
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let world = world().await;
    create(&world, "f").await.unwrap();
    for name in ["a", "b"] {
        alias(&world, name).await;
        create(&world, &format!("f:{name}")).await.unwrap();
    }
    let mut listed = Vec::new();
    let mut marker = None;
    loop {
        let input = ListFunctionUrlConfigsRequest { function_name: "f".into(), marker, max_items: Some(1) };
        let page = world.control.list_function_url_configs(&here(), input).await.unwrap();
        assert_eq!(page.function_url_configs.len(), 1);
        listed.extend(page.function_url_configs.into_iter().map(|url| url.function_arn));
        // What the page ended with may go.
        if listed.len() == 2 {
            delete(&world, "f:a").await.unwrap();
        }
        match page.next_marker {
            Some(next) => marker = Some(next),
            None => break,
        }
    }
    assert_eq!(listed, [arn("f"), arn("f:a"), arn("f:b")]);
}
