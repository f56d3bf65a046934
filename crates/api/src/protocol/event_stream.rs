//! `application/vnd.amazon.eventstream`: a stream of binary messages.
//!
//! A message is a prelude (total length, headers' length, CRC-32 of both), headers, a payload, and the
//! CRC-32 of everything before it; numbers are big-endian.

use bytes::{BufMut, Bytes, BytesMut};

/// The content type of a response that is an event stream.
pub const CONTENT_TYPE_EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// Two lengths and their checksum.
const PRELUDE_LENGTH: usize = 12;
const CHECKSUM_LENGTH: usize = 4;

/// The header value type of a string.
const STRING: u8 = 7;

/// An event such as `PayloadChunk`, whose payload has a content type (`application/octet-stream` for
/// blobs, `application/json` for structures).
pub fn encode_event(event_type: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let headers = [(":event-type", event_type), (":content-type", content_type), (":message-type", "event")];
    encode_message(&headers, payload)
}

/// An exception of the model that ends the stream, as a JSON payload.
pub fn encode_exception(exception_type: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (":exception-type", exception_type),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    encode_message(&headers, payload)
}

/// A message with string headers. Header names longer than 255 bytes and values longer than 65,535 are
/// cut off: the format cannot carry them.
pub fn encode_message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut encoded_headers = BytesMut::new();
    for (name, value) in headers {
        let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
        let value = &value.as_bytes()[..value.len().min(usize::from(u16::MAX))];
        encoded_headers.put_u8(name.len() as u8);
        encoded_headers.put_slice(name);
        encoded_headers.put_u8(STRING);
        encoded_headers.put_u16(value.len() as u16);
        encoded_headers.put_slice(value);
    }
    let total = PRELUDE_LENGTH + encoded_headers.len() + payload.len() + CHECKSUM_LENGTH;
    let mut message = BytesMut::with_capacity(total);
    message.put_u32(total as u32);
    message.put_u32(encoded_headers.len() as u32);
    message.put_u32(crc32(&message));
    message.put_slice(&encoded_headers);
    message.put_slice(payload);
    message.put_u32(crc32(&message));
    message.freeze()
}

/// CRC-32 (IEEE 802.3), byte by byte from a table.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(u32::MAX, step)
}

static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_has_the_standard_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_message_without_headers_and_payload_is_the_known_one() {
        let expected = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(encode_message(&[], &[])[..], expected);
    }

    #[test]
    fn an_event_carries_its_headers_and_payload() {
        let message = encode_event("PayloadChunk", "application/octet-stream", b"abc");
        assert_eq!(u32::from_be_bytes(message[..4].try_into().expect("4 bytes")) as usize, message.len());
        let headers_length = u32::from_be_bytes(message[4..8].try_into().expect("4 bytes")) as usize;
        let headers = &message[12..12 + headers_length];
        assert!(headers.starts_with(b"\x0b:event-type\x07\x00\x0cPayloadChunk"));
        assert_eq!(&message[12 + headers_length..message.len() - 4], b"abc");
    }
}
