//! Random sequences of operations against a small model of what they should do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_control::RequestContext;
use rushlight_store::Digest;

use crate::world::{Answer, World, in_scope, is_under_way, new_code, new_description, new_function, package};

const CASES: u32 = 300;

/// Which revision id a request carries.
#[derive(Debug, Clone, Copy)]
enum Guard {
    None,
    Latest,
    Stale,
}

#[derive(Debug, Clone)]
enum Step {
    Create { name: u8, code: u8 },
    UpdateCode { name: u8, code: u8, guard: Guard },
    UpdateConfiguration { name: u8, description: u8, guard: Guard },
    Delete { name: u8 },
    Get { name: u8 },
    Settle { name: u8 },
    List,
    Count,
}

fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![Just(Guard::None), Just(Guard::Latest), Just(Guard::Stale)]
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..3_u8;
    let code = 0..3_u8;
    prop_oneof![
        3 => (name.clone(), code.clone()).prop_map(|(name, code)| Step::Create { name, code }),
        3 => (name.clone(), code, guard())
            .prop_map(|(name, code, guard)| Step::UpdateCode { name, code, guard }),
        3 => (name.clone(), 0..9_u8, guard())
            .prop_map(|(name, description, guard)| Step::UpdateConfiguration { name, description, guard }),
        1 => name.clone().prop_map(|name| Step::Delete { name }),
        2 => name.clone().prop_map(|name| Step::Get { name }),
        3 => name.prop_map(|name| Step::Settle { name }),
        1 => Just(Step::List),
        1 => Just(Step::Count),
    ]
}

/// A function as it should be.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    code: u8,
    description: String,
    revision_id: Option<String>,
}

struct Case {
    world: Arc<World>,
    context: RequestContext,
    functions: BTreeMap<String, Expected>,
}

fn function_name(number: u8) -> String {
    format!("f{number}")
}

impl Case {
    async fn run(&mut self, step: &Step) {
        match step {
            Step::Create { name, code } => self.create(function_name(*name), *code).await,
            Step::UpdateCode { name, code, guard } => {
                let name = function_name(*name);
                let input = UpdateFunctionCodeRequest {
                    revision_id: self.revision(&name, *guard),
                    ..new_code(&name, &code.to_string())
                };
                let answer = self.world.control.update_function_code(&self.context, input).await;
                self.updated(&name, *guard, answer, |expected| expected.code = *code).await;
            }
            Step::UpdateConfiguration { name, description, guard } => {
                let name = function_name(*name);
                let input = UpdateFunctionConfigurationRequest {
                    revision_id: self.revision(&name, *guard),
                    ..new_description(&name, &description.to_string())
                };
                let answer = self.world.control.update_function_configuration(&self.context, input).await;
                self.updated(&name, *guard, answer, |expected| {
                    expected.description = description.to_string();
                })
                .await;
            }
            Step::Delete { name } => self.delete(function_name(*name)).await,
            Step::Get { name } => drop(self.check(&function_name(*name)).await),
            Step::Settle { name } => self.settle(&function_name(*name)).await,
            Step::List => self.list().await,
            Step::Count => self.count().await,
        }
    }

    async fn create(&mut self, name: String, code: u8) {
        let mut input = new_function(&name);
        input.code.zip_file = Some(package(&code.to_string()));
        let answer = self.world.control.create_function(&self.context, input).await;
        if self.functions.contains_key(&name) {
            let error = answer.unwrap_err();
            assert_eq!(error.message, Some(format!("Function already exist: {name}")));
            return;
        }
        let revision_id = answer.unwrap().revision_id;
        let expected = Expected { code, description: String::new(), revision_id };
        self.functions.insert(name, expected);
    }

