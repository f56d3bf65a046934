//! Random sequences of operations against a small model of what they should do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::world::in_scope;

const CASES: u32 = 200;
const FUNCTIONS: [&str; 3] = ["f", "g", "g:$LATEST"];
const SOURCES: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Create { function: usize, source: usize, enabled: bool },
    Resize { mapping: usize, size: i32 },
    Move { mapping: usize, function: usize },
    Enable { mapping: usize, enabled: bool },
    Delete { mapping: usize },
    Settle,
    List { function: Option<usize>, source: Option<usize> },
}

fn step() -> impl Strategy<Value = Step> {
    let mapping = 0..4_usize;
    let function = 0..FUNCTIONS.len();
    let source = 0..SOURCES;
    let some = |range: std::ops::Range<usize>| proptest::option::of(range);
    prop_oneof![
        4 => (function.clone(), source.clone(), any::<bool>())
            .prop_map(|(function, source, enabled)| Step::Create { function, source, enabled }),
        2 => (mapping.clone(), 1..=10_i32).prop_map(|(mapping, size)| Step::Resize { mapping, size }),
        3 => (mapping.clone(), function.clone()).prop_map(|(mapping, function)| Step::Move { mapping, function }),
        2 => (mapping.clone(), any::<bool>()).prop_map(|(mapping, enabled)| Step::Enable { mapping, enabled }),
        2 => mapping.prop_map(|mapping| Step::Delete { mapping }),
        5 => Just(Step::Settle),
        2 => (some(function), some(source)).prop_map(|(function, source)| Step::List { function, source }),
    ]
}

/// A mapping as it should be.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    function: usize,
    source: usize,
    enabled: bool,
    size: i32,
    /// Whether a transition was begun that may or may not be over.
    is_busy: bool,
    /// Whether that is the last one.
    is_deleting: bool,
}

struct Case {
    world: Arc<World>,
    context: RequestContext,
    mappings: BTreeMap<String, Expected>,
}

impl Case {
    async fn run(&mut self, step: &Step) {
        match *step {
            Step::Create { function, source, enabled } => self.create(function, source, enabled).await,
            Step::Resize { mapping, size } => {
                self.change(mapping, |input| input.batch_size = Some(size), |expected| expected.size = size)
                    .await;
            }
            Step::Enable { mapping, enabled } => {
                self.change(
                    mapping,
                    |input| input.enabled = Some(enabled),
                    |expected| expected.enabled = enabled,
                )
                .await;
            }
            Step::Move { mapping, function } => {
                self.change(
                    mapping,
                    |input| input.function_name = Some(FUNCTIONS[function].into()),
                    |expected| expected.function = function,
                )
                .await;
            }
            Step::Delete { mapping } => self.delete(mapping).await,
            Step::Settle => self.settle().await,
            Step::List { function, source } => self.list(function, source).await,
        }
    }

    fn arn(&self, source: usize) -> String {
        format!("arn:aws:sqs:eu-west-1:{}:q{source}", self.context.scope.account)
    }

    /// Who is in the way of a mapping, itself aside.
    fn holder(&self, function: usize, source: usize, own: &str) -> Option<(&String, &Expected)> {
        self.mappings
            .iter()
            .find(|(id, expected)| *id != own && (expected.function, expected.source) == (function, source))
    }

    async fn create(&mut self, function: usize, source: usize, enabled: bool) {
        let input = CreateEventSourceMappingRequest {
            event_source_arn: Some(self.arn(source)),
            function_name: FUNCTIONS[function].into(),
            enabled: Some(enabled),
            ..CreateEventSourceMappingRequest::default()
        };
        let answer = self.world.control.create_event_source_mapping(&self.context, input).await;
        let holder = self.holder(function, source, "").map(|(id, holder)| (id.clone(), holder.is_deleting));
        match (answer, holder) {
            (Ok(mapping), holder) => {
                // Only one that is going away may have made room.
                if let Some((id, is_deleting)) = holder {
                    assert!(is_deleting);
                    self.mappings.remove(&id);
                }
                let expected =
                    Expected { function, source, enabled, size: 10, is_busy: true, is_deleting: false };
                self.mappings.insert(uuid(&mapping), expected);
            }
            (Err(refused), Some((id, _))) => {
                assert_eq!(refused.code, "ResourceConflictException");
                assert!(refused.message.unwrap().ends_with(&id));
            }
            (Err(refused), None) => panic!("{refused:?}"),
        }
    }

