//! Pages of events in the order of time.
//!
//! Files are in the order of arrival, which is nearly that of time, but `PutLogEvents` may bring what is days old. A
//! page is therefore chosen by a heap: blocks are visited in the order of their earliest event, and the visit ends at
//! the first block that begins after everything that fits into the page.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Result;
use super::group::{BlockPlace, Snapshot};
use super::record::{self, Record};
use super::segment::read_block;

/// What an event counts in a page besides its message.
const EVENT_OVERHEAD_BYTES: usize = 26;

/// Where an event is: by time, and within one millisecond by arrival. Unique within a group and for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) time: i64,
    /// The segment's number and the offset in it.
    pub(super) place: u64,
}

impl Position {
    /// Before every event of this time.
    pub(super) fn before(time: i64) -> Self {
        Self { time, place: 0 }
    }

    /// After every event of this time.
    pub(super) fn after(time: i64) -> Self {
        Self { time, place: u64::MAX }
    }

    /// The same distance from the other end.
    fn mirrored(self) -> Self {
        Self { time: !self.time, place: !self.place }
    }
}

/// From which end a page is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

impl Direction {
    fn rank(self, position: Position) -> Position {
        match self {
            Self::Forward => position,
            Self::Backward => position.mirrored(),
        }
    }
}

/// Which events a page may hold: those strictly between two positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) above: Position,
    pub(super) below: Position,
}

/// How large a page may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageSize {
    pub(super) events: usize,
    /// A page with one event may be larger.
    pub(super) bytes: usize,
}

/// An event that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) position: Position,
    pub(super) taken: i64,
    pub(super) stream: Arc<str>,
    pub(super) message: String,
}

/// A page, in ascending order whichever end it was filled from.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<Found>,
    /// Whether there are more events within the bounds.
    pub(super) more: bool,
}

/// Fills a page with events for which `matches` holds. Blocking.
pub(super) fn page(
    mut snapshot: Snapshot,
    bounds: Bounds,
    direction: Direction,
    size: PageSize,
    matches: &dyn Fn(&str) -> bool,
) -> Result<Page> {
    let earliest = |block: &BlockPlace| match direction {
        Direction::Forward => Position::before(block.first),
        Direction::Backward => Position::after(block.last).mirrored(),
    };
    snapshot.blocks.sort_by_key(earliest);
    let mut filling = Filling::new(direction, size);
    for block in &snapshot.blocks {
        if filling.cut.is_some_and(|cut| earliest(block) > cut) {
            break;
        }
        let content = read_block(&block.path, block.offset, block.bytes)?;
        for (start, record) in record::decode(&content) {
            let Record::Event { stream, time, taken, message } = record else { continue };
            let place = u64::from(block.segment) << 32 | (block.offset + start as u64);
            let position = Position { time, place };
            let within = position > bounds.above && position < bounds.below && time >= snapshot.oldest;
            let Some(stream) = snapshot.streams.get(&stream).filter(|_| within) else { continue };
            if !filling.has_room(position) {
                continue;
            }
            let message = String::from_utf8_lossy(message);
            if matches(&message) {
                filling.add(Found { position, taken, stream: stream.clone(), message: message.into_owned() });
            }
        }
    }
    Ok(filling.finish())
}

/// The events nearest to the end that the page is filled from, as far as they fit.
struct Filling {
    direction: Direction,
    size: PageSize,
    chosen: BinaryHeap<Ranked>,
    bytes: usize,
    /// The rank of the nearest event that did not fit. Nothing beyond it may be on the page.
    cut: Option<Position>,
}

impl Filling {
    fn new(direction: Direction, size: PageSize) -> Self {
        Self { direction, size, chosen: BinaryHeap::new(), bytes: 0, cut: None }
    }

    fn has_room(&self, position: Position) -> bool {
        self.cut.is_none_or(|cut| self.direction.rank(position) < cut)
    }

