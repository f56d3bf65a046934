//! Names of entries and the paths that they stand for.

/// The longest name of a file or directory that Linux' file systems hold, in bytes.
const MAX_COMPONENT_BYTES: usize = 255;
/// The longest path within a package. With `/var/task/` before it, it still fits into Linux' 4096.
const MAX_PATH_BYTES: usize = 4000;
/// The deepest path within a package, so that a tree can be walked with an ordinary number of open files.
const MAX_DEPTH: usize = 128;

/// The path within the package that an entry's name stands for: components joined by `/`, none of them empty, `.` or
/// `..`. The root itself is the empty path. `backslash_separates` for archives made on Windows.
///
/// Backslashes are judged as separators on every system, because a name that would lead out of the package anywhere
/// was made to do so; they only act as separators where the archive's maker uses them so.
pub(super) fn path(name: &str, backslash_separates: bool) -> Result<String, &'static str> {
    if name.is_empty() {
        return Err("an entry without a name");
    }
    if name.contains('\0') {
        return Err("a name with a NUL byte");
    }
    if name.starts_with(['/', '\\']) || has_drive(name, backslash_separates) {
        return Err("an absolute path");
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return Err("a path that leads upwards");
    }
    let separates = |letter: char| letter == '/' || (letter == '\\' && backslash_separates);
    let parts: Vec<&str> = name.split(separates).filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.len() > MAX_DEPTH {
        return Err("a path that is too deep");
    }
    if parts.iter().any(|part| part.len() > MAX_COMPONENT_BYTES) {
        return Err("a name that is too long");
    }
    let path = parts.join("/");
    if path.len() > MAX_PATH_BYTES { Err("a path that is too long") } else { Ok(path) }
}

/// `C:\x` and `C:/x`, and on Windows also `C:x`.
fn has_drive(name: &str, windows: bool) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && (windows || letters.next().is_some_and(|letter| matches!(letter, '/' | '\\')))
}

/// The directories above a path, the nearest first, without the root.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

/// The directory that holds `path`; `None` for what lies in the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names() {
        assert_eq!(path("index.js", false).unwrap(), "index.js");
        assert_eq!(path("./a//b/./c/", false).unwrap(), "a/b/c");
        assert_eq!(path("./", false).unwrap(), "");
        assert_eq!(path("..a/b../...", false).unwrap(), "..a/b../...");
        assert_eq!(path("käse 🧀", false).unwrap(), "käse 🧀");
        assert_eq!(path("a:b", false).unwrap(), "a:b");
        assert_eq!(path(r"lib\a.dll", true).unwrap(), "lib/a.dll");
        assert_eq!(path(r"lib\a.dll", false).unwrap(), r"lib\a.dll");
    }

    #[test]
    fn names_that_lead_out() {
        for name in [
            "..",
            "../a",
            "a/../../b",
            "a/..",
            "/etc/passwd",
            "//a",
            r"\a",
            r"\\server\share",
            r"..\a",
            r"a\..\..\b",
            "C:/a",
            r"C:\a",
            "c:/",
            "a\0b",
            "",
        ] {
            assert!(path(name, false).is_err() && path(name, true).is_err(), "{name:?}");
        }
        assert!(path("C:a", true).is_err());
    }

    #[test]
    fn names_that_no_file_system_holds() {
        assert!(path(&"n".repeat(255), false).is_ok());
        assert!(path(&"n".repeat(256), false).is_err());
        assert!(path(&"n/".repeat(MAX_DEPTH), false).is_ok());
        assert!(path(&"n/".repeat(MAX_DEPTH + 1), false).is_err());
        assert!(path(&format!("{}/", "n".repeat(200)).repeat(20), false).is_err());
    }

    #[test]
    fn what_lies_above() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!(ancestors("a").count(), 0);
    }
}
