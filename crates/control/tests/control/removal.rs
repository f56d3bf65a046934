//! Old code goes, but never from under somebody who needs it.

use std::time::Duration;

use rushlight_store::Digest;

use crate::world::{World, archive, eventually, new_code, new_function, package};

/// Longer than superseded code is kept.
const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn superseded_code_is_removed_after_a_while() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    world.update_code(new_code("f", "2")).await.unwrap();
    world.settled("f").await;
    let (old, new) = (Digest::of(&package("1")), Digest::of(&package("2")));
    assert!(world.blobs.contains(&old) && world.packages.path(&old).is_some());
    eventually("the old package goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&old) && world.packages.path(&old).is_none()
    })
    .await;
    assert!(world.blobs.contains(&new) && world.packages.path(&new).is_some());
}

#[tokio::test]
async fn urls_handed_out_stay_good() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    world.delete("f", None).await.unwrap();
    // It is noted when it was superseded at the next look.
    world.clock.advance(Duration::from_secs(30)).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.clock.advance(Duration::from_secs(570)).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.control.archive(&Digest::of(&package("1"))).unwrap().is_some());
}

#[tokio::test]
async fn code_of_a_deleted_function_goes_unless_another_has_it() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    world.created("g").await;
    let mut other = new_function("h");
    other.code.zip_file = Some(package("other"));
    world.create(other).await.unwrap();
    world.settled("h").await;
    world.delete("f", None).await.unwrap();
    world.delete("h", None).await.unwrap();
    let (shared, own) = (Digest::of(&package("1")), Digest::of(&package("other")));
    eventually("what h had goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&own)
    })
    .await;
    assert!(world.blobs.contains(&shared) && world.packages.path(&shared).is_some());
}

#[tokio::test]
async fn mounted_code_stays() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    let mut other = new_function("g");
    other.code.zip_file = Some(package("other"));
    world.create(other).await.unwrap();
    world.settled("g").await;
    let (mounted, free) = (Digest::of(&package("1")), Digest::of(&package("other")));
    world.data_plane.mounted.lock().push(mounted);
    world.delete("f", None).await.unwrap();
    world.delete("g", None).await.unwrap();
    eventually("what nobody has mounted goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&free)
    })
    .await;
    assert!(world.blobs.contains(&mounted) && world.packages.path(&mounted).is_some());
    world.data_plane.mounted.lock().clear();
    eventually("it goes when it is free", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&mounted)
    })
    .await;
}

#[tokio::test]
async fn code_that_comes_back_stays() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    for text in ["2", "1"] {
        world.update_code(new_code("f", text)).await.unwrap();
        world.settled("f").await;
    }
    let (first, second) = (Digest::of(&package("1")), Digest::of(&package("2")));
    eventually("the second goes", || {
        world.clock.advance(LONG).unwrap();
        !world.blobs.contains(&second)
    })
    .await;
    assert!(world.blobs.contains(&first) && world.packages.path(&first).is_some());
}

/// What a killed server left without a name goes when it is old, and only then.
#[tokio::test]
async fn orphans_are_removed_at_the_next_start() {
    let world = World::new().await;
    world.created("f").await;
    let (old, fresh) = (archive(&[("old", b"1")]), archive(&[("fresh", b"1")]));
    for orphan in [&old, &fresh] {
        world.blobs.put(orphan.clone()).await.unwrap();
    }
    world.age(&Digest::of(&old), LONG * 2);
    world.age(&Digest::of(&package("1")), LONG * 2);
    let world = world.restart().await;
    eventually("the old orphan goes", || !world.blobs.contains(&Digest::of(&old))).await;
    assert!(world.blobs.contains(&Digest::of(&fresh)));
    assert!(world.blobs.contains(&Digest::of(&package("1"))));
}

/// Two functions with the same code, deleted and made again while code is removed all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn code_is_never_removed_from_under_a_function_that_just_came() {
    let world = World::with_virtual_clock().await;
    for round in 0..40 {
        let name = format!("f{round}");
        world.created(&name).await;
        world.clock.advance(LONG).unwrap();
        assert!(world.blobs.contains(&Digest::of(&package("1"))), "round {round}");
        world.delete(&name, None).await.unwrap();
        world.clock.advance(LONG).unwrap();
    }
}
