use super::*;

const TIMEOUT: Duration = Duration::from_secs(3);

/// A machine with a clock of its own.
struct Play {
    machine: Machine,
    now: Moment,
}

impl Play {
    fn new() -> Self {
        Self::with(Initialization::OnDemand)
    }

    fn with(initialization: Initialization) -> Self {
        let now = Moment::default();
        Self { machine: Machine::new(now, TIMEOUT, initialization), now }
    }

    fn after(&mut self, milliseconds: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(milliseconds);
        self
    }

    fn step(&mut self, input: Input) -> Result<Vec<Effect>, NotAllowed> {
        self.machine.step(self.now, input).map(|effects| effects.into_iter().collect())
    }

    fn ok(&mut self, input: Input) -> Vec<Effect> {
        self.step(input).unwrap()
    }

    /// Initialised in 100 ms, idle, the runtime waits.
    fn idle() -> Self {
        let mut play = Self::new();
        assert_eq!(play.after(100).ok(Input::Next), [initialized(100), Effect::TellReady]);
        play
    }

    fn invoking(id: RequestId) -> Self {
        let mut play = Self::idle();
        assert_eq!(play.ok(Input::Invoke(id)), [Effect::LogStart, Effect::HandOver]);
        play
    }
}

fn summary(status: Status, milliseconds: u64, init: Option<u64>) -> Effect {
    Effect::Finish(Summary {
        status,
        duration: Duration::from_millis(milliseconds),
        init_duration: init.map(Duration::from_millis),
        restored: None,
    })
}

fn init_report(phase: InitPhase, milliseconds: u64, status: Status) -> Effect {
    Effect::LogInitReport { phase, duration: Duration::from_millis(milliseconds), status }
}

/// The report of an initialisation that has succeeded.
fn initialized(milliseconds: u64) -> Effect {
    init_report(InitPhase::Init, milliseconds, Status::Success)
}

fn id() -> RequestId {
    RequestId::random()
}

#[test]
fn an_invocation_from_start_to_idle() {
    let id = id();
    let mut play = Play::new();
    assert_eq!(play.ok(Input::Invoke(id)), []);
    assert_eq!(play.after(100).ok(Input::Next), [initialized(100), Effect::LogStart, Effect::HandOver]);
    assert!(play.machine.initialized());
    assert_eq!(play.after(5).ok(Input::AnswerBegins(id, Answer::Response)), []);
    assert_eq!(play.ok(Input::Answer(id, Answer::Response)), [Effect::Deliver(Delivery::Answer)]);
    assert_eq!(play.after(2).ok(Input::Next), [summary(Status::Success, 7, Some(100))]);
    assert_eq!(play.ok(Input::Finished), [Effect::TellIdle]);
}

#[test]
fn init_duration_is_reported_once() {
    let mut play = Play::idle();
    for init in [Some(100), None] {
        let id = id();
        play.ok(Input::Invoke(id));
        play.ok(Input::Answer(id, Answer::Error));
        assert_eq!(play.after(1).ok(Input::Next), [summary(Status::Success, 1, init)]);
        play.ok(Input::Finished);
    }
}

#[test]
fn one_invocation_at_a_time() {
    let mut play = Play::invoking(id());
    assert_eq!(play.step(Input::Invoke(id())), Err(NotAllowed::Busy));
    let mut play = Play::new();
    play.ok(Input::Invoke(id()));
    assert_eq!(play.step(Input::Invoke(id())), Err(NotAllowed::Busy));
}

#[test]
fn no_invocation_while_the_lines_of_the_last_are_written() {
    let id = id();
    let mut play = Play::invoking(id);
    play.ok(Input::Answer(id, Answer::Response));
    play.ok(Input::Next);
    assert_eq!(play.step(Input::Invoke(RequestId::random())), Err(NotAllowed::Busy));
}

