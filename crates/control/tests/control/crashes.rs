//! The server dies at every write that a function's life has, before it and after it. What is found then is the state
//! before the step that was under way or the one after it, whole and working.

use std::collections::BTreeMap;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use tokio::task::JoinSet;

use crate::world::{Answer, Fault, World, here, is_under_way, new_code, new_description, new_function};

/// More than any write that is counted.
const NEVER: usize = usize::MAX;

/// A step of a function's life.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Publish,
    UpdateCode,
    UpdateAndPublish,
    Configure,
    DeleteVersion,
    Delete,
    CreateAgain,
}

const LIFE: [Step; 8] = [
    Step::Create,
    Step::Publish,
    Step::UpdateCode,
    Step::Configure,
    Step::UpdateAndPublish,
    Step::DeleteVersion,
    Step::Delete,
    Step::CreateAgain,
];

impl Step {
    async fn take(self, world: &World) -> Answer<()> {
        let publish = Some(true);
        match self {
            Self::Create => world.create(new_function("f")).await.map(drop),
            Self::Publish => {
                let input = PublishVersionRequest { function_name: "f".into(), ..Default::default() };
                world.control.publish_version(&here(), input).await.map(drop)
            }
            Self::UpdateCode => world.update_code(new_code("f", "2")).await.map(drop),
            Self::UpdateAndPublish => {
                let input = UpdateFunctionCodeRequest { publish, ..new_code("f", "3") };
                world.update_code(input).await.map(drop)
            }
            Self::Configure => world.update(new_description("f", "described")).await.map(drop),
            Self::DeleteVersion => world.delete("f", Some("1")).await.map(drop),
            Self::Delete => world.delete("f", None).await.map(drop),
            Self::CreateAgain => {
                let input = CreateFunctionRequest { publish, ..new_function("f") };
                world.create(input).await.map(drop)
            }
        }
    }
}

/// Code and description of `$LATEST` and of every version.
type Seen = BTreeMap<String, (String, String)>;

/// What there is. Waits until nothing is under way, unless the disk dies before.
async fn seen(world: &World) -> Option<Seen> {
    loop {
        let input = ListVersionsByFunctionRequest { function_name: "f".into(), ..Default::default() };
        let listed = match world.control.list_versions_by_function(&here(), input).await {
            Ok(listed) => listed.versions.unwrap(),
            Err(error) if error.code == "ResourceNotFoundException" => return Some(Seen::new()),
            Err(error) => panic!("{error:?}"),
        };
        let mut found = Seen::new();
        let mut settled = true;
        for version in listed {
            let number = version.version.clone().unwrap();
            let shown = world.get("f", Some(&number)).await.unwrap().configuration.unwrap();
            settled &= !is_under_way(&shown);
            assert_ne!(shown.state, Some(State::Failed));
            found.insert(number, (version.code_sha256.unwrap(), version.description.unwrap()));
        }
        if settled {
            return Some(found);
        }
        if world.disk.is_dead() {
            return None;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The states of a life that nothing happens to, and how many writes it has.
async fn undisturbed() -> (Vec<Seen>, usize) {
    let world = World::new().await;
    world.disk.die_after(NEVER, Fault::BeforeCommit);
    let mut states = vec![Seen::new()];
    for step in LIFE {
        step.take(&world).await.unwrap();
        states.push(seen(&world).await.unwrap());
    }
    (states, NEVER - world.disk.spared())
}

async fn dies_after(writes: usize, fault: Fault, states: &[Seen]) {
    let world = World::new().await;
    world.disk.die_after(writes, fault);
    let mut possible = 0..1;
    for (number, step) in LIFE.into_iter().enumerate() {
        if step.take(&world).await.is_err() {
            possible = number..number + 2;
            break;
        }
        possible = number + 1..number + 2;
        if seen(&world).await.is_none() {
            break;
        }
    }
    let world = world.restart().await;
    let found = seen(&world).await.unwrap();
    assert!(states[possible.clone()].contains(&found), "{writes} {fault:?} {possible:?}: {found:?}");
    // All code that is named is there, and life goes on.
    for (code, _) in found.values() {
        assert!(states.iter().flat_map(Seen::values).any(|(known, _)| known == code));
    }
    if found.is_empty() {
        world.created("f").await;
    } else {
        world.update_code(new_code("f", "after")).await.unwrap();
        world.settled("f").await;
    }
    let head = world.head("f").await.unwrap();
    for package in head.versions.values().filter_map(|version| version.package.as_ref()) {
        assert!(world.blobs.contains(&package.sha256.parse().unwrap()));
    }
    let input = PublishVersionRequest { function_name: "f".into(), ..Default::default() };
    world.control.publish_version(&here(), input).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_write() {
    let (states, writes) = undisturbed().await;
    assert!(writes >= 2 * LIFE.len(), "{writes} writes");
    let mut deaths = JoinSet::new();
    for number in 0..writes {
        for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
            let states = states.clone();
            deaths.spawn(async move { dies_after(number, fault, &states).await });
        }
    }
    deaths.join_all().await;
}
