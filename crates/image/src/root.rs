//! The root file system of an image, put together out of its layers.
//!
//! It is a tree of directories whose files are further names of the layers' own: images that share layers share them
//! on disk and in memory, and an environment needs no more than the tree, mounted read-only.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use crate::directory::Directory;
use crate::layer::{OPAQUE, WHITEOUT};

/// Puts a layer over what is in `root`.
pub(crate) fn add(layer: &Directory, root: &Directory) -> io::Result<()> {
    let names = layer.names()?;
    if names.iter().any(|name| name.as_bytes() == OPAQUE) {
        root.clear()?;
    }
    // First what is taken away, then what is added: a layer may do both with one name.
    for name in &names {
        if let Some(removed) = name.as_bytes().strip_prefix(WHITEOUT)
            && !removed.starts_with(WHITEOUT)
        {
            root.remove(OsStr::from_bytes(removed))?;
        }
    }
    for name in names.iter().filter(|name| !name.as_bytes().starts_with(WHITEOUT)) {
        if layer.kind(name)?.is_dir() {
            let (from, into) = (layer.enter(name)?, root.make(name)?);
            into.set_mode(from.mode()?)?;
            add(&from, &into)?;
        } else {
            root.link(name, layer, name)?;
        }
    }
    Ok(())
}
