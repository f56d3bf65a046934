//! A log group: its streams and segments.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::segment::{Segment, StreamFacts};
use super::{Error, Result};

const GROUP_FILE: &str = "group.json";
const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// What names a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct GroupKey {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) name: String,
}

/// What is kept of a group besides its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GroupFacts {
    #[serde(flatten)]
    pub(super) key: GroupKey,
    pub(super) created: i64,
    pub(super) retention_days: Option<i32>,
}

/// A group as it is described.
#[derive(Debug, Clone)]
pub(super) struct GroupDescription {
    pub(super) facts: GroupFacts,
    pub(super) stored_bytes: u64,
}

/// A stream as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) number: u32,
    pub(super) name: Arc<str>,
    pub(super) created: i64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    pub(super) last_taken: Option<i64>,
}

/// An event to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewEvent<'a> {
    pub(super) stream: &'a str,
    pub(super) time: i64,
    pub(super) message: &'a [u8],
}

/// A block that a query has to look at.
#[derive(Debug, Clone)]
pub(super) struct BlockPlace {
    pub(super) path: Arc<Path>,
    pub(super) segment: u32,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// What a query reads: nothing that happens to the group later changes it, but blocks may vanish.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) blocks: Vec<BlockPlace>,
    /// The streams that were asked for.
    pub(super) streams: HashMap<u32, Arc<str>>,
    /// Events before this time have expired.
    pub(super) oldest: i64,
}

#[derive(Debug)]
pub(super) struct Group {
    directory: PathBuf,
    segment_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    facts: GroupFacts,
    /// In order; the last one is appended to. Never empty.
    segments: Vec<Segment>,
    streams: BTreeMap<Arc<str>, Stream>,
    next_stream: u32,
    /// Set by [`Group::remove`]: who still holds the group must not write to it.
    removed: bool,
}

