//! Which tests call which operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::files_below;
use super::python::{Statement, Token, statements};
use crate::codegen::ServiceOperations;

/// How boto3 and the AWS CLI call operations, and what was found of that in tests.
pub(super) struct Evidence {
    /// `create_alias` → `lambda`, `lambda.CreateAlias`: the services that have the method, and the keys of
    /// their operations.
    methods: BTreeMap<String, Vec<(String, String)>>,
    /// (`lambda`, `create-alias`) → `lambda.CreateAlias`.
    commands: BTreeMap<(String, String), String>,
    /// By the keys of the operations.
    found: BTreeMap<String, Found>,
}

/// What there is of one operation.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Test functions that call it.
    pub(super) tests: usize,
    /// Those of them that compare whole answers.
    pub(super) golden: usize,
    /// Test functions by file.
    pub(super) files: BTreeMap<String, usize>,
}

impl Evidence {
    pub(super) fn new(services: &[ServiceOperations]) -> Self {
        let mut methods: BTreeMap<String, Vec<_>> = BTreeMap::new();
        let mut commands = BTreeMap::new();
        for service in services {
            for name in &service.operations {
                let method = xform_name(name, "_");
                commands.insert((service.cli_name.clone(), method.replace('_', "-")), service.key(name));
                methods.entry(method).or_default().push((service.cli_name.clone(), service.key(name)));
            }
        }
        Self { methods, commands, found: BTreeMap::new() }
    }

    /// Scans the test files of a folder.
    pub(super) fn read(folder: &Path, services: &[ServiceOperations]) -> Result<Self> {
        let mut evidence = Self::new(services);
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
        let fixtures = statements(&read(&folder.join("conftest.py"))?);
        for path in files_below(folder, ".py", &["functions", "__pycache__"])? {
            let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if file.starts_with("test_") {
                evidence.scan(&file, &read(&path)?, &fixtures);
            }
        }
        Ok(evidence)
    }

    /// What there is of the operation of a key, if anything.
    pub(super) fn of(&self, key: &str) -> Option<&Found> {
        self.found.get(key)
    }

    /// Counts what the tests of a file call, be it by what else the file or `conftest.py` defines.
    pub(super) fn scan(&mut self, file: &str, text: &str, fixtures: &[Statement]) {
        let own = statements(text);
        // What a file defines itself goes before what it would get from elsewhere.
        let definitions: Definitions<'_> = fixtures.iter().chain(&own).filter_map(named).collect();
        for (name, test) in own.iter().filter_map(named).filter(|(name, _)| name.starts_with("test_")) {
            let reached = reached(name, test, &definitions);
            let is_golden = reached.iter().any(|tokens| used(tokens).any(|used| used == "golden"));
            let operations: BTreeSet<String> =
                reached.iter().flat_map(|tokens| self.called(tokens)).collect();
            for operation in operations {
                let found = self.found.entry(operation).or_default();
                found.tests += 1;
                found.golden += usize::from(is_golden);
                *found.files.entry(file.to_owned()).or_default() += 1;
            }
        }
    }

    /// The operations that are called: as methods, by their method's name as an argument or in a table, or as
    /// commands of the AWS CLI.
    fn called(&self, tokens: &[Token]) -> BTreeSet<String> {
        let mut called = BTreeSet::new();
        for (index, token) in tokens.iter().enumerate() {
            let before = |distance: usize| index.checked_sub(distance).map(|at| &tokens[at]);
            let after = tokens.get(index + 1);
            let operation = match (token, before(1), before(2)) {
                (Token::Word(word), Some(Token::Symbol('.')), object) => self.method(word, object),
                (Token::Text(command), Some(Token::Symbol(',')), Some(Token::Text(service)))
                    if self.commands.contains_key(&(service.clone(), command.clone())) =>
                {
                    self.commands.get(&(service.clone(), command.clone()))
                }
                (Token::Text(text), Some(Token::Symbol('(' | '[' | '{' | ',')), _)
                    if text.contains('_')
                        && after.is_some_and(|after| {
                            [',', ')', ']', '}', ':'].map(|s| after.is(s)).contains(&true)
                        }) =>
                {
                    self.method(text, None)
                }
                _ => None,
            };
            called.extend(operation.cloned());
        }
        called
    }