    async fn change(
        &mut self,
        index: usize,
        request: impl FnOnce(&mut UpdateEventSourceMappingRequest),
        change: impl FnOnce(&mut Expected),
    ) {
        let Some(id) = self.mappings.keys().nth(index).cloned() else {
            return;
        };
        let mut input = UpdateEventSourceMappingRequest { uuid: id.clone(), ..Default::default() };
        request(&mut input);
        let before = self.mappings[&id].clone();
        let mut after = Expected { is_busy: true, ..before.clone() };
        change(&mut after);
        match self.world.control.update_event_source_mapping(&self.context, input).await {
            Ok(_) => {
                if let Some((other, holder)) = self.holder(after.function, after.source, &id) {
                    assert!(holder.is_deleting);
                    let other = other.clone();
                    self.mappings.remove(&other);
                }
                assert!(!before.is_deleting);
                self.mappings.insert(id, after);
            }
            Err(refused) => match refused.code.as_ref() {
                "ResourceInUseException" => assert!(before.is_busy),
                "ResourceNotFoundException" => {
                    assert!(before.is_deleting);
                    self.mappings.remove(&id);
                }
                "ResourceConflictException" => {
                    assert!(self.holder(after.function, after.source, &id).is_some());
                }
                _ => panic!("{refused:?}"),
            },
        }
    }

    async fn delete(&mut self, index: usize) {
        let Some(id) = self.mappings.keys().nth(index).cloned() else {
            return;
        };
        let input = DeleteEventSourceMappingRequest { uuid: id.clone() };
        let answer = self.world.control.delete_event_source_mapping(&self.context, input).await;
        let expected = self.mappings.get_mut(&id).unwrap();
        match answer {
            Ok(shown) => {
                assert_eq!(state(&shown), "Deleting");
                assert!(!expected.is_deleting);
                (expected.is_busy, expected.is_deleting) = (true, true);
            }
            Err(refused) if refused.code == "ResourceInUseException" => assert!(expected.is_busy),
            Err(refused) => {
                assert!(refused.code == "ResourceNotFoundException" && expected.is_deleting, "{refused:?}");
                self.mappings.remove(&id);
            }
        }
    }

    /// Lets all transitions end and holds every mapping against the model.
    async fn settle(&mut self) {
        for (id, expected) in std::mem::take(&mut self.mappings) {
            loop {
                let shown = get_as(&self.world, &self.context, &id).await;
                match shown.as_ref().map(state) {
                    Ok("Enabled" | "Disabled") => {
                        assert!(!expected.is_deleting);
                        self.check(&shown.unwrap(), &expected);
                        let settled = Expected { is_busy: false, ..expected };
                        self.mappings.insert(id, settled);
                        break;
                    }
                    Ok(_) => {
                        assert!(expected.is_busy);
                        self.world.clock.advance(Duration::from_secs(1)).unwrap();
                        tokio::task::yield_now().await;
                    }
                    Err(_) => {
                        assert!(expected.is_deleting);
                        break;
                    }
                }
            }
        }
    }

    fn check(&self, shown: &Mapping, expected: &Expected) {
        let account = &self.context.scope.account;
        let function = FUNCTIONS[expected.function];
        assert_eq!(
            shown.function_arn,
            Some(format!("arn:aws:lambda:eu-west-1:{account}:function:{function}"))
        );
        assert_eq!(shown.event_source_arn, Some(self.arn(expected.source)));
        assert_eq!(shown.batch_size, Some(expected.size));
        assert_eq!(state(shown), if expected.enabled { "Enabled" } else { "Disabled" });
    }

    async fn list(&mut self, function: Option<usize>, source: Option<usize>) {
        self.settle().await;
        let input = ListEventSourceMappingsRequest {
            function_name: function.map(|function| FUNCTIONS[function].into()),
            event_source_arn: source.map(|source| self.arn(source)),
            ..ListEventSourceMappingsRequest::default()
        };
        let page = self.world.control.list_event_source_mappings(&self.context, input).await.unwrap();
        let mut listed: Vec<_> = page.event_source_mappings.unwrap().iter().map(uuid).collect();
        listed.sort();
        let expected = self.mappings.iter().filter(|(_, expected)| {
            function.is_none_or(|function| function == expected.function)
                && source.is_none_or(|source| source == expected.source)
        });
        assert!(listed.iter().eq(expected.map(|(id, _)| id)), "{listed:?} {:?}", self.mappings);
    }
}

#[test]
fn any_sequence_does_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = Arc::new(runtime.block_on(World::with_virtual_clock()));
    let account = AtomicU64::new(0);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..25), |steps| {
            let account = format!("{:012}", account.fetch_add(1, Ordering::Relaxed));
            let context = in_scope(&account, "eu-west-1");
            let mut case = Case { world: world.clone(), context, mappings: BTreeMap::new() };
            runtime.block_on(async {
                for name in ["f", "g"] {
                    world.control.create_function(&case.context, new_function(name)).await.unwrap();
                }
                for step in &steps {
                    case.run(step).await;
                }
                case.list(None, None).await;
            });
            Ok(())
        })
        .unwrap();
}
