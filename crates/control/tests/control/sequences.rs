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

/// How many sequences are tried, unless `RUSHLIGHT_SEQUENCES` says otherwise.
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
    Publish { name: u8, guard: Guard },
    DeleteVersion { name: u8, number: u8 },
    PutAlias { name: u8, alias: u8, number: u8 },
    DeleteAlias { name: u8, alias: u8 },
    Reserve { name: u8, count: u16 },
    Release { name: u8 },
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
        4 => name.clone().prop_map(|name| Step::Settle { name }),
        4 => (name.clone(), guard()).prop_map(|(name, guard)| Step::Publish { name, guard }),
        1 => (name.clone(), 1..5_u8).prop_map(|(name, number)| Step::DeleteVersion { name, number }),
        2 => (name.clone(), 0..2_u8, 0..4_u8)
            .prop_map(|(name, alias, number)| Step::PutAlias { name, alias, number }),
        1 => (name.clone(), 0..2_u8).prop_map(|(name, alias)| Step::DeleteAlias { name, alias }),
        1 => (name.clone(), 0..700_u16).prop_map(|(name, count)| Step::Reserve { name, count }),
        1 => name.prop_map(|name| Step::Release { name }),
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
    last_version: u64,
    /// Code and description by number.
    versions: BTreeMap<u64, (u8, String)>,
    /// The version that an alias points to, 0 for `$LATEST`.
    aliases: BTreeMap<String, u64>,
    reserved: Option<u16>,
}

impl Expected {
    fn has(&self, number: u64) -> bool {
        number == 0 || self.versions.contains_key(&number)
    }
}