    /// The operation of a method. If several services have it, the client that it is called on tells by its
    /// name, and any other name is that of a client of the first.
    fn method(&self, name: &str, object: Option<&Token>) -> Option<&String> {
        let operations = self.methods.get(name)?;
        let named =
            |(service, _): &&(String, String)| matches!(object, Some(Token::Word(word)) if word == service);
        operations.iter().find(named).or_else(|| operations.first()).map(|(_, key)| key)
    }
}

type Definitions<'s> = BTreeMap<&'s str, &'s Statement>;

fn named(statement: &Statement) -> Option<(&str, &Statement)> {
    Some((statement.name.as_deref()?, statement))
}

/// The code that a test runs: its own and that of everything it uses. Of a class that is what happens when it is
/// made and when what was made is called.
fn reached<'s>(name: &'s str, test: &'s Statement, definitions: &Definitions<'s>) -> Vec<&'s [Token]> {
    let mut reached: Vec<&[Token]> = Vec::new();
    let mut seen = BTreeSet::from([name]);
    let mut left = vec![test];
    while let Some(statement) = left.pop() {
        let code = std::iter::once(&statement.tokens[..]).chain(methods(statement));
        for tokens in code {
            for used in used(tokens) {
                if let Some((name, statement)) = definitions.get_key_value(used)
                    && !name.starts_with("test_")
                    && seen.insert(name)
                {
                    left.push(statement);
                }
            }
            reached.push(tokens);
        }
    }
    reached
}

/// The methods of a class that run without being named: `__init__`, `__call__`, and those that these call.
fn methods(class: &Statement) -> impl Iterator<Item = &[Token]> {
    let mut names = vec!["__init__", "__call__"];
    let mut index = 0;
    while let Some(name) = names.get(index) {
        index += 1;
        let tokens = class.methods.get(*name).map_or(&[][..], Vec::as_slice);
        let called = tokens.windows(3).filter_map(|tokens| match tokens {
            [Token::Word(object), Token::Symbol('.'), Token::Word(name)] if object == "self" => {
                Some(name.as_str())
            }
            _ => None,
        });
        let new: Vec<&str> = called.filter(|name| !names.contains(name)).collect();
        names.extend(new);
    }
    let names: BTreeSet<&str> = names.into_iter().collect();
    names.into_iter().filter_map(|name| class.methods.get(name)).map(Vec::as_slice)
}

/// The names that code uses, attributes left out.
fn used(tokens: &[Token]) -> impl Iterator<Item = &str> {
    tokens.iter().enumerate().filter_map(|(index, token)| match token {
        Token::Word(word) if index == 0 || !tokens[index - 1].is('.') => Some(word.as_str()),
        _ => None,
    })
}

