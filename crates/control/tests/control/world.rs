//! A control plane to be tested, and the rest of the server as far as it touches it.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_auth::{Authorizer, Caller, NoIdentities, Principal};
use rushlight_control::{
    CodeUrl, CodeUrls, Control, DataPlane, Dependencies, EventSources, Initialized, Object, ObjectError,
    ObjectRequest, Objects, OwnRuntimeVersion, RequestContext, Retirement, Runtimes, SourceCheck,
    SourceRefusal,
};
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::Clock;
use rushlight_model::clock::Timestamp;
use rushlight_model::concurrency::Provision;
use rushlight_model::function::{Architecture as MachineArchitecture, FunctionHead};
use rushlight_model::function_url::UrlPlace;
use rushlight_model::invocation::Outcomes;
use rushlight_model::layer::LayerVersion;
use rushlight_model::quota::AccountQuotas;
use rushlight_model::request_id::RequestId;
use rushlight_model::runtime_version::RuntimeVersion;
use rushlight_model::version::Version;
use rushlight_store::table::function::{HEADS, head_key};
use rushlight_store::table::version::VERSIONS;
use rushlight_store::table::{Table, layer};
use rushlight_store::{
    Backend, BlobStore, BoxFuture, DataDirectory, Digest, Expect, Observer, PackageStore, Record, Sqlite,
};
use tempfile::TempDir;

