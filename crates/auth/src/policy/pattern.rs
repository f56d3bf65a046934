//! Wildcards: `*` is any number of characters, `?` is one.
//!
//! They mean what [IAM says](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html#reference_policies_elements_resource_wildcards):
//! in `Resource` they range over the whole text, colons and slashes included; in the ARN operators over one component.
//! Matching never goes back over a `*`: the leftmost place for each piece is as good as any other. So it takes no more
//! steps than the text has characters, times what is compared at each place, which [`MAX_PIECE`] limits.

use std::borrow::Cow;

use super::error::MalformedPolicy;
use super::request::Request;
use super::statement::Effect;
use super::variable::{Reference, Variable};
use crate::sigv4::echo;

/// How many texts and runs of `?` may stand behind a `*` before the next: all of them are compared at each place in a
/// text. A UUID is nine.
const MAX_PIECE: usize = 64;

/// What is special in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Language {
    /// `${…}`: in policies of version 2012-10-17.
    pub(super) variables: bool,
    /// `*` and `?`.
    pub(super) wildcards: bool,
}

/// Whether case matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Matters,
    Ignored,
}

/// A text to compare with, compiled.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    tokens: Box<[Token]>,
    has_variables: bool,
}

#[derive(Clone, Debug)]
enum Token {
    Text(Box<str>),
    /// So many `?`.
    Skip(usize),
    Many,
    Variable(Variable),
}

/// The outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// The pattern has a variable that the request has no value for.
    Unresolved,
}

impl Match {
    /// Whether any of several patterns matches.
    pub(super) fn any(matches: impl Iterator<Item = Self>) -> Self {
        let mut outcome = Self::No;
        for found in matches {
            match found {
                Self::Yes => return Self::Yes,
                Self::Unresolved => outcome = Self::Unresolved,
                Self::No => {}
            }
        }
        outcome
    }

    /// Whether a comparison that may be negated holds in a statement of this effect.
    ///
    /// A variable without value matches nothing. What is *not* it would then be everything; AWS calls such a
    /// statement invalid, so that it allows nothing, yet its documentation relies on it to deny (resources whose tag
    /// is not the caller's, for callers without the tag).
    pub(super) fn holds(self, negated: bool, effect: Effect) -> bool {
        match self {
            Self::Yes => !negated,
            Self::No => negated,
            Self::Unresolved => negated && effect == Effect::Deny,
        }
    }

    fn from_bool(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

impl Pattern {
    pub(super) fn new(text: &str, language: Language) -> Result<Self, MalformedPolicy> {
        let mut tokens = Tokens::default();
        let (mut rest, mut variables) = (text, language.variables);
        while let Some(at) = rest.find(['*', '?', '$']) {
            tokens.text.push_str(&rest[..at]);
            let special = &rest[at..];
            if let Some(open) = special.strip_prefix("${").filter(|_| variables) {
                if let Some((inner, behind)) = open.split_once('}') {
                    match Reference::parse(inner)? {
                        Reference::Character(character) => tokens.text.push_str(character),
                        Reference::Variable(variable) => tokens.push(Token::Variable(variable)),
                    }
                    rest = behind;
                    continue;
                }
                // What is not closed here is not closed further on: it need not be looked for again.
                variables = false;
            }
            match &special[..1] {
                "*" if language.wildcards => tokens.push(Token::Many),
                "?" if language.wildcards => tokens.push(Token::Skip(1)),
                character => tokens.text.push_str(character),
            }
            rest = &special[1..];
        }
        tokens.text.push_str(rest);
        let tokens = tokens.finish();
        let pieces = tokens.split(Token::is_many);
        if pieces.skip(1).any(|piece| piece.len() > MAX_PIECE) {
            return Err(MalformedPolicy::Wildcards(echo(text)));
        }
        Ok(Self::from_tokens(tokens))
    }

    fn from_tokens(tokens: Vec<Token>) -> Self {
        let has_variables = tokens.iter().any(|token| matches!(token, Token::Variable(_)));
        Self { tokens: tokens.into(), has_variables }
    }

    /// Whether one text alone matches.
    pub(super) fn is_fixed(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Text(_)))
    }

    /// Compares with a text. Values of variables are taken as they are: wildcards in them mean nothing.
    pub(super) fn matches(&self, text: &str, case: Case, request: &Request<'_>) -> Match {
        if !self.has_variables {
            return Match::from_bool(glob(&self.tokens, text, case));
        }
        let resolved: Option<Vec<Resolved<'_>>> =
            self.tokens.iter().map(|token| token.resolve(request)).collect();
        resolved.map_or(Match::Unresolved, |tokens| Match::from_bool(glob(&tokens, text, case)))
    }

