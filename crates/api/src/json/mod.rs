//! JSON as the wire has it: a borrowing reader and a writer.

mod reader;
mod writer;

pub(crate) use reader::{Json, Object, parse};
pub(crate) use writer::{EncodeJson, JsonWriter};
