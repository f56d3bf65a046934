//! As much of Python as it takes to see what a test file does: words, texts, and statements at the top level.

use std::collections::BTreeMap;

/// How far the methods of a class are indented.
const INDENTATION: usize = 4;

/// A piece of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, name or number.
    Word(String),
    /// What a string literal says, as it is written.
    Text(String),
    Symbol(char),
}

impl Token {
    pub(super) fn is(&self, symbol: char) -> bool {
        *self == Self::Symbol(symbol)
    }

    fn is_word(&self, expected: &str) -> bool {
        matches!(self, Self::Word(word) if word == expected)
    }
}

/// A statement at the top level, decorators included.
#[derive(Debug)]
pub(super) struct Statement {
    /// What it defines: a function, a class, a variable.
    pub(super) name: Option<String>,
    /// All of it; of a class what is outside of its methods.
    pub(super) tokens: Vec<Token>,
    /// The methods of a class.
    pub(super) methods: BTreeMap<String, Vec<Token>>,
}

/// The statements of a file.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut found: Vec<Vec<(Option<usize>, Token)>> = Vec::new();
    let mut depth = 0_usize;
    for (column, token) in tokens(text) {
        // A decorator belongs to what it decorates, and a closing bracket in the first column to what it closes.
        let continues = depth > 0 || found.last().is_some_and(|tokens| is_only_decorators(tokens));
        if found.is_empty() || (column == Some(0) && !continues) {
            found.push(Vec::new());
        }
        match token {
            Token::Symbol('(' | '[' | '{') => depth += 1,
            Token::Symbol(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(last) = found.last_mut() {
            last.push((column, token));
        }
    }
    found.into_iter().map(statement).collect()
}

fn statement(columns: Vec<(Option<usize>, Token)>) -> Statement {
    let is_class = columns.iter().any(|(column, token)| *column == Some(0) && token.is_word("class"));
    let mut tokens = Vec::new();
    let mut methods: BTreeMap<String, Vec<Token>> = BTreeMap::new();
    let mut method = None;
    for (index, (column, token)) in columns.iter().enumerate() {
        if is_class && *column == Some(INDENTATION) {
            // Of `async def` the first word is left outside, which does no harm.
            let follows = columns.get(index + 1).map(|(_, token)| token);
            method = match follows {
                Some(Token::Word(name)) if token.is_word("def") => Some(name.clone()),
                _ => None,
            };
        }
        match &method {
            Some(name) => methods.entry(name.clone()).or_default().push(token.clone()),
            None => tokens.push(token.clone()),
        }
    }
    Statement { name: name(&tokens), tokens, methods }
}

fn is_only_decorators(tokens: &[(Option<usize>, Token)]) -> bool {
    let defines = |(_, token): &(_, Token)| token.is_word("def") || token.is_word("class");
    tokens.first().is_some_and(|(_, first)| first.is('@')) && !tokens.iter().any(defines)
}

/// What follows the first `def` or `class`.
fn definition(tokens: &[Token]) -> Option<&String> {
    let at = tokens.iter().position(|token| token.is_word("def") || token.is_word("class"))?;
    match tokens.get(at + 1) {
        Some(Token::Word(name)) => Some(name),
        _ => None,
    }
}

fn name(tokens: &[Token]) -> Option<String> {
    match tokens {
        [Token::Word(word), ..] if word == "def" || word == "class" || word == "async" => {
            definition(tokens).cloned()
        }
        [Token::Symbol('@'), ..] => definition(tokens).cloned(),
        [Token::Word(word), Token::Symbol('='), ..] => Some(word.clone()),
        _ => None,
    }
}

/// The tokens of a text, each with its column if it is the first of its line.
fn tokens(text: &str) -> Vec<(Option<usize>, Token)> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let before = &text[..text.len() - rest.len()];
        let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
        let column = line.chars().all(char::is_whitespace).then_some(line.len());
        let (token, length) = match first {
            '#' => (None, rest.find('\n').unwrap_or(rest.len())),
            '"' | '\'' => literal(rest),
            _ if is_of_word(first) => {
                let length = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
                match (&rest[..length], rest[length..].chars().next()) {
                    // The prefix of a string is no word.
                    (prefix, Some('"' | '\'')) if prefix.len() <= 2 => (None, length),
                    (word, _) => (Some(Token::Word(word.to_owned())), length),
                }
            }
            _ if first.is_whitespace() => (None, first.len_utf8()),
            symbol => (Some(Token::Symbol(symbol)), symbol.len_utf8()),
        };
        found.extend(token.map(|token| (column, token)));
        rest = &rest[length..];
    }
    found
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A string literal at the start of a text, and its length.
fn literal(text: &str) -> (Option<Token>, usize) {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let quotes = if text.starts_with(&triple) { triple.as_str() } else { quote };
    let mut end = quotes.len();
    while let Some(character) = text[end..].chars().next() {
        if text[end..].starts_with(quotes) {
            return (Some(Token::Text(text[quotes.len()..end].to_owned())), end + quotes.len());
        }
        end += character.len_utf8();
        if character == '\\' {
            end += text[end..].chars().next().map_or(0, char::len_utf8);
        }
    }
    (None, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let shown = |token| match token {
            Token::Word(word) => word,
            Token::Text(text) => format!("'{text}'"),
            Token::Symbol(symbol) => symbol.to_string(),
        };
        tokens(text).into_iter().map(|(_, token)| shown(token)).collect()
    }

    #[test]
    fn comments_are_dropped_and_strings_kept_whole() {
        assert_eq!(
            words("a.b(f\"x # {y}\", rb'\\'') # c\n\"\"\"d \"e\"\n\"\"\""),
            ["a", ".", "b", "(", "'x # {y}'", ",", "'\\''", ")", "'d \"e\"\n'"]
        );
    }

    #[test]
    fn statements_have_the_names_of_what_they_define() {
        let text = "\"\"\"doc\"\"\"\nimport os\n\nCASES = [\n    1,\n]\n\n@mark(\n    'x',\n)\n@other\ndef test_a(b):\n    c = 1\n\n\
                    async def d():\n    pass\n\nclass E:\n    def f(self):\n        pass\n";
        let names: Vec<Option<String>> = statements(text).into_iter().map(|found| found.name).collect();
        let names: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        assert_eq!(names, [None, None, Some("CASES"), Some("test_a"), Some("d"), Some("E")]);
    }

    #[test]
    fn methods_are_apart_from_the_rest_of_their_class() {
        let text = "class A(B):\n    x = 1\n\n    def first(self):\n        def inner(): pass\n\n    y = 2\n\n    def second(self):\n        z\n";
        let class = statements(text).remove(0);
        assert_eq!(class.methods.keys().collect::<Vec<_>>(), ["first", "second"]);
        let has = |tokens: &[Token], word: &str| tokens.iter().any(|token| token.is_word(word));
        assert!(has(&class.methods["first"], "inner") && has(&class.methods["second"], "z"));
        assert!(has(&class.tokens, "x") && has(&class.tokens, "y") && !has(&class.tokens, "z"));
    }
}
