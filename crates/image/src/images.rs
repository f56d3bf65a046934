//! The images that are kept: each layer unpacked once, each image's root file system put together from its layers.
//!
//! ```text
//! layers/HEX         what a layer adds and takes away, by the digest of the uncompressed layer
//! images/HEX/root    the root file system of an image, by the digest of its manifest
//! images/HEX/config  its configuration
//! work/              what is being made; it becomes visible with a change of its name
//! ```

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};
use tokio::sync::RwLock;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::digest::Digest;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::layer::{self, Limits};
use crate::manifest::{Architecture, Config, Descriptor};
use crate::package::Package;
use crate::reference::Reference;
use crate::registry::{Registries, Session};
use crate::source::{Named, Source};
use crate::{layout, root};

/// An image that is here.
#[derive(Debug, Clone)]
pub struct Image {
    /// Of its manifest.
    pub digest: Digest,
    /// How it is run.
    pub config: Config,
    /// Its root file system.
    pub root: PathBuf,
}

/// See the module.
#[derive(Debug)]
pub struct Images {
    directory: PathBuf,
    limits: Limits,
    /// Held for writing by who removes what nobody names, so that nobody is about to name it.
    kept: RwLock<()>,
    /// The images and layers that are being fetched. Who wants one of them as well waits until it is here.
    fetching: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Held as long as this is.
    _lock: File,
}

