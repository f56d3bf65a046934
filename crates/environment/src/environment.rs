//! The environment as its owner sees it, and the one place where the effects of the state machine are carried out.
//!
//! No task stands between an invocation and the runtime. Whoever brings an input (the owner, a connection of the
//! Runtime API, the supervisor) locks the machine for the length of one step and carries the effects out itself,
//! without the lock.
//!
//! A warm invocation costs these wake-ups and allocations, and no task spawn and no timer:
//!
//! | step | runs on | wakes | allocates |
//! |---|---|---|---|
//! | `invoke`: START, event written to the socket | the caller's task | the function | START line, two channels |
//! | `POST response`: caller served, 202 written | the connection's task | the caller; the function | the payload |
//! | `GET next`: pipes read, END, REPORT, owner told | the connection's task | whom the owner wakes | END and REPORT lines |
//!
//! The connection's task is woken by the kernel alone, twice. A client that sends its request for the next event along
//! with its answer wakes it once, and is itself woken once an invocation, by the event: the 202 waits for it and goes
//! out in the same segment. The supervisor sleeps until the deadline that was
//! nearest when it last looked and then looks again, so that a run of invocations shares one timer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rushlight_model::clock::Moment;
use rushlight_model::invocation::{FunctionError, Invocation, Outcome};
use rushlight_model::log::LogStream;
use rushlight_model::request_id::RequestId;
use rushlight_model::trace::Segments;
use rushlight_sandbox::Sandbox;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::config::{Config, Initialization, Owner, Services};
use crate::event;
use crate::extensions::host::Host;
use crate::failure::{self, Failure};
use crate::lifecycle::{
    Answer, Delivery, Effect, Effects, InitPhase, Input, Machine, NotAllowed, Reason, Status,
};
use crate::logs::{Logs, Pipes};
use crate::report::Event;
use crate::running::{Finished, NotAvailable, NotRestored, ResponseStream, Running, Wanted};
use crate::supervisor::Job;
use crate::telemetry::course::Course;
use crate::variables::Addresses;
use crate::waiter::Waiter;

/// One execution environment. See the [crate](crate) for its life.
pub struct Environment {
    pub(crate) config: Config,
    pub(crate) services: Services,
    pub(crate) sandbox: Box<dyn Sandbox>,
    pub(crate) addresses: Addresses,
    pub(crate) logs: Arc<Logs>,
    /// Wakes the supervisor.
    pub(crate) supervisor: Notify,
    /// Permits for requests with large heads.
    pub(crate) large_heads: Semaphore,
    /// The permit to read a body that is kept: one at a time, so that many half-sent answers hold no memory.
    bodies: Semaphore,
    /// How many connections are open on which the runtime has asked for an event.
    pub(crate) runtime_connections: watch::Sender<usize>,
    pub(crate) state: Mutex<State>,
    owner: Weak<dyn Owner>,
    version: String,
    attempts: Attempts,
    ended: watch::Sender<bool>,
}

/// What changes.
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) host: Host,
    pub(crate) served: Option<Served>,
    /// The runtime's open request for an event.
    waiter: Option<Arc<Waiter>>,
    /// Who has asked for the restore.
    restoring: Option<oneshot::Sender<Result<(), NotRestored>>>,
    /// The runtime's last failure.
    pub(crate) failure: Option<Failure>,
    /// What the supervisor has to do, in order.
    pub(crate) jobs: VecDeque<Job>,
    /// How long the supervisor sleeps at most.
    watched_until: Option<Moment>,
    /// Those of the runtime's process.
    pub(crate) pipes: Option<Arc<Pipes>>,
    /// Memory for the head of the next event.
    head: Vec<u8>,
    /// The runtime was started and has not asked for an event yet.
    pub(crate) runtime_initializes: bool,
    /// The processes may use more CPU than the function's share, because they initialise.
    cpu_lent: bool,
}

/// CPUs that an initialisation may use, however small the function. AWS does not say how much it lends, only that
/// initialisation is faster than the function's share would allow.
const INIT_CPUS: f64 = 1.0;

