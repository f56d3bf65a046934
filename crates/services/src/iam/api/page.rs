//! Lists, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rushlight_api::Error;

use super::Answer;

/// Items on a page when the request does not say.
const ITEMS: usize = 100;

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) is_truncated: Option<bool>,
    pub(super) marker: Option<String>,
}

/// Cuts the page that a request asks for out of a list in the order of `name`.
pub(super) fn page<T>(
    items: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> String,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Answer<Page<T>> {
    let after = marker.map(read).transpose()?;
    let limit = max_items.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(ITEMS);
    let mut rest = items.into_iter().filter(|item| after.as_ref().is_none_or(|after| name(item) > *after));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let is_truncated = rest.next().is_some();
    let last = items.last().filter(|_| is_truncated).map(|item| URL_SAFE_NO_PAD.encode(name(item)));
    Ok(Page { items, is_truncated: Some(is_truncated), marker: last })
}

fn read(marker: &str) -> Answer<String> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Error { code: "ValidationError".into(), ..Error::validation("Invalid Marker.") })
}