    /// Any update must do what its guard and the function's state allow, and nothing else.
    async fn updated(
        &mut self,
        name: &str,
        guard: Guard,
        answer: Answer<FunctionConfiguration>,
        change: impl FnOnce(&mut Expected),
    ) {
        let Some(expected) = self.functions.get_mut(name) else {
            assert_eq!(answer.unwrap_err().code, "ResourceNotFoundException");
            return;
        };
        match answer {
            Ok(shown) => {
                assert!(!matches!(guard, Guard::Stale));
                change(expected);
                expected.revision_id = shown.revision_id;
            }
            // The revision may have changed by itself since it was noted: something under way has ended.
            Err(error) if error.code == "PreconditionFailedException" => {
                assert!(!matches!(guard, Guard::None));
                drop(self.check(name).await);
            }
            Err(error) => assert_eq!(error.code, "ResourceConflictException"),
        }
    }

    async fn delete(&mut self, name: String) {
        let input = DeleteFunctionRequest { function_name: name.clone(), qualifier: None };
        let answer = self.world.control.delete_function(&self.context, input).await;
        assert_eq!(answer.is_ok(), self.functions.remove(&name).is_some());
    }

    /// Reads a function and holds it against the model.
    async fn check(&mut self, name: &str) -> Option<FunctionConfiguration> {
        let input = GetFunctionConfigurationRequest { function_name: name.into(), qualifier: None };
        let answer = self.world.control.get_function_configuration(&self.context, input).await;
        let Some(expected) = self.functions.get_mut(name) else {
            assert_eq!(answer.unwrap_err().code, "ResourceNotFoundException");
            return None;
        };
        let shown = answer.unwrap();
        let code = Digest::of(&package(&expected.code.to_string()));
        assert_eq!(shown.code_sha256, Some(code.to_base64()));
        assert_eq!(shown.description.as_ref(), Some(&expected.description));
        if is_under_way(&shown) {
            assert_eq!(shown.revision_id, expected.revision_id);
        }
        expected.revision_id.clone_from(&shown.revision_id);
        Some(shown)
    }

    async fn settle(&mut self, name: &str) {
        while self.check(name).await.as_ref().is_some_and(is_under_way) {
            self.world.clock.advance(std::time::Duration::from_secs(1)).unwrap();
            tokio::task::yield_now().await;
        }
    }

    async fn list(&self) {
        let page =
            self.world.control.list_functions(&self.context, ListFunctionsRequest::default()).await.unwrap();
        let listed: Vec<_> =
            page.functions.unwrap().into_iter().filter_map(|function| function.function_name).collect();
        assert!(listed.iter().eq(self.functions.keys()));
    }

    async fn count(&self) {
        let settings = self
            .world
            .control
            .get_account_settings(&self.context, GetAccountSettingsRequest {})
            .await
            .unwrap();
        let usage = settings.account_usage.unwrap();
        let bytes: usize =
            self.functions.values().map(|function| package(&function.code.to_string()).len()).sum();
        assert_eq!(
            (usage.function_count, usage.total_code_size),
            (i64::try_from(self.functions.len()).ok(), i64::try_from(bytes).ok())
        );
    }

    fn revision(&self, name: &str, guard: Guard) -> Option<String> {
        match guard {
            Guard::None => None,
            Guard::Latest => self.functions.get(name).and_then(|expected| expected.revision_id.clone()),
            Guard::Stale => Some("00000000-0000-0000-0000-000000000000".into()),
        }
    }
}

#[test]
fn any_sequence_does_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = Arc::new(runtime.block_on(World::with_virtual_clock()));
    let account = AtomicU64::new(0);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..20), |steps| {
            let account = format!("{:012}", account.fetch_add(1, Ordering::Relaxed));
            let mut case = Case {
                world: world.clone(),
                context: in_scope(&account, "eu-west-1"),
                functions: BTreeMap::new(),
            };
            runtime.block_on(async {
                for step in &steps {
                    case.run(step).await;
                }
                for number in 0..3 {
                    case.settle(&function_name(number)).await;
                }
                case.list().await;
                case.count().await;
            });
            Ok(())
        })
        .unwrap();
}