pub(crate) type Answer<T> = Result<T, rushlight_api::Error>;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/lambda";
/// How long to wait for what happens in the background before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The functions' world: everything that survives a restart, and the present server.
pub(crate) struct World {
    pub(crate) control: Control,
    pub(crate) functions: Table<FunctionHead>,
    pub(crate) layer_versions: Table<LayerVersion>,
    pub(crate) blobs: BlobStore,
    pub(crate) packages: PackageStore,
    pub(crate) clock: Clock,
    pub(crate) machine: Arc<Machine>,
    pub(crate) data_plane: Arc<FakeDataPlane>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) sources: Arc<Sources>,
    quotas: AccountQuotas,
    /// Dropped last.
    directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Clock::real(), AccountQuotas::default()).await
    }

    pub(crate) async fn with_virtual_clock() -> Self {
        Self::with(Clock::new_virtual(), AccountQuotas::default()).await
    }

    pub(crate) async fn with(clock: Clock, quotas: AccountQuotas) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::open(directory, clock, quotas).await
    }

    async fn open(directory: TempDir, clock: Clock, quotas: AccountQuotas) -> Self {
        let data = DataDirectory::open(directory.path()).unwrap();
        let disk = Arc::new(Disk {
            store: Sqlite::open(&data).unwrap(),
            _data: data,
            fault: Mutex::new(None),
            spared: AtomicUsize::new(0),
            lasting: AtomicBool::new(false),
            dead: AtomicBool::new(false),
        });
        let store: Arc<dyn Backend> = disk.clone();
        let functions = Table::new(store.clone(), HEADS, 1000);
        let layer_versions = Table::new(store.clone(), layer::VERSIONS, 0);
        let blobs = BlobStore::open(&directory.path().join("blobs")).unwrap();
        let packages = PackageStore::open(&directory.path().join("packages")).unwrap();
        let machine = Arc::new(Machine::default());
        let data_plane = Arc::new(FakeDataPlane::default());
        let versions_store = store.clone();
        let sources = Arc::new(Sources::default());
        let control = Control::open(Dependencies {
            store,
            functions: functions.clone(),
            versions: Table::new(versions_store, VERSIONS, 1000),
            blobs: blobs.clone(),
            packages: packages.clone(),
            clock: clock.clone(),
            quotas,
            authorizer: Authorizer::new(Arc::new(NoIdentities)),
            block_public_policies: false,
            runtimes: machine.clone(),
            code_urls: Arc::new(Urls),
            url_place: UrlPlace::Localhost(1),
            data_plane: data_plane.clone(),
            objects: Some(Arc::new(Buckets)),
            images: None,
            deprecation_policy: rushlight_runtimes::Policy::Current,
            postboxes: Vec::new(),
            invoked_inactive: tokio::sync::mpsc::channel(1).1,
            event_sources: sources.clone(),
        })
        .await
        .unwrap();
        Self {
            control,
            functions,
            layer_versions,
            blobs,
            packages,
            clock,
            machine,
            data_plane,
            disk,
            sources,
            quotas,
            directory,
        }
    }

    /// Ends the server, whatever is under way, and starts another on what is on disk.
    pub(crate) async fn restart(self) -> Self {
        self.restart_without(&[]).await
    }

    /// As [`Self::restart`], with archives lost in between.
    pub(crate) async fn restart_without(self, lost: &[Digest]) -> Self {
        self.control.close().await;
        for archive in lost {
            self.packages.remove(archive).await.unwrap();
            self.blobs.remove(archive).await.unwrap();
        }
        let Self { directory, clock, quotas, control, functions, layer_versions, disk, .. } = self;
        drop((control, functions, layer_versions));
        assert_eq!(Arc::strong_count(&disk), 1, "something still uses the store");
        drop(disk);
        Self::open(directory, clock, quotas).await
    }

    pub(crate) async fn create(&self, input: CreateFunctionRequest) -> Answer<FunctionConfiguration> {
        self.control.create_function(&here(), input).await
    }

    /// A function that is Active.
    pub(crate) async fn created(&self, name: &str) -> FunctionConfiguration {
        self.create(new_function(name)).await.unwrap();
        self.settled(name).await
    }

    pub(crate) async fn configuration(&self, name: &str) -> Answer<FunctionConfiguration> {
        let input = GetFunctionConfigurationRequest { function_name: name.into(), qualifier: None };
        self.control.get_function_configuration(&here(), input).await
    }

    pub(crate) async fn get(&self, name: &str, qualifier: Option<&str>) -> Answer<GetFunctionResponse> {
        let input = GetFunctionRequest { function_name: name.into(), qualifier: qualifier.map(Into::into) };
        self.control.get_function(&here(), input).await
    }

    pub(crate) async fn update_code(
        &self,
        input: UpdateFunctionCodeRequest,
    ) -> Answer<FunctionConfiguration> {
        self.control.update_function_code(&here(), input).await
    }

    pub(crate) async fn update(
        &self,
        input: UpdateFunctionConfigurationRequest,
    ) -> Answer<FunctionConfiguration> {
        self.control.update_function_configuration(&here(), input).await
    }

    pub(crate) async fn delete(&self, name: &str, qualifier: Option<&str>) -> Answer<DeleteFunctionResponse> {
        let input =
            DeleteFunctionRequest { function_name: name.into(), qualifier: qualifier.map(Into::into) };
        self.control.delete_function(&here(), input).await
    }

    /// Waits until nothing is under way with the function, as an SDK's waiter does.
    pub(crate) async fn settled(&self, name: &str) -> FunctionConfiguration {
        let poll = async {
            loop {
                let shown = self.configuration(name).await.unwrap();
                if !is_under_way(&shown) {
                    return shown;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.unwrap()
    }

    /// Waits until the data plane has heard this: it is told of what can be seen already.
    pub(crate) async fn is_told(&self, text: &str) {
        let poll = async {
            while !self.data_plane.told.lock().iter().any(|told| told == text) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.unwrap();
    }

    /// Makes the file of an archive look so much older.
    pub(crate) fn age(&self, archive: &Digest, by: Duration) {
        let name = archive.to_string();
        let path = self.directory.path().join("blobs").join(&name[..2]).join(&name[2..4]).join(&name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - by).unwrap();
    }

    pub(crate) async fn head(&self, name: &str) -> Option<Arc<FunctionHead>> {
        let key = head_key(ACCOUNT, REGION, name);
        self.functions.get(&key).await.unwrap().map(|entry| entry.value)
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, poll).await.is_ok(), "{what}");
}

/// Waits until there is something, and returns it.
pub(crate) async fn is_eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let poll = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, poll).await {
        Ok(found) => found,
        Err(_) => panic!("not {what} in time"),
    }
}

pub(crate) fn is_under_way(shown: &FunctionConfiguration) -> bool {
    shown.state == Some(State::Pending) || shown.last_update_status == Some(LastUpdateStatus::InProgress)
}

pub(crate) fn here() -> RequestContext {
    in_scope(ACCOUNT, REGION)
}

pub(crate) fn in_scope(account: &str, region: &str) -> RequestContext {
    RequestContext {
        scope: Scope { account: account.into(), region: region.into() },
        caller: Caller::new(Principal::root(account)),
        request_id: RequestId::random(),
        host: Some("localhost:9000".into()),
    }
}

/// The least that a function needs.
pub(crate) fn new_function(name: &str) -> CreateFunctionRequest {
    CreateFunctionRequest {
        function_name: name.into(),
        runtime: Some("python3.12".into()),
        role: ROLE.into(),
        handler: Some("index.handler".into()),
        code: FunctionCode { zip_file: Some(package("1")), ..FunctionCode::default() },
        ..CreateFunctionRequest::default()
    }
}