    /// Compares a pattern that has no variables, such as an action's.
    pub(super) fn matches_plain(&self, text: &str, case: Case) -> bool {
        !self.has_variables && glob(&self.tokens, text, case)
    }
}

/// The tokens of a pattern, as they are read.
#[derive(Default)]
struct Tokens {
    done: Vec<Token>,
    text: String,
}

impl Tokens {
    fn push(&mut self, token: Token) {
        self.flush();
        match (&token, self.done.last_mut()) {
            (Token::Many, Some(Token::Many)) => {}
            (Token::Skip(more), Some(Token::Skip(count))) => *count += more,
            _ => self.done.push(token),
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Token::Text(std::mem::take(&mut self.text).into()));
        }
    }

    fn finish(mut self) -> Vec<Token> {
        self.flush();
        self.done
    }
}

/// A pattern for ARNs: each of the six components is matched by itself.
///
/// A pattern that ends early with a wildcard (`*`, `arn:aws:s3:*`) leaves the components that follow open.
#[derive(Clone, Debug)]
pub(super) struct ArnPattern(Box<[Pattern]>);

const ARN_COMPONENTS: usize = 6;

impl ArnPattern {
    pub(super) fn new(text: &str, language: Language) -> Result<Self, MalformedPolicy> {
        let (mut components, mut component) = (Vec::new(), Vec::new());
        for token in Pattern::new(text, language)?.tokens {
            let Token::Text(text) = token else {
                component.push(token);
                continue;
            };
            let mut pieces = text.splitn(ARN_COMPONENTS - components.len(), ':');
            component.extend(pieces.next().map(|piece| Token::Text(piece.into())));
            for piece in pieces {
                components.push(std::mem::replace(&mut component, vec![Token::Text(piece.into())]));
            }
        }
        let is_open = matches!(component.last(), Some(Token::Many));
        components.push(component);
        while is_open && components.len() < ARN_COMPONENTS {
            components.push(vec![Token::Many]);
        }
        Ok(Self(components.into_iter().map(Pattern::from_tokens).collect()))
    }

    /// Whether it is fixed who owns what matches: its account or, where ARNs have none, its name.
    pub(super) fn is_fixed(&self) -> bool {
        let is_given = |index: usize| {
            let is_empty = |token: &Token| matches!(token, Token::Text(text) if text.is_empty());
            self.0.get(index).is_some_and(|part| part.is_fixed() && !part.tokens.iter().all(is_empty))
        };
        const ACCOUNT: usize = 4;
        is_given(ACCOUNT) || is_given(ACCOUNT + 1)
    }

    pub(super) fn matches(&self, text: &str, request: &Request<'_>) -> Match {
        if text.splitn(ARN_COMPONENTS, ':').count() != ARN_COMPONENTS || self.0.len() != ARN_COMPONENTS {
            return Match::No;
        }
        let mut outcome = Match::Yes;
        for (pattern, component) in self.0.iter().zip(text.splitn(ARN_COMPONENTS, ':')) {
            match pattern.matches(component, Case::Matters, request) {
                Match::No => return Match::No,
                Match::Unresolved => outcome = Match::Unresolved,
                Match::Yes => {}
            }
        }
        outcome
    }
}

/// A token with variables filled in.
enum Resolved<'a> {
    Text(Cow<'a, str>),
    Skip(usize),
    Many,
}

impl Token {
    fn resolve<'t>(&'t self, request: &'t Request<'_>) -> Option<Resolved<'t>> {
        Some(match self {
            Self::Text(text) => Resolved::Text(Cow::Borrowed(text)),
            Self::Skip(count) => Resolved::Skip(*count),
            Self::Many => Resolved::Many,
            Self::Variable(variable) => Resolved::Text(variable.resolve(request)?),
        })
    }
}

/// What the matcher looks at.
enum Piece<'a> {
    Text(&'a str),
    Skip(usize),
    Many,
    /// Matches nothing: a variable, where none is filled in.
    Nothing,
}

trait AsPiece {
    fn piece(&self) -> Piece<'_>;

    fn is_many(&self) -> bool {
        matches!(self.piece(), Piece::Many)
    }
}

