//! One mapping for each function and source.

use std::collections::BTreeSet;

use rushlight_store::Backend;
use tokio::task::JoinSet;

use super::*;
use crate::world::Fault;

/// Rows in the store that have to do with mappings.
async fn rows(world: &World) -> Vec<String> {
    let rows = world.disk.list("event-source-mapping", None, 1000).await.unwrap();
    rows.into_iter().map(|(key, _)| key).collect()
}

/// All that the store has is what these mappings need.
async fn assert_tidy(world: &World, mappings: usize) {
    is_eventually("tidy", async || (rows(world).await.len() == 3 * mappings).then_some(())).await;
}

fn to(function: &str, uuid: &str) -> UpdateEventSourceMappingRequest {
    UpdateEventSourceMappingRequest { function_name: Some(function.into()), ..change(uuid) }
}

#[tokio::test]
async fn the_three_ways_to_say_that_a_mapping_exists() {
    let world = world_with(&["f"]).await;
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    for (input, text) in [
        (
            mapping_of(QUEUE),
            format!(
                "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f \") already exists."
            ),
        ),
        (
            stream(STREAM),
            format!(
                "The event source arn (\" {STREAM} \") and function (\" f \") provided mapping already exists."
            ),
        ),
        (
            stream(TABLE_STREAM),
            format!(
                "The event source arn (\" {TABLE_STREAM} \") and function (\" f \") provided mapping already exists."
            ),
        ),
        (
            self_managed(),
            format!(
                "An event source mapping with event source (\"kafka:1000\"), function (\"{function}\"), topics \
                 (\"topic\") already exists."
            ),
        ),
        (
            msk(),
            format!(
                "An event source mapping with event source (\"{CLUSTER}\"), function (\"{function}\"), topics \
                 (\"topic\") already exists."
            ),
        ),
    ] {
        let existing = create(&world, input.clone()).await.unwrap();
        let refused = create(&world, input).await.unwrap_err();
        assert_eq!(refused.code, "ResourceConflictException");
        assert_eq!(
            refused.message,
            Some(format!(
                "{text} Please update or delete the existing mapping with UUID {}",
                uuid(&existing)
            ))
        );
    }
}

