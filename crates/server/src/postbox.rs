//! Where notices go that runtimes come to their end: a URL that takes JSON, and mail.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::Full;
use mail_send::SmtpClientBuilder;
use mail_send::mail_builder::MessageBuilder;
use percent_encoding::percent_decode_str;
use rushlight_control::Postbox;
use rushlight_model::notice::{Channel, Notice};
use rushlight_store::BoxFuture;
use tokio_rustls::TlsConnector;

use crate::config::NoticeConfig;
use crate::delivery::PATIENCE;
use crate::http_client::{HttpClient, tls_config};

/// How much of an answer is looked at, in bytes.
const ANSWER_BYTES: u64 = 64 * 1024;
/// How long a mail server may take for each step.
const MAIL_PATIENCE: Duration = Duration::from_secs(20);

/// Those that the operator has configured.
///
/// # Errors
/// One sentence with the mend.
pub(crate) fn postboxes(config: &NoticeConfig) -> anyhow::Result<Vec<Arc<dyn Postbox>>> {
    let mut postboxes: Vec<Arc<dyn Postbox>> = Vec::new();
    if let Some(url) = &config.webhook {
        postboxes.push(Arc::new(Webhook::new(url).with_context(|| format!("--notice-webhook {url}"))?));
    }
    if let Some(url) = &config.smtp {
        let from = config.from.as_deref().context("--notice-smtp needs --notice-from ADDRESS")?;
        ensure!(!config.to.is_empty(), "--notice-smtp needs --notice-to ADDRESS");
        postboxes.push(Arc::new(Mail::new(url, from, &config.to)?));
    }
    Ok(postboxes)
}

/// Takes every notice, as a JSON object.
struct Webhook {
    client: HttpClient,
    path: String,
}

impl Webhook {
    fn new(url: &str) -> anyhow::Result<Self> {
        let url: Uri = url.parse().context("not a URL")?;
        let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        Ok(Self { client: HttpClient::new(&url, PATIENCE)?, path })
    }

    async fn post(&self, notice: &Notice) -> Result<(), String> {
        let request = Request::post(&self.path)
            .header(HOST, self.client.authority())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(notice.to_json().to_string())))
            .map_err(|error| error.to_string())?;
        let answer = self.client.exchange(request, ANSWER_BYTES).await.map_err(|error| error.to_string())?;
        if answer.status.is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status)) }
    }
}

impl Postbox for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn takes(&self, _channel: Channel) -> bool {
        true
    }

    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.post(notice))
    }
}

/// Takes what AWS sends by e-mail.
struct Mail {
    server: SmtpClientBuilder<String>,
    encryption: Encryption,
    from: String,
    to: Vec<String>,
}

/// When the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// From its beginning: `smtps`.
    Always,
    /// Once both have greeted: `smtp+starttls`.
    StartTls,
    /// Never: `smtp`.
    None,
}

impl Mail {
    fn new(url: &str, from: &str, to: &[String]) -> anyhow::Result<Self> {
        // The URL may have a password in it, and is not repeated.
        let form = "--notice-smtp: a mail server is written smtps://USER:PASSWORD@HOST:PORT, smtp+starttls:// or smtp://";
        let url: Uri = url.parse().context(form)?;
        let (encryption, port) = match url.scheme_str() {
            Some("smtps") => (Encryption::Always, 465),
            Some("smtp+starttls") => (Encryption::StartTls, 587),
            Some("smtp") => (Encryption::None, 25),
            _ => bail!(form),
        };
        let authority = url.authority().context(form)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(port);
        let mut server =
            SmtpClientBuilder::new_with_tls_connector(host.clone(), port, TlsConnector::from(tls_config()?))
                .implicit_tls(encryption == Encryption::Always)
                .timeout(MAIL_PATIENCE);
        if let Some((user, _)) = authority.as_str().rsplit_once('@') {
            let is_near =
                host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
            ensure!(
                encryption != Encryption::None || is_near,
                "--notice-smtp: a password is sent by smtps:// or smtp+starttls:// only"
            );
            let (user, password) = user.split_once(':').context(form)?;
            let plain = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
            server = server.credentials((plain(user)?, plain(password)?));
        }
        Ok(Self {
            server,
            encryption,
            from: address("from", from)?,
            to: to.iter().map(|to| address("to", to)).collect::<anyhow::Result<_>>()?,
        })
    }

    async fn mail(&self, notice: &Notice) -> Result<(), String> {
        let mut text =
            format!("{}\n\nPlease move them to a runtime that is supported:\n\n", notice.summary());
        for function in &notice.functions {
            text.push_str(function);
            text.push('\n');
        }
        let message = MessageBuilder::new()
            .from(self.from.as_str())
            .to(self.to.iter().map(String::as_str).collect::<Vec<_>>())
            .subject(format!("Support for {} ends on {}", notice.runtime, notice.deprecation))
            .text_body(text);
        let refused = |error: mail_send::Error| error.to_string();
        match self.encryption {
            Encryption::None => {
                let mut server = self.server.connect_plain().await.map_err(refused)?;
                server.send(message).await.map(drop).map_err(refused)
            }
            Encryption::Always | Encryption::StartTls => {
                let mut server = self.server.connect().await.map_err(refused)?;
                server.send(message).await.map(drop).map_err(refused)
            }
        }
    }
}

fn address(flag: &str, text: &str) -> anyhow::Result<String> {
    let is_address = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    ensure!(
        is_address && !text.contains(char::is_whitespace),
        "--notice-{flag} {text}: not an address of mail"
    );
    Ok(text.to_owned())
}

impl Postbox for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn takes(&self, channel: Channel) -> bool {
        channel == Channel::Email
    }

    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.mail(notice))
    }
}