impl AsPiece for Token {
    fn piece(&self) -> Piece<'_> {
        match self {
            Self::Text(text) => Piece::Text(text),
            Self::Skip(count) => Piece::Skip(*count),
            Self::Many => Piece::Many,
            Self::Variable(_) => Piece::Nothing,
        }
    }
}

impl AsPiece for Resolved<'_> {
    fn piece(&self) -> Piece<'_> {
        match self {
            Self::Text(text) => Piece::Text(text),
            Self::Skip(count) => Piece::Skip(*count),
            Self::Many => Piece::Many,
        }
    }
}

/// Whether the tokens match the whole text.
///
/// The pieces before the first `*` and behind the last are pinned to the ends; each piece between two goes to the
/// leftmost place that is left, and is never moved again.
fn glob<T: AsPiece>(tokens: &[T], text: &str, case: Case) -> bool {
    let Some(first) = tokens.iter().position(T::is_many) else {
        return strip_front(tokens, text, case) == Some("");
    };
    let last = tokens.iter().rposition(T::is_many).unwrap_or(first);
    let Some(text) = strip_front(&tokens[..first], text, case) else {
        return false;
    };
    let Some(mut text) = strip_back(&tokens[last + 1..], text, case) else {
        return false;
    };
    if first == last {
        return true;
    }
    for piece in tokens[first + 1..last].split(T::is_many) {
        match skip_past(piece, text, case) {
            Some(rest) => text = rest,
            None => return false,
        }
    }
    true
}

/// What is left of `text` behind the tokens, none of which is a `*`.
fn strip_front<'t, T: AsPiece>(tokens: &[T], text: &'t str, case: Case) -> Option<&'t str> {
    let mut rest = text;
    for token in tokens {
        rest = match token.piece() {
            Piece::Text(wanted) if case == Case::Matters => rest.strip_prefix(wanted)?,
            Piece::Text(wanted) if wanted.is_ascii() => {
                let (found, rest) = rest.split_at_checked(wanted.len())?;
                found.eq_ignore_ascii_case(wanted).then_some(rest)?
            }
            Piece::Text(wanted) => {
                let mut letters = rest.chars();
                for letter in wanted.chars() {
                    letters.next().filter(|found| is_same_letter(*found, letter))?;
                }
                letters.as_str()
            }
            Piece::Skip(count) => {
                let mut letters = rest.chars();
                letters.nth(count.checked_sub(1)?)?;
                letters.as_str()
            }
            Piece::Many | Piece::Nothing => return None,
        };
    }
    Some(rest)
}

/// What is left of `text` in front of the tokens, none of which is a `*`.
fn strip_back<'t, T: AsPiece>(tokens: &[T], text: &'t str, case: Case) -> Option<&'t str> {
    let mut rest = text;
    for token in tokens.iter().rev() {
        rest = match token.piece() {
            Piece::Text(wanted) if case == Case::Matters => rest.strip_suffix(wanted)?,
            Piece::Text(wanted) => {
                let mut letters = rest.chars();
                for letter in wanted.chars().rev() {
                    letters.next_back().filter(|found| is_same_letter(*found, letter))?;
                }
                letters.as_str()
            }
            Piece::Skip(count) => {
                let mut letters = rest.chars();
                letters.nth_back(count.checked_sub(1)?)?;
                letters.as_str()
            }
            Piece::Many | Piece::Nothing => return None,
        };
    }
    Some(rest)
}

/// What is left of `text` behind the leftmost place that the tokens fit.
fn skip_past<'t, T: AsPiece>(tokens: &[T], text: &'t str, case: Case) -> Option<&'t str> {
    if let ([only], Case::Matters) = (tokens, case)
        && let Piece::Text(wanted) = only.piece()
    {
        // Linear in the text, whatever is wanted.
        return text.split_once(wanted).map(|(_, rest)| rest);
    }
    let mut rest = text;
    loop {
        if let Some(behind) = strip_front(tokens, rest, case) {
            return Some(behind);
        }
        let mut letters = rest.chars();
        letters.next()?;
        rest = letters.as_str();
    }
}

fn is_same_letter(one: char, another: char) -> bool {
    // Letters of ASCII have no other forms here: the Kelvin sign is no K.
    if one.is_ascii() || another.is_ascii() {
        return one.eq_ignore_ascii_case(&another);
    }
    one.to_lowercase().eq(another.to_lowercase()) || one.to_uppercase().eq(another.to_uppercase())
}
