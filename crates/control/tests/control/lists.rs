//! Pages of functions, and what an account has.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::world::{Answer, World, here, in_scope, new_function, package};

async fn list(world: &World, input: ListFunctionsRequest) -> Answer<ListFunctionsResponse> {
    world.control.list_functions(&here(), input).await
}

fn names(page: &ListFunctionsResponse) -> Vec<String> {
    let functions = page.functions.as_ref().unwrap();
    functions.iter().map(|function| function.function_name.clone().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_each_other() {
    let world = World::new().await;
    let mut expected: Vec<String> = (0..53).map(|number| format!("f{number}")).collect();
    for name in &expected {
        world.create(new_function(name)).await.unwrap();
    }
    expected.sort();
    for (max_items, pages) in [(None, 2), (Some(10_000), 2), (Some(20), 3), (Some(53), 2)] {
        let (mut seen, mut marker, mut count) = (Vec::new(), None, 0);
        loop {
            let page =
                list(&world, ListFunctionsRequest { marker, max_items, ..ListFunctionsRequest::default() })
                    .await
                    .unwrap();
            seen.extend(names(&page));
            count += 1;
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!((seen, count), (expected.clone(), pages), "{max_items:?}");
    }
}

#[tokio::test]
async fn a_page_that_ends_the_list_has_no_marker() {
    let world = World::new().await;
    for name in ["a", "b"] {
        world.create(new_function(name)).await.unwrap();
    }
    let page = |max_items| {
        let input = ListFunctionsRequest { max_items: Some(max_items), ..ListFunctionsRequest::default() };
        list(&world, input)
    };
    assert!(page(1).await.unwrap().next_marker.is_some());
    assert!(page(2).await.unwrap().next_marker.is_none());
}

#[tokio::test]
async fn what_lists_leave_out() {
    let world = World::new().await;
    world.created("f").await;
    let page = list(&world, ListFunctionsRequest::default()).await.unwrap();
    let shown = &page.functions.unwrap()[0];
    assert_eq!(
        (&shown.state, &shown.last_update_status, &shown.runtime_version_config),
        (&None, &None, &None)
    );
    let full = world.configuration("f").await.unwrap();
    assert_eq!(shown.revision_id, full.revision_id);
    assert_eq!(shown.code_sha256, full.code_sha256);
}

#[tokio::test]
async fn all_versions_are_shown_with_their_qualifier() {
    let world = World::new().await;
    world.created("f").await;
    let input =
        ListFunctionsRequest { function_version: Some("ALL".into()), ..ListFunctionsRequest::default() };
    let page = list(&world, input).await.unwrap();
    assert_eq!(
        page.functions.unwrap()[0].function_arn.as_deref(),
        Some("arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST")
    );
}

#[tokio::test]
async fn markers_of_elsewhere_are_refused() {
    let world = World::new().await;
    let input = ListFunctionsRequest { marker: Some("elsewhere".into()), ..ListFunctionsRequest::default() };
    let error = list(&world, input).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
}

#[tokio::test]
async fn usage_is_counted_for_each_account_and_region() {
    let world = World::new().await;
    let usage = async |account: &str, region: &str| {
        let settings = world
            .control
            .get_account_settings(&in_scope(account, region), GetAccountSettingsRequest {})
            .await
            .unwrap();
        let usage = settings.account_usage.unwrap();
        (usage.function_count.unwrap(), usage.total_code_size.unwrap())
    };
    let size = i64::try_from(package("1").len()).unwrap();
    assert_eq!(usage("123456789012", "eu-west-1").await, (0, 0));
    world.created("f").await;
    world.create(new_function("g")).await.unwrap();
    let elsewhere = in_scope("123456789012", "us-east-1");
    world.control.create_function(&elsewhere, new_function("f")).await.unwrap();
    assert_eq!(usage("123456789012", "eu-west-1").await, (2, 2 * size));
    assert_eq!(usage("123456789012", "us-east-1").await, (1, size));
    world.delete("f", None).await.unwrap();
    assert_eq!(usage("123456789012", "eu-west-1").await, (1, size));
    assert_eq!(usage("999999999999", "eu-west-1").await, (0, 0));
}
