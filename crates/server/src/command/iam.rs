//! `rushlight iam`: users, roles and accounts for whoever runs a server. All else that IAM has is a matter for
//! `aws iam` and the SDKs, at the same endpoint.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use rushlight_auth::{AccessKey, Profile};
use serde_json::json;

use crate::client::{Client, ClientFlags};
use crate::output::{Output, Style};
use crate::xml;

/// Lets Lambda run functions with the role.
const LAMBDA_MAY_ASSUME: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// See `rushlight iam --help`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List users and roles.
    List {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Make a user with an access key, which is shown this once.
    CreateUser {
        /// The user's name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        policies: Policies,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Delete a user with all keys and inline policies.
    DeleteUser {
        /// The user's name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Make a role for functions to run with.
    CreateRole {
        /// The role's name.
        #[arg(value_name = "NAME")]
        name: String,
        /// A file with the trust policy [default: Lambda may assume the role].
        #[arg(long, value_name = "FILE")]
        trust: Option<std::path::PathBuf>,
        #[command(flatten)]
        policies: Policies,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Delete a role with all inline policies.
    DeleteRole {
        /// The role's name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Make another account, or a new key for its root; the key is shown this once.
    CreateAccount {
        /// Twelve digits.
        #[arg(value_name = "ID")]
        account: String,
        #[command(flatten)]
        client: ClientFlags,
    },
}

#[derive(Debug, Args)]
struct Policies {
    /// What it may do: a file with a policy document, or the ARN of a managed policy; repeatable.
    #[arg(long = "policy", value_name = "FILE|ARN")]
    policies: Vec<String>,
}

/// A user or a role, as IAM's operations spell it.
#[derive(Debug, Clone, Copy)]
enum Kind {
    User,
    Role,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Role => "Role",
        }
    }

    /// The member that names it.
    fn member(self) -> &'static str {
        match self {
            Self::User => "UserName",
            Self::Role => "RoleName",
        }
    }
}

/// Runs the verb.
pub async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::List { client: flags } => list(&flags, output).await?,
        Command::CreateUser { name, policies, client: flags } => {
            let client = Client::new(&flags)?;
            let policies = policies.read()?;
            client.iam("CreateUser", &[("UserName", &name)]).await?;
            permit(&client, Kind::User, &name, &policies).await?;
            let xml = client.iam("CreateAccessKey", &[("UserName", &name)]).await?;
            let text = |member: &str| xml::text(&xml, member).unwrap_or_default();
            show_key(&flags, output, &name, &AccessKey::new(&text("AccessKeyId"), &text("SecretAccessKey")));
        }
        Command::DeleteUser { name, client: flags } => {
            let client = Client::new(&flags)?;
            let keys = client.iam("ListAccessKeys", &[("UserName", &name)]).await?;
            for key in xml::contents(&keys, "AccessKeyId") {
                client.iam("DeleteAccessKey", &[("UserName", &name), ("AccessKeyId", key)]).await?;
            }
            delete(&client, Kind::User, &name).await?;
        }
        Command::CreateRole { name, trust, policies, client: flags } => {
            let client = Client::new(&flags)?;
            let policies = policies.read()?;
            let trust = trust.map_or(Ok(LAMBDA_MAY_ASSUME.to_owned()), |file| read(&file))?;
            let parameters = [("RoleName", name.as_str()), ("AssumeRolePolicyDocument", &trust)];
            let xml = client.iam("CreateRole", &parameters).await?;
            permit(&client, Kind::Role, &name, &policies).await?;
            let arn = xml::text(&xml, "Arn").unwrap_or_default();
            match flags.json {
                true => output.json(&json!({ "Arn": arn })),
                false => output.line(arn),
            }
        }
        Command::DeleteRole { name, client: flags } => {
            delete(&Client::new(&flags)?, Kind::Role, &name).await?;
        }
        Command::CreateAccount { account, client: flags } => {
            let path = format!("/_rushlight/accounts/{account}");
            let answer = Client::new(&flags)?.send("lambda", Method::POST, &path, &[], Bytes::new()).await?;
            let made = answer.json()?;
            let text = |member: &str| made[member].as_str().unwrap_or_default();
            show_key(&flags, output, &account, &AccessKey::new(text("AccessKeyId"), text("SecretAccessKey")));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a user or role is allowed.
enum Policy {
    Managed(String),
    Inline { name: String, document: String },
}

impl Policies {
    fn read(&self) -> anyhow::Result<Vec<Policy>> {
        let policy = |given: &String| {
            if given.starts_with("arn:") {
                return Ok(Policy::Managed(given.clone()));
            }
            let file = Path::new(given);
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Policy::Inline { name, document: read(file)? })
        };
        self.policies.iter().map(policy).collect()
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

async fn permit(client: &Client, kind: Kind, name: &str, policies: &[Policy]) -> anyhow::Result<()> {
    for policy in policies {
        match policy {
            Policy::Managed(arn) => {
                let parameters = [(kind.member(), name), ("PolicyArn", arn)];
                client.iam(&format!("Attach{}Policy", kind.name()), &parameters).await?;
            }
            Policy::Inline { name: policy, document } => {
                let parameters =
                    [(kind.member(), name), ("PolicyName", policy), ("PolicyDocument", document)];
                client.iam(&format!("Put{}Policy", kind.name()), &parameters).await?;
            }
        }
    }
    Ok(())
}

/// Deletes a user or role with what is attached to it.
async fn delete(client: &Client, kind: Kind, name: &str) -> anyhow::Result<()> {
    let of = [(kind.member(), name)];
    let attached = client.iam(&format!("ListAttached{}Policies", kind.name()), &of).await?;
    for arn in xml::contents(&attached, "PolicyArn") {
        client.iam(&format!("Detach{}Policy", kind.name()), &[of[0], ("PolicyArn", arn)]).await?;
    }
    let inline = client.iam(&format!("List{}Policies", kind.name()), &of).await?;
    for policy in xml::contents(&inline, "member") {
        client.iam(&format!("Delete{}Policy", kind.name()), &[of[0], ("PolicyName", policy)]).await?;
    }
    client.iam(&format!("Delete{}", kind.name()), &of).await.map(drop)
}

async fn list(flags: &ClientFlags, output: &Output) -> anyhow::Result<()> {
    let client = Client::new(flags)?;
    let mut listed = Vec::new();
    for (kind, action) in [(Kind::User, "ListUsers"), (Kind::Role, "ListRoles")] {
        let mut marker = None::<String>;
        loop {
            let parameters: Vec<_> = marker.iter().map(|marker| ("Marker", marker.as_str())).collect();
            let page = client.iam(action, &parameters).await?;
            let arns = xml::contents(&page, "Arn").into_iter().map(str::to_owned);
            listed.extend(arns.map(|arn| (kind, arn)));
            marker = xml::text(&page, "Marker");
            if marker.is_none() {
                break;
            }
        }
    }
    if flags.json {
        let entry = |(kind, arn): &(Kind, String)| json!({ "Kind": kind.name(), "Arn": arn });
        output.json(&listed.iter().map(entry).collect());
        return Ok(());
    }
    if listed.is_empty() {
        output.aside("There are no users and no roles yet.");
    }
    for (kind, arn) in &listed {
        output.line(format!(
            "{}  {arn}",
            output.styled(Style::Dim, format!("{:4}", kind.name().to_lowercase()))
        ));
    }
    Ok(())
}

/// A key as an AWS profile, ready for the credentials file.
fn show_key(flags: &ClientFlags, output: &Output, name: &str, key: &AccessKey) {
    if flags.json {
        let (id, secret) = (&key.access_key_id, key.secret_access_key.expose());
        output.json(&json!({ "AccessKeyId": id, "SecretAccessKey": secret }));
        return;
    }
    let region = Some(flags.region.clone());
    let profile = Profile { name: name.to_owned(), access_key: key.clone(), region };
    output.line(Profile::render(&[profile]).trim_end());
}