/// A version as requests name it, 0 being `$LATEST`.
fn version_name(number: u64) -> String {
    if number == 0 { "$LATEST".to_owned() } else { number.to_string() }
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
            Step::Publish { name, guard } => self.publish(&function_name(*name), *guard).await,
            Step::DeleteVersion { name, number } => {
                self.delete_version(&function_name(*name), u64::from(*number)).await;
            }
            Step::PutAlias { name, alias, number } => {
                self.put_alias(&function_name(*name), format!("a{alias}"), u64::from(*number)).await;
            }
            Step::DeleteAlias { name, alias } => {
                self.delete_alias(&function_name(*name), format!("a{alias}")).await;
            }
            Step::Reserve { name, count } => self.reserve(&function_name(*name), *count).await,
            Step::Release { name } => self.release(&function_name(*name)).await,
            Step::List => self.list().await,
            Step::Count => self.count().await,
        }
    }

    async fn publish(&mut self, name: &str, guard: Guard) {
        let input = PublishVersionRequest {
            function_name: name.into(),
            revision_id: self.revision(name, guard),
            ..PublishVersionRequest::default()
        };
        let answer = self.world.control.publish_version(&self.context, input).await;
        let Some(expected) = self.functions.get_mut(name) else {
            assert_eq!(answer.unwrap_err().code, "ResourceNotFoundException");
            return;
        };
        match answer {
            Ok(shown) => {
                assert!(!matches!(guard, Guard::Stale));
                let content = (expected.code, expected.description.clone());
                if expected.versions.get(&expected.last_version) != Some(&content) {
                    expected.last_version += 1;
                    expected.versions.insert(expected.last_version, content);
                }
                assert_eq!(shown.version, Some(expected.last_version.to_string()));
            }
            Err(error) if error.code == "PreconditionFailedException" => {
                assert!(!matches!(guard, Guard::None));
                drop(self.check(name).await);
            }
            Err(error) => assert_eq!(error.code, "ResourceConflictException"),
        }
    }

    async fn delete_version(&mut self, name: &str, number: u64) {
        let input = DeleteFunctionRequest { function_name: name.into(), qualifier: Some(number.to_string()) };
        let answer = self.world.control.delete_function(&self.context, input).await;
        let Some(expected) = self.functions.get_mut(name) else {
            assert_eq!(answer.unwrap_err().code, "ResourceNotFoundException");
            return;
        };
        if expected.versions.contains_key(&number) && expected.aliases.values().any(|to| *to == number) {
            assert_eq!(answer.unwrap_err().code, "ResourceConflictException");
        } else {
            answer.unwrap();
            expected.versions.remove(&number);
        }
    }

    /// Creates the alias, or moves it where it is.
    async fn put_alias(&mut self, name: &str, alias: String, number: u64) {
        let version = version_name(number);
        let known = self.functions.get(name).is_some_and(|expected| expected.aliases.contains_key(&alias));
        let (control, function_name) = (&self.world.control, name.to_owned());
        let answer = if known {
            let input = UpdateAliasRequest {
                function_name,
                name: alias.clone(),
                function_version: Some(version.clone()),
                ..UpdateAliasRequest::default()
            };
            control.update_alias(&self.context, input).await
        } else {
            let input = CreateAliasRequest {
                function_name,
                name: alias.clone(),
                function_version: version.clone(),
                ..CreateAliasRequest::default()
            };
            control.create_alias(&self.context, input).await
        };
        match self.functions.get_mut(name).filter(|expected| expected.has(number)) {
            Some(expected) => {
                assert_eq!(answer.unwrap().function_version, Some(version));
                expected.aliases.insert(alias, number);
            }
            None => assert_eq!(answer.unwrap_err().code, "ResourceNotFoundException"),
        }
    }

    async fn delete_alias(&mut self, name: &str, alias: String) {
        let input = DeleteAliasRequest { function_name: name.into(), name: alias.clone() };
        let answer = self.world.control.delete_alias(&self.context, input).await;
        assert_eq!(answer.is_ok(), self.functions.contains_key(name));
        if let Some(expected) = self.functions.get_mut(name) {
            expected.aliases.remove(&alias);
        }
    }

    async fn reserve(&mut self, name: &str, count: u16) {
        let input = PutFunctionConcurrencyRequest {
            function_name: name.into(),
            reserved_concurrent_executions: count.into(),
        };
        let answer = self.world.control.put_function_concurrency(&self.context, input).await;
        let others = self.functions.iter().filter(|(other, _)| *other != name);
        let others: u16 = others.filter_map(|(_, expected)| expected.reserved).sum();
        match self.functions.get_mut(name) {
            None => assert_eq!(answer.unwrap_err().code, "ResourceNotFoundException"),
            // The account has 1,000, of which 100 stay for everybody.
            Some(_) if count + others > 900 => {
                assert_eq!(answer.unwrap_err().code, "InvalidParameterValueException");
            }
            Some(expected) => {
                answer.unwrap();
                expected.reserved = Some(count);
            }
        }
    }

    async fn release(&mut self, name: &str) {
        let input = DeleteFunctionConcurrencyRequest { function_name: name.into() };
        let answer = self.world.control.delete_function_concurrency(&self.context, input).await;
        assert_eq!(answer.is_ok(), self.functions.contains_key(name));
        if let Some(expected) = self.functions.get_mut(name) {
            expected.reserved = None;
        }
    }

    /// Holds versions, aliases and the reservation of a function against the model.
    async fn check_resources(&self, name: &str, expected: &Expected) {
        let (control, context) = (&self.world.control, &self.context);
        let input = ListVersionsByFunctionRequest {
            function_name: name.into(),
            ..ListVersionsByFunctionRequest::default()
        };
        let versions = control.list_versions_by_function(context, input).await.unwrap().versions.unwrap();
        let shown = versions.iter().skip(1).map(|version| {
            (version.version.clone(), version.code_sha256.clone(), version.description.clone())
        });
        let modelled = expected.versions.iter().map(|(number, (code, description))| {
            let code = Digest::of(&package(&code.to_string())).to_base64();
            (Some(number.to_string()), Some(code), Some(description.clone()))
        });
        assert!(shown.eq(modelled), "{name}: {expected:?}");
        let input = ListAliasesRequest { function_name: name.into(), ..ListAliasesRequest::default() };
        let aliases = control.list_aliases(context, input).await.unwrap().aliases.unwrap();
        let shown = aliases.into_iter().map(|alias| (alias.name, alias.function_version));
        let modelled =
            expected.aliases.iter().map(|(alias, to)| (Some(alias.clone()), Some(version_name(*to))));
        assert!(shown.eq(modelled), "{name}: {expected:?}");
        let input = GetFunctionConcurrencyRequest { function_name: name.into() };
        let reserved = control.get_function_concurrency(context, input).await.unwrap();
        assert_eq!(reserved.reserved_concurrent_executions, expected.reserved.map(i32::from));
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
        let expected = Expected {
            code,
            description: String::new(),
            revision_id,
            last_version: 0,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            reserved: None,
        };
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
        for (name, expected) in &self.functions {
            self.check_resources(name, expected).await;
        }
    }

    async fn count(&self) {
        let settings = self
            .world
            .control
            .get_account_settings(&self.context, GetAccountSettingsRequest {})
            .await
            .unwrap();
        let usage = settings.account_usage.unwrap();
        // Every version counts, whether or not another has the same code.
        let codes = |function: &Expected| {
            let published = function.versions.values().map(|(code, _)| *code);
            published.chain([function.code]).map(|code| package(&code.to_string()).len()).sum::<usize>()
        };
        let bytes: usize = self.functions.values().map(codes).sum();
        let reserved: u16 = self.functions.values().filter_map(|function| function.reserved).sum();
        let limit = settings.account_limit.unwrap();
        assert_eq!(limit.unreserved_concurrent_executions, Some(1000 - i32::from(reserved)));
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
    let cases = std::env::var("RUSHLIGHT_SEQUENCES").map_or(CASES, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..40), |steps| {
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
