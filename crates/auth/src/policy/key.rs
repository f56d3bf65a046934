//! Names of condition keys: what a policy can ask of a request.
//!
//! Global ones are those of [AWS global condition context
//! keys](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html), the `lambda:` ones of
//! [Actions, resources, and condition keys for AWS
//! Lambda](https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html). Case does not matter
//! in names. What comes from the principal ([`PRINCIPAL_ARN`] and the like) is known to the evaluation by itself; the
//! rest is for the caller to put into the [`Context`](super::Context).

/// The ARN of the user, the role (not its session) or the account root that calls. From the principal.
pub const PRINCIPAL_ARN: &str = "aws:PrincipalArn";
/// The account of the caller. From the principal.
pub const PRINCIPAL_ACCOUNT: &str = "aws:PrincipalAccount";
/// `Account`, `User`, `AssumedRole` or `Anonymous`. From the principal.
pub const PRINCIPAL_TYPE: &str = "aws:PrincipalType";
/// The unique id of the caller: `AIDA…`, `AROA…:session`. From the principal.
pub const USER_ID: &str = "aws:userid";
/// The friendly name of the IAM user that calls. From the principal.
pub const USER_NAME: &str = "aws:username";
/// Whether an AWS service calls for itself. From the principal.
pub const PRINCIPAL_IS_AWS_SERVICE: &str = "aws:PrincipalIsAWSService";
/// The host name of the service that calls for itself. From the principal.
pub const PRINCIPAL_SERVICE_NAME: &str = "aws:PrincipalServiceName";
/// All host names of the service that calls for itself. From the principal.
pub const PRINCIPAL_SERVICE_NAMES_LIST: &str = "aws:PrincipalServiceNamesList";

/// The organization that the caller's account belongs to.
pub const PRINCIPAL_ORG_ID: &str = "aws:PrincipalOrgID";
/// A tag of the caller; the tag's key follows.
pub const PRINCIPAL_TAG: &str = "aws:PrincipalTag/";
/// The resource that makes a service call: a bucket, a rule, an API.
pub const SOURCE_ARN: &str = "aws:SourceArn";
/// The account of the resource that makes a service call.
pub const SOURCE_ACCOUNT: &str = "aws:SourceAccount";
/// The organization of the resource that makes a service call.
pub const SOURCE_ORG_ID: &str = "aws:SourceOrgID";
/// The address that the request comes from.
pub const SOURCE_IP: &str = "aws:SourceIp";
/// The VPC that the request comes from.
pub const SOURCE_VPC: &str = "aws:SourceVpc";
/// The VPC endpoint that the request comes through.
pub const SOURCE_VPCE: &str = "aws:SourceVpce";
/// When the request arrived, as a date.
pub const CURRENT_TIME: &str = "aws:CurrentTime";
/// When the request arrived, in Unix seconds.
pub const EPOCH_TIME: &str = "aws:EpochTime";
/// When the temporary credentials of the request were issued.
pub const TOKEN_ISSUE_TIME: &str = "aws:TokenIssueTime";
/// Whether the request came over TLS.
pub const SECURE_TRANSPORT: &str = "aws:SecureTransport";
/// The region that the request is for.
pub const REQUESTED_REGION: &str = "aws:RequestedRegion";
/// The client's name for itself.
pub const USER_AGENT: &str = "aws:UserAgent";
/// The referring page, as the client says.
pub const REFERER: &str = "aws:referer";
/// Whether the request passes on credentials of an earlier one.
pub const VIA_AWS_SERVICE: &str = "aws:ViaAWSService";
/// The account that owns the resource.
pub const RESOURCE_ACCOUNT: &str = "aws:ResourceAccount";
/// A tag that the resource has; the tag's key follows.
pub const RESOURCE_TAG: &str = "aws:ResourceTag/";
/// A tag in the request; the tag's key follows.
pub const REQUEST_TAG: &str = "aws:RequestTag/";
/// The keys of all tags in the request. Many values.
pub const TAG_KEYS: &str = "aws:TagKeys";

