//! The root file system of an image, put together out of its layers.
//!
//! It is a tree of directories whose files are further names of the layers' own: images that share layers share them
//! on disk and in memory, and an environment needs no more than the tree, mounted read-only.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::directory::Directory;
use crate::layer::{OPAQUE, WHITEOUT};

/// Puts a layer over what is in `root`.
pub(crate) fn add(layer: &Directory, root: &Directory) -> io::Result<()> {
    Adding { root }.add(layer, root, Path::new(""))
}

struct Adding<'a> {
    root: &'a Directory,
}

impl Adding<'_> {
    /// Puts what a layer has at `path` over what is in `into`, which is there.
    fn add(&self, layer: &Directory, into: &Directory, path: &Path) -> io::Result<()> {
        let names = layer.names()?;
        if names.iter().any(|name| name.as_bytes() == OPAQUE) {
            into.clear()?;
        }
        // First what is taken away, then what is added: a layer may do both with one name.
        for name in &names {
            if let Some(removed) = name.as_bytes().strip_prefix(WHITEOUT)
                && !removed.starts_with(WHITEOUT)
            {
                into.remove(OsStr::from_bytes(removed))?;
            }
        }
        for name in names.iter().filter(|name| !name.as_bytes().starts_with(WHITEOUT)) {
            if layer.kind(name)?.is_dir() {
                self.add_directory(layer, into, path, name)?;
            } else {
                into.link(name, layer, name)?;
            }
        }
        Ok(())
    }

    fn add_directory(
        &self,
        layer: &Directory,
        into: &Directory,
        path: &Path,
        name: &OsStr,
    ) -> io::Result<()> {
        let (from, path) = (layer.enter(name)?, path.join(name));
        if !from.is_implied()? {
            let made = into.make(name)?;
            made.set_mode(from.mode()?)?;
            return self.add(&from, &made, &path);
        }
        // The layer says nothing of the directory itself: it may be a link to one, and keeps its mode.
        let found = match self.root.resolve(&path) {
            Ok(found) => found,
            Err(_) => into.make(name)?,
        };
        self.add(&from, &found, &path)
    }
}