#[test]
fn failed_init_is_repeated_within_the_pending_invocation() {
    for input in [Input::InitError, Input::Failed] {
        let id = id();
        let mut play = Play::new();
        play.ok(Input::Invoke(id));
        assert_eq!(
            play.after(40).ok(input),
            [init_report(InitPhase::Init, 40, Status::Error), Effect::Kill(Reason::Failure)]
        );
        assert_eq!(play.after(1).ok(Input::Killed), [Effect::Spawn]);
        assert_eq!(play.machine.deadline(), Some(play.now + TIMEOUT));
        assert_eq!(
            play.after(30).ok(input),
            [
                init_report(InitPhase::Invoke, 30, Status::Error),
                Effect::LogStart,
                Effect::Deliver(Delivery::Failure),
                Effect::Kill(Reason::Failure)
            ]
        );
        assert_eq!(play.ok(Input::Killed), [summary(Status::Error, 30, None)]);
        assert_eq!(play.ok(Input::Finished), [Effect::TellIdle]);
        // The next invocation tries once more.
        assert_eq!(play.ok(Input::Invoke(RequestId::random())), [Effect::Spawn]);
    }
}

#[test]
fn failed_init_without_invocation_tells_the_owner() {
    let mut play = Play::new();
    play.ok(Input::InitError);
    assert_eq!(play.step(Input::Next), Err(NotAllowed::Transition { from: "InitError", to: "Ready" }));
    assert_eq!(play.ok(Input::Killed), [Effect::TellReady]);
    assert!(!play.machine.initialized());
}

#[test]
fn slow_init_runs_again_under_the_timeout_of_the_function() {
    let id = id();
    let mut play = Play::new();
    play.ok(Input::Invoke(id));
    assert_eq!(play.after(9_999).step(Input::Tick), Err(NotAllowed::Meaningless));
    assert_eq!(
        play.after(1).ok(Input::Tick),
        [init_report(InitPhase::Init, 10_000, Status::Timeout), Effect::Kill(Reason::Timeout)]
    );
    assert_eq!(play.ok(Input::Killed), [Effect::Spawn]);
    let again = init_report(InitPhase::Invoke, 1_000, Status::Success);
    assert_eq!(play.after(1_000).ok(Input::Next), [again, Effect::LogStart, Effect::HandOver]);
    // The time of the initialisation counts.
    assert_eq!(play.after(1_999).step(Input::Tick), Err(NotAllowed::Meaningless));
    assert_eq!(
        play.after(1).ok(Input::Tick),
        [Effect::Deliver(Delivery::Timeout), Effect::Kill(Reason::Timeout)]
    );
    assert_eq!(play.ok(Input::Killed), [summary(Status::Timeout, 3_000, None)]);
}

#[test]
fn timeout_within_a_repeated_init() {
    let mut play = Play::new();
    play.ok(Input::Invoke(id()));
    play.ok(Input::Failed);
    play.ok(Input::Killed);
    assert_eq!(
        play.after(3_000).ok(Input::Tick),
        [
            init_report(InitPhase::Invoke, 3_000, Status::Timeout),
            Effect::LogStart,
            Effect::Deliver(Delivery::Timeout),
            Effect::Kill(Reason::Timeout)
        ]
    );
}

#[test]
fn provisioned_init_has_a_longer_limit() {
    let mut play = Play::with(Initialization::ProvisionedConcurrency);
    assert_eq!(play.after(129_999).step(Input::Tick), Err(NotAllowed::Meaningless));
    assert_eq!(play.ok(Input::Next), [initialized(129_999), Effect::TellReady]);
    let long = Machine::new(Moment::default(), Duration::from_secs(900), Initialization::SnapStart);
    assert_eq!(long.deadline(), Some(Moment::default() + Duration::from_secs(900)));
}