    fn add(&mut self, found: Found) {
        self.bytes += found.message.len() + EVENT_OVERHEAD_BYTES;
        self.chosen.push(Ranked { rank: self.direction.rank(found.position), found });
        while self.chosen.len() > 1
            && (self.chosen.len() > self.size.events || self.bytes > self.size.bytes)
            && let Some(farthest) = self.chosen.pop()
        {
            self.bytes -= farthest.found.message.len() + EVENT_OVERHEAD_BYTES;
            self.cut = Some(farthest.rank);
        }
    }

    fn finish(self) -> Page {
        let more = self.cut.is_some();
        let mut events: Vec<Found> = self.chosen.into_iter().map(|ranked| ranked.found).collect();
        events.sort_unstable_by_key(|found| found.position);
        Page { events, more }
    }
}

/// An event ordered by its rank alone.
struct Ranked {
    rank: Position,
    found: Found,
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::super::group::{Group, GroupFacts, GroupKey, NewEvent};
    use super::*;
    use proptest::prelude::*;

    fn group(directory: &tempfile::TempDir, segment_bytes: u64) -> Group {
        let key = GroupKey { account: "a".into(), region: "r".into(), name: "g".into() };
        let facts = GroupFacts { key, created: 0, retention_days: None };
        Group::create(directory.path().join("g"), facts, segment_bytes).unwrap()
    }

    fn fill(group: &Group, times: &[i64], message: &str) {
        for chunk in times.chunks(7) {
            let event = |time: &i64| NewEvent { stream: "s", time: *time, message: message.as_bytes() };
            group.append(chunk.iter().map(event), 0).unwrap();
        }
    }

    fn walk(group: &Group, direction: Direction, size: PageSize) -> Vec<Found> {
        let mut bounds = Bounds { above: Position::before(i64::MIN), below: Position::after(i64::MAX) };
        let mut pages: Vec<Vec<Found>> = Vec::new();
        loop {
            let snapshot = group.snapshot(i64::MIN, i64::MAX, 0, &|_| true).unwrap();
            let page = page(snapshot, bounds, direction, size, &|_| true).unwrap();
            assert!(page.events.len() <= size.events && (!page.events.is_empty() || !page.more));
            match (direction, page.events.as_slice()) {
                (Direction::Forward, [.., last]) => bounds.above = last.position,
                (Direction::Backward, [first, ..]) => bounds.below = first.position,
                (_, []) => {}
            }
            pages.push(page.events);
            if !page.more {
                break;
            }
        }
        if direction == Direction::Backward {
            pages.reverse();
        }
        pages.concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        /// Pages of any size from either end give every event once, by time and then by arrival.
        #[test]
        fn pages_make_up_the_whole(
            times in prop::collection::vec(0_i64..60, 0..120),
            events in 1_usize..40,
            bytes in 1_usize..50_000,
            length in prop::sample::select(vec![1_usize, 3000]),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let group = group(&directory, 100_000);
            fill(&group, &times, &"m".repeat(length));
            let mut sorted = times.clone();
            sorted.sort_unstable();
            for direction in [Direction::Forward, Direction::Backward] {
                let found = walk(&group, direction, PageSize { events, bytes });
                prop_assert!(found.is_sorted_by(|a, b| a.position < b.position));
                prop_assert_eq!(found.iter().map(|event| event.position.time).collect::<Vec<_>>(), sorted.clone());
            }
        }
    }

    #[test]
    fn old_events_after_new_ones_are_found_in_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let group = group(&directory, 1 << 20);
        let mut times: Vec<i64> = (1000..1500).collect();
        times.push(3);
        fill(&group, &times, &"m".repeat(1000));
        let size = PageSize { events: 2, bytes: 1 << 20 };
        let snapshot = group.snapshot(0, 2000, 0, &|_| true).unwrap();
        let bounds = Bounds { above: Position::before(0), below: Position::after(2000) };
        let first = page(snapshot, bounds, Direction::Forward, size, &|_| true).unwrap();
        assert_eq!(first.events.iter().map(|event| event.position.time).collect::<Vec<_>>(), [3, 1000]);
        assert!(first.more);
    }
}