impl Images {
    /// The images in a directory of their own, which one process works with at a time. What was being made when an
    /// earlier one ended is removed.
    ///
    /// # Errors
    /// If the directory cannot be used, or another process works with it.
    pub fn open(directory: &Path, limits: Limits) -> Result<Self> {
        for name in ["layers", "images", "work"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(Error::io(&path))?;
        }
        let path = directory.join("lock");
        let lock = File::create(&path).map_err(Error::io(&path))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| Error::io(&path)(error.into()))?;
        let work = directory.join("work");
        Directory::open(&work).and_then(|work| work.clear()).map_err(Error::io(&work))?;
        let directory = directory.to_owned();
        Ok(Self { directory, limits, kept: RwLock::default(), fetching: Mutex::default(), _lock: lock })
    }

    /// An image that was fetched.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it was not.
    pub fn get(&self, digest: &Digest) -> Result<Image> {
        let directory = self.directory.join("images").join(digest.hex());
        let document = fs::read(directory.join("config")).map_err(|_| Error::NotFound(digest.to_string()))?;
        let config = serde_json::from_slice(&document).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(Image { digest: digest.clone(), config, root: directory.join("root") })
    }

    /// Which image a source leads to now. Nothing of it is fetched but what describes it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn resolve(
        &self,
        source: &Source,
        architecture: Architecture,
        registries: &Registries,
    ) -> Result<Digest> {
        match source {
            Source::Registry(reference) => Ok(registries.open(reference, architecture).await?.1.digest),
            Source::Layout { directory, image } => {
                let (directory, image) = (directory.clone(), image.clone());
                let open = move |_: &Unpacking| layout::open(&directory, image.as_ref(), architecture);
                Ok(self.blocking(open).await?.digest)
            }
            Source::Archive(_) => Ok(self.fetch(source, architecture, registries).await?.digest),
        }
    }

    /// Fetches and unpacks an image, as far as it is not here yet.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(
        &self,
        source: &Source,
        architecture: Architecture,
        registries: &Registries,
    ) -> Result<Image> {
        let _kept = self.kept.read().await;
        match source {
            Source::Registry(reference) => self.of_registry(reference, architecture, registries).await,
            Source::Layout { directory, image } => {
                let (directory, image) = (directory.clone(), image.clone());
                self.blocking(move |images| images.of_directory(&directory, image.as_ref(), architecture))
                    .await
            }
            Source::Archive(path) => {
                let path = path.clone();
                self.blocking(move |images| images.of_archive(&path, architecture)).await
            }
        }
    }

    /// Removes the images that are not among `named`, and the layers that no other image has.
    ///
    /// # Errors
    /// If what is to be removed cannot be.
    pub async fn retain(&self, named: HashSet<Digest>) -> Result<()> {
        let _kept = self.kept.write().await;
        self.blocking(move |images| images.remove_others(&named)).await
    }

    /// Runs what reads and writes many files where it holds nobody up.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Unpacking) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let unpacking = self.unpacking();
        match spawn_blocking(move || work(&unpacking)).await {
            Ok(done) => done,
            Err(error) => Err(Error::Invalid(format!("unpacking it was broken off: {error}"))),
        }
    }

    fn unpacking(&self) -> Unpacking {
        Unpacking { directory: self.directory.clone(), limits: self.limits }
    }

    async fn of_registry(
        &self,
        reference: &Reference,
        architecture: Architecture,
        registries: &Registries,
    ) -> Result<Image> {
        let (mut session, package) = registries.open(reference, architecture).await?;
        let turn = self.turn(&package.digest);
        let _turn = turn.lock().await;
        if let Ok(image) = self.get(&package.digest) {
            return Ok(image);
        }
        let mut limits = self.limits;
        for (layer, diff_id) in of_config(&package)? {
            let turn = self.turn(&diff_id);
            let _turn = turn.lock().await;
            if self.unpacking().layer(&diff_id).is_dir() {
                continue;
            }
            let file = self.download(&mut session, &layer).await?;
            let given = limits;
            limits = self
                .blocking(move |images| {
                    let mut limits = given;
                    images.unpack(file, &diff_id, &mut limits)?;
                    Ok(limits)
                })
                .await?;
        }
        let Package { digest, config, document, .. } = package;
        self.blocking(move |images| images.put_together(digest, config, &document)).await
    }

    /// Held by who fetches an image, and by who fetches a layer. Who holds that of a layer waits for no other, so that
    /// nobody waits for somebody who waits for him.
    fn turn(&self, what: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut fetching = self.fetching.lock();
        if let Some(turn) = fetching.get(what).and_then(Weak::upgrade) {
            return turn;
        }
        fetching.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        fetching.insert(what.clone(), Arc::downgrade(&turn));
        turn
    }

    /// A layer as a file without a name, held against its digest while it comes.
    async fn download(&self, session: &mut Session<'_>, layer: &Descriptor) -> Result<File> {
        let work = self.directory.join("work");
        let file = tempfile_in(&work).map_err(Error::io(&work))?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        let mut hash = Sha256::new();
        let mut take = |piece: &[u8]| {
            hash.update(piece);
            writer.write_all(piece)
        };
        session.blob(layer, self.limits.bytes, &mut take).await?;
        if Digest::from(hash) != layer.digest {
            return Err(Error::invalid("a layer is not the one that the manifest names"));
        }
        let mut file = writer.into_inner().map_err(|error| Error::io(&work)(error.into_error()))?;
        file.rewind().map_err(Error::io(&work))?;
        Ok(file)
    }
}