#[tokio::test]
async fn what_differs_is_another_mapping() {
    let world = world_with(&["f", "g"]).await;
    let topic = |topic: &str| Some(vec![topic.to_owned()]);
    let collection = |collection: Option<&str>| {
        Some(DocumentDBEventSourceConfig {
            database_name: Some("db".into()),
            collection_name: collection.map(Into::into),
            full_document: None,
        })
    };
    for input in [
        mapping_of(QUEUE),
        CreateEventSourceMappingRequest { function_name: "g".into(), ..mapping_of(QUEUE) },
        CreateEventSourceMappingRequest { function_name: "f:$LATEST".into(), ..mapping_of(QUEUE) },
        mapping_of(FIFO_QUEUE),
        msk(),
        CreateEventSourceMappingRequest { topics: topic("other"), ..msk() },
        self_managed(),
        CreateEventSourceMappingRequest { topics: topic("other"), ..self_managed() },
        broker(),
        CreateEventSourceMappingRequest { queues: topic("other"), ..broker() },
        database(),
        CreateEventSourceMappingRequest {
            document_db_event_source_config: collection(Some("c")),
            ..database()
        },
    ] {
        create(&world, input.clone()).await.unwrap();
        let again = CreateEventSourceMappingRequest { batch_size: Some(7), ..input };
        assert_eq!(create(&world, again).await.unwrap_err().code, "ResourceConflictException");
    }
    let two = |a, b| CreateEventSourceMappingRequest {
        self_managed_event_source: servers(&[a, b]),
        ..self_managed()
    };
    create(&world, two("k1:1", "k2:2")).await.unwrap();
    assert_eq!(create(&world, two("k2:2", "k1:1")).await.unwrap_err().code, "ResourceConflictException");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_the_same_time_one_wins() {
    let world = std::sync::Arc::new(world_with(&["f"]).await);
    for round in 0..5 {
        let mut attempts = JoinSet::new();
        for _ in 0..16 {
            let world = world.clone();
            attempts.spawn(async move { create(&world, mapping_of(&format!("{QUEUE}{round}"))).await });
        }
        let mut won = Vec::new();
        let mut told = BTreeSet::new();
        for attempt in attempts.join_all().await {
            match attempt {
                Ok(mapping) => won.push(uuid(&mapping)),
                Err(refused) => {
                    assert_eq!(refused.code, "ResourceConflictException");
                    told.insert(refused.message.unwrap().rsplit(' ').next().unwrap().to_owned());
                }
            }
        }
        assert_eq!(won.len(), 1);
        assert_eq!(told, BTreeSet::from([won[0].clone()]));
        assert_eq!(list_all(&world).await.len(), round + 1);
    }
    assert_tidy(&world, 5).await;
}

#[tokio::test]
async fn another_function_frees_the_place_at_the_first() {
    let world = world_with(&["f", "g"]).await;
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    let moved = update(&world, to("g", &id)).await.unwrap();
    assert_eq!(moved.function_arn.as_deref(), Some("arn:aws:lambda:eu-west-1:123456789012:function:g"));
    assert_eq!(state(&moved), "Updating");
    settled(&world, &id).await;
    let second = created(&world, mapping_of(QUEUE)).await;
    assert_eq!(list_all(&world).await.len(), 2);
    let refused = update(&world, to("g", &uuid(&second))).await.unwrap_err();
    assert_eq!(refused.code, "ResourceConflictException");
    assert!(refused.message.unwrap().ends_with(&id));
    let unchanged = settled(&world, &uuid(&second)).await;
    assert_eq!(unchanged.function_arn, second.function_arn);
    assert_tidy(&world, 2).await;
    delete(&world, &uuid(&second)).await.unwrap();
    gone(&world, &uuid(&second)).await;
    update(&world, to("f", &id)).await.unwrap();
    settled(&world, &id).await;
    assert_tidy(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn moves_and_creations_do_not_meet() {
    let world = std::sync::Arc::new(world_with(&["f", "g", "h"]).await);
    for round in 0..8 {
        let queue = format!("{QUEUE}{round}");
        let named = |function: &str| CreateEventSourceMappingRequest {
            function_name: function.into(),
            ..mapping_of(&queue)
        };
        let (first, second) =
            (uuid(&created(&world, named("f")).await), uuid(&created(&world, named("g")).await));
        let mut attempts = JoinSet::new();
        for id in [first, second] {
            let world = world.clone();
            attempts.spawn(async move { update(&world, to("h", &id)).await });
        }
        let (another, input) = (world.clone(), named("h"));
        attempts.spawn(async move { create(&another, input).await });
        let outcomes = attempts.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let input = ListEventSourceMappingsRequest {
            event_source_arn: Some(queue.clone()),
            ..ListEventSourceMappingsRequest::default()
        };
        let functions: Vec<_> =
            list(&world, input).await.into_iter().map(|mapping| mapping.function_arn.unwrap()).collect();
        let distinct: BTreeSet<_> = functions.iter().collect();
        assert_eq!(distinct.len(), functions.len(), "{functions:?}");
    }
}

/// The store fails at each write of a creation: the mapping is there, or it is not and there is room for it.
#[tokio::test]
async fn a_creation_that_is_cut_off_leaves_all_or_nothing() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        for writes in 0..3 {
            let world = world_with(&["f"]).await;
            world.settled("f").await;
            world.disk.fail_after(writes, fault);
            assert_eq!(create(&world, mapping_of(QUEUE)).await.unwrap_err().code, "ServiceException");
            let world = world.restart().await;
            assert!(list_all(&world).await.is_empty(), "{fault:?} {writes}");
            assert_tidy(&world, 0).await;
            created(&world, mapping_of(QUEUE)).await;
            assert_tidy(&world, 1).await;
        }
    }
}

/// The store fails at each write of a move: the mapping is where it was, or where it should be, and nowhere else.
#[tokio::test]
async fn a_move_that_is_cut_off_leaves_the_old_or_the_new() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        for writes in 0..3 {
            let world = world_with(&["f", "g"]).await;
            world.settled("f").await;
            world.settled("g").await;
            let id = uuid(&created(&world, mapping_of(QUEUE)).await);
            world.disk.fail_after(writes, fault);
            assert_eq!(update(&world, to("g", &id)).await.unwrap_err().code, "ServiceException");
            let world = world.restart().await;
            let function = settled(&world, &id).await.function_arn.unwrap();
            let is_moved = function.ends_with(":g");
            assert!(
                !is_moved || (fault == Fault::AfterCommit && writes == 2),
                "{fault:?} {writes} {function}"
            );
            assert_tidy(&world, 1).await;
            let free = if is_moved { "f" } else { "g" };
            let input = CreateEventSourceMappingRequest { function_name: free.into(), ..mapping_of(QUEUE) };
            created(&world, input).await;
            assert_tidy(&world, 2).await;
        }
    }
}

#[tokio::test]
async fn a_claim_that_was_left_over_is_no_obstacle() {
    let world = world_with(&["f"]).await;
    created(&world, mapping_of(QUEUE)).await;
    let key = rows(&world).await.into_iter().find(|key| key.contains("claim")).unwrap();
    let left_over = world.disk.get(&key).await.unwrap().unwrap().value;
    let id = uuid(&list_all(&world).await[0]);
    delete(&world, &id).await.unwrap();
    gone(&world, &id).await;
    assert_tidy(&world, 0).await;
    // As if the server had been killed between the two.
    world.disk.put(&key, left_over, rushlight_store::Expect::Absent).await.unwrap();
    assert!(list_all(&world).await.is_empty());
    created(&world, mapping_of(QUEUE)).await;
    assert_eq!(list_all(&world).await.len(), 1);
    assert_tidy(&world, 1).await;
    assert_tidy(&world.restart().await, 1).await;
}
