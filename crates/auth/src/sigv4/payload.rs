//! The body's part in a signature: its SHA-256, stated by the caller or worked out here.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::percent::{hex, unhex};

/// What stands in for a body's hash when the caller does not vouch for the body (Amazon S3 only).
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The SHA-256 of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyHash([u8; 32]);

impl BodyHash {
    /// The hash of no body at all.
    pub const EMPTY: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// Hashes a whole body.
    pub fn of(body: &[u8]) -> Self {
        if body.is_empty() { Self::EMPTY } else { Self(Sha256::digest(body).into()) }
    }

    /// Reads 64 lower-case hex digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }

    /// As 64 lower-case hex digits.
    pub(super) fn to_hex(self) -> [u8; 64] {
        hex(&self.0)
    }

    /// Whether both are the hash of the same body; takes constant time.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Hashes a body piece by piece as it arrives, so that it is gone over once only.
#[derive(Clone, Debug, Default)]
pub struct BodyHasher(Sha256);

impl BodyHasher {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> BodyHash {
        BodyHash(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole() {
        let mut hasher = BodyHasher::default();
        assert_eq!(hasher.clone().finish(), BodyHash::EMPTY);
        hasher.update(b"Param1=");
        hasher.update(b"value1");
        assert_eq!(hasher.finish(), BodyHash::of(b"Param1=value1"));
        assert_eq!(BodyHash::of(b""), BodyHash::EMPTY);
        let digits = String::from_utf8(BodyHash::of(b"x").to_hex().to_vec()).unwrap();
        assert!(BodyHash::from_hex(&digits).unwrap().same(&BodyHash::of(b"x")));
    }
}