/// A file that ends with its descriptor.
fn tempfile_in(directory: &Path) -> io::Result<File> {
    let path = directory.join(Uuid::new_v4().simple().to_string());
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Each layer with its digest when it is uncompressed.
fn of_config<Layer: Clone>(package: &Package<Layer>) -> Result<Vec<(Layer, Digest)>> {
    let digests = &package.config.rootfs.diff_ids;
    if digests.len() != package.layers.len() {
        return Err(Error::invalid("its configuration knows other layers than its manifest"));
    }
    Ok(package.layers.iter().cloned().zip(digests.iter().cloned()).collect())
}

/// What is done to the files of the store, by threads that may wait for the disk.
struct Unpacking {
    directory: PathBuf,
    limits: Limits,
}

impl Unpacking {
    fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join("layers").join(diff_id.hex())
    }

    /// A directory for something that is being made.
    fn work(&self) -> Result<Work> {
        let path = self.directory.join("work").join(Uuid::new_v4().simple().to_string());
        fs::create_dir(&path).map_err(Error::io(&path))?;
        Ok(Work(path))
    }

    fn of_archive(&self, archive: &Path, architecture: Architecture) -> Result<Image> {
        let file = File::open(archive).map_err(Error::io(archive))?;
        let work = self.work()?;
        layer::unpack(file, &work.0, &mut self.limits.clone())?;
        self.of_directory(&work.0, None, architecture)
    }

    fn of_directory(
        &self,
        directory: &Path,
        named: Option<&Named>,
        architecture: Architecture,
    ) -> Result<Image> {
        let package = layout::open(directory, named, architecture)?;
        let mut limits = self.limits;
        for (layer, diff_id) in of_config(&package)? {
            if !self.layer(&diff_id).is_dir() {
                let file = File::open(&layer).map_err(Error::io(&layer))?;
                self.unpack(file, &diff_id, &mut limits)?;
            }
        }
        self.put_together(package.digest, package.config, &package.document)
    }

    fn unpack(&self, file: File, diff_id: &Digest, limits: &mut Limits) -> Result<()> {
        let work = self.work()?;
        let found = layer::unpack(file, &work.0, limits)?;
        if found != *diff_id {
            return Err(Error::invalid("a layer is not the one that the configuration names"));
        }
        work.becomes(&self.layer(diff_id))
    }

    fn put_together(&self, digest: Digest, config: Config, document: &[u8]) -> Result<Image> {
        let place = self.directory.join("images").join(digest.hex());
        let image = Image { digest, root: place.join("root"), config };
        if place.is_dir() {
            return Ok(image);
        }
        let work = self.work()?;
        let target = work.0.join("root");
        let fault = |error| Error::io(&target)(error);
        fs::create_dir(&target).map_err(fault)?;
        let root = Directory::open(&target).map_err(fault)?;
        root.set_mode(0o755).map_err(fault)?;
        for diff_id in &image.config.rootfs.diff_ids {
            let path = self.layer(diff_id);
            let layer = Directory::open(&path).map_err(Error::io(&path))?;
            root::add(&layer, &root).map_err(fault)?;
        }
        let config = work.0.join("config");
        fs::write(&config, document).map_err(Error::io(&config))?;
        work.becomes(&place)?;
        Ok(image)
    }

    fn remove_others(&self, named: &HashSet<Digest>) -> Result<()> {
        let images = self.directory.join("images");
        let named_hex: HashSet<&str> = named.iter().map(Digest::hex).collect();
        remove_all_but(&images, &named_hex)?;
        let mut layers = HashSet::new();
        for digest in named {
            let document = fs::read(images.join(digest.hex()).join("config"));
            let config: Option<Config> = document.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            layers.extend(config.into_iter().flat_map(|config| config.rootfs.diff_ids));
        }
        remove_all_but(&self.directory.join("layers"), &layers.iter().map(Digest::hex).collect())
    }
}

fn remove_all_but(path: &Path, named: &HashSet<&str>) -> Result<()> {
    let remove = || {
        let directory = Directory::open(path)?;
        for name in directory.names()? {
            if name.to_str().is_none_or(|name| !named.contains(name)) {
                directory.remove(&name)?;
            }
        }
        Ok(())
    };
    remove().map_err(Error::io(path))
}

/// A directory that is removed unless it becomes something.
struct Work(PathBuf);

impl Work {
    fn becomes(self, place: &Path) -> Result<()> {
        match fs::rename(&self.0, place) {
            // Somebody else has made the same: what is left is removed.
            Err(_) if place.is_dir() => Ok(()),
            renamed => renamed.map_err(Error::io(place)),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let (Some(parent), Some(name)) = (self.0.parent(), self.0.file_name()) {
            let removed = Directory::open(parent).and_then(|parent| parent.remove(name));
            if let Err(error) = removed {
                tracing::warn!(path = %self.0.display(), %error, "image.left_over");
            }
        }
    }
}