impl Group {
    /// Makes a group. Its name is on disk when this returns.
    pub(super) fn create(directory: PathBuf, facts: GroupFacts, segment_bytes: u64) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(Error::io("create", &directory))?;
        write_facts(&directory, &facts)?;
        let segments = vec![Segment::new(&directory, 1)];
        let state = State { facts, segments, streams: BTreeMap::new(), next_stream: 0, removed: false };
        Ok(Self { directory, segment_bytes, state: Mutex::new(state) })
    }

    /// Opens a group that is on disk. `None` if the directory is not that of a group.
    pub(super) fn open(directory: PathBuf, segment_bytes: u64) -> Result<Option<Self>> {
        let facts = match fs::read(directory.join(GROUP_FILE)) {
            Ok(json) => serde_json::from_slice(&json).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        let facts = facts.map_err(Error::io("read", &directory.join(GROUP_FILE)))?;
        let mut numbers = segment_numbers(&directory)?;
        numbers.sort_unstable();
        let mut segments = numbers
            .into_iter()
            .map(|number| Segment::open(&directory, number))
            .collect::<Result<Vec<_>>>()?;
        if segments.is_empty() {
            segments.push(Segment::new(&directory, 1));
        }
        let mut state = State { facts, segments, streams: BTreeMap::new(), next_stream: 0, removed: false };
        state.gather_streams();
        Ok(Some(Self { directory, segment_bytes, state: Mutex::new(state) }))
    }

    pub(super) fn key(&self) -> GroupKey {
        self.state.lock().facts.key.clone()
    }

    pub(super) fn describe(&self) -> GroupDescription {
        let state = self.state.lock();
        GroupDescription { facts: state.facts.clone(), stored_bytes: state.stored_bytes() }
    }

    /// Streams whose names begin with `prefix`, by name.
    pub(super) fn streams(&self, prefix: &str) -> Vec<Stream> {
        let state = self.state.lock();
        let from_prefix = state
            .streams
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map(|(_, stream)| stream);
        from_prefix.take_while(|stream| stream.name.starts_with(prefix)).cloned().collect()
    }

    pub(super) fn has_stream(&self, name: &str) -> bool {
        self.state.lock().streams.contains_key(name)
    }

    pub(super) fn create_stream(&self, name: &str, now: i64) -> Result<()> {
        let mut state = self.state.lock();
        state.refuse_removed()?;
        if state.streams.contains_key(name) {
            return Err(Error::StreamExists);
        }
        state.stream(name, now);
        state.write()
    }

    pub(super) fn delete_stream(&self, name: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.refuse_removed()?;
        let stream = state.streams.get(name).cloned().ok_or(Error::NoSuchStream)?;
        state.name_in_active(&stream);
        state.active().add(&Record::Deleted { stream: stream.number });
        state.write()?;
        state.streams.remove(name);
        Ok(())
    }

    pub(super) fn set_retention(&self, days: Option<i32>) -> Result<()> {
        let mut state = self.state.lock();
        state.refuse_removed()?;
        let facts = GroupFacts { retention_days: days, ..state.facts.clone() };
        write_facts(&self.directory, &facts)?;
        state.facts = facts;
        Ok(())
    }

    /// Appends events, making streams as needed. They can be read when this returns.
    ///
    /// # Errors
    /// [`Error::NoSuchGroup`] when the group was deleted meanwhile; otherwise what the disk says.
    pub(super) fn append<'a>(&self, events: impl Iterator<Item = NewEvent<'a>>, now: i64) -> Result<()> {
        let mut state = self.state.lock();
        state.refuse_removed()?;
        for event in events {
            if state.active().index.bytes >= self.segment_bytes {
                self.rotate(&mut state)?;
            }
            let stream = state.stream(event.stream, now);
            let record = Record::Event { stream, time: event.time, taken: now, message: event.message };
            state.active().add(&record);
            if let Some(known) = state.streams.get_mut(event.stream) {
                known.first = Some(known.first.map_or(event.time, |first| first.min(event.time)));
                known.last = Some(known.last.map_or(event.time, |last| last.max(event.time)));
                known.last_taken = Some(now);
            }
        }
        state.write()
    }

    fn rotate(&self, state: &mut State) -> Result<()> {
        state.write()?;
        let active = state.active();
        active.seal()?;
        let next = active.number + 1;
        state.segments.push(Segment::new(&self.directory, next));
        Ok(())
    }

    /// What to read for the events of `from..=to`, of all streams or of those chosen.
    pub(super) fn snapshot(
        &self,
        from: i64,
        to: i64,
        now: i64,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Snapshot> {
        let state = self.state.lock();
        state.refuse_removed()?;
        let streams: HashMap<u32, Arc<str>> = state
            .streams
            .values()
            .filter(|stream| chosen(&stream.name))
            .map(|stream| (stream.number, stream.name.clone()))
            .collect();
        let oldest = state.oldest_kept(now);
        let from = from.max(oldest);
        let mut blocks = Vec::new();
        for segment in &state.segments {
            if !segment.index.streams.keys().any(|stream| streams.contains_key(stream)) {
                continue;
            }
            let path: Arc<Path> = segment.path.as_path().into();
            for block in &segment.index.blocks {
                let in_time = block.first <= to && block.last >= from;
                if in_time && block.streams.iter().any(|stream| streams.contains_key(stream)) {
                    blocks.push(BlockPlace {
                        path: path.clone(),
                        segment: segment.number,
                        offset: block.offset,
                        bytes: block.bytes,
                        first: block.first,
                        last: block.last,
                    });
                }
            }
        }
        Ok(Snapshot { blocks, streams, oldest })
    }

    /// Removes segments of which every event has expired.
    pub(super) fn expire(&self, now: i64) -> Result<()> {
        let mut state = self.state.lock();
        let oldest = state.oldest_kept(now);
        let expired = |segment: &Segment| segment.index.last_event().is_some_and(|last| last < oldest);
        if !state.removed && state.segments.iter().any(expired) {
            if expired(state.active()) {
                self.rotate(&mut state)?;
            }
            let numbers: Vec<u32> = state
                .segments
                .iter()
                .filter(|segment| expired(segment))
                .map(|segment| segment.number)
                .collect();
            for number in numbers {
                state.remove_segment(number)?;
            }
        }
        Ok(())
    }

    /// When the oldest segment ended, if there is anything in it.
    pub(super) fn oldest_segment_end(&self) -> Option<i64> {
        let state = self.state.lock();
        let oldest = state.segments.first().filter(|oldest| oldest.index.bytes > 0 && !state.removed)?;
        Some(oldest.index.last_event().unwrap_or(i64::MIN))
    }

    /// Removes the oldest segment to make room.
    pub(super) fn remove_oldest_segment(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.refuse_removed()?;
        if state.segments.len() == 1 {
            self.rotate(&mut state)?;
        }
        let number = state.segments[0].number;
        state.remove_segment(number)
    }

    /// Removes the group and everything in it.
    pub(super) fn remove(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.removed = true;
        // Without its facts it is no group any more, should the server die half way.
        let facts = self.directory.join(GROUP_FILE);
        fs::remove_file(&facts).map_err(Error::io("remove", &facts))?;
        fs::remove_dir_all(&self.directory).map_err(Error::io("remove", &self.directory))
    }

    /// Leaves an index of the segment being written, for a quick start.
    pub(super) fn close(&self) -> Result<()> {
        let mut state = self.state.lock();
        if state.removed || state.active().index.bytes == 0 {
            return Ok(());
        }
        state.active().seal()
    }

    /// Gives back the open file while nothing is written.
    pub(super) fn rest(&self) {
        self.state.lock().active().rest();
    }
}

