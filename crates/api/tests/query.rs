//! IAM and STS: forms reach the service's methods, and their outputs and errors leave as XML.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Response, StatusCode};
use rushlight_api::iam::errors;
use rushlight_api::iam::service::IamService;
use rushlight_api::iam::types::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, ListRolesRequest, ListRolesResponse, Role, Tag,
    UpdateRoleRequest, UpdateRoleResponse,
};
use rushlight_api::protocol::query::{error_response, parse_form};
use rushlight_api::sts::service::StsService;
use rushlight_api::sts::types::{
    AssumeRoleRequest, AssumeRoleResponse, GetCallerIdentityRequest, GetCallerIdentityResponse,
};
use rushlight_api::{Error, Timestamp, iam, sts};

struct Sample;

fn role(name: &str) -> Role {
    Role {
        path: "/".to_owned(),
        role_name: name.to_owned(),
        role_id: "AROAEXAMPLEEXAMPLE00".to_owned(),
        arn: format!("arn:aws:iam::123456789012:role/{name}"),
        create_date: Timestamp::from_milliseconds(1_769_860_800_000),
        ..Default::default()
    }
}

impl IamService for Sample {
    type Context = ();

    async fn create_role(&self, (): &(), input: CreateRoleRequest) -> Result<CreateRoleResponse, Error> {
        let CreateRoleRequest { role_name, description, max_session_duration, tags, .. } = input;
        Ok(CreateRoleResponse { role: Role { description, max_session_duration, tags, ..role(&role_name) } })
    }

    async fn list_roles(&self, (): &(), input: ListRolesRequest) -> Result<ListRolesResponse, Error> {
        let roles = ["a", "b"].into_iter().take(input.max_items.unwrap_or(0) as usize);
        Ok(ListRolesResponse { roles: roles.map(role).collect(), is_truncated: Some(false), marker: None })
    }

    async fn update_role(&self, (): &(), _: UpdateRoleRequest) -> Result<UpdateRoleResponse, Error> {
        Ok(UpdateRoleResponse {})
    }

    async fn delete_role(&self, (): &(), input: DeleteRoleRequest) -> Result<(), Error> {
        match input.role_name.as_str() {
            "gone" => Err(errors::no_such_entity_exception("The role with name gone cannot be found.")),
            _ => Ok(()),
        }
    }
}

impl StsService for Sample {
    type Context = ();

