//! CloudWatch Logs through its typed API, over a real store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rushlight_api::logs::service::LogsService;
use rushlight_api::logs::types::*;
use rushlight_auth::{Authorizer, Caller, NoIdentities, Principal};
use rushlight_model::arn::Scope;
use rushlight_model::clock::Clock;
use rushlight_model::log::{LogEvent, LogSink, LogStream as Stream};
use rushlight_services::RequestContext;
use rushlight_services::logs::{LogStore, LogStoreConfig, Logs};

const GROUP: &str = "/aws/lambda/hello";

fn service(store: &LogStore) -> Logs {
    Logs::new(store.clone(), Authorizer::new(Arc::new(NoIdentities)))
}

struct Fixture {
    directory: tempfile::TempDir,
    clock: Clock,
    store: LogStore,
    logs: Logs,
    context: RequestContext,
}

impl Fixture {
    fn new() -> Self {
        Self::with(LogStoreConfig::default())
    }

    fn with(config: LogStoreConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::new_virtual();
        let store = LogStore::open(directory.path(), config, clock.clone()).unwrap();
        let account = "000000000000";
        let scope = Scope { account: account.into(), region: "eu-west-1".into() };
        let context = RequestContext { scope, caller: Caller::new(Principal::root(account)) };
        Self { directory, clock, logs: service(&store), store, context }
    }