impl State {
    fn refuse_removed(&self) -> Result<()> {
        if self.removed { Err(Error::NoSuchGroup) } else { Ok(()) }
    }

    /// There is always a last segment: one is made with the group, and [`Group::rotate`] adds before any is removed.
    #[allow(clippy::expect_used, reason = "an invariant of this module, not of its input")]
    fn active(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a group has a segment")
    }

    fn write(&mut self) -> Result<()> {
        let written = self.active().write();
        if written.is_err() {
            // Streams that only the lost records made are gone with them.
            self.gather_streams();
        }
        written
    }

    /// The number of a stream, made if need be, and named in the segment being written.
    fn stream(&mut self, name: &str, now: i64) -> u32 {
        let stream = match self.streams.get(name) {
            Some(stream) => stream.clone(),
            None => {
                let name: Arc<str> = name.into();
                let number = self.next_stream;
                self.next_stream += 1;
                let stream = Stream {
                    number,
                    name: name.clone(),
                    created: now,
                    first: None,
                    last: None,
                    last_taken: None,
                };
                self.streams.insert(name, stream.clone());
                stream
            }
        };
        self.name_in_active(&stream);
        stream.number
    }

    /// Each segment names the streams that occur in it, so that any other segment may be removed.
    fn name_in_active(&mut self, stream: &Stream) {
        let active = self.active();
        if !active.index.streams.contains_key(&stream.number) {
            active.add(&Record::Stream {
                stream: stream.number,
                created: stream.created,
                name: &stream.name,
            });
        }
    }

    fn remove_segment(&mut self, number: u32) -> Result<()> {
        if let Some(place) = self.segments.iter().position(|segment| segment.number == number) {
            self.segments[place].remove()?;
            self.segments.remove(place);
            self.gather_streams();
        }
        Ok(())
    }

    /// Streams as the segments tell. One that no segment names any more is gone.
    fn gather_streams(&mut self) {
        let mut gathered: HashMap<u32, StreamFacts> = HashMap::new();
        for (number, facts) in self.segments.iter().flat_map(|segment| &segment.index.streams) {
            let known = gathered.entry(*number).or_insert_with(|| facts.clone());
            known.deleted |= facts.deleted;
            known.first = known.first.into_iter().chain(facts.first).min();
            known.last = known.last.max(facts.last);
            known.last_taken = known.last_taken.max(facts.last_taken);
        }
        self.next_stream = gathered.keys().max().map_or(0, |last| last + 1).max(self.next_stream);
        self.streams = gathered
            .into_iter()
            .filter(|(_, facts)| !facts.deleted)
            .map(|(number, facts)| {
                let name: Arc<str> = facts.name.into();
                let StreamFacts { created, first, last, last_taken, .. } = facts;
                (name.clone(), Stream { number, name, created, first, last, last_taken })
            })
            .collect();
    }

    fn oldest_kept(&self, now: i64) -> i64 {
        self.facts
            .retention_days
            .map_or(i64::MIN, |days| now.saturating_sub(i64::from(days) * MILLIS_PER_DAY))
    }

    fn stored_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.index.bytes).sum()
    }
}

fn segment_numbers(directory: &Path) -> Result<Vec<u32>> {
    let failed = Error::io("list", directory);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(&failed)? {
        let name = entry.map_err(&failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u32>().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}

/// Replaced whole, and on disk when this returns.
fn write_facts(directory: &Path, facts: &GroupFacts) -> Result<()> {
    let path = directory.join(GROUP_FILE);
    let temporary = directory.join("group.json.new");
    let write = || -> io::Result<()> {
        fs::write(&temporary, serde_json::to_vec_pretty(facts)?)?;
        fs::File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(directory)?.sync_all()
    };
    write().map_err(Error::io("write", &path))
}