    async fn get_caller_identity(
        &self,
        (): &(),
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, Error> {
        let (user_id, account) = (Some("AIDA".to_owned()), Some("123456789012".to_owned()));
        Ok(GetCallerIdentityResponse { user_id, account, arn: None })
    }

    async fn assume_role(&self, (): &(), input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
        let keys = input.transitive_tag_keys.unwrap_or_default();
        Ok(AssumeRoleResponse { source_identity: Some(keys.join(" ")), ..Default::default() })
    }
}

/// Carries a future out that never waits.
fn finish<T>(future: impl Future<Output = T> + Send) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

fn iam(body: &[u8]) -> Result<Response<Bytes>, Error> {
    let form = parse_form(body)?;
    let operation = iam::Operation::from_action(form.get("Action").unwrap_or_default())?;
    finish(iam::service::dispatch(&Sample, &(), operation, &form, &"r-1"))
}

fn sts(body: &[u8]) -> Result<Response<Bytes>, Error> {
    let form = parse_form(body)?;
    let operation = sts::Operation::from_action(form.get("Action").unwrap_or_default())?;
    finish(sts::service::dispatch(&Sample, &(), operation, &form, &"r-1"))
}

fn iam_text(body: &str) -> String {
    let response = iam(body.as_bytes())
        .unwrap_or_else(|error| error_response(&error, iam::Operation::XML_NAMESPACE, &"r-1"));
    assert_eq!(response.headers()["content-type"], "text/xml");
    String::from_utf8(response.into_body().to_vec()).expect("UTF-8")
}

fn refusal(body: &str) -> Error {
    iam(body.as_bytes()).expect_err("refused")
}

#[test]
fn an_output_is_in_the_elements_of_its_operation() {
    let form = "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&MaxSessionDuration=3600\
                &Description=a+%26+b&Tags.member.1.Key=k&Tags.member.1.Value=%C3%A4&Tags.member.2.Key=l&Tags.member.2.Value=\
                &Unknown.member.1=x";
    assert_eq!(
        iam_text(form),
        "<CreateRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateRoleResult><Role><Path>/</Path>\
         <RoleName>r</RoleName><RoleId>AROAEXAMPLEEXAMPLE00</RoleId><Arn>arn:aws:iam::123456789012:role/r</Arn>\
         <CreateDate>2026-01-31T12:00:00Z</CreateDate><Description>a &amp; b</Description>\
         <MaxSessionDuration>3600</MaxSessionDuration><Tags><member><Key>k</Key><Value>ä</Value></member>\
         <member><Key>l</Key><Value/></member></Tags></Role></CreateRoleResult>\
         <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></CreateRoleResponse>"
    );
}

#[test]
fn lists_have_an_element_per_member() {
    let answer = iam_text("Action=ListRoles&MaxItems=2");
    let named = |name: &str| format!("<RoleName>{name}</RoleName>");
    assert_eq!(answer.matches("<member><Path>").count(), 2, "{answer}");
    assert!(answer.contains(&named("a")) && answer.contains(&named("b")), "{answer}");
    assert!(
        answer.contains("</member></Roles><IsTruncated>false</IsTruncated></ListRolesResult>"),
        "{answer}"
    );
    let empty = "<ListRolesResult><Roles/><IsTruncated>false</IsTruncated></ListRolesResult>";
    assert!(iam_text("Action=ListRoles").contains(empty));
}

#[test]
fn an_empty_result_is_there_and_none_is_not() {
    let end = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>";
    let start = "xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">";
    let answer = iam_text("Action=UpdateRole&RoleName=r");
    assert_eq!(answer, format!("<UpdateRoleResponse {start}<UpdateRoleResult/>{end}</UpdateRoleResponse>"));
    let answer = iam_text("Action=DeleteRole&RoleName=r");
    assert_eq!(answer, format!("<DeleteRoleResponse {start}{end}</DeleteRoleResponse>"));
}

#[test]
fn errors_have_the_code_and_status_of_the_model() {
    let form = "Action=DeleteRole&RoleName=gone";
    assert_eq!(refusal(form).status, StatusCode::NOT_FOUND);
    assert_eq!(
        iam_text(form),
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
         <Code>NoSuchEntity</Code><Message>The role with name gone cannot be found.</Message></Error>\
         <RequestId>r-1</RequestId></ErrorResponse>"
    );
    for (error, status, code) in [
        (errors::entity_already_exists_exception("m"), 409, "EntityAlreadyExists"),
        (errors::delete_conflict_exception("m"), 409, "DeleteConflict"),
        (errors::malformed_policy_document_exception("m"), 400, "MalformedPolicyDocument"),
        (errors::service_failure_exception("m"), 500, "ServiceFailure"),
        (sts::errors::region_disabled_exception("m"), 403, "RegionDisabledException"),
    ] {
        assert_eq!((error.status.as_u16(), error.code.as_ref()), (status, code));
    }
}

#[test]
fn an_unknown_action_is_named() {
    let error = refusal("Action=MakeTea");
    assert_eq!((error.code.as_ref(), error.status), ("InvalidAction", StatusCode::BAD_REQUEST));
    assert_eq!(error.message.as_deref(), Some("Could not find operation MakeTea for version 2010-05-08"));
    assert_eq!(refusal("RoleName=r").code, "InvalidAction");
}

#[test]
fn an_operation_that_is_left_out_is_named() {
    let answer = iam_text("Action=GetUser");
    assert!(answer.contains("<Type>Receiver</Type><Code>NotImplemented</Code>"), "{answer}");
    assert!(answer.contains("GetUser"), "{answer}");
}

#[test]
fn broken_constraints_are_validation_errors() {
    for (form, constraint) in [
        (
            "Action=CreateUser&UserName=",
            "Value '' at 'userName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "Action=DeleteRole",
            "Value null at 'roleName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "Action=ListRoles&Marker=%C4%80",
            "Value '\u{100}' at 'marker' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: [\\u0020-\\u00FF]+",
        ),
        (
            "Action=ListRoles&MaxItems=0",
            "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "Action=TagRole&RoleName=r&Tags.member.3.Key=k",
            "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
        ),
        (
            "Action=ListPolicies&Scope=Some",
            "Value 'Some' at 'scope' failed to satisfy constraint: Member must satisfy enum value set: [All, Local, AWS]",
        ),
    ] {
        let error = refusal(form);
        assert_eq!(
            (error.code.as_ref(), error.status),
            ("ValidationError", StatusCode::BAD_REQUEST),
            "{form}"
        );
        assert_eq!(error.message, Some(format!("1 validation error detected: {constraint}")), "{form}");
    }
    let several = refusal("Action=PutRolePolicy&RoleName=").message.expect("a message");
    assert!(several.starts_with("3 validation errors detected: Value '' at 'roleName'"), "{several}");
}

#[test]
fn iam_refuses_letters_of_names_in_its_own_words() {
    let names = "It must contain only alphanumeric characters and/or the following: +=,.@_-";
    let error = refusal("Action=DeleteRole&RoleName=a%2Fb");
    assert_eq!((error.code.as_ref(), error.status), ("ValidationError", StatusCode::BAD_REQUEST));
    assert_eq!(error.message, Some(format!("The specified value for roleName is invalid. {names}")));
    let error = refusal("Action=DeleteUserPolicy&UserName=+&PolicyName=%2F");
    assert_eq!(error.message, Some(format!("The specified value for userName is invalid. {names}")));
    let error = refusal("Action=DeleteUserPolicy&UserName=+");
    let missing = "Value null at 'policyName' failed to satisfy constraint: Member must not be null";
    assert_eq!(error.message, Some(format!("1 validation error detected: {missing}")));
}

#[test]
fn values_of_the_wrong_kind_are_malformed_input() {
    for form in [
        "Action=ListRoles&MaxItems=many",
        "Action=ListRoles&MaxItems.member.1=1",
        "Action=DeleteRole&RoleName.member.1=r",
        "Action=DeleteRole&RoleName.x=r",
        "Action=TagRole&RoleName=r&Tags=x",
        "Action=TagRole&RoleName=r&Tags.Key=x",
        "Action=TagRole&RoleName=r&Tags.member.1=x",
        "Action=UntagRole&RoleName=r&TagKeys.member.1.member.1=x",
        "Action=ListPolicies&OnlyAttached=yes",
        "Action=ListRoles&x=%ff",
    ] {
        let response = error_response(&refusal(form), iam::Operation::XML_NAMESPACE, &1);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{form}");
        let text = String::from_utf8(response.into_body().to_vec()).expect("UTF-8");
        assert!(text.contains("<Type>Sender</Type><Code>MalformedInput</Code>"), "{form}: {text}");
    }
}

#[test]
fn an_empty_list_is_an_empty_text() {
    let form = parse_form(b"RoleName=r&AssumeRolePolicyDocument=x&Tags=").expect("a form");
    let input = iam::decode::create_role_request(&form).expect("an input");
    assert_eq!(input.tags, Some(Vec::new()));
}

#[test]
fn the_last_of_what_is_given_twice_counts() {
    let body = b"RoleName=q&RoleName=r&Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.1.Value=w";
    let form = parse_form(body).expect("a form");
    let input = iam::decode::tag_role_request(&form).expect("an input");
    let tags = vec![Tag { key: "k".to_owned(), value: "w".to_owned() }];
    assert_eq!((input.role_name.as_str(), input.tags), ("r", tags));
}

#[test]
fn sts_has_its_own_namespace() {
    let response = sts(b"Action=GetCallerIdentity&Version=2011-06-15").expect("an answer");
    assert_eq!(
        response.body(),
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    let form = b"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=session\
                 &TransitiveTagKeys.member.1=a&TransitiveTagKeys.member.2=b";
    let response = sts(form).expect("an answer");
    assert!(response.body().windows(18).any(|text| text == b"<SourceIdentity>a "), "{:?}", response.body());
}