/// The code signing configuration in the request.
pub const LAMBDA_CODE_SIGNING_CONFIG_ARN: &str = "lambda:CodeSigningConfigArn";
/// The token that an Alexa skill calls with.
pub const LAMBDA_EVENT_SOURCE_TOKEN: &str = "lambda:EventSourceToken";
/// The function that an event source mapping invokes.
pub const LAMBDA_FUNCTION_ARN: &str = "lambda:FunctionArn";
/// `AWS_IAM` or `NONE`: how the function URL in the request, or that is called, authenticates.
pub const LAMBDA_FUNCTION_URL_AUTH_TYPE: &str = "lambda:FunctionUrlAuthType";
/// Whether an invocation came through the function's URL.
pub const LAMBDA_INVOKED_VIA_FUNCTION_URL: &str = "lambda:InvokedViaFunctionUrl";
/// The layer versions in the request. Many values.
pub const LAMBDA_LAYER: &str = "lambda:Layer";
/// The principal that `AddPermission` is asked to let in.
pub const LAMBDA_PRINCIPAL: &str = "lambda:Principal";
/// The security groups in the request. Many values.
pub const LAMBDA_SECURITY_GROUP_IDS: &str = "lambda:SecurityGroupIds";
/// The function whose credentials the request was made with.
pub const LAMBDA_SOURCE_FUNCTION_ARN: &str = "lambda:SourceFunctionArn";
/// The subnets in the request. Many values.
pub const LAMBDA_SUBNET_IDS: &str = "lambda:SubnetIds";
/// The VPC of the subnets in the request. Many values.
pub const LAMBDA_VPC_IDS: &str = "lambda:VpcIds";

/// The keys whose values tell one caller, or one owner of what calls, from another.
const OF_CALLERS: [&str; 12] = [
    PRINCIPAL_ARN,
    PRINCIPAL_ACCOUNT,
    PRINCIPAL_ORG_ID,
    PRINCIPAL_SERVICE_NAME,
    USER_ID,
    SOURCE_ARN,
    SOURCE_ACCOUNT,
    SOURCE_ORG_ID,
    SOURCE_IP,
    SOURCE_VPC,
    SOURCE_VPCE,
    LAMBDA_EVENT_SOURCE_TOKEN,
];

/// Whether a condition on this key can be one on who calls.
pub(super) fn tells_callers_apart(key: &str) -> bool {
    OF_CALLERS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// What the evaluation takes from the principal instead of the context, so that no caller can claim to be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfPrincipal {
    Arn,
    Account,
    Type,
    UserId,
    UserName,
    IsAwsService,
    ServiceName,
}

const OF_PRINCIPAL: [(&str, OfPrincipal); 8] = [
    (PRINCIPAL_ARN, OfPrincipal::Arn),
    (PRINCIPAL_ACCOUNT, OfPrincipal::Account),
    (PRINCIPAL_TYPE, OfPrincipal::Type),
    (USER_ID, OfPrincipal::UserId),
    (USER_NAME, OfPrincipal::UserName),
    (PRINCIPAL_IS_AWS_SERVICE, OfPrincipal::IsAwsService),
    (PRINCIPAL_SERVICE_NAME, OfPrincipal::ServiceName),
    (PRINCIPAL_SERVICE_NAMES_LIST, OfPrincipal::ServiceName),
];

/// A key as a policy names it.
#[derive(Clone, Debug)]
pub(super) struct KeyName {
    pub(super) text: Box<str>,
    pub(super) of_principal: Option<OfPrincipal>,
}

impl KeyName {
    pub(super) fn new(text: &str) -> Self {
        let known = OF_PRINCIPAL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        Self { text: text.into(), of_principal: known.map(|(_, known)| *known) }
    }
}