#[test]
fn timeout_refuses_late_answers_and_starts_anew_only_when_invoked() {
    let id = id();
    let mut play = Play::invoking(id);
    assert_eq!(
        play.after(3_000).ok(Input::Tick),
        [Effect::Deliver(Delivery::Timeout), Effect::Kill(Reason::Timeout)]
    );
    assert_eq!(play.step(Input::Answer(id, Answer::Response)), Err(NotAllowed::InvalidRequestId));
    assert!(play.step(Input::Next).is_err());
    assert_eq!(play.step(Input::Failed), Err(NotAllowed::Meaningless));
    assert_eq!(play.ok(Input::Killed), [summary(Status::Timeout, 3_000, Some(100))]);
    assert_eq!(play.ok(Input::Finished), [Effect::TellIdle]);
    assert_eq!(play.machine.deadline(), None);
    let again = RequestId::random();
    assert_eq!(play.ok(Input::Invoke(again)), [Effect::Spawn]);
    play.ok(Input::Next);
    play.ok(Input::Answer(again, Answer::Response));
    assert_eq!(play.after(1).ok(Input::Next), [summary(Status::Success, 1, None)]);
}

#[test]
fn crash_fails_the_invocation_once() {
    let id = id();
    let mut play = Play::invoking(id);
    assert_eq!(
        play.after(10).ok(Input::Failed),
        [Effect::Deliver(Delivery::Failure), Effect::Kill(Reason::Failure)]
    );
    assert_eq!(play.ok(Input::Killed), [summary(Status::Error, 10, Some(100))]);

    // After the answer the caller has been served; only the report tells of the crash.
    let mut play = Play::invoking(id);
    play.ok(Input::Answer(id, Answer::Response));
    assert_eq!(play.after(10).ok(Input::Failed), [Effect::Kill(Reason::Failure)]);
    assert_eq!(play.ok(Input::Killed), [summary(Status::Error, 10, Some(100))]);
}

#[test]
fn answers_are_checked() {
    let id = id();
    let mut play = Play::invoking(id);
    for input in [
        Input::Answer(RequestId::random(), Answer::Response),
        Input::AnswerBegins(RequestId::random(), Answer::Error),
    ] {
        assert_eq!(play.step(input), Err(NotAllowed::InvalidRequestId));
    }
    assert_eq!(play.step(Input::Next), Err(NotAllowed::Transition { from: "Running", to: "Ready" }));
    play.ok(Input::Answer(id, Answer::Response));
    assert_eq!(
        play.step(Input::Answer(id, Answer::Error)),
        Err(NotAllowed::Transition { from: "RuntimeResponseSentState", to: "InvocationErrorResponse" })
    );
    assert_eq!(
        play.step(Input::AnswerBegins(id, Answer::Response)),
        Err(NotAllowed::Transition { from: "RuntimeResponseSentState", to: "InvocationResponse" })
    );
    play.ok(Input::Next);
    assert_eq!(play.step(Input::Answer(id, Answer::Response)), Err(NotAllowed::InvalidRequestId));
}

#[test]
fn an_id_that_was_not_handed_over_cannot_be_answered() {
    let id = id();
    let mut play = Play::new();
    play.ok(Input::Invoke(id));
    assert_eq!(play.step(Input::Answer(id, Answer::Response)), Err(NotAllowed::InvalidRequestId));
}

#[test]
fn rejected_answers_fail_the_invocation_but_keep_the_process() {
    let id = id();
    let mut play = Play::invoking(id);
    assert_eq!(play.ok(Input::Answer(id, Answer::Rejected)), [Effect::Deliver(Delivery::Answer)]);
    assert_eq!(play.after(1).ok(Input::Next), [summary(Status::Error, 1, Some(100))]);
    assert_eq!(play.ok(Input::Finished), [Effect::TellIdle]);
}

#[test]
fn init_error_is_refused_after_init() {
    let mut play = Play::idle();
    assert_eq!(play.step(Input::InitError), Err(NotAllowed::Transition { from: "Ready", to: "InitError" }));
}