/// The invocation that is being served.
pub(crate) struct Served {
    pub(crate) request_id: RequestId,
    pub(crate) course: Course,
    attempt: Uuid,
    /// Until it is handed over.
    invocation: Option<Invocation>,
    response: Option<oneshot::Sender<Outcome>>,
    /// Where a response that comes piece by piece begins, if the caller can take it so.
    stream: Option<oneshot::Sender<ResponseStream>>,
    pub(crate) finished: oneshot::Sender<Finished>,
    /// If the trace is sampled and the function takes part in tracing.
    pub(crate) segments: Option<Box<Segments>>,
    /// The function failed, with this error type as far as it is known.
    pub(crate) failure: Option<String>,
    want_log_tail: bool,
    span: tracing::Span,
}

/// Pieces of a response that wait to be read: then the function waits too.
const PIECES_AHEAD: usize = 8;

impl Environment {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        config: Config,
        services: Services,
        owner: Weak<dyn Owner>,
        sandbox: Box<dyn Sandbox>,
        addresses: Addresses,
        logs: Arc<Logs>,
    ) -> Self {
        let timeout = Duration::from_secs(u64::from(config.configuration.timeout_seconds));
        let machine = Machine::new(services.clock.moment(), timeout, config.initialization);
        Self {
            version: config.configuration.version.to_string(),
            config,
            services,
            sandbox,
            addresses,
            logs,
            supervisor: Notify::new(),
            large_heads: Semaphore::new(2),
            bodies: Semaphore::new(1),
            runtime_connections: watch::Sender::new(0),
            state: Mutex::new(State {
                machine,
                host: Host::default(),
                served: None,
                waiter: None,
                restoring: None,
                failure: None,
                jobs: VecDeque::from([Job::Spawn]),
                watched_until: None,
                pipes: None,
                head: Vec::with_capacity(512),
                runtime_initializes: false,
                cpu_lent: false,
            }),
            owner,
            attempts: Attempts::new(),
            ended: watch::Sender::new(false),
        }
    }

    /// The identifier, also the last part of the log stream's name and the name of the sandbox.
    #[must_use]
    pub fn id(&self) -> &str {
        self.sandbox.id()
    }

    /// Where its log events go.
    #[must_use]
    pub fn log_stream(&self) -> &Arc<LogStream> {
        self.logs.stream()
    }

    /// What it was made of.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// `host:port` of the Runtime API, as the environment's processes see it.
    #[must_use]
    pub fn runtime_api(&self) -> &str {
        &self.addresses.runtime_api
    }

    /// The type of the runtime's last failure, if it has failed by itself.
    #[must_use]
    pub fn failure_type(&self) -> Option<String> {
        self.state.lock().failure.as_ref().map(|failure| failure.error_type.clone())
    }

    /// Whether an initialisation has succeeded.
    #[must_use]
    pub fn initialized(&self) -> bool {
        self.state.lock().machine.initialized()
    }

    /// Gives the environment an invocation; legal also before it is initialised, while it is frozen and after a
    /// reset: the event is then handed over when the runtime asks for it.
    ///
    /// # Errors
    /// [`NotAvailable`] with the invocation, if another is being served or the environment ends.
    #[allow(clippy::result_large_err)] // The invocation goes back to its owner, who has another use for it.
    pub fn invoke(
        self: &Arc<Self>,
        mut invocation: Invocation,
        wanted: Wanted,
    ) -> Result<Running, (Invocation, NotAvailable)> {
        let (response, response_receiver) = oneshot::channel();
        let (stream, stream_receiver) = oneshot::channel();
        let (finished, finished_receiver) = oneshot::channel();
        let request_id = invocation.request_id;
        let mut state = self.state.lock();
        let effects = match self.step(&mut state, Input::Invoke(request_id)) {
            Ok(effects) => effects,
            Err(NotAllowed::Ended) => return Err((invocation, NotAvailable::Ended)),
            Err(_) => return Err((invocation, NotAvailable::Busy)),
        };
        state.failure = None;
        let segments = invocation.segments.take();
        state.served = Some(Served {
            request_id,
            course: Course::default(),
            attempt: self.attempts.next(),
            invocation: Some(invocation),
            response: Some(response),
            stream: wanted.stream.then_some(stream),
            finished,
            segments,
            failure: None,
            want_log_tail: wanted.log_tail,
            span: tracing::debug_span!(
                "invocation",
                %request_id,
                function = self.config.function.name,
                version = self.version,
                environment = self.id(),
            ),
        });
        drop(state);
        self.carry_out(effects, None);
        Ok(Running { response: response_receiver, stream: stream_receiver, finished: finished_receiver })
    }

    /// Restores an environment that was [parked](Owner::parked): then it takes its first invocation.
    ///
    /// # Errors
    /// [`NotRestored`]; the environment then ends.
    pub async fn restore(self: &Arc<Self>) -> Result<(), NotRestored> {
        let restored = self.begin_restore().map_err(|_| NotRestored::Failed)?;
        restored.await.unwrap_or(Err(NotRestored::Failed))
    }

    fn begin_restore(self: &Arc<Self>) -> Result<oneshot::Receiver<Result<(), NotRestored>>, NotAllowed> {
        let (sender, restored) = oneshot::channel();
        let mut state = self.state.lock();
        let effects = self.step(&mut state, Input::Restore)?;
        state.restoring = Some(sender);
        drop(state);
        self.carry_out(effects, None);
        Ok(restored)
    }

    /// Lets the environment be frozen until its next invocation. Does nothing unless it is idle.
    pub async fn freeze(self: &Arc<Self>) {
        if self.input(Input::Freeze).is_ok() {
            let (done, wait) = oneshot::channel();
            self.state.lock().jobs.push_back(Job::Report(done));
            self.supervisor.notify_one();
            // Closed: the environment has ended meanwhile.
            let _ = wait.await;
        }
    }

    /// Kills the processes, removes the sandbox and returns when both are gone and the owner was told. An invocation
    /// that is being served fails.
    pub async fn shutdown(self: &Arc<Self>) {
        let mut ended = self.ended.subscribe();
        let _ = self.input(Input::Shutdown);
        // An error means that the sender is gone, which cannot be while `self` is borrowed.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Lends CPU to the initialisation that is about to begin, until the runtime first asks for an event.
    pub(crate) fn lend_cpu(&self) {
        let share = self.config.configuration.cpus();
        if share < INIT_CPUS {
            self.sandbox.limit_cpus(INIT_CPUS);
            self.state.lock().cpu_lent = true;
        }
    }

    /// Takes an input that carries nothing.
    pub(crate) fn input(self: &Arc<Self>, input: Input) -> Result<(), NotAllowed> {
        let effects = self.step(&mut self.state.lock(), input)?;
        self.carry_out(effects, None);
        Ok(())
    }

    /// The runtime asks for an event (`input` is [`Input::Next`]), or to be told of the restore
    /// ([`Input::RestoreNext`]), which will be written to `waiter`.
    pub(crate) fn next(self: &Arc<Self>, input: Input, waiter: &Arc<Waiter>) -> Result<(), NotAllowed> {
        let mut state = self.state.lock();
        let initializing = state.machine.init_phase();
        let restoring = input == Input::Next && state.machine.restores();
        let effects = self.step(&mut state, input)?;
        state.host.extensions.open(false);
        let former = state.waiter.replace(waiter.clone());
        let cpu_lent = std::mem::take(&mut state.cpu_lent);
        drop(state);
        if cpu_lent {
            self.sandbox.limit_cpus(self.config.configuration.cpus());
        }
        if let Some(former) = former.filter(|former| !Arc::ptr_eq(former, waiter)) {
            former.withdraw();
        }
        if let Some(phase) = initializing {
            self.tell_init_runtime_done(phase, Status::Success);
        }
        if restoring {
            self.logs
                .telemetry_only(&Event::RestoreRuntimeDone { status: Status::Success, error_type: None });
        }
        self.carry_out(effects, None);
        Ok(())
    }

    /// The connection of `waiter` has closed.
    pub(crate) fn next_gone(self: &Arc<Self>, waiter: &Arc<Waiter>) {
        let mut state = self.state.lock();
        if state.waiter.as_ref().is_some_and(|current| Arc::ptr_eq(current, waiter)) {
            state.waiter = None;
            // In every other phase it makes no difference.
            let _ = self.step(&mut state, Input::NextGone);
        }
    }

    /// The runtime begins to post (`input` is [`Input::AnswerBegins`] or [`Input::InitErrorBegins`]): refuses at once
    /// what would be refused at the end, and gives the permit to read the body.
    pub(crate) fn begin_post(&self, input: Input) -> Result<SemaphorePermit<'_>, NotAllowed> {
        let mut state = self.state.lock();
        let _ = self.step(&mut state, input)?;
        if let (Input::AnswerBegins(..), Some(served)) = (input, &mut state.served) {
            served.course.answer_begins(self.services.clock.moment());
        }
        drop(state);
        let same = NotAllowed::Transition { from: "InvocationResponse", to: "InvocationResponse" };
        self.bodies.try_acquire().map_err(|_| same)
    }

    /// Whether `attempt` names the attempt that is being served.
    pub(crate) fn is_attempt(&self, attempt: Uuid) -> bool {
        self.state.lock().served.as_ref().is_some_and(|served| served.attempt == attempt)
    }

    /// The runtime begins to answer piece by piece: where the pieces go, if the caller wants them so.
    pub(crate) fn begin_stream(&self, content_type: Option<String>) -> Option<mpsc::Sender<Bytes>> {
        let stream = self.state.lock().served.as_mut()?.stream.take()?;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        // The caller may have gone; the invocation goes on.
        let _ = stream.send(ResponseStream { content_type, pieces });
        Some(sender)
    }

    /// `bytes` of a response that goes piece by piece have come.
    pub(crate) fn produced(&self, bytes: usize) {
        if let Some(served) = &mut self.state.lock().served {
            served.course.produce(bytes);
        }
    }

    /// The runtime has answered. `failure` says why an answer was rejected.
    pub(crate) fn answer(
        self: &Arc<Self>,
        id: RequestId,
        answer: Answer,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> Result<(), NotAllowed> {
        let mut state = self.state.lock();
        let effects = self.step(&mut state, Input::Answer(id, answer))?;
        state.failure = failure;
        if let Some(served) = &mut state.served {
            served.course.produce(outcome.payload().len());
            served.course.answered(self.services.clock.moment());
        }
        drop(state);
        self.carry_out(effects, Some(outcome));
        Ok(())
    }

    /// The runtime has failed, by its own account (`input` is [`Input::InitError`]) or by ending.
    pub(crate) fn failed(self: &Arc<Self>, input: Input, failure: Failure) -> Result<(), NotAllowed> {
        let mut state = self.state.lock();
        let effects = self.step(&mut state, input)?;
        state.failure = Some(failure);
        drop(state);
        self.carry_out(effects, None);
        Ok(())
    }

    /// The supervisor looks when to look again.
    pub(crate) fn watch(&self) -> Option<Moment> {
        let mut state = self.state.lock();
        state.watched_until = state.machine.deadline();
        state.watched_until
    }

    /// Whether everything is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state.lock().machine.ended()
    }

    pub(crate) fn step(&self, state: &mut State, input: Input) -> Result<Effects, NotAllowed> {
        let effects = state.machine.step(self.services.clock.moment(), input)?;
        if let Some(deadline) = state.machine.deadline()
            && state.watched_until.is_none_or(|watched| deadline < watched)
        {
            state.watched_until = Some(deadline);
            self.supervisor.notify_one();
        }
        Ok(effects)
    }

    pub(crate) fn carry_out(self: &Arc<Self>, effects: Effects, mut outcome: Option<Outcome>) {
        for effect in effects {
            match effect {
                Effect::Spawn => self.job(Job::Spawn),
                Effect::Kill(reason) => {
                    // While those who listen live.
                    self.runtime_is_done(match reason {
                        Reason::Timeout => Status::Timeout,
                        Reason::Failure | Reason::Spindown => Status::Error,
                    });
                    self.job(Job::Kill(reason));
                }
                Effect::Freeze => self.job(Job::Freeze),
                Effect::Thaw => self.job(Job::Thaw),
                Effect::Destroy => {
                    self.runtime_is_done(Status::Error);
                    self.job(Job::Destroy);
                }
                Effect::RuntimeDone(status) => self.runtime_is_done(status),
                Effect::LogInitReport { phase, duration, status } => {
                    if status != Status::Success {
                        self.tell_init_runtime_done(phase, status);
                    }
                    let error_type = self.error_type(status);
                    self.logs.platform(&Event::InitReport {
                        initialization: self.config.initialization,
                        phase,
                        duration,
                        status,
                        error_type: error_type.as_deref(),
                    });
                    if status == Status::Success {
                        self.logs.telemetry().close();
                    }
                }
                Effect::LogRestoreStart => {
                    self.logs.platform(&Event::RestoreStart(&self.init_start(InitPhase::Init)));
                }
                Effect::Resume => self.resume(),
                Effect::LogRestoreReport { duration, status } => self.log_restore_report(duration, status),
                Effect::TellRestored(status) => {
                    if let Some(restoring) = self.state.lock().restoring.take() {
                        // Nobody may wait for it any more.
                        let _ = restoring.send(match status {
                            Status::Success => Ok(()),
                            Status::Timeout => Err(NotRestored::TimedOut),
                            Status::Error => Err(NotRestored::Failed),
                        });
                    }
                }
                Effect::LogStart => self.log_start(),
                Effect::HandOver => self.hand_over(),
                Effect::Deliver(delivery) => self.deliver(delivery, outcome.take()),
                Effect::Finish(summary) => self.finish(summary),
                Effect::TellIdle => self.tell_idle(true),
                Effect::TellReady => match self.config.initialization {
                    // It is given its first invocation by whoever made it, and by nobody before.
                    Initialization::OnDemand => self.tell_idle(false),
                    Initialization::ProvisionedConcurrency => self.tell_idle(true),
                    Initialization::SnapStart => self.tell_parked(),
                },
                Effect::TellEnded => {
                    if let Some(owner) = self.owner.upgrade() {
                        owner.ended(self);
                    }
                    self.ended.send_replace(true);
                    self.supervisor.notify_one();
                }
            }
        }
    }

    fn job(&self, job: Job) {
        self.state.lock().jobs.push_back(job);
        self.supervisor.notify_one();
    }

    fn log_start(&self) {
        let mut state = self.state.lock();
        let Some(served) = &mut state.served else { return };
        let (request_id, want_log_tail) = (served.request_id, served.want_log_tail);
        let invocation = served.invocation.as_ref().filter(|_| self.logs.telemetry().is_wanted());
        let trace = invocation.and_then(|invocation| invocation.trace_header.clone());
        served.course.begin(self.services.clock.moment(), trace);
        let tracing = served.course.tracing_at_start(served.segments.as_deref());
        drop(state);
        if want_log_tail {
            self.logs.begin_tail();
        }
        let tenant_id = self.config.tenant_id.as_ref();
        self.logs.platform_with(&Event::Start { request_id, version: &self.version, tenant_id }, |record| {
            record.extend(tracing.map(|tracing| ("tracing".to_owned(), tracing)));
        });
    }

    fn hand_over(&self) {
        let mut state = self.state.lock();
        let left = state
            .machine
            .deadline()
            .map(|deadline| deadline.since(self.services.clock.moment()))
            .unwrap_or_default();
        let deadline = self.services.clock.machine_now() + left;
        let mut head = std::mem::take(&mut state.head);
        let waiter = state.waiter.take();
        let served = state.served.as_mut();
        let invocation = served.and_then(|served| Some((served.invocation.take()?, served.attempt)));
        if let Some((invocation, _)) = &invocation {
            self.tell_of_invocation(&mut state, invocation, deadline);
        }
        drop(state);
        if let (Some(waiter), Some((invocation, attempt))) = (waiter, invocation) {
            event::write_head(&mut head, &invocation, self.config.tenant_id.as_ref(), attempt, deadline);
            waiter.hand_over(&head, invocation.payload);
        }
        self.state.lock().head = head;
    }

    fn deliver(&self, delivery: Delivery, answer: Option<Outcome>) {
        let mut state = self.state.lock();
        let failure = state.failure.clone();
        let Some(served) = state.served.as_mut() else { return };
        let (id, response) = (served.request_id, served.response.take());
        let (span, traced) = (served.span.clone(), served.segments.is_some());
        drop(state);
        let failed = |failure: &Failure| Outcome::Error(failure.to_error(id));
        let outcome = match (delivery, answer) {
            (Delivery::Answer, Some(outcome)) => outcome,
            (Delivery::Timeout, _) => {
                let timeout = Duration::from_secs(u64::from(self.config.configuration.timeout_seconds));
                Outcome::Error(failure::timed_out(id, timeout))
            }
            (Delivery::Cut, _) => failed(&Failure::platform("The execution environment was shut down")),
            (Delivery::Failure | Delivery::Answer, _) => {
                failed(&failure.unwrap_or_else(|| Failure::platform("The runtime has failed")))
            }
        };
        if let Outcome::Error(FunctionError { error_type: Some(error_type), .. }) = &outcome {
            span.in_scope(|| tracing::debug!(error_type, "invocation.failed"));
        }
        if let (true, Outcome::Error(error)) = (traced, &outcome)
            && let Some(served) = &mut self.state.lock().served
        {
            served.failure = Some(failure::type_of(error));
        }
        if let Some(response) = response {
            if let Some(owner) = self.owner.upgrade() {
                owner.answered(matches!(outcome, Outcome::Error(_)));
            }
            // The caller may have gone; the invocation goes on.
            let _ = response.send(outcome);
        }
    }

    /// Lets the runtime know that it was restored.
    fn resume(&self) {
        let waiter = self.state.lock().waiter.take();
        if let Some(waiter) = waiter {
            waiter.hand_over(event::RESTORED, Bytes::new());
        }
    }

    fn log_restore_report(&self, duration: Duration, status: Status) {
        let error_type = self.error_type(status);
        let error_type = error_type.as_deref();
        if status != Status::Success {
            self.drain_pipes();
            self.logs.telemetry_only(&Event::RestoreRuntimeDone { status, error_type });
        }
        self.logs.platform(&Event::RestoreReport { duration, status, error_type });
    }

    fn tell_parked(self: &Arc<Self>) {
        match self.owner.upgrade() {
            Some(owner) => owner.parked(self),
            None => {
                let _ = self.input(Input::Shutdown);
            }
        }
    }

    /// Tells the owner, if there is one and it is to be told.
    fn tell_idle(self: &Arc<Self>, is_told: bool) {
        match self.owner.upgrade() {
            Some(owner) if is_told => owner.idle(self),
            Some(_) => {}
            // Nobody will ever use this environment again.
            None => {
                let _ = self.input(Input::Shutdown);
            }
        }
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("id", &self.id())
            .field("function", &self.config.function)
            .field("machine", &self.state.lock().machine)
            .finish_non_exhaustive()
    }
}

/// Identifiers of attempts: unique without asking the kernel for randomness each time.
struct Attempts {
    environment: u64,
    count: AtomicU64,
}

impl Attempts {
    fn new() -> Self {
        let (environment, count) = Uuid::new_v4().as_u64_pair();
        Self { environment, count: AtomicU64::new(count) }
    }

    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(self.environment, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
