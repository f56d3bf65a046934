//! Container images of functions: which registries they come from, and how an image is run.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::Full;
use rushlight_control::{ContainerImages, ImageError};
use rushlight_environment::ContainerImage;
use rushlight_environment::runtime::Catalogue;
use rushlight_image::{
    Architecture, Credentials, Digest, Error, Execution, Head, Http, Images, Limits, Named, Reference,
    Registries, Sink, Source,
};
use rushlight_model::function::{self, Code, FunctionConfiguration};
use rushlight_store::BoxFuture;

use crate::config::ImageConfig;
use crate::http_client::{HttpClient, Patience};

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(30),
    piece: Duration::from_secs(30),
};

/// The host of references that are looked up in a directory of the operator's instead of a registry.
const LOCAL: &str = "localhost";

/// Asks registries.
#[derive(Debug)]
struct Client;

impl Http for Client {
    fn get<'a>(
        &'a self,
        url: &'a Uri,
        headers: HeaderMap,
        limit: u64,
        body: Sink<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Head, String>> + Send + 'a>> {
        Box::pin(async move {
            let client = HttpClient::new(url, PATIENCE).map_err(|error| error.to_string())?;
            let path = url.path_and_query().map_or("/", |path| path.as_str());
            let mut request = Request::get(path).header(header::HOST, client.authority());
            request.headers_mut().into_iter().for_each(|known| known.extend(headers.clone()));
            let request = request.body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
            let mut take = |_: usize, piece: &[u8]| -> io::Result<()> { body(piece) };
            let wanted = |status| status == StatusCode::OK;
            let answer = client.exchange_in_pieces(request, limit, wanted, &mut take).await;
            let (status, headers) = answer.map_err(|error| error.to_string())?;
            Ok(Head { status, headers })
        })
    }
}

/// The registries that the operator named, or all there are.
///
/// # Errors
/// If the file with the credentials cannot be read.
pub fn registries(config: &ImageConfig) -> anyhow::Result<Registries> {
    let credentials = match &config.credentials {
        Some(path) => Credentials::read(path).context("--registry-credentials")?,
        None => Credentials::default(),
    };
    Ok(Registries::new(Arc::new(Client), credentials, config.registries.iter().cloned()))
}

/// The images that `rushlight runtimes add` fetched, which are kept beside what runtimes need.
///
/// # Errors
/// If the directory cannot be used.
pub fn runtime_images(runtimes: &Path) -> anyhow::Result<Images> {
    Images::open(&runtimes.join("images"), Limits::default()).context("cannot use the directory of images")
}

/// Removes those that no runtime has any more, nor any version that was published. To be called when a server starts.
pub async fn sweep_runtime_images(catalogue: &Catalogue, runtimes: &Path) {
    if let Err(error) = retain_named(catalogue, runtimes).await {
        tracing::warn!(%error, "runtimes.images_not_swept");
    }
}

async fn retain_named(catalogue: &Catalogue, runtimes: &Path) -> anyhow::Result<()> {
    if !runtimes.join("images").is_dir() {
        return Ok(());
    }
    let digest = |root: &PathBuf| {
        let name = root.parent()?.file_name()?.to_str()?;
        format!("sha256:{name}").parse::<Digest>().ok()
    };
    let published = catalogue.published_roots();
    let named: HashSet<Digest> = catalogue.added().values().chain(&published).filter_map(digest).collect();
    Ok(runtime_images(runtimes)?.retain(named).await?)
}

/// The images of functions.
#[derive(Debug)]
pub struct FunctionImages {
    images: Images,
    registries: Registries,
    /// Where layouts and archives are looked for.
    local: Option<PathBuf>,
}

impl FunctionImages {
    /// Those that are kept in `directory`.
    ///
    /// # Errors
    /// If the directory cannot be used, or the configuration is wrong.
    pub fn open(config: &ImageConfig, directory: PathBuf) -> anyhow::Result<Self> {
        let images =
            Images::open(&directory, Limits::default()).context("cannot use the directory of images")?;
        Ok(Self { images, registries: registries(config)?, local: config.directory.clone() })
    }