    /// As a new server on the same directory.
    fn reopened(self) -> Self {
        let Self { directory, clock, store, logs, context } = self;
        store.close();
        drop((store, logs));
        let store = LogStore::open(directory.path(), LogStoreConfig::default(), clock.clone()).unwrap();
        Self { directory, clock, logs: service(&store), store, context }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    fn push(&self, stream: &Arc<Stream>, timestamp_ms: i64, message: &str) {
        let message = Bytes::copy_from_slice(message.as_bytes());
        self.store.push(stream, LogEvent { timestamp_ms, message });
    }

    async fn filter(&self, request: FilterLogEventsRequest) -> FilterLogEventsResponse {
        self.logs.filter_log_events(&self.context, request).await.unwrap()
    }

    /// Waits until the group has this many events and returns their messages.
    async fn messages(&self, count: usize) -> Vec<String> {
        let began = Instant::now();
        loop {
            let found = self.logs.filter_log_events(&self.context, filter_of(GROUP)).await;
            let messages: Vec<String> = found.map_or_else(|_| vec![], |page| messages(page.events));
            if messages.len() >= count {
                assert_eq!(messages.len(), count);
                return messages;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{messages:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn stream(name: &str) -> Arc<Stream> {
    Arc::new(Stream {
        account: "000000000000".into(),
        region: "eu-west-1".into(),
        group: GROUP.into(),
        stream: name.into(),
    })
}

fn filter_of(group: &str) -> FilterLogEventsRequest {
    FilterLogEventsRequest { log_group_name: Some(group.into()), ..FilterLogEventsRequest::default() }
}

fn messages(events: Option<Vec<FilteredLogEvent>>) -> Vec<String> {
    events.unwrap().into_iter().map(|event| event.message.unwrap()).collect()
}

fn put(stream: &str, events: &[(i64, &str)]) -> PutLogEventsRequest {
    let event = |(timestamp, message): &(i64, &str)| InputLogEvent {
        timestamp: *timestamp,
        message: (*message).to_owned(),
    };
    PutLogEventsRequest {
        log_group_name: GROUP.into(),
        log_stream_name: stream.into(),
        log_events: events.iter().map(event).collect(),
        ..PutLogEventsRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushed_events_are_soon_readable_in_order() {
    let fixture = Fixture::new();
    let (a, b) = (stream("a"), stream("b"));
    let now = fixture.now();
    for number in 0..100 {
        fixture.push(if number % 2 == 0 { &a } else { &b }, now + number, &format!("event {number}"));
    }
    let expected: Vec<String> = (0..100).map(|number| format!("event {number}")).collect();
    assert_eq!(fixture.messages(100).await, expected);
    let fixture = fixture.reopened();
    assert_eq!(fixture.messages(100).await, expected);
    fixture.push(&a, now + 100, "after the restart");
    assert_eq!(fixture.messages(101).await[100], "after the restart");
}

#[tokio::test]
async fn groups_are_made_described_and_deleted() {
    let fixture = Fixture::new();
    let (logs, context) = (&fixture.logs, &fixture.context);
    let create = |name: &str| CreateLogGroupRequest {
        log_group_name: name.into(),
        kms_key_id: None,
        tags: None,
        log_group_class: None,
        deletion_protection_enabled: None,
    };
    for name in ["/b", "/a/2", "/a/1", "c"] {
        logs.create_log_group(context, create(name)).await.unwrap();
    }
    let again = logs.create_log_group(context, create("c")).await.unwrap_err();
    assert_eq!(again.code, "ResourceAlreadyExistsException");
    assert_eq!(again.message.as_deref(), Some("The specified log group already exists"));

    let describe = async |request| logs.describe_log_groups(context, request).await.unwrap();
    let names = |groups: Option<Vec<LogGroup>>| -> Vec<String> {
        groups.unwrap().into_iter().map(|group| group.log_group_name.unwrap()).collect()
    };
    let page = describe(DescribeLogGroupsRequest { limit: Some(3), ..Default::default() }).await;
    assert_eq!(names(page.log_groups), ["/a/1", "/a/2", "/b"]);
    let next = DescribeLogGroupsRequest { limit: Some(3), next_token: page.next_token, ..Default::default() };
    let page = describe(next).await;
    assert_eq!((names(page.log_groups), page.next_token), (vec!["c".to_owned()], None));
    let prefix = DescribeLogGroupsRequest { log_group_name_prefix: Some("/a/".into()), ..Default::default() };
    assert_eq!(names(describe(prefix).await.log_groups), ["/a/1", "/a/2"]);
    let pattern = DescribeLogGroupsRequest { log_group_name_pattern: Some("B".into()), ..Default::default() };
    assert_eq!(names(describe(pattern).await.log_groups), ["/b"]);

    let scope = Scope { region: "eu-west-2".into(), ..context.scope.clone() };
    let other = RequestContext { scope, ..context.clone() };
    assert_eq!(logs.describe_log_groups(&other, Default::default()).await.unwrap().log_groups, Some(vec![]));

    let retention = |days| PutRetentionPolicyRequest { log_group_name: "c".into(), retention_in_days: days };
    logs.put_retention_policy(context, retention(30)).await.unwrap();
    let error = logs.put_retention_policy(context, retention(31)).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    let fixture = fixture.reopened();
    let (logs, context) = (&fixture.logs, &fixture.context);
    let only_c = DescribeLogGroupsRequest { log_group_name_prefix: Some("c".into()), ..Default::default() };
    let group =
        logs.describe_log_groups(context, only_c.clone()).await.unwrap().log_groups.unwrap().remove(0);
    assert_eq!(group.retention_in_days, Some(30));
    assert_eq!(group.arn.as_deref(), Some("arn:aws:logs:eu-west-1:000000000000:log-group:c:*"));
    let request = DeleteRetentionPolicyRequest { log_group_name: "c".into() };
    logs.delete_retention_policy(context, request).await.unwrap();
    logs.delete_log_group(context, DeleteLogGroupRequest { log_group_name: "c".into() }).await.unwrap();
    let gone = logs
        .delete_log_group(context, DeleteLogGroupRequest { log_group_name: "c".into() })
        .await
        .unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
    assert_eq!(gone.message.as_deref(), Some("The specified log group does not exist."));
    assert_eq!(logs.describe_log_groups(context, only_c).await.unwrap().log_groups, Some(vec![]));
    logs.create_log_group(context, create("c")).await.unwrap();
}

#[tokio::test]
async fn streams_are_made_described_and_deleted() {
    let fixture = Fixture::new();
    let (logs, context) = (&fixture.logs, &fixture.context);
    let create =
        |name: &str| CreateLogStreamRequest { log_group_name: GROUP.into(), log_stream_name: name.into() };
    let error = logs.create_log_stream(context, create("a")).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified log group does not exist."));
    fixture.push(&stream("zero"), 1, "makes the group");
    fixture.messages(1).await;
    for name in ["one", "two", "two-b"] {
        logs.create_log_stream(context, create(name)).await.unwrap();
    }
    let error = logs.create_log_stream(context, create("two")).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified log stream already exists"));
    let now = fixture.now();
    logs.put_log_events(context, put("one", &[(now, "x"), (now + 5, "y")])).await.unwrap();

    let describe = async |request: DescribeLogStreamsRequest| {
        let request = DescribeLogStreamsRequest { log_group_name: Some(GROUP.into()), ..request };
        let page = logs.describe_log_streams(context, request).await.unwrap();
        let names: Vec<String> =
            page.log_streams.unwrap().into_iter().map(|stream| stream.log_stream_name.unwrap()).collect();
        (names, page.next_token)
    };
    assert_eq!(describe(Default::default()).await.0, ["one", "two", "two-b", "zero"]);
    let two = DescribeLogStreamsRequest { log_stream_name_prefix: Some("two".into()), ..Default::default() };
    assert_eq!(describe(two).await.0, ["two", "two-b"]);
    let latest = DescribeLogStreamsRequest {
        order_by: Some(OrderBy::LastEventTime),
        descending: Some(true),
        limit: Some(2),
        ..Default::default()
    };
    let (names, token) = describe(latest.clone()).await;
    assert_eq!(names, ["one", "zero"]);
    let (names, token) = describe(DescribeLogStreamsRequest { next_token: token, ..latest }).await;
    assert_eq!((names.len(), token), (2, None));

    let delete = || DeleteLogStreamRequest { log_group_name: GROUP.into(), log_stream_name: "one".into() };
    logs.delete_log_stream(context, delete()).await.unwrap();
    let error = logs.delete_log_stream(context, delete()).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified log stream does not exist."));
    let fixture = fixture.reopened();
    assert_eq!(fixture.messages(1).await, ["makes the group"]);
    fixture.logs.create_log_stream(&fixture.context, create("one")).await.unwrap();
    assert_eq!(fixture.messages(1).await, ["makes the group"]);
}

#[tokio::test]
async fn a_stream_is_paged_from_both_ends() {
    let fixture = Fixture::new();
    let (logs, context, now) = (&fixture.logs, &fixture.context, fixture.now());
    for number in 0..10 {
        fixture.push(&stream("s"), now + number, &number.to_string());
        fixture.push(&stream("other"), now + number, "not this one");
    }
    fixture.messages(20).await;
    let get = async |token: Option<String>, head: bool| {
        let request = GetLogEventsRequest {
            log_group_name: Some(GROUP.into()),
            log_stream_name: "s".into(),
            limit: Some(4),
            next_token: token,
            start_from_head: Some(head),
            ..GetLogEventsRequest::default()
        };
        let page = logs.get_log_events(context, request).await.unwrap();
        let text: String = page.events.unwrap().into_iter().map(|event| event.message.unwrap()).collect();
        (text, page.next_forward_token.unwrap(), page.next_backward_token.unwrap())
    };
    let (text, forward, backward) = get(None, false).await;
    assert_eq!(text, "6789");
    let (text, _, backward) = get(Some(backward), false).await;
    assert_eq!(text, "2345");
    let (text, _, backward) = get(Some(backward), false).await;
    assert_eq!(text, "01");
    let (text, _, again) = get(Some(backward.clone()), false).await;
    assert_eq!((text.as_str(), again), ("", backward));
    let (text, again, _) = get(Some(forward.clone()), true).await;
    assert_eq!((text.as_str(), &again), ("", &forward));
    let (text, ..) = get(None, true).await;
    assert_eq!(text, "0123");
    fixture.push(&stream("s"), now + 10, "A");
    fixture.messages(21).await;
    assert_eq!(get(Some(forward), true).await.0, "A");

    let bounded = GetLogEventsRequest {
        log_group_identifier: Some(format!("arn:aws:logs:eu-west-1:000000000000:log-group:{GROUP}:*")),
        log_stream_name: "s".into(),
        start_time: Some(now + 2),
        end_time: Some(now + 4),
        ..GetLogEventsRequest::default()
    };
    let page = logs.get_log_events(context, bounded).await.unwrap();
    assert_eq!(page.events.unwrap().len(), 2, "the end time is exclusive");
    let missing = GetLogEventsRequest {
        log_group_name: Some(GROUP.into()),
        log_stream_name: "missing".into(),
        ..GetLogEventsRequest::default()
    };
    let error = logs.get_log_events(context, missing).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified log stream does not exist."));
}

#[tokio::test]
async fn events_are_filtered() {
    let fixture = Fixture::new();
    let now = fixture.now();
    let lines = ["START", "[ERROR] broke", r#"{"level":"ERROR","ms":12}"#, "WARN", "END"];
    for (number, line) in (0..).zip(lines) {
        fixture.push(&stream(if number < 3 { "first" } else { "second" }), now + number, line);
    }
    fixture.messages(5).await;
    let found = async |change: FilterLogEventsRequest| {
        let request = FilterLogEventsRequest { log_group_name: Some(GROUP.into()), ..change };
        messages(fixture.filter(request).await.events)
    };
    let pattern =
        |text: &str| FilterLogEventsRequest { filter_pattern: Some(text.into()), ..Default::default() };
    assert_eq!(found(pattern("ERROR")).await, lines[1..3]);
    assert_eq!(found(pattern("?WARN ?END")).await, lines[3..5]);
    assert_eq!(found(pattern("ERROR -broke")).await, lines[2..3]);
    assert_eq!(found(pattern("{ $.level = \"ERROR\" && $.ms > 10 }")).await, lines[2..3]);
    let named =
        FilterLogEventsRequest { log_stream_names: Some(vec!["second".into()]), ..Default::default() };
    assert_eq!(found(named).await, lines[3..5]);
    let prefixed =
        FilterLogEventsRequest { log_stream_name_prefix: Some("fir".into()), ..Default::default() };
    assert_eq!(found(prefixed).await, lines[..3]);
    let timed =
        FilterLogEventsRequest { start_time: Some(now + 1), end_time: Some(now + 3), ..Default::default() };
    assert_eq!(found(timed).await, lines[1..4], "the end time is inclusive");
    let bad = FilterLogEventsRequest { filter_pattern: Some("{ $.x".into()), ..filter_of(GROUP) };
    let error = fixture.logs.filter_log_events(&fixture.context, bad).await.unwrap_err();
    assert_eq!(
        (&*error.code, error.message.as_deref()),
        ("InvalidParameterException", Some("Invalid filter pattern"))
    );
    let error = fixture.logs.filter_log_events(&fixture.context, filter_of("missing")).await.unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
    let bad = FilterLogEventsRequest { next_token: Some("rubbish".into()), ..filter_of(GROUP) };
    let error = fixture.logs.filter_log_events(&fixture.context, bad).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified nextToken is invalid."));
}

/// What `aws logs tail --follow` does: pages by token, and from the time of the last event when there is no token,
/// telling events apart by their ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_sees_every_event_once() {
    let fixture = Arc::new(Fixture::new());
    let began = fixture.now();
    fixture.push(&stream("0"), began, "0");
    fixture.messages(1).await;
    let pusher = {
        let fixture = fixture.clone();
        tokio::task::spawn_blocking(move || {
            for number in 1..500 {
                fixture.push(&stream(&(number % 7).to_string()), fixture.now(), &number.to_string());
                std::thread::sleep(Duration::from_micros(300));
            }
        })
    };
    let mut request = FilterLogEventsRequest {
        start_time: Some(began),
        limit: Some(40),
        interleaved: Some(true),
        ..filter_of(GROUP)
    };
    let (mut ids, mut seen) = (HashSet::new(), Vec::new());
    while seen.len() < 500 {
        let page = fixture.filter(request.clone()).await;
        for event in page.events.unwrap() {
            request.start_time = event.timestamp;
            if ids.insert(event.event_id.unwrap()) {
                seen.push(event.message.unwrap().parse::<u32>().unwrap());
            }
        }
        request.next_token = page.next_token;
        assert!(fixture.now() - began < 60_000, "{} events after a minute", seen.len());
    }
    pusher.await.unwrap();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..500));
}

#[tokio::test]
async fn batches_are_put() {
    let fixture = Fixture::new();
    let (logs, context, now) = (&fixture.logs, &fixture.context, fixture.now());
    let error = logs.put_log_events(context, put("s", &[(now, "x")])).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified log group does not exist."));
    fixture.push(&stream("s"), now, "b");
    fixture.messages(1).await;
    let error = logs.put_log_events(context, put("missing", &[(now, "x")])).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("The specified log stream does not exist."));
    let error = logs.put_log_events(context, put("s", &[(now, "x"), (now - 1, "y")])).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    let hour = 3_600_000;
    let answer =
        logs.put_log_events(context, put("s", &[(now - hour, "a"), (now + 3 * hour, "late")])).await.unwrap();
    assert_eq!(answer.rejected_log_events_info.unwrap().too_new_log_event_start_index, Some(1));
    assert_eq!(fixture.messages(2).await, ["a", "b"]);
}

#[tokio::test]
async fn events_expire() {
    let fixture = Fixture::new();
    let now = fixture.now();
    fixture.push(&stream("s"), now, "old");
    fixture.messages(1).await;
    let retention = PutRetentionPolicyRequest { log_group_name: GROUP.into(), retention_in_days: 1 };
    fixture.logs.put_retention_policy(&fixture.context, retention).await.unwrap();
    fixture.clock.advance(Duration::from_secs(25 * 3600)).unwrap();
    fixture.push(&stream("s"), fixture.now(), "new");
    assert_eq!(fixture.messages(1).await, ["new"]);
}

#[tokio::test]
async fn what_comes_too_fast_is_counted_in_the_stream() {
    let config = LogStoreConfig { max_queued_bytes: 10_000, ..LogStoreConfig::default() };
    let fixture = Fixture::with(config);
    let now = fixture.now();
    let message = "m".repeat(1000);
    for _ in 0..1000 {
        fixture.push(&stream("s"), now, &message);
    }
    fixture.store.close();
    let found = messages(fixture.filter(filter_of(GROUP)).await.events);
    let kept = found.iter().filter(|text| **text == message).count();
    let reported: usize = found
        .iter()
        .filter_map(|text| text.strip_prefix("[rushlight] ")?.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert!(reported > 0 && kept > 0);
    assert_eq!(kept + reported, 1000);
}

#[tokio::test]
async fn a_torn_tail_costs_only_itself() {
    let fixture = Fixture::new();
    let now = fixture.now();
    fixture.push(&stream("s"), now, "first");
    fixture.push(&stream("s"), now + 1, "second");
    fixture.messages(2).await;
    let segment = find(fixture.directory.path(), "log");
    // As a server that died while writing: no index, and half a record at the end.
    let content = std::fs::read(&segment).unwrap();
    let fixture = {
        let Fixture { directory, clock, store, logs, context } = fixture;
        store.close();
        drop((store, logs));
        std::fs::remove_file(segment.with_extension("index")).unwrap();
        std::fs::write(&segment, &content[..content.len() - 3]).unwrap();
        let store = LogStore::open(directory.path(), LogStoreConfig::default(), clock.clone()).unwrap();
        Fixture { directory, clock, logs: service(&store), store, context }
    };
    assert_eq!(fixture.messages(1).await, ["first"]);
    fixture.push(&stream("s"), now + 2, "third");
    assert_eq!(fixture.messages(2).await, ["first", "third"]);
}

fn find(directory: &Path, extension: &str) -> std::path::PathBuf {
    let groups = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files =
        groups.flat_map(|group| std::fs::read_dir(group).unwrap().map(|entry| entry.unwrap().path()));
    files.find(|path| path.extension().is_some_and(|other| other == extension)).unwrap()
}
