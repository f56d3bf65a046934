//! ListFunctions: by name, at most 50 at a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rushlight_api::lambda::types::{ListFunctionsRequest, ListFunctionsResponse};
use rushlight_model::arn::{Qualifier, Scope};
use rushlight_store::Digest;
use rushlight_store::table::function::{head_key, scope};

use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// The most functions on one page, whatever is asked for.
const PAGE: usize = 50;

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse> {
    let all_versions = input.function_version.is_some();
    if !has_functions(input.master_region.as_deref(), all_versions)? {
        return Ok(ListFunctionsResponse { functions: Some(Vec::new()), next_marker: None });
    }
    let Scope { account, region } = &context.scope;
    let start_after = input
        .marker
        .as_deref()
        .filter(|marker| !marker.is_empty())
        .map(|marker| read_marker(&context.scope, marker))
        .transpose()?
        .map(|name| head_key(account, region, &name));
    let limit = input
        .max_items
        .and_then(|items| usize::try_from(items).ok())
        .map_or(PAGE, |items| items.clamp(1, PAGE));
    let mut rows = control.functions.list(&scope(account, region), start_after.as_deref(), limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_marker =
        rows.last().filter(|_| more).map(|(_, entry)| make_marker(&context.scope, &entry.value.id.name));
    let qualifier = all_versions.then_some(Qualifier::Latest);
    let functions = rows
        .iter()
        .map(|(_, entry)| view::listed(&entry.value, &entry.value.latest, qualifier.as_ref()))
        .collect();
    Ok(ListFunctionsResponse { functions: Some(functions), next_marker })
}

/// Whether the filter lets any function of this server through: with a region it names replicas of functions at the
/// edge, which there are none of.
fn has_functions(master_region: Option<&str>, all_versions: bool) -> Result<bool> {
    match master_region {
        None => Ok(true),
        Some(region) if !all_versions => Err(Error::invalid(format!(
            "The combination MasterArn={region} and FunctionVersion=NULL is not supported. Please see our \
             documentation for valid combinations of ListFunctions options."
        ))),
        Some(region) => Ok(region == "ALL"),
    }
}

const CHECKSUM: usize = 8;

/// An opaque text that names the last function of a page. A checksum ties it to the account and region, so that what
/// did not come from here is told apart.
fn make_marker(scope: &Scope, name: &str) -> String {
    let mut bytes = checksum(scope, name.as_bytes()).to_vec();
    bytes.extend_from_slice(name.as_bytes());
    STANDARD.encode(bytes)
}

fn read_marker(scope: &Scope, marker: &str) -> Result<String> {
    let invalid =
        || Error::invalid("The provided Marker is not valid. Use the NextMarker of an earlier answer.");
    let bytes = STANDARD.decode(marker).map_err(|_| invalid())?;
    let (sum, name) = bytes.split_at_checked(CHECKSUM).ok_or_else(invalid)?;
    if sum != checksum(scope, name) {
        return Err(invalid());
    }
    String::from_utf8(name.to_vec()).map_err(|_| invalid())
}

fn checksum(scope: &Scope, name: &[u8]) -> [u8; CHECKSUM] {
    let text = [scope.account.as_bytes(), scope.region.as_bytes(), name].join(&b'/');
    let digest = Digest::of(&text);
    std::array::from_fn(|index| digest.as_bytes()[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(region: &str) -> Scope {
        Scope { account: "123456789012".into(), region: region.into() }
    }

    #[test]
    fn markers_come_back_in_their_own_region_only() {
        let marker = make_marker(&here("eu-west-1"), "f");
        assert_eq!(read_marker(&here("eu-west-1"), &marker).unwrap(), "f");
        assert!(read_marker(&here("us-east-1"), &marker).is_err());
        for bad in ["x", "AAAA", "e30=", "ä", &marker[1..]] {
            assert!(read_marker(&here("eu-west-1"), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn master_region_needs_all_versions() {
        assert_eq!(
            has_functions(Some("eu-west-1"), false).unwrap_err().to_string(),
            "The combination MasterArn=eu-west-1 and FunctionVersion=NULL is not supported. Please see our \
             documentation for valid combinations of ListFunctions options."
        );
        assert!(!has_functions(Some("eu-west-1"), true).unwrap());
        assert!(has_functions(Some("ALL"), true).unwrap());
        assert!(has_functions(None, false).unwrap());
    }
}
