//! Patterns of the model, which are Java's, for the `regex` crate.

use anyhow::{Context, Result, ensure};
use regex::Regex;

use super::overlay::PatternOverlay;

/// A pattern ready to be written down.
pub(super) struct Pattern {
    /// As AWS prints it.
    pub(super) printed: String,
    pub(super) expression: String,
    pub(super) refused_prefix: Option<String>,
    pub(super) words_match: bool,
}

impl Pattern {
    /// Translates a pattern and proves that it compiles, and that it accepts words if it is said to.
    pub(super) fn new(printed: &str, overlay: Option<&PatternOverlay>, words_match: bool) -> Result<Self> {
        let source = overlay.map_or(printed, |overlay| overlay.expression.as_str());
        let expression = translate(source)?;
        let regex = Regex::new(&format!("^(?:{expression})$"))
            .with_context(|| format!("the pattern {printed} needs an entry in the overlay"))?;
        if words_match {
            for word in sample_words() {
                ensure!(regex.is_match(&word), "the pattern {printed} does not accept the word {word}");
            }
        }
        let refused_prefix = overlay.and_then(|overlay| overlay.refused_prefix.clone());
        Ok(Self { printed: printed.to_owned(), expression, refused_prefix, words_match })
    }
}

/// In Java `\d`, `\s` and `\w` are ASCII only, and the dot stands for no line terminator of Unicode's; in `regex`
/// that is different.
fn translate(pattern: &str) -> Result<String> {
    let mut translated = String::new();
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next().context("a backslash at the end")?;
                match class_of(escaped) {
                    Some(inside) if in_class && escaped.is_ascii_lowercase() => translated.push_str(inside),
                    Some(inside) if escaped.is_ascii_lowercase() => {
                        translated.push_str(&format!("[{inside}]"))
                    }
                    Some(inside) => translated.push_str(&format!("[^{inside}]")),
                    None => translated.extend(['\\', escaped]),
                }
                continue;
            }
            '.' if !in_class => {
                translated.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]");
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        translated.push(character);
    }
    Ok(translated)
}

/// What an escaped letter stands for, or if it is a capital does not stand for.
fn class_of(escaped: char) -> Option<&'static str> {
    match escaped.to_ascii_lowercase() {
        'd' => Some("0-9"),
        's' => Some(r" \t\n\x0B\f\r"),
        'w' => Some("a-zA-Z0-9_"),
        _ => None,
    }
}

/// Words of every letter and of every length up to the longest name.
fn sample_words() -> Vec<String> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let single = LETTERS.chars().map(String::from);
    let long = (1..=256).map(|length| LETTERS.chars().cycle().take(length).collect());
    let ends = LETTERS.chars().flat_map(|letter| [format!("{letter}a-_0"), format!("a-_0{letter}")]);
    single.chain(long).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_become_ascii() {
        for (java, rust) in [
            (r"\d{12}[^\s]+[\s\S]*\$", r"[0-9]{12}[^ \t\n\x0B\f\r]+[ \t\n\x0B\f\r[^ \t\n\x0B\f\r]]*\$"),
            (r"[\w.]\w\D", r"[a-zA-Z0-9_.][a-zA-Z0-9_][^0-9]"),
            (r".\.", r"[^\n\r\x{85}\x{2028}\x{2029}]\."),
            (r"[\p{L}]", r"[\p{L}]"),
        ] {
            assert_eq!(translate(java).unwrap(), rust);
        }
    }

    #[test]
    fn a_wrong_claim_about_words_is_found() {
        assert!(Pattern::new("[a-z]{1,64}", None, true).is_err());
        assert!(Pattern::new("[a-zA-Z0-9-_]+", None, true).is_ok());
    }

    #[test]
    fn look_around_needs_an_overlay() {
        assert!(Pattern::new("(?!x).*", None, false).is_err());
    }
}
