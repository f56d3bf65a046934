//! A little XML, as far as answers of S3, IAM and STS need it: the texts of elements, found by their names.

/// The text of the first element of this name that has no elements within.
pub fn text(xml: &str, name: &str) -> Option<String> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    let text = rest.split_once(&format!("</{name}>"))?.0;
    (!text.contains('<')).then(|| unescaped(text.trim()))
}

/// What is within each element of this name, one after the other. They must not be nested.
pub fn contents<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(open.as_str()).skip(1);
    parts.filter_map(|part| part.split_once(close.as_str()).map(|(content, _)| content)).collect()
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let entity = after.split_once(';').and_then(|(name, tail)| Some((character(name)?, tail)));
        match entity {
            Some((character, tail)) => {
                plain.push(character);
                rest = tail;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let value = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(value.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_name() {
        let xml = "<Users><member><UserName>a&amp;b</UserName></member><member><UserName>c</UserName></member></Users>";
        let names: Vec<_> =
            contents(xml, "member").into_iter().filter_map(|user| text(user, "UserName")).collect();
        assert_eq!(names, ["a&b", "c"]);
        assert_eq!(text(xml, "Users"), None, "has elements within");
        assert_eq!(contents("<a>unfinished", "a"), [""; 0]);
    }
}