    /// Where an image of that name comes from.
    fn source(&self, reference: Reference) -> Source {
        let Some(local) = self.local.as_ref().filter(|_| reference.host() == LOCAL) else {
            return Source::Registry(reference);
        };
        let path = local.join(reference.repository());
        if path.is_dir() {
            let digest = reference.digest().cloned().map(Named::Digest);
            let image = digest.or_else(|| reference.tag().map(str::to_owned).map(Named::Tag));
            return Source::Layout { directory: path, image };
        }
        Source::Archive(local.join(format!("{}.tar", reference.repository())))
    }

    async fn prepared(
        &self,
        resolved_uri: &str,
        architecture: function::Architecture,
    ) -> Result<rushlight_image::Image, Error> {
        let reference: Reference = resolved_uri.parse()?;
        let digest = reference.digest().cloned().ok_or_else(|| Error::Name(resolved_uri.to_owned()))?;
        if let Ok(image) = self.images.get(&digest) {
            return Ok(image);
        }
        let source = self.source(reference);
        let image = self.images.fetch(&source, of(architecture), &self.registries).await?;
        if image.digest == digest { Ok(image) } else { Err(Error::NotFound(resolved_uri.to_owned())) }
    }

    /// An image as a function of that configuration runs it.
    ///
    /// # Errors
    /// One sentence.
    pub async fn run(&self, configuration: &FunctionConfiguration) -> Result<ContainerImage, String> {
        let Code::Image { resolved_uri, entry_point, command, working_directory, uri } = &configuration.code
        else {
            return Err("the function is not made of a container image".to_owned());
        };
        // Functions that were created before images were fetched know only a name.
        let uri = resolved_uri.as_ref().ok_or_else(|| format!("{uri} was never fetched; update the code"))?;
        let image =
            self.prepared(uri, configuration.architecture).await.map_err(|error| error.to_string())?;
        let Execution { env, entrypoint, cmd, working_dir } = image.config.config;
        // Whoever sets another entry point means other arguments too.
        let cmd = if entry_point.is_some() { Vec::new() } else { cmd };
        let words = [entry_point.clone().unwrap_or(entrypoint), command.clone().unwrap_or(cmd)];
        let directory = working_directory.clone().unwrap_or(working_dir);
        Ok(ContainerImage {
            root: image.root,
            command: words.concat(),
            working_directory: PathBuf::from("/").join(directory),
            environment: variables(&env),
        })
    }
}

fn variables(env: &[String]) -> BTreeMap<String, String> {
    let pairs = env.iter().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn of(architecture: function::Architecture) -> Architecture {
    match architecture {
        function::Architecture::X86_64 => Architecture::X86_64,
        function::Architecture::Arm64 => Architecture::Arm64,
    }
}

fn refusal(error: Error) -> ImageError {
    let text = error.to_string();
    match error {
        Error::NotFound(_) | Error::Name(_) => ImageError::NotFound,
        Error::Denied { .. } => ImageError::Denied(text),
        Error::Architecture { .. } | Error::Invalid(_) | Error::TooLarge(_) => ImageError::Unsupported(text),
        Error::Registry { .. } => ImageError::Unavailable(text),
        Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => ImageError::NotFound,
        Error::Io { .. } => ImageError::Unavailable(text),
    }
}

impl ContainerImages for FunctionImages {
    fn resolve<'a>(
        &'a self,
        uri: &'a str,
        architecture: function::Architecture,
    ) -> BoxFuture<'a, Result<String, ImageError>> {
        Box::pin(async move {
            let reference: Reference = uri.parse().map_err(refusal)?;
            let source = self.source(reference.clone());
            let digest = self.images.resolve(&source, of(architecture), &self.registries).await;
            let digest = digest.map_err(refusal)?;
            if reference.digest().is_some_and(|named| *named != digest)
                && matches!(source, Source::Layout { .. } | Source::Archive(_))
            {
                return Err(ImageError::NotFound);
            }
            Ok(reference.resolved(&digest))
        })
    }

    fn prepare<'a>(
        &'a self,
        resolved_uri: &'a str,
        architecture: function::Architecture,
    ) -> BoxFuture<'a, Result<(), ImageError>> {
        Box::pin(async move { self.prepared(resolved_uri, architecture).await.map(drop).map_err(refusal) })
    }

    fn retain(&self, resolved_uris: Vec<String>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let digest = |uri: &String| uri.parse::<Reference>().ok()?.digest().cloned();
            let named: HashSet<Digest> = resolved_uris.iter().filter_map(digest).collect();
            if let Err(error) = self.images.retain(named).await {
                tracing::warn!(%error, "images.not_removed");
            }
        })
    }
}
