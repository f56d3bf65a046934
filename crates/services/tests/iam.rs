//! Users, roles and policies over a store: what is there after a restart, and that a change counts once it is answered.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rushlight_api::iam::service::IamService;
use rushlight_api::iam::types::*;
use rushlight_auth::policy::Context;
use rushlight_auth::{Authorizer, Caller, Identities, NoIdentities, Principal};
use rushlight_model::arn::Scope;
use rushlight_model::clock::Clock;
use rushlight_services::RequestContext;
use rushlight_services::iam::{Directory, Iam};
use rushlight_store::{Backend, DataDirectory, Sqlite};
use tokio_util::task::TaskTracker;

const ACCOUNT: &str = "111122223333";
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

struct World {
    iam: Iam,
    directory: Arc<Directory>,
    store: Arc<Sqlite>,
    path: tempfile::TempDir,
    _data: DataDirectory,
}

impl World {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap()).await
    }

    async fn open(path: tempfile::TempDir) -> Self {
        let data = DataDirectory::open(path.path()).unwrap();
        let store = Arc::new(Sqlite::open(&data).unwrap());
        let rows: Arc<dyn Backend> = store.clone();
        let directory = Arc::new(Directory::open(&rows, Clock::real()).await.unwrap());
        let authorizer = Authorizer::new(Arc::new(NoIdentities));
        let iam = Iam::new(directory.clone(), authorizer, TaskTracker::new());
        Self { iam, directory, store, path, _data: data }
    }

    async fn restart(self) -> Self {
        let Self { iam, directory, store, path, _data } = self;
        store.close();
        drop((iam, directory, store, _data));
        Self::open(path).await
    }

    async fn user(&self, name: &str) -> Principal {
        let input = CreateUserRequest { user_name: name.into(), ..CreateUserRequest::default() };
        let user = self.iam.create_user(&root(), input).await.unwrap().user.unwrap();
        Principal::user(ACCOUNT, name, &user.user_id)
    }

    async fn permit(&self, name: &str) {
        let input = PutUserPolicyRequest {
            user_name: name.into(),
            policy_name: "p".into(),
            policy_document: EVERYTHING.into(),
        };
        self.iam.put_user_policy(&root(), input).await.unwrap();
    }

    async fn forbid(&self, name: &str) {
        let input = DeleteUserPolicyRequest { user_name: name.into(), policy_name: "p".into() };
        self.iam.delete_user_policy(&root(), input).await.unwrap();
    }
}

fn root() -> RequestContext {
    let scope = Scope { account: ACCOUNT.into(), region: "us-east-1".into() };
    RequestContext { scope, caller: Caller::new(Principal::root(ACCOUNT)) }
}

fn may(directory: &Arc<Directory>, principal: &Principal) -> bool {
    let authorizer = Authorizer::new(directory.clone() as Arc<dyn Identities>);
    authorizer.check(principal, "x:Do", "*", ACCOUNT, None, Context::new()).is_ok()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    world.permit("ann").await;
    let input = CreateAccessKeyRequest { user_name: Some("ann".into()) };
    let key = world.iam.create_access_key(&root(), input).await.unwrap().access_key;
    let input = CreateRoleRequest {
        role_name: "worker".into(),
        path: Some("/team/".into()),
        assume_role_policy_document: TRUST.into(),
        ..CreateRoleRequest::default()
    };
    let role = world.iam.create_role(&root(), input).await.unwrap().role;
    let other = world.iam.create_account("444455556666").await.unwrap();

    let world = world.restart().await;
    assert!(may(&world.directory, &ann));
    let identity = world.directory.identity(&key.access_key_id).unwrap();
    assert_eq!(identity.principal, ann);
    assert_eq!(identity.secret.expose(), key.secret_access_key);
    assert!(world.directory.knows_roles_of(ACCOUNT) && !world.directory.knows_roles_of("444455556666"));
    assert_eq!(world.directory.role_id(&role.arn), role.role_id);
    assert!(world.directory.is_assumable(&role.arn, "lambda.amazonaws.com", &Context::new()));
    assert!(!world.directory.is_assumable(&role.arn, "ec2.amazonaws.com", &Context::new()));
    let elsewhere = role.arn.replace("/team/", "/");
    assert!(!world.directory.is_assumable(&elsewhere, "lambda.amazonaws.com", &Context::new()));
    let root = world.directory.identity(&other.access_key_id).unwrap();
    assert_eq!(root.principal, Principal::root("444455556666"));
}

#[tokio::test]
async fn names_come_back_but_not_what_they_stood_for() {
    let world = World::new().await;
    let before = world.user("ann").await;
    world.permit("ann").await;
    assert!(may(&world.directory, &before));
    world.forbid("ann").await;
    world.iam.delete_user(&root(), DeleteUserRequest { user_name: "ann".into() }).await.unwrap();
    let after = world.user("ann").await;
    world.permit("ann").await;
    assert!(may(&world.directory, &after));
    assert!(!may(&world.directory, &before), "who was deleted is not who was made since");
    let elsewhere = Principal::user(ACCOUNT, "team/ann", after.user_id());
    assert!(!may(&world.directory, &elsewhere), "the path is part of who one is");
}

/// Others ask all the time, so that what was true before a change is compiled while it happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_counts_once_it_is_answered() {
    let world = World::new().await;
    let ann = world.user("ann").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..3)
        .map(|_| {
            let (directory, ann, is_over) = (world.directory.clone(), ann.clone(), is_over.clone());
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    may(&directory, &ann);
                }
            })
        })
        .collect();
    for _ in 0..200 {
        world.permit("ann").await;
        assert!(may(&world.directory, &ann));
        world.forbid("ann").await;
        assert!(!may(&world.directory, &ann));
    }
    is_over.store(true, Ordering::Relaxed);
    askers.into_iter().for_each(|asker| asker.join().unwrap());
}