pub(crate) fn new_code(name: &str, text: &str) -> UpdateFunctionCodeRequest {
    UpdateFunctionCodeRequest {
        function_name: name.into(),
        zip_file: Some(package(text)),
        ..UpdateFunctionCodeRequest::default()
    }
}

pub(crate) fn new_description(name: &str, description: &str) -> UpdateFunctionConfigurationRequest {
    UpdateFunctionConfigurationRequest {
        function_name: name.into(),
        description: Some(description.into()),
        ..UpdateFunctionConfigurationRequest::default()
    }
}

/// An archive with one small file, the same bytes for the same text.
pub(crate) fn package(text: &str) -> Bytes {
    archive(&[("index.py", format!("handler = lambda event, context: '{text}'").as_bytes())])
}

pub(crate) fn archive(files: &[(&str, &[u8])]) -> Bytes {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner().into()
}

/// Which runtimes the machine has.
#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) has_lost_python: AtomicBool,
}

impl Runtimes for Machine {
    fn check(&self, identifier: &str, _: MachineArchitecture) -> Result<String, String> {
        if identifier.starts_with("ruby") || self.has_lost_python.load(Ordering::Relaxed) {
            return Err(format!("{identifier} is not on this machine, which has python3.12; install it."));
        }
        Ok(Digest::of(identifier.as_bytes()).to_string())
    }

    fn own(&self, identifier: &str) -> Option<OwnRuntimeVersion> {
        let text = format!("{}.v36", identifier.replacen("python", "python:", 1));
        Some(OwnRuntimeVersion { text, hash: Digest::of(identifier.as_bytes()).to_string() })
    }

    fn is_native(&self, architecture: MachineArchitecture) -> bool {
        architecture == MachineArchitecture::X86_64
    }

    fn add(&self, version: &RuntimeVersion) -> Result<(), String> {
        match version.root.to_str() {
            Some("/unfit") => Err("there is no interpreter".to_owned()),
            _ => Ok(()),
        }
    }
}

struct Urls;

impl CodeUrls for Urls {
    fn presign(&self, url: CodeUrl<'_>) -> String {
        format!(
            "http://{}/_rushlight/code/{}/{}/{}?X-Amz-Expires={}",
            url.host.unwrap(),
            url.scope.account,
            url.scope.region,
            url.package,
            url.valid.as_secs()
        )
    }
}

/// Remembers what it is told.
#[derive(Default)]
pub(crate) struct FakeDataPlane {
    pub(crate) told: Mutex<Vec<String>>,
    pub(crate) mounted: Mutex<Vec<Digest>>,
    /// What there is ready of each version.
    pub(crate) provisions: Mutex<BTreeMap<u64, Provision>>,
}

impl DataPlane for FakeDataPlane {
    fn retire(&self, function: &FunctionId, retirement: Retirement<'_>) {
        let text = match retirement {
            Retirement::Superseded { generation, .. } => format!("{} serves {generation}", function.name),
            Retirement::VersionDeleted { version, .. } => format!("{}:{version} is gone", function.name),
            Retirement::Deleted { .. } => format!("{} is gone", function.name),
        };
        self.told.lock().push(text);
    }

    fn in_use(&self, package: &Digest) -> bool {
        self.mounted.lock().contains(package)
    }

    fn claim_concurrency(&self, scope: &Scope, claimed: u32) {
        self.told.lock().push(format!("{} claims {claimed}", scope.account));
    }

    fn provision(&self, function: &FunctionId) {
        self.told.lock().push(format!("{} is provisioned", function.name));
    }

    fn outcomes(&self, _function: &FunctionId, _version: Version) -> Outcomes {
        Outcomes::default()
    }

    fn snapshot<'a>(&'a self, _function: &'a FunctionId, _version: u64) -> Initialized<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn last_used(&self, _function: &FunctionId, _version: u64) -> Option<Timestamp> {
        None
    }

    fn provisioned(&self, _function: &FunctionId, version: u64) -> Provision {
        self.provisions.lock().get(&version).copied().unwrap_or_default()
    }
}

/// A bucket `code` that keeps versions, with an object `f.zip`; a bucket `plain` that does not, with the same; and
/// keys at which all that can go wrong does.
struct Buckets;

