//! Execution roles: whose they are, whether Lambda may assume them, and whether they may do what functions are set up
//! for.
//!
//! See [Lambda execution role](https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html). Where
//! the roles of an account are not known, every name is taken for a role that may do all this.

use rushlight_auth::Caller;
use rushlight_auth::policy::key::{SOURCE_ACCOUNT, SOURCE_ARN};
use rushlight_auth::policy::{Context, LAMBDA};
use rushlight_model::arn::FunctionId;
use rushlight_model::event_invoke_config::Destination;
use rushlight_model::event_source_mapping::{Source, SourceKind};
use rushlight_model::function::FunctionConfiguration;

use crate::Control;
use crate::error::{Error, Result};

impl Control {
    /// Refuses a role that the function could not run with.
    pub(crate) fn check_execution_role(&self, function: &FunctionId, role: &str) -> Result<()> {
        if !self.knows_roles_of(function) {
            return Ok(());
        }
        if role.split(':').nth(4) != Some(&function.scope.account) {
            return Err(Error::AccessDenied("Cross-account pass role is not allowed.".into()));
        }
        match self.trusts_lambda(function, role) {
            true => Ok(()),
            false => Err(Error::invalid("The role defined for the function cannot be assumed by Lambda.")),
        }
    }

    /// Refuses a role that may not do what the configuration needs: reach a network, send what failed away.
    pub(crate) fn check_role_serves(
        &self,
        function: &FunctionId,
        configuration: &FunctionConfiguration,
    ) -> Result<()> {
        let role = configuration.role.as_str();
        let mut needed = Vec::new();
        if configuration.vpc.as_ref().is_some_and(|vpc| !vpc.subnet_ids.is_empty()) {
            let actions = ["CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"];
            needed.extend(actions.map(|action| ("EC2", action, "*")));
        }
        if let Some(target) = configuration.dead_letter_target_arn.as_deref() {
            let is_topic = target.split(':').nth(2) == Some("sns");
            needed.push(if is_topic { ("SNS", "Publish", target) } else { ("SQS", "SendMessage", target) });
        }
        for (service, action, resource) in needed {
            let full = format!("{}:{action}", service.to_lowercase());
            if !self.role_may(function, role, &full, resource) {
                return Err(Error::invalid(format!(
                    "The provided execution role does not have permissions to call {action} on {service}"
                )));
            }
        }
        Ok(())
    }

    /// Refuses a source that the function's role may not read.
    pub(crate) fn check_role_reads(&self, function: &FunctionId, role: &str, source: &Source) -> Result<()> {
        if !self.knows_roles_of(function) {
            return Ok(());
        }
        if !self.trusts_lambda(function, role) {
            return Err(Error::invalid(format!("Please add Lambda as a Trusted Entity for {role}")));
        }
        let Some(arn) = source.arn() else { return Ok(()) };
        let may =
            |service: &str, action: &str| self.role_may(function, role, &format!("{service}:{action}"), arn);
        let stream = |listed: &str| {
            Error::invalid(format!(
                "Cannot access stream {arn}. Please ensure the role can perform the {listed} Actions on your stream in IAM."
            ))
        };
        match source.kind {
            SourceKind::SqsStandard | SourceKind::SqsFifo => {
                let actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
                match actions.into_iter().find(|action| !may("sqs", action)) {
                    Some(action) => Err(Error::invalid(format!(
                        "The function execution role does not have permissions to call {action} on SQS"
                    ))),
                    None => Ok(()),
                }
            }
            // Consumers are subscribed to under another action, and the text of that refusal is not known.
            SourceKind::KinesisStream
                if !["GetRecords", "GetShardIterator", "DescribeStream", "ListShards"]
                    .iter()
                    .all(|action| may("kinesis", action)) =>
            {
                Err(stream("GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams"))
            }
            SourceKind::DynamoDbStream
                if !["GetRecords", "GetShardIterator", "DescribeStream"]
                    .iter()
                    .all(|action| may("dynamodb", action)) =>
            {
                Err(stream("GetRecords, GetShardIterator, DescribeStream, and ListStreams"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a destination that the function's role may not send to.
    pub(crate) fn check_role_sends(
        &self,
        function: &FunctionId,
        role: &str,
        destination: &Destination,
        arn: &str,
    ) -> Result<()> {
        let (action, name) = match destination {
            Destination::Queue => ("sqs:SendMessage", "SendMessage"),
            Destination::Topic => ("sns:Publish", "Publish"),
            Destination::Function { .. } => ("lambda:InvokeFunction", "InvokeFunction"),
            Destination::EventBus => ("events:PutEvents", "PutEvents"),
            // What is put there has a name of its own, which is made when it happens.
            Destination::Bucket => return Ok(()),
        };
        match self.role_may(function, role, action, arn) {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "The function execution role does not have permissions to call {name} on {arn}"
            ))),
        }
    }

    fn knows_roles_of(&self, function: &FunctionId) -> bool {
        self.authorizer.identities().knows_roles_of(&function.scope.account)
    }

    fn trusts_lambda(&self, function: &FunctionId, role: &str) -> bool {
        let mut reason = Context::new();
        reason.insert(SOURCE_ARN, function.arn());
        reason.insert(SOURCE_ACCOUNT, function.scope.account.as_str());
        self.authorizer.identities().is_assumable(role, LAMBDA, &reason)
    }

    /// Whether the policies of a role let the function take an action. What the resource's own policy says is not known
    /// here, so it is taken to say nothing.
    fn role_may(&self, function: &FunctionId, role: &str, action: &str, resource: &str) -> bool {
        if !self.knows_roles_of(function) {
            return true;
        }
        let Some(principal) = self.authorizer.identities().session_of(role, &function.name) else {
            return false;
        };
        let caller =
            Caller { source_function_arn: Some(function.arn().into()), ..Caller::new(principal.clone()) };
        let context = caller.context(&function.scope.region, self.clock.now().as_seconds());
        let owner = principal.account();
        self.authorizer.check(&principal, action, resource, owner, None, context).is_ok()
    }
}