#[test]
fn freeze_and_thaw() {
    let id = id();
    let mut play = Play::idle();
    assert_eq!(play.ok(Input::Freeze), [Effect::Freeze]);
    assert_eq!(play.step(Input::Freeze), Err(NotAllowed::Meaningless));
    assert_eq!(play.ok(Input::Invoke(id)), [Effect::Thaw]);
    // Time begins when the processes can run.
    assert_eq!(play.machine.deadline(), None);
    assert_eq!(play.after(50).ok(Input::Thawed), [Effect::LogStart, Effect::HandOver]);
    assert_eq!(play.machine.deadline(), Some(play.now + TIMEOUT));
    assert_eq!(play.step(Input::Freeze), Err(NotAllowed::Meaningless));
}

#[test]
fn a_lost_wait_is_waited_for() {
    let id = id();
    let mut play = Play::idle();
    assert_eq!(play.ok(Input::NextGone), []);
    assert_eq!(play.ok(Input::Invoke(id)), []);
    assert_eq!(play.machine.deadline(), Some(play.now + TIMEOUT));
    assert_eq!(play.after(5).ok(Input::Next), [Effect::LogStart, Effect::HandOver]);

    let mut play = Play::idle();
    play.ok(Input::NextGone);
    play.ok(Input::Invoke(id));
    assert_eq!(
        play.after(3_000).ok(Input::Tick),
        [Effect::LogStart, Effect::Deliver(Delivery::Timeout), Effect::Kill(Reason::Timeout)]
    );
}

#[test]
fn a_process_that_ends_while_idle_is_replaced_at_the_next_invocation() {
    let mut play = Play::idle();
    assert_eq!(play.ok(Input::Failed), [Effect::Kill(Reason::Failure)]);
    // The owner still takes it for idle.
    assert_eq!(play.ok(Input::Invoke(id())), []);
    assert_eq!(play.ok(Input::Killed), [Effect::Spawn]);

    let mut play = Play::idle();
    play.ok(Input::Failed);
    assert_eq!(play.ok(Input::Killed), []);
    assert_eq!(play.ok(Input::Invoke(id())), [Effect::Spawn]);
}

#[test]
fn a_process_that_ends_right_after_its_work() {
    let id = id();
    let mut play = Play::invoking(id);
    play.ok(Input::Answer(id, Answer::Response));
    play.ok(Input::Next);
    assert_eq!(play.ok(Input::Failed), []);
    assert_eq!(play.ok(Input::Finished), [Effect::Kill(Reason::Failure)]);
    assert_eq!(play.ok(Input::Killed), [Effect::TellIdle]);
}

#[test]
fn shutdown_from_everywhere() {
    let id = id();
    let mut idle = Play::idle();
    assert_eq!(idle.ok(Input::Shutdown), [Effect::Destroy]);
    assert_eq!(idle.step(Input::Shutdown), Err(NotAllowed::Ended));
    assert_eq!(idle.step(Input::Invoke(id)), Err(NotAllowed::Ended));
    assert_eq!(idle.ok(Input::Destroyed), [Effect::TellEnded]);
    assert!(idle.machine.ended());

    let mut invoking = Play::invoking(id);
    assert_eq!(invoking.ok(Input::Shutdown), [Effect::Deliver(Delivery::Cut), Effect::Destroy]);
    assert_eq!(invoking.ok(Input::Destroyed), [summary(Status::Error, 0, Some(100))]);
    assert_eq!(invoking.ok(Input::Finished), [Effect::TellEnded]);

    let mut pending = Play::new();
    pending.ok(Input::Invoke(id));
    assert_eq!(
        pending.ok(Input::Shutdown),
        [Effect::LogStart, Effect::Deliver(Delivery::Cut), Effect::Destroy]
    );

    let mut resetting = Play::invoking(id);
    resetting.after(3_000).ok(Input::Tick);
    assert_eq!(resetting.ok(Input::Shutdown), [Effect::Destroy]);
    // The kill that was under way means nothing any more.
    assert_eq!(resetting.step(Input::Killed), Err(NotAllowed::Meaningless));
    assert_eq!(resetting.ok(Input::Destroyed), [summary(Status::Timeout, 3_000, Some(100))]);

    let mut finishing = Play::invoking(id);
    finishing.ok(Input::Answer(id, Answer::Response));
    finishing.ok(Input::Next);
    assert_eq!(finishing.ok(Input::Shutdown), []);
    assert_eq!(finishing.ok(Input::Finished), [Effect::Destroy]);
    assert_eq!(finishing.ok(Input::Destroyed), [Effect::TellEnded]);
}

