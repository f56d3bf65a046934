//! What is wrong with a policy document.

/// A policy document that cannot be used: AWS' `MalformedPolicyDocument`.
///
/// `Display` is one sentence, in AWS' words where AWS has some; the rules are those of the
/// [grammar](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPolicy {
    /// The text is longer than any policy may be.
    #[error("The policy document is longer than {limit} bytes.")]
    TooLong {
        /// How many bytes are read at most.
        limit: usize,
    },
    /// The text is not JSON, nests too deeply, or repeats a member.
    #[error("This policy contains invalid Json: {0}")]
    Json(String),
    /// An element has the wrong type.
    #[error("Syntax errors in policy: {element} must be {wanted}.")]
    Shape {
        /// The element.
        element: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// An element that policies do not have.
    #[error("Syntax errors in policy: unknown element {name}.")]
    UnknownElement {
        /// Its name.
        name: String,
    },
    /// Two elements that exclude each other.
    #[error("Syntax errors in policy: a statement must not have both {element} and Not{element}.")]
    Both {
        /// The positive one.
        element: &'static str,
    },
    /// An element that this kind of policy needs.
    #[error("Missing required field {element}")]
    Missing {
        /// The element.
        element: &'static str,
    },
    /// An element that this kind of policy must not have.
    #[error("Has prohibited field {element}")]
    Prohibited {
        /// The element.
        element: &'static str,
    },
    /// An identity-based policy with a principal, which is whoever it is attached to.
    #[error("Policy document should not specify a principal.")]
    PrincipalInIdentityPolicy,
    /// A version that the policy language does not have.
    #[error("The policy document's version must be 2012-10-17 or 2008-10-17.")]
    Version,
    /// Neither `Allow` nor `Deny`.
    #[error("Invalid effect: {0}")]
    Effect(String),
    /// `Action` and `NotAction` are absent or empty.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// `Resource` and `NotResource` are absent or empty.
    #[error("Policy statement must contain resources.")]
    NoResources,
    /// Two statements have the same `Sid`.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    DuplicateSid,
    /// A `Sid` that IAM does not take.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    Sid,
    /// An action without a service, or a condition key without a prefix.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    /// An action with too many colons.
    #[error("Actions/Condition can contain only one colon.")]
    Colons,
    /// The part of an action before the colon cannot be a service.
    #[error("Vendor {0} is not valid")]
    Vendor(String),
    /// An action in a trust policy that does not belong to STS.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    NotSts,
    /// A resource that is no ARN.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    Resource(String),
    /// A principal that cannot be one.
    #[error("Invalid principal in policy: \"{kind}\":\"{value}\"")]
    Principal {
        /// `AWS`, `Service`, …
        kind: String,
        /// The principal.
        value: String,
    },
    /// A condition operator that does not exist.
    #[error("Invalid Condition type : {0}")]
    Operator(String),
    /// A value that its condition operator cannot compare with.
    #[error("Invalid Condition value : {operator} cannot compare with {value}")]
    Value {
        /// The operator.
        operator: &'static str,
        /// The value.
        value: String,
    },
    /// A pattern with more `?` than any that is meant.
    #[error("Syntax errors in policy: too many question marks in {0}.")]
    Wildcards(String),
    /// A policy variable that cannot be read.
    #[error("Invalid policy variable : ${{{0}}}")]
    Variable(String),
}

impl MalformedPolicy {
    /// IAM's error code.
    pub fn code(&self) -> &'static str {
        "MalformedPolicyDocument"
    }
}
