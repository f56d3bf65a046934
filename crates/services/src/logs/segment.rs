//! A segment: one append-only file and what is known of its content.
//!
//! The index is sparse: for each block of some 64 KiB the span of event times and the streams that occur, so that a
//! reader opens few blocks and the memory for a gigabyte of logs stays at a few megabytes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{self, Record};
use super::{Error, Result};

const BLOCK_BYTES: u64 = 64 * 1024;
/// Memory that a segment keeps for what is added to it.
const PENDING_BYTES: usize = 16 * 1024;

/// A stretch of a segment.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The span of the times of its events; `first > last` while it has none.
    pub(super) first: i64,
    pub(super) last: i64,
    /// The streams that have events in it, ascending.
    pub(super) streams: Vec<u32>,
}

/// What a segment knows of a stream.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct StreamFacts {
    pub(super) name: String,
    pub(super) created: i64,
    pub(super) deleted: bool,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    pub(super) last_taken: Option<i64>,
}

/// What is known of a segment's content.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Index {
    /// The length of the file that this is about.
    pub(super) bytes: u64,
    pub(super) blocks: Vec<Block>,
    pub(super) streams: BTreeMap<u32, StreamFacts>,
}

impl Index {
    /// The latest time of an event, if there is one.
    pub(super) fn last_event(&self) -> Option<i64> {
        self.blocks.iter().filter(|block| block.first <= block.last).map(|block| block.last).max()
    }

    /// Notes a record of `length` bytes at the end of the file.
    fn note(&mut self, record: &Record<'_>, length: u64) {
        let block = match self.blocks.last_mut() {
            Some(block) if block.bytes < BLOCK_BYTES => block,
            _ => {
                let empty =
                    Block { offset: self.bytes, bytes: 0, first: i64::MAX, last: i64::MIN, streams: vec![] };
                self.blocks.push(empty);
                let last = self.blocks.len() - 1;
                &mut self.blocks[last]
            }
        };
        block.bytes += length;
        self.bytes += length;
        match *record {
            Record::Stream { stream, created, name } => {
                let facts = StreamFacts {
                    name: name.to_owned(),
                    created,
                    deleted: false,
                    first: None,
                    last: None,
                    last_taken: None,
                };
                self.streams.entry(stream).or_insert(facts);
            }
            Record::Event { stream, time, taken, .. } => {
                block.first = block.first.min(time);
                block.last = block.last.max(time);
                if let Err(place) = block.streams.binary_search(&stream) {
                    block.streams.insert(place, stream);
                }
                if let Some(facts) = self.streams.get_mut(&stream) {
                    facts.first = Some(facts.first.map_or(time, |first| first.min(time)));
                    facts.last = Some(facts.last.map_or(time, |last| last.max(time)));
                    facts.last_taken = Some(facts.last_taken.map_or(taken, |last| last.max(taken)));
                }
            }
            Record::Deleted { stream } => {
                if let Some(facts) = self.streams.get_mut(&stream) {
                    facts.deleted = true;
                }
            }
        }
    }
}

/// A segment. The last one of a group is appended to.
#[derive(Debug)]
pub(super) struct Segment {
    /// Rises within the group; part of the position of an event.
    pub(super) number: u32,
    pub(super) path: PathBuf,
    pub(super) index: Index,
    /// Open while it is appended to.
    file: Option<File>,
    /// Records noted but not yet written.
    pending: Vec<u8>,
}

impl Segment {
    /// An empty segment. The file is made with the first write.
    pub(super) fn new(directory: &Path, number: u32) -> Self {
        let path = directory.join(format!("{number:020}.log"));
        Self { number, path, index: Index::default(), file: None, pending: Vec::new() }
    }

    /// A segment that is there: by its index file if that is about the file as it is, else by reading it. What a
    /// dying server left at the end is cut off.
    pub(super) fn open(directory: &Path, number: u32) -> Result<Self> {
        let mut segment = Self::new(directory, number);
        let path = &segment.path;
        let bytes = path.metadata().map_err(Error::io("inspect", path))?.len();
        if let Some(index) = read_index(&segment.index_path()).filter(|index| index.bytes == bytes) {
            segment.index = index;
            return Ok(segment);
        }
        let content = fs::read(path).map_err(Error::io("read", path))?;
        let whole = record::whole_bytes(&content);
        let mut records = record::decode(&content[..whole]).peekable();
        while let Some((start, record)) = records.next() {
            let end = records.peek().map_or(whole, |(next, _)| *next);
            segment.index.note(&record, (end - start) as u64);
        }
        if whole < content.len() {
            tracing::warn!(path = %segment.path.display(), lost = content.len() - whole, "logs.segment.torn");
            let cut = OpenOptions::new()
                .write(true)
                .open(&segment.path)
                .and_then(|file| file.set_len(whole as u64));
            cut.map_err(Error::io("cut", &segment.path))?;
        }
        Ok(segment)
    }

