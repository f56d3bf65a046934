//! Availability zones by their ids, e.g. `use1-az1`, which are the same for every account.
//!
//! See "Availability Zone IDs for your AWS resources" in the AWS RAM user guide.

/// The first zone of a region: `use1-az1` for `us-east-1`.
#[must_use]
pub fn first(region: &str) -> String {
    const DIRECTIONS: [&str; 5] = ["north", "south", "east", "west", "central"];
    let mut zone = String::new();
    for part in region.split('-') {
        let mut rest = part;
        let mut abbreviation = String::new();
        while let Some(direction) = DIRECTIONS.iter().find(|direction| rest.starts_with(**direction)) {
            abbreviation.push_str(&direction[..1]);
            rest = &rest[direction.len()..];
        }
        // `gov` and `iso` are abbreviated as the directions are.
        match (abbreviation.is_empty(), zone.is_empty(), part.len()) {
            (false, ..) => zone.push_str(&abbreviation),
            (true, false, 3..) => zone.push_str(&part[..1]),
            _ => zone.push_str(part),
        }
    }
    zone + "-az1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_aws() {
        for (region, zone) in [
            ("us-east-1", "use1-az1"),
            ("us-gov-west-1", "usgw1-az1"),
            ("eu-central-2", "euc2-az1"),
            ("ap-southeast-2", "apse2-az1"),
            ("ap-northeast-1", "apne1-az1"),
            ("ca-west-1", "caw1-az1"),
            ("me-south-1", "mes1-az1"),
            ("il-central-1", "ilc1-az1"),
        ] {
            assert_eq!(first(region), zone);
        }
        assert_eq!(first(""), "-az1");
    }
}