/// Whatever comes in whatever order: effects come in pairs that match, and nothing comes after the end.
#[test]
fn any_order_of_inputs_keeps_the_promises() {
    use proptest::prelude::*;
    let ids = [id(), id()];
    let inputs = prop::collection::vec((0usize..20, 0usize..2, 0u64..4_000), 1..200);
    let kinds = prop::sample::select(vec![
        Initialization::OnDemand,
        Initialization::ProvisionedConcurrency,
        Initialization::SnapStart,
    ]);
    proptest!(|(kind in kinds, script in inputs)| {
        let mut play = Play::with(kind);
        let (mut restores, mut told_of_restores) = (0, 0);
        let (mut started, mut handed_over, mut delivered, mut finished) = (0, 0, 0, 0);
        let mut invoked = 0;
        for (which, id, milliseconds) in script {
            let id = ids[id];
            play.after(milliseconds);
            let input = match which {
                0 | 1 => Input::Invoke(id),
                2 | 3 => Input::Next,
                4 => Input::NextGone,
                5 => Input::AnswerBegins(id, Answer::Response),
                6 => Input::Answer(id, Answer::Response),
                7 => Input::Answer(id, Answer::Rejected),
                8 => Input::InitError,
                9 => Input::Failed,
                10 => Input::Tick,
                11 => Input::Killed,
                12 => Input::Finished,
                13 => Input::Freeze,
                14 => Input::Thawed,
                15 => Input::RestoreNext,
                16 => Input::Restore,
                17 if id == ids[0] => Input::RestoreErrorBegins,
                17 => Input::RestoreError,
                _ if milliseconds < 100 => Input::Shutdown,
                _ => Input::Destroyed,
            };
            let before = play.machine.phase;
            let Ok(effects) = play.step(input) else {
                prop_assert_eq!(before, play.machine.phase, "a refused input changes nothing");
                continue;
            };
            prop_assert!(before != Phase::Ended, "nothing happens after the end");
            invoked += usize::from(matches!(input, Input::Invoke(_)));
            restores += usize::from(input == Input::Restore);
            prop_assert!(input != Input::Restore || kind == Initialization::SnapStart);
            for effect in effects {
                match effect {
                    Effect::LogStart => started += 1,
                    Effect::HandOver => handed_over += 1,
                    Effect::Deliver(_) => delivered += 1,
                    Effect::Finish(_) => finished += 1,
                    Effect::TellIdle => {
                        prop_assert_eq!(delivered, invoked);
                        prop_assert_eq!(finished, invoked);
                    }
                    Effect::TellEnded => {
                        prop_assert_eq!(finished, invoked);
                        prop_assert_eq!(told_of_restores, restores, "whoever asked for it waits");
                    }
                    Effect::TellRestored(_) => told_of_restores += 1,
                    _ => {}
                }
                prop_assert!(handed_over <= started && started <= invoked);
                prop_assert!(delivered <= invoked && finished <= delivered);
            }
        }
    });
}

