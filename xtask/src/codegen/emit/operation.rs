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
    let mut text = format!(
        "//! The operations.\n\n\
         /// An operation of the service.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum Operation {{\n{variants}}}\n\n\
         impl Operation {{\n\
         /// Every operation, in the order of the names.\n\
         pub const ALL: [Self; {count}] = [{all}];\n\n\
         /// The name, as in the model.\n\
         pub const fn name(self) -> &'static str {{\nmatch self {{\n{names}}}\n}}\n\n\
         /// The IAM action that a caller needs.\n\
         pub const fn iam_action(self) -> &'static str {{\nmatch self {{\n{actions}}}\n}}\n\n\
         /// The operation of a name.\n\
         pub fn from_name(name: &str) -> Option<Self> {{\n\
         Self::ALL.into_iter().find(|operation| operation.name() == name)\n}}\n",
        variants = each(&|name| format!("{name},\n")),
        all = each(&|name| format!("Self::{name},")),
        names = each(&|name| format!("Self::{name} => {name:?},\n")),
        actions = each(&action),
    );
    if service.protocol == Protocol::AwsJson {
        text.push_str(&format!(
            "\n/// The operation that the header `X-Amz-Target` names.\n\
             pub fn from_target(target: &str) -> Option<Self> {{\n\
             Self::from_name(target.strip_prefix({:?})?)\n}}\n",
            format!("{}.", service.target_prefix)
        ));
    }
    text.push_str("}\n");
    text
}