    /// Adds a record to what [`Self::write`] will write.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        let before = self.pending.len();
        record.encode(&mut self.pending);
        self.index.note(record, (self.pending.len() - before) as u64);
    }

    /// Writes what was added. After an error none of it is there, in the file as in the index.
    pub(super) fn write(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.append();
        let lost = self.pending.len() as u64;
        self.pending.clear();
        // What a flood needed is not kept, for there are many segments.
        self.pending.shrink_to(PENDING_BYTES);
        let Err(error) = written else { return Ok(()) };
        // The disk is full, or worse: go back to what is surely there.
        let before = self.index.bytes - lost;
        let error = Error::io("append to", &self.path)(error);
        if let Some(file) = self.file.take() {
            let _ = file.set_len(before);
        }
        self.index = Index::default();
        if self.path.exists() {
            let directory = self.path.parent().unwrap_or(Path::new(".")).to_owned();
            self.index = Self::open(&directory, self.number)?.index;
        }
        Err(error)
    }

    fn append(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(
                OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&self.path)?,
            ),
        };
        file.write_all(&self.pending)
    }

    /// Closes the file and leaves an index beside it, so that it need not be read at the next start.
    pub(super) fn seal(&mut self) -> Result<()> {
        self.file = None;
        self.pending = Vec::new();
        let path = self.index_path();
        let json =
            serde_json::to_vec(&self.index).map_err(io::Error::from).map_err(Error::io("write", &path))?;
        // Not moved into place: an index that is cut short is no JSON and the segment is read instead.
        fs::write(&path, json).map_err(Error::io("write", &path))
    }

    /// Gives back the descriptor of a segment that is not written to at the moment.
    pub(super) fn rest(&mut self) {
        self.file = None;
    }

    /// Removes the files.
    pub(super) fn remove(&self) -> Result<()> {
        for path in [&self.path, &self.index_path()] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }
}

fn read_index(path: &Path) -> Option<Index> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Reads a block. A segment that was removed meanwhile reads as empty.
pub(super) fn read_block(path: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let mut content = vec![0; usize::try_from(bytes).unwrap_or_default()];
    match file.read_exact_at(&mut content, offset) {
        Ok(()) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stream: u32, time: i64) -> Record<'static> {
        Record::Event { stream, time, taken: time + 1, message: &[b'm'; 1000] }
    }

    fn filled(directory: &Path) -> Segment {
        let mut segment = Segment::new(directory, 7);
        for stream in 0..3 {
            segment.add(&Record::Stream { stream, created: 1, name: "s" });
        }
        for time in 0..200 {
            segment.add(&event((time / 100) as u32, time));
        }
        segment.add(&Record::Deleted { stream: 2 });
        segment.write().unwrap();
        segment
    }

    #[test]
    fn blocks_tell_times_and_streams() {
        let directory = tempfile::tempdir().unwrap();
        let index = filled(directory.path()).index;
        assert!(index.blocks.len() > 2);
        assert_eq!((index.blocks[0].first, index.blocks[0].streams.as_slice()), (0, &[0][..]));
        assert_eq!(index.last_event(), Some(199));
        let facts = &index.streams[&1];
        assert_eq!((facts.first, facts.last, facts.last_taken), (Some(100), Some(199), Some(200)));
        assert!(index.streams[&2].deleted);
        let end = index.blocks.last().map(|block| block.offset + block.bytes);
        assert_eq!(end, Some(index.bytes));
    }

    #[test]
    fn reading_the_file_gives_the_same_index() {
        let directory = tempfile::tempdir().unwrap();
        let mut segment = filled(directory.path());
        assert_eq!(Segment::open(directory.path(), 7).unwrap().index, segment.index);
        segment.seal().unwrap();
        assert_eq!(Segment::open(directory.path(), 7).unwrap().index, segment.index);
        // An index that is about another length is not believed.
        segment.add(&event(0, 5000));
        segment.write().unwrap();
        assert_eq!(Segment::open(directory.path(), 7).unwrap().index.last_event(), Some(5000));
    }

    #[test]
    fn a_torn_end_is_cut_off_and_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let segment = filled(directory.path());
        let mut file = OpenOptions::new().append(true).open(&segment.path).unwrap();
        file.write_all(&[200, 3, 0, 0, 1, 2, 3, 4, 2, 9]).unwrap();
        let mut reopened = Segment::open(directory.path(), 7).unwrap();
        assert_eq!(reopened.index, segment.index);
        reopened.add(&event(1, 777));
        reopened.write().unwrap();
        assert_eq!(Segment::open(directory.path(), 7).unwrap().index.last_event(), Some(777));
    }

    #[test]
    fn a_failed_write_leaves_the_index_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let mut segment = filled(directory.path());
        let before = segment.index.clone();
        // A file that cannot be written to stands for a full disk.
        segment.file = Some(File::open(&segment.path).unwrap());
        segment.add(&event(0, 9999));
        segment.write().unwrap_err();
        assert_eq!(segment.index, before);
        segment.add(&event(0, 9999));
        segment.write().unwrap();
        assert_eq!(segment.index.last_event(), Some(9999));
    }
}