impl Objects for Buckets {
    fn get<'a>(&'a self, request: ObjectRequest<'a>) -> BoxFuture<'a, Result<Object, ObjectError>> {
        let refused = |code: &str, message: &str| {
            let (code, message) = (code.to_owned(), message.to_owned());
            let by_failure = code == "InternalError";
            Err(ObjectError::Refused { code, message, by_failure })
        };
        let object = |text: &str, version: Option<&str>| {
            Ok(Object { bytes: package(text), version: version.map(str::to_owned) })
        };
        let ObjectRequest { region, bucket, key, version, .. } = request;
        let answer = match (bucket, key, version) {
            _ if region != REGION => refused("WrongRegion", region),
            ("plain", "f.zip", None) => object("from the bucket", None),
            ("code", "f.zip", None | Some("v2")) => object("from the bucket", Some("v2")),
            ("code", "f.zip", Some("v1")) => object("from the bucket before", Some("v1")),
            ("code", "f.zip", Some(_)) => refused("NoSuchVersion", "The specified version does not exist."),
            ("code", "denied", _) => refused("AccessDenied", "Access Denied"),
            ("code", "broken", _) => refused("InternalError", "We encountered an internal error."),
            ("code", "huge", _) => Err(ObjectError::TooLarge),
            ("code", "silent", _) => Err(ObjectError::Unavailable("There is no service at http://x.".into())),
            ("code", _, _) => refused("NoSuchKey", "The specified key does not exist."),
            _ => refused("NoSuchBucket", "The specified bucket does not exist"),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// The services that queues and streams are in.
#[derive(Default)]
pub(crate) struct Sources {
    /// What every source is refused with.
    pub(crate) refusal: Mutex<Option<SourceRefusal>>,
}

impl EventSources for Sources {
    fn check<'a>(&'a self, _check: SourceCheck<'a>) -> BoxFuture<'a, Result<(), SourceRefusal>> {
        let refusal = self.refusal.lock().clone();
        Box::pin(std::future::ready(refusal.map_or(Ok(()), Err)))
    }
}

/// When the disk dies within a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    BeforeCommit,
    AfterCommit,
}

/// The store, on a disk that can be told to die.
pub(crate) struct Disk {
    store: Sqlite,
    _data: DataDirectory,
    /// The next write of a row meets this, if no more are to come before.
    pub(crate) fault: Mutex<Option<Fault>>,
    /// So many writes of rows succeed before one meets the fault.
    spared: AtomicUsize,
    /// Whether the fault is the end of the disk.
    lasting: AtomicBool,
    dead: AtomicBool,
}

impl Disk {
    /// After `spared` writes of rows the next one meets `fault`.
    pub(crate) fn fail_after(&self, spared: usize, fault: Fault) {
        self.spared.store(spared, Ordering::Relaxed);
        *self.fault.lock() = Some(fault);
    }

    /// As [`Self::fail_after`], counting removals of rows too; from then on nothing more is written, as when a server
    /// was killed.
    pub(crate) fn die_after(&self, spared: usize, fault: Fault) {
        self.lasting.store(true, Ordering::Relaxed);
        self.fail_after(spared, fault);
    }

    /// How many writes are still spared.
    pub(crate) fn spared(&self) -> usize {
        self.spared.load(Ordering::Relaxed)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock();
        if self.is_dead() {
            return Some(Fault::BeforeCommit);
        }
        if fault.is_some() && self.spared.load(Ordering::Relaxed) > 0 {
            self.spared.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let fault = fault.take();
        self.dead.store(fault.is_some() && self.lasting.load(Ordering::Relaxed), Ordering::Relaxed);
        fault
    }
}

impl Backend for Disk {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, rushlight_store::Result<Option<Record>>> {
        self.store.get(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expect: Expect,
    ) -> BoxFuture<'a, rushlight_store::Result<u64>> {
        let fault = self.next_fault();
        Box::pin(async move {
            match fault {
                None => self.store.put(key, value, expect).await,
                Some(Fault::BeforeCommit) => Err(rushlight_store::Error::Closed),
                Some(Fault::AfterCommit) => {
                    self.store.put(key, value, expect).await?;
                    Err(rushlight_store::Error::Closed)
                }
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a str, expect: Expect) -> BoxFuture<'a, rushlight_store::Result<()>> {
        let fault = if self.lasting.load(Ordering::Relaxed) { self.next_fault() } else { None };
        Box::pin(async move {
            match fault {
                None => self.store.delete(key, expect).await,
                Some(Fault::BeforeCommit) => Err(rushlight_store::Error::Closed),
                Some(Fault::AfterCommit) => {
                    self.store.delete(key, expect).await?;
                    Err(rushlight_store::Error::Closed)
                }
            }
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        start_after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, rushlight_store::Result<Vec<(String, Record)>>> {
        self.store.list(prefix, start_after, limit)
    }

    fn observe(&self, prefix: &str, observer: std::sync::Weak<dyn Observer>) {
        self.store.observe(prefix, observer);
    }
}