#[test]
fn an_initialisation_waits_for_the_extensions() {
    let mut play = Play::new();
    play.machine.extensions_are_busy();
    assert_eq!(play.after(50).ok(Input::Next), []);
    assert_eq!(play.after(50).ok(Input::ExtensionsReady), [initialized(100), Effect::TellReady]);
    assert_eq!(play.ok(Input::Invoke(id())), [Effect::LogStart, Effect::HandOver]);
    // The other way round nothing waits.
    let mut play = Play::new();
    play.machine.extensions_are_busy();
    assert_eq!(play.after(50).ok(Input::ExtensionsReady), []);
    assert_eq!(play.after(50).ok(Input::Next), [initialized(100), Effect::TellReady]);
    // Nor does a connection that is gone count as waiting.
    let mut play = Play::new();
    play.machine.extensions_are_busy();
    assert_eq!(play.ok(Input::Next), []);
    assert_eq!(play.ok(Input::NextGone), []);
    assert_eq!(play.ok(Input::ExtensionsReady), []);
    let limit = [init_report(InitPhase::Init, 10_000, Status::Timeout), Effect::Kill(Reason::Timeout)];
    assert_eq!(play.after(10_000).ok(Input::Tick), limit);
}

#[test]
fn an_invocation_is_over_when_the_extensions_are_done() {
    let id = id();
    let mut play = Play::invoking(id);
    play.machine.extensions_are_busy();
    assert_eq!(play.after(10).ok(Input::Answer(id, Answer::Response)), [Effect::Deliver(Delivery::Answer)]);
    assert_eq!(play.after(10).ok(Input::Next), [Effect::RuntimeDone(Status::Success)]);
    assert_eq!(play.step(Input::Answer(id, Answer::Response)), Err(NotAllowed::InvalidRequestId));
    assert_eq!(play.after(30).ok(Input::ExtensionsReady), [summary(Status::Success, 50, Some(100))]);
    assert_eq!(play.ok(Input::Finished), [Effect::TellIdle]);
    assert_eq!(play.ok(Input::Invoke(id)), [Effect::LogStart, Effect::HandOver]);
    // Extensions that are done first wait for nobody.
    play.machine.extensions_are_busy();
    assert_eq!(play.ok(Input::ExtensionsReady), []);
    assert_eq!(play.ok(Input::Answer(id, Answer::Response)), [Effect::Deliver(Delivery::Answer)]);
    assert_eq!(play.after(20).ok(Input::Next), [summary(Status::Success, 20, None)]);
}

#[test]
fn the_timeout_is_that_of_the_extensions_too() {
    let id = id();
    let mut play = Play::invoking(id);
    play.machine.extensions_are_busy();
    assert_eq!(play.ok(Input::Answer(id, Answer::Response)), [Effect::Deliver(Delivery::Answer)]);
    assert_eq!(play.ok(Input::Next), [Effect::RuntimeDone(Status::Success)]);
    // The caller has been served, so that only the processes end.
    assert_eq!(play.after(3_000).ok(Input::Tick), [Effect::Kill(Reason::Timeout)]);
    assert_eq!(play.ok(Input::Killed), [summary(Status::Timeout, 3_000, Some(100))]);
    assert_eq!(play.ok(Input::Finished), [Effect::TellIdle]);
    // The next one begins with an initialisation, of what is then there.
    assert_eq!(play.ok(Input::Invoke(id)), [Effect::Spawn]);
    play.machine.has_no_extensions();
    let again = init_report(InitPhase::Invoke, 5, Status::Success);
    assert_eq!(play.after(5).ok(Input::Next), [again, Effect::LogStart, Effect::HandOver]);
}

fn restore_report(milliseconds: u64, status: Status) -> Effect {
    Effect::LogRestoreReport { duration: Duration::from_millis(milliseconds), status }
}

/// Initialised in 100 ms, and frozen.
fn parked() -> Play {
    let mut play = Play::with(Initialization::SnapStart);
    let effects = play.after(100).ok(Input::RestoreNext);
    assert_eq!(effects, [initialized(100), Effect::Freeze, Effect::TellReady]);
    assert!(play.machine.initialized() && play.machine.deadline().is_none());
    play
}

