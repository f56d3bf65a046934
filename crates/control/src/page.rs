//! Pages of lists: `Marker`, `NextMarker`, `MaxItems`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rushlight_model::arn::Scope;
use rushlight_store::Digest;

use crate::error::{Error, Result};

const CHECKSUM: usize = 8;

/// The part of a list that a request asks for.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    scope: &'a Scope,
    /// What is listed; a marker of one list is not taken for that of another.
    list: &'a str,
    /// The last item of the page before.
    pub(crate) after: Option<String>,
    limit: usize,
}

impl<'a> Page<'a> {
    /// Reads the marker and how many items are asked for. There are at most `most` on a page, whatever is asked for,
    /// and as many if nothing is.
    pub(crate) fn read(
        scope: &'a Scope,
        list: &'a str,
        marker: Option<&str>,
        max_items: Option<i32>,
        most: usize,
    ) -> Result<Self> {
        let after = marker
            .filter(|marker| !marker.is_empty())
            .map(|marker| read_marker(scope, list, marker))
            .transpose()?;
        let limit = max_items
            .and_then(|items| usize::try_from(items).ok())
            .map_or(most, |items| items.clamp(1, most));
        Ok(Self { scope, list, after, limit })
    }

    /// How many items the page may have.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The marker of a page that begins behind what is named so.
    pub(crate) fn marker(&self, name: &str) -> String {
        make_marker(self.scope, self.list, name)
    }

    /// How many items are to be fetched to know whether there is a page after this one.
    pub(crate) fn look_ahead(&self) -> usize {
        self.limit + 1
    }

    /// Cuts what was fetched to the size of the page; with the marker of the next one if there is one. `name` gives
    /// what an item is to be found by again.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, name: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next_marker = items.last().filter(|_| more).map(|last| self.marker(name(last)));
        (items, next_marker)
    }
}

/// An opaque text that names the last item of a page. A checksum ties it to the list, account and region, so that
/// what did not come from here is told apart.
fn make_marker(scope: &Scope, list: &str, name: &str) -> String {
    let mut bytes = checksum(scope, list, name.as_bytes()).to_vec();
    bytes.extend_from_slice(name.as_bytes());
    STANDARD.encode(bytes)
}

fn read_marker(scope: &Scope, list: &str, marker: &str) -> Result<String> {
    let invalid =
        || Error::invalid("The provided Marker is not valid. Use the NextMarker of an earlier answer.");
    let bytes = STANDARD.decode(marker).map_err(|_| invalid())?;
    let (sum, name) = bytes.split_at_checked(CHECKSUM).ok_or_else(invalid)?;
    if sum != checksum(scope, list, name) {
        return Err(invalid());
    }
    String::from_utf8(name.to_vec()).map_err(|_| invalid())
}

fn checksum(scope: &Scope, list: &str, name: &[u8]) -> [u8; CHECKSUM] {
    let text = [scope.account.as_bytes(), scope.region.as_bytes(), list.as_bytes(), name].join(&b'/');
    let digest = Digest::of(&text);
    std::array::from_fn(|index| digest.as_bytes()[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(region: &str) -> Scope {
        Scope { account: "123456789012".into(), region: region.into() }
    }

    fn after(scope: &Scope, list: &str, marker: &str) -> Result<Option<String>> {
        Page::read(scope, list, Some(marker), None, 50).map(|page| page.after)
    }

    #[test]
    fn markers_come_back_in_their_own_list_and_region_only() {
        let (here, there) = (here("eu-west-1"), here("us-east-1"));
        let page = Page::read(&here, "functions", None, Some(1), 50).unwrap();
        let (items, marker) = page.cut(vec!["f", "g"], |name| name);
        assert_eq!(items, ["f"]);
        let marker = marker.unwrap();
        assert_eq!(after(&here, "functions", &marker).unwrap().as_deref(), Some("f"));
        assert!(after(&here, "layers", &marker).is_err());
        assert!(after(&there, "functions", &marker).is_err());
        for bad in ["x", "AAAA", "e30=", "ä", &marker[1..]] {
            assert!(after(&here, "functions", bad).is_err(), "{bad}");
        }
        assert_eq!(after(&here, "functions", "").unwrap(), None);
    }

    #[test]
    fn a_page_has_at_most_what_is_asked_for_and_what_there_may_be() {
        let here = here("eu-west-1");
        let limit = |max_items| Page::read(&here, "functions", None, max_items, 50).unwrap().look_ahead() - 1;
        assert_eq!(
            [None, Some(1), Some(50), Some(51), Some(10_000), Some(0)].map(limit),
            [50, 1, 50, 50, 50, 1]
        );
        let page = Page::read(&here, "functions", None, Some(2), 50).unwrap();
        assert_eq!(page.cut(vec!["a", "b"], |name| name), (vec!["a", "b"], None));
    }
}
