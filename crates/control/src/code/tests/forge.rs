//! Archives made byte by byte, so that they can be wrong in any way.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// One entry, with what its two headers say. `None` in a header field means the truth.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: Vec<u8>,
    /// The name in the local header.
    pub(super) local_name: Option<Vec<u8>>,
    /// What lies in the archive.
    pub(super) stored: Vec<u8>,
    pub(super) unzipped_size: u32,
    pub(super) crc: u32,
    pub(super) method: u16,
    /// The method in the local header.
    pub(super) local_method: Option<u16>,
    pub(super) flags: u16,
    /// 3 is Unix, 0 is DOS.
    pub(super) system: u8,
    pub(super) external_attributes: u32,
    /// Where the central header says that the local one is.
    pub(super) offset: Option<u32>,
    pub(super) zip64: bool,
}

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

impl Part {
    /// A stored regular file, mode 0644, made on Unix.
    pub(super) fn file(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        Self {
            name: name.as_ref().to_vec(),
            local_name: None,
            stored: data.to_vec(),
            unzipped_size: data.len() as u32,
            crc: crc32(data),
            method: STORED,
            local_method: None,
            flags: 1 << 11,
            system: 3,
            external_attributes: 0o100_644 << 16,
            offset: None,
            zip64: false,
        }
    }

    pub(super) fn directory(name: &str) -> Self {
        Self::file(name, "").mode(0o040_755)
    }

    pub(super) fn link(name: &str, target: &str) -> Self {
        Self::file(name, target).mode(0o120_777)
    }

    /// File type and permissions, as `stat` gives them.
    pub(super) fn mode(mut self, mode: u32) -> Self {
        self.external_attributes = mode << 16;
        self
    }

    /// A deflated file of `size` zeros.
    pub(super) fn zeros(name: &str, size: usize) -> Self {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("zeros", SimpleFileOptions::default()).unwrap();
        let block = vec![0; 1 << 20];
        for start in (0..size).step_by(block.len()) {
            writer.write_all(&block[..block.len().min(size - start)]).unwrap();
        }
        let mut archive = ZipArchive::new(writer.finish().unwrap()).unwrap();
        let mut compressed = archive.by_index_raw(0).unwrap();
        let mut part = Self::file(name, "");
        compressed.read_to_end(&mut part.stored).unwrap();
        (part.method, part.unzipped_size, part.crc) = (DEFLATED, size as u32, compressed.crc32());
        part
    }
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()));
    !data.iter().fold(!0, |crc, byte| step(crc ^ u32::from(*byte)))
}

/// The archive of some parts, as good as they are.
pub(super) fn zip(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let offsets: Vec<u32> = parts.iter().map(|part| write_local(&mut bytes, part)).collect();
    finish(bytes, parts, &offsets, b"")
}

/// Ends an archive whose local part is `bytes`.
pub(super) fn finish(mut bytes: Vec<u8>, parts: &[Part], offsets: &[u32], comment: &[u8]) -> Vec<u8> {
    let start = bytes.len();
    for (part, offset) in parts.iter().zip(offsets) {
        write_central(&mut bytes, part, *offset);
    }
    let size = (bytes.len() - start) as u32;
    bytes.extend(*b"PK\x05\x06\0\0\0\0");
    for number in [parts.len() as u16, parts.len() as u16] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(size.to_le_bytes());
    bytes.extend((start as u32).to_le_bytes());
    bytes.extend((comment.len() as u16).to_le_bytes());
    bytes.extend(comment);
    bytes
}

pub(super) fn write_local(bytes: &mut Vec<u8>, part: &Part) -> u32 {
    let offset = bytes.len() as u32;
    let name = part.local_name.as_ref().unwrap_or(&part.name);
    bytes.extend(*b"PK\x03\x04\x14\0");
    bytes.extend(part.flags.to_le_bytes());
    bytes.extend(part.local_method.unwrap_or(part.method).to_le_bytes());
    write_sizes(bytes, part, name.len());
    bytes.extend(zip64_length(part).to_le_bytes());
    bytes.extend(name);
    write_zip64(bytes, part);
    bytes.extend(&part.stored);
    offset
}

fn write_central(bytes: &mut Vec<u8>, part: &Part, offset: u32) {
    bytes.extend(*b"PK\x01\x02\x14");
    bytes.push(part.system);
    bytes.extend([20, 0]);
    bytes.extend(part.flags.to_le_bytes());
    bytes.extend(part.method.to_le_bytes());
    write_sizes(bytes, part, part.name.len());
    bytes.extend(zip64_length(part).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(part.external_attributes.to_le_bytes());
    bytes.extend(part.offset.unwrap_or(offset).to_le_bytes());
    bytes.extend(&part.name);
    write_zip64(bytes, part);
}

/// From the time up to the length of the name, the same in both headers. 2020-02-02 02:02:02.
fn write_sizes(bytes: &mut Vec<u8>, part: &Part, name_length: usize) {
    bytes.extend(((2_u16 << 11) | (2 << 5) | 1).to_le_bytes());
    bytes.extend(((40_u16 << 9) | (2 << 5) | 2).to_le_bytes());
    bytes.extend(part.crc.to_le_bytes());
    let size = |size: u32| if part.zip64 { u32::MAX } else { size };
    bytes.extend(size(part.stored.len() as u32).to_le_bytes());
    bytes.extend(size(part.unzipped_size).to_le_bytes());
    bytes.extend((name_length as u16).to_le_bytes());
}

fn zip64_length(part: &Part) -> u16 {
    if part.zip64 { 20 } else { 0 }
}

fn write_zip64(bytes: &mut Vec<u8>, part: &Part) {
    if part.zip64 {
        bytes.extend([1, 0, 16, 0]);
        bytes.extend(u64::from(part.unzipped_size).to_le_bytes());
        bytes.extend((part.stored.len() as u64).to_le_bytes());
    }
}
