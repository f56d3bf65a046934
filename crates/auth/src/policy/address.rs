//! Ranges of IP addresses in conditions.

use std::net::IpAddr;

/// `203.0.113.0/24`, `2001:db8::/32`; an address alone is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Of an IPv4 address only the last 32 bits count.
    bits: u128,
    mask: u128,
    is_v4: bool,
}

impl Range {
    /// Reads a range. Bits of the address behind the prefix do not matter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().ok()?;
        let width = if written.is_ipv4() { 32 } else { 128 };
        let length = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => prefix.parse().ok()?,
            Some(_) => return None,
            None => width,
        };
        let free = u32::checked_sub(width, length)?;
        // IPv4 addresses that are written as IPv6 ones (`::ffff:192.0.2.1`) are what they stand for.
        let address = if free <= 32 { written.to_canonical() } else { written };
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        Some(Self { bits: number(address) & mask, mask, is_v4: address.is_ipv4() })
    }

    /// Whether the range is less than what AWS calls public: /8 of IPv4, /32 of IPv6.
    pub(super) fn is_narrow(&self) -> bool {
        let fixed = self.mask.leading_ones();
        if self.is_v4 { fixed >= 128 - 32 + 8 } else { fixed >= 32 }
    }

    /// Whether the range holds the address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.is_v4 && number(address) & self.mask == self.bits
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses() {
        for (range, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.77/24", "203.0.113.0", "203.0.112.255"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678:ffff::", "2001:db8:1234:5679::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("192.0.2.0/24", "::ffff:192.0.2.1", "::ffff:192.0.3.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.1", "192.0.3.1"),
            ("10.0.0.0/32", "10.0.0.0", "10.0.0.1"),
        ] {
            let parsed = Range::parse(range).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{range} {outside}");
        }
    }

    #[test]
    fn nonsense_is_no_range() {
        for text in [
            "",
            "/",
            "1.2.3",
            "1.2.3.4/",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "::/129",
            "01.2.3.4",
            "1.2.3.*",
        ] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}