/// An operation's method in boto3: `botocore.xform_name`.
fn xform_name(name: &str, separator: &str) -> String {
    let mut name = name.to_owned();
    let mut end = String::new();
    // A plural of an acronym at the end is one word: `ListARNs` → `list_arns`.
    if let Some(stem) = name.strip_suffix('s') {
        let capitals = stem.bytes().rev().take_while(u8::is_ascii_uppercase).count();
        if capitals >= 2 {
            end = format!("{separator}{}", name[stem.len() - capitals..].to_ascii_lowercase());
            name.truncate(stem.len() - capitals);
        }
    }
    let characters: Vec<char> = name.chars().collect();
    let mut transformed = String::new();
    for (index, &character) in characters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|at| characters[at]);
        let next = characters.get(index + 1);
        let begins_word = character.is_ascii_uppercase()
            && previous.is_some_and(|previous| {
                let is_word = next.is_some_and(char::is_ascii_lowercase);
                is_word || previous.is_ascii_lowercase() || previous.is_ascii_digit()
            });
        if begins_word {
            transformed.push_str(separator);
        }
        transformed.push(character.to_ascii_lowercase());
    }
    transformed + &end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(cli_name: &str, operations: &[&str]) -> ServiceOperations {
        ServiceOperations {
            title: String::new(),
            cli_name: cli_name.to_owned(),
            trait_name: String::new(),
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
            is_partial: false,
        }
    }

    const FIXTURES: &str = "class Deployer:\n    def __call__(self):\n        self.make()\n\n    def make(self):\n        \
                            self.client.invoke()\n\n    def remove(self):\n        self.client.list_aliases()\n\n\
                            @fixture\ndef deploy():\n    deployer = Deployer()\n    yield deployer\n    deployer.remove()\n";

    fn counted(text: &str) -> Vec<(String, usize, usize)> {
        let services = [service("lambda", &["CreateAlias", "DeleteAlias", "Invoke", "ListAliases"])];
        let mut evidence = Evidence::new(&services);
        evidence.scan("test_x", text, &statements(FIXTURES));
        let short = |key: &str| key.trim_start_matches("lambda.").to_owned();
        evidence.found.into_iter().map(|(key, found)| (short(&key), found.tests, found.golden)).collect()
    }

    #[test]
    fn names_are_those_of_botocore() {
        for (name, method) in [
            ("CreateAlias", "create_alias"),
            ("Invoke", "invoke"),
            ("InvokeAsync", "invoke_async"),
            ("GetFunctionUrlConfig", "get_function_url_config"),
            ("ListFunctionsByCodeSigningConfig", "list_functions_by_code_signing_config"),
            ("PutKMSKey", "put_kms_key"),
            ("GetS3Object", "get_s3_object"),
            ("ListARNs", "list_arns"),
        ] {
            assert_eq!(xform_name(name, "_"), method);
        }
    }

    #[test]
    fn calls_are_methods_names_in_tables_and_commands() {
        let text = "def test_a(client):\n    client.create_alias(A=1)\n\n\
                    @parametrize('call', [('delete_alias', {})])\ndef test_b(call):\n    pass\n\n\
                    def test_c(client):\n    refused(client.invoke, 1)\n    client.get_paginator('list_aliases')\n\n\
                    def test_d(server):\n    server.aws('lambda', 'list-aliases')\n    server.rushlight('invoke')\n";
        let expected =
            [("CreateAlias", 1, 0), ("DeleteAlias", 1, 0), ("Invoke", 1, 0), ("ListAliases", 2, 0)];
        assert_eq!(counted(text), expected.map(|(name, tests, golden)| (name.to_owned(), tests, golden)));
    }

    #[test]
    fn the_client_tells_whose_method_is_called() {
        let mut evidence =
            Evidence::new(&[service("lambda", &["GetPolicy"]), service("iam", &["GetPolicy"])]);
        let text = "def test_a(client, iam):\n    client.get_policy()\n\ndef test_b(iam):\n    iam.get_policy()\n    \
                    iam.get_policy()\n\ndef test_c(server):\n    server.aws('iam', 'get-policy')\n";
        evidence.scan("test_x", text, &[]);
        let tests = |key| evidence.of(key).map(|found| found.tests);
        assert_eq!((tests("lambda.GetPolicy"), tests("iam.GetPolicy")), (Some(1), Some(2)));
    }

    #[test]
    fn mentions_are_not_calls() {
        let text = "\"\"\"client.create_alias()\"\"\"\n\ndef test_a(operation):\n    # client.create_alias()\n    \
                    if operation == 'create_alias': pass\n    create_alias = 'client.create_alias()'\n";
        assert_eq!(counted(text), []);
    }

    #[test]
    fn what_a_file_defines_counts_for_the_tests_that_use_it() {
        let text = "CASES = ['delete_alias']\n\n@fixture\ndef made(client):\n    client.create_alias()\n\n\
                    def unused(client):\n    client.invoke()\n\n\
                    def test_a(made, golden):\n    pass\n\ndef test_b(made):\n    made(CASES)\n\n\
                    def test_c(x):\n    x.made()\n";
        let expected = [("CreateAlias", 2, 1), ("DeleteAlias", 1, 0)];
        assert_eq!(counted(text), expected.map(|(name, tests, golden)| (name.to_owned(), tests, golden)));
    }

    #[test]
    fn fixtures_do_what_calling_them_does() {
        assert_eq!(counted("def test_a(deploy):\n    deploy()\n"), [("Invoke".to_owned(), 1, 0)]);
        assert_eq!(counted("def deploy(): pass\n\ndef test_a():\n    deploy()\n"), []);
    }
}
