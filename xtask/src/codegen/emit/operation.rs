//! `operation.rs`: the operations and what is known of each.

use crate::codegen::service::{Protocol, Service};

pub(super) fn emit(service: &Service) -> String {
    let each =
        |line: &dyn Fn(&str) -> String| service.operations.keys().map(|name| line(name)).collect::<String>();
    let count = service.operations.len();
    let action = |name: &str| {
        let action = service.overlay.iam_actions.get(name).map_or(name, String::as_str);
        format!("Self::{name} => \"{}:{action}\",\n", service.overlay.iam_prefix)
    };
    let (import, constant) = match service.protocol {
        Protocol::Query => (
            "use crate::error::Error;\n\n",
            format!(
                "/// The namespace of the service's answers.\n\
                 pub const XML_NAMESPACE: &'static str = {:?};\n\n",
                service.xml_namespace
            ),
        ),
        _ => ("", String::new()),
    };
    let by_protocol = from_request(service);
    format!(
        "//! The operations.\n\n{import}\
         /// An operation of the service.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum Operation {{\n{variants}}}\n\n\
         impl Operation {{\n\
         /// Every operation, in the order of the names.\n\
         pub const ALL: [Self; {count}] = [{all}];\n\n{constant}\
         /// The name, as in the model.\n\
         pub const fn name(self) -> &'static str {{\nmatch self {{\n{names}}}\n}}\n\n\
         /// The IAM action that a caller needs.\n\
         pub const fn iam_action(self) -> &'static str {{\nmatch self {{\n{actions}}}\n}}\n\n\
         /// The operation of a name.\n\
         pub fn from_name(name: &str) -> Option<Self> {{\n\
         Self::ALL.into_iter().find(|operation| operation.name() == name)\n}}\n{by_protocol}}}\n",
        variants = each(&|name| format!("{name},\n")),
        all = each(&|name| format!("Self::{name},")),
        names = each(&|name| format!("Self::{name} => {name:?},\n")),
        actions = each(&action),
    )
}

/// The operation of a request that names it; of one that does not, the router finds it.
fn from_request(service: &Service) -> String {
    match service.protocol {
        Protocol::RestJson => String::new(),
        Protocol::AwsJson => format!(
            "\n/// The operation that the header `X-Amz-Target` names.\n\
             pub fn from_target(target: &str) -> Option<Self> {{\n\
             Self::from_name(target.strip_prefix({:?})?)\n}}\n",
            format!("{}.", service.target_prefix)
        ),
        Protocol::Query => format!(
            "\n/// The operation that the parameter `Action` names; 400 `InvalidAction` if there is none.\n\
             pub fn from_action(action: &str) -> Result<Self, Error> {{\n\
             Self::from_name(action).ok_or_else(|| Error::invalid_action(action, {:?}))\n}}\n",
            service.version
        ),
    }
}