#[test]
fn a_snapshot_is_restored_before_its_first_invocation() {
    let mut play = parked();
    assert_eq!(play.step(Input::Invoke(id())), Err(NotAllowed::Busy));
    assert_eq!(play.after(60_000).ok(Input::Restore), [Effect::LogRestoreStart, Effect::Thaw]);
    assert_eq!(play.after(5).ok(Input::Thawed), [Effect::Resume]);
    assert_eq!(
        play.after(20).ok(Input::Next),
        [restore_report(25, Status::Success), Effect::TellRestored(Status::Success)]
    );
    let id = id();
    assert_eq!(play.ok(Input::Invoke(id)), [Effect::LogStart, Effect::HandOver]);
    play.ok(Input::Answer(id, Answer::Response));
    let Effect::Finish(summary) = play.after(3).ok(Input::Next)[0] else { panic!("it is over") };
    assert_eq!(summary.init_duration, None, "it was reported when the version was published");
    let (duration, billed) = (Duration::from_millis(25), Duration::from_millis(20));
    assert_eq!(summary.restored, Some(Restored { duration, billed }));
    play.ok(Input::Finished);
    // From now on it is like any other.
    assert_eq!(play.ok(Input::Freeze), [Effect::Freeze]);
    assert_eq!(play.step(Input::Restore), Err(NotAllowed::Meaningless));
}

#[test]
fn a_runtime_that_knows_of_no_snapshots_stops_at_its_first_event() {
    let mut play = Play::with(Initialization::SnapStart);
    assert_eq!(play.after(9).ok(Input::Next), [initialized(9), Effect::Freeze, Effect::TellReady]);
    play.ok(Input::Restore);
    assert_eq!(
        play.after(2).ok(Input::Thawed),
        [restore_report(2, Status::Success), Effect::TellRestored(Status::Success)]
    );
    assert_eq!(play.ok(Input::Invoke(id())), [Effect::LogStart, Effect::HandOver]);
}

#[test]
fn what_cannot_be_restored_ends() {
    for (input, status) in
        [(Input::RestoreError, Status::Error), (Input::Failed, Status::Error), (Input::Tick, Status::Timeout)]
    {
        let mut play = parked();
        play.ok(Input::Restore);
        assert!(play.step(Input::RestoreError).is_err(), "it is not awake");
        play.ok(Input::Thawed);
        let effects = play.after(10_000).ok(input);
        assert_eq!(effects, [restore_report(10_000, status), Effect::TellRestored(status), Effect::Destroy]);
        assert_eq!(play.ok(Input::Destroyed), [Effect::TellEnded]);
    }
    let mut play = parked();
    assert_eq!(play.ok(Input::Failed), [Effect::Destroy], "killed while it was frozen");
}

#[test]
fn a_snapshot_waits_for_the_extensions() {
    let mut play = Play::with(Initialization::SnapStart);
    play.machine.extensions_are_busy();
    assert_eq!(play.after(50).ok(Input::RestoreNext), []);
    let effects = play.after(50).ok(Input::ExtensionsReady);
    assert_eq!(effects, [initialized(100), Effect::Freeze, Effect::TellReady]);
    play.ok(Input::Restore);
    assert_eq!(play.ok(Input::Thawed), [Effect::Resume]);
}

#[test]
fn started_anew_there_is_no_snapshot() {
    let mut play = parked();
    play.ok(Input::Restore);
    play.ok(Input::Thawed);
    play.ok(Input::Next);
    play.ok(Input::Invoke(id()));
    play.ok(Input::Failed);
    play.ok(Input::Killed);
    play.ok(Input::Finished);
    assert_eq!(play.ok(Input::Invoke(id())), [Effect::Spawn]);
    assert_eq!(play.ok(Input::RestoreNext), [Effect::Resume]);
    assert_eq!(play.ok(Input::Next)[1..], [Effect::LogStart, Effect::HandOver]);
}
