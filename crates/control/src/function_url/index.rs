//! From the id of a URL to its function, at once.
//!
//! # Invariants
//! * A row means nothing without the head: only a URL that the head has under this id is real. So a row that a crash or
//!   a lost race left behind misleads nobody; it is removed when a server starts.
//! * The row is written before the head has the URL and removed after the head has lost it: what is real is found.
//! * No id is given out twice, so nobody ever gets requests that were meant for another.

use std::sync::Arc;

use rushlight_model::function::FunctionHead;
use rushlight_model::function_url::{UrlPlace, UrlTarget};
use rushlight_store::table::function_url::key;
use rushlight_store::{Digest, Expect};
use uuid::Uuid;

use crate::Control;
use crate::error::Result;

/// How many rows are looked through at a time.
const PAGE: usize = 500;

/// Five bits each.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 32 letters and digits, 122 random bits of 160.
pub(super) fn new_id() -> String {
    let digest = Digest::of(Uuid::new_v4().as_bytes());
    let letter = |index: usize| {
        let (byte, bit) = (index * 5 / 8, index * 5 % 8);
        let bits = u16::from_be_bytes([digest.as_bytes()[byte], digest.as_bytes()[byte + 1]]);
        char::from(LETTERS[usize::from(bits >> (11 - bit)) & 31])
    };
    (0..32).map(letter).collect()
}

impl Control {
    /// Where function URLs are served.
    #[must_use]
    pub fn url_place(&self) -> &UrlPlace {
        &self.url_place
    }

    /// What a URL's id leads to: the function, and by which of the head's `urls` it is found. `None` if there is no
    /// such URL (any more). Without I/O when both rows are cached.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn function_by_url(&self, id: &str) -> Result<Option<(Arc<FunctionHead>, UrlTarget)>> {
        let Some(row) = self.urls.get(&key(id)).await? else { return Ok(None) };
        let head = self.functions.get(&self.key(&row.value.function)).await?;
        let head = head.map(|entry| entry.value).filter(|head| has(head, &row.value, id));
        Ok(head.map(|head| (head, row.value.as_ref().clone())))
    }

    pub(super) async fn index_url(&self, id: &str, target: UrlTarget) -> Result<()> {
        self.urls.put(&key(id), target, Expect::Absent).await?;
        Ok(())
    }

    /// Removes the row of a URL that no head has any more. What fails here is removed when a server starts.
    pub(crate) async fn forget_url(&self, id: &str) {
        if let Err(error) = self.urls.delete(&key(id), Expect::Any).await {
            tracing::warn!(id, %error, "function_url.row_not_removed");
        }
    }

    /// Removes the rows of URLs that no head has. To be called while nobody makes any.
    pub(crate) async fn sweep_urls(&self) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let rows = self.urls.list("", after.as_deref(), PAGE).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            for (id, row) in rows {
                let head = self.functions.get(&self.key(&row.value.function)).await?;
                if !head.is_some_and(|head| has(&head.value, &row.value, &id)) {
                    self.urls.delete(&id, Expect::Any).await?;
                    tracing::debug!(id, "function_url.row_removed");
                }
            }
        }
    }
}

fn has(head: &FunctionHead, target: &UrlTarget, id: &str) -> bool {
    head.urls.get(&target.qualifier).is_some_and(|url| url.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_32_letters_and_digits_of_all_kinds() {
        let ids: HashSet<String> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        for place in 0..32 {
            let seen: HashSet<u8> = ids.iter().map(|id| id.as_bytes()[place]).collect();
            assert_eq!(seen.len(), LETTERS.len(), "place {place}");
        }
        assert!(ids.iter().all(|id| id.len() == 32));
    }
}
