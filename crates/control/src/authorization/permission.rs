//! What a permission consists of: an action, and what it is taken on.

use rushlight_auth::policy::{Context, LAMBDA};

/// The condition key that tells which service a role is passed to.
const PASSED_TO_SERVICE: &str = "iam:PassedToService";

/// An input of an operation that callers need permission for.
pub(crate) trait Authorized: Sync {
    /// What is asked for.
    fn permission(&self) -> Permission<'_>;

    /// What is needed besides, such as passing the execution role on.
    fn dependent(&self) -> Vec<Permission<'_>> {
        Vec::new()
    }

    /// Adds the values of `lambda:` condition keys that the request has.
    fn conditions<'a>(&'a self, _context: &mut Context<'a>) {}

    /// The tags in the request; where it only names tags, the values are empty.
    fn tags(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }
}

/// One action on one target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission<'a> {
    /// As in policies: `lambda:InvokeFunction`.
    pub(crate) action: &'static str,
    pub(crate) target: Target<'a>,
}

/// What an action is taken on, as requests name it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// Nothing in particular: policies and messages call it `*`.
    Any,
    /// Any of a kind that there is in the account: `event-source-mapping`.
    AnyOf(&'static str),
    /// A function by any form of its name; with a qualifier, that version or alias.
    Function { name: &'a str, qualifier: Option<&'a str> },
    /// The URL of a function, or of a version or alias of it.
    FunctionUrl { name: &'a str, qualifier: Option<&'a str> },
    /// A layer by name or ARN.
    Layer(&'a str),
    /// A version of a layer that is named by name or ARN.
    LayerVersion { layer: &'a str, number: i64 },
    /// A version of a layer by its ARN.
    LayerVersionArn(&'a str),
    /// An event source mapping that is about to be made for a function, by any form of its name.
    NewEventSourceMapping { function: &'a str },
    /// An event source mapping by its UUID; as that of another function, if one is named.
    EventSourceMapping { uuid: &'a str, function: Option<&'a str> },
    /// A capacity provider by name or ARN.
    CapacityProvider(&'a str),
    /// A role that is passed on to Lambda, by ARN.
    PassedRole(&'a str),
    /// Anything else by its ARN.
    Arn(&'a str),
}

impl Permission<'_> {
    /// Whether this is about the policy of a resource as a whole.
    pub(super) fn mends_policies(&self) -> bool {
        let names = ["GetResourcePolicy", "PutResourcePolicy", "DeleteResourcePolicy"];
        self.action.strip_prefix("lambda:").is_some_and(|name| names.contains(&name))
    }

    /// Whether AWS tells a caller of another account why it is denied. About most of what is not theirs it says
    /// nothing.
    pub(super) fn explains_to_strangers(&self) -> bool {
        match self.target {
            Target::Function { .. } => self.action == "lambda:InvokeFunction",
            Target::Layer(_) | Target::LayerVersion { .. } | Target::LayerVersionArn(_) => true,
            Target::PassedRole(_) => true,
            _ => false,
        }
    }
}

impl Target<'_> {
    pub(super) fn describe(&self, context: &mut Context<'_>) {
        if matches!(self, Self::PassedRole(_)) {
            context.insert(PASSED_TO_SERVICE, LAMBDA);
        }
    }
}
