//! Rules of `Layers`.

use rushlight_model::function::{Code, FunctionConfiguration};
use rushlight_model::layer::{FunctionLayer, LayerId};
use rushlight_model::quota::UNZIPPED_CODE_BYTES;
use rushlight_store::Digest;

use super::code::PackageType;
use super::image;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::layer::access::{self, number};
use crate::ledger::Hold;

/// How many layers a function may have.
const LIMIT: usize = 5;

/// The layers that a request names. As long as this lives their archives are not removed, although the function does
/// not name them yet.
pub(super) struct Resolved {
    pub(super) layers: Vec<FunctionLayer>,
    _holds: Vec<Hold>,
}

/// Finds the layers that a request names; `None` if it does not speak of layers.
pub(super) async fn resolve(
    control: &Control,
    context: &RequestContext,
    package_type: PackageType,
    given: Option<&[String]>,
) -> Result<Option<Resolved>> {
    let Some(given) = given else { return Ok(None) };
    if package_type == PackageType::Image && !given.is_empty() {
        return Err(image::brings_its_own());
    }
    if given.len() > LIMIT {
        return Err(Error::invalid(format!("Cannot reference more than {LIMIT} layers.")));
    }
    let mut seen: Vec<(LayerId, &str)> = Vec::new();
    let (mut layers, mut holds) = (Vec::new(), Vec::new());
    for arn in given {
        let Some((layer, Some(version))) = LayerId::parse(arn) else {
            return Err(missing(arn));
        };
        if layer.scope.region != context.scope.region {
            return Err(Error::invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {}.",
                context.scope.region
            )));
        }
        // The pattern lets digits through only; what is too large a number names nothing.
        let number = number(version.parse().unwrap_or(i64::MAX))?;
        let (found, hold) = find(control, context, &layer, number, arn).await?;
        if let Some((_, other)) = seen.iter().find(|(seen, _)| *seen == layer) {
            return Err(Error::invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. \
                 {other} and {arn} are versions of the same layer."
            )));
        }
        seen.push((layer, arn));
        layers.push(found);
        holds.extend(hold);
    }
    Ok(Some(Resolved { layers, _holds: holds }))
}

/// A layer's version, with its archive held.
async fn find(
    control: &Control,
    context: &RequestContext,
    layer: &LayerId,
    number: u64,
    arn: &str,
) -> Result<(FunctionLayer, Option<Hold>)> {
    let version = access::find(control, &context.scope, layer, number).await?.ok_or_else(|| missing(arn))?;
    let hold = match version.content.sha256.parse::<Digest>() {
        Ok(archive) => Some(control.ledger.hold(archive).await),
        Err(_) => None,
    };
    // If the version is still there, so is its archive, which it names; from here on the hold keeps it.
    let version = access::find(control, &context.scope, layer, number).await?.ok_or_else(|| missing(arn))?;
    Ok((FunctionLayer { arn: arn.to_owned(), content: version.content.clone() }, hold))
}

/// Refuses code that does not fit beside the layers.
pub(super) fn check_code(configuration: &FunctionConfiguration) -> Result<()> {
    let Some(room) = UNZIPPED_CODE_BYTES.checked_sub(unpacked(&configuration.layers)) else {
        return Err(Error::invalid(format!(
            "Layers consume more than the available size of {UNZIPPED_CODE_BYTES} bytes"
        )));
    };
    if code_size(configuration) > room {
        return Err(Error::invalid(format!("Unzipped size must be smaller than {room} bytes")));
    }
    Ok(())
}

/// Refuses layers that do not fit beside the code.
pub(super) fn check_layers(configuration: &FunctionConfiguration) -> Result<()> {
    let size = code_size(configuration) + unpacked(&configuration.layers);
    if size > UNZIPPED_CODE_BYTES {
        return Err(Error::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_CODE_BYTES} bytes. The \
             actual size is {size} bytes."
        )));
    }
    Ok(())
}

fn code_size(configuration: &FunctionConfiguration) -> u64 {
    match configuration.code {
        Code::Zip { unpacked_size, .. } => unpacked_size,
        Code::Image { .. } => 0,
    }
}

fn unpacked(layers: &[FunctionLayer]) -> u64 {
    layers.iter().map(|layer| layer.content.unpacked_size).sum()
}

fn missing(arn: &str) -> Error {
    Error::invalid(format!("Layer version {arn} does not exist."))
}
