//! The managed runtimes as data: what `runtimes/` says of each, and until when AWS offers it. Embedded, and the same for
//! what runs functions and for what creates them.

#![forbid(unsafe_code)]

pub mod calendar;
mod definition;

pub use self::calendar::{Known, Policy};
pub use self::definition::{
    Architecture, ConditionalArgument, Dates, Definition, Feature, Interpreter, Layers,
};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// A file's name and content.
pub type File = (&'static str, &'static [u8]);

/// Every runtime that functions can run on here.
///
/// # Errors
/// A `runtime.toml` is wrong: a fault of the build.
pub fn definitions() -> Result<Vec<Definition>, toml::de::Error> {
    embedded::DEFINITIONS.iter().map(|text| toml::from_str(text)).collect()
}

/// The files of a family's runtime client.
#[must_use]
pub fn client(family: &str) -> &'static [File] {
    let files = embedded::CLIENTS.iter().find(|(of, _)| *of == family);
    files.map(|(_, files)| *files).unwrap_or_default()
}
