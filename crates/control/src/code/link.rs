//! Symbolic links: kept when they end within the package.
//!
//! A target is not judged by its text alone, because other links take part: with `up -> a/b`, where `a/b -> ../c`, the
//! text `up/../..` means something else than it says. So each link is resolved as the kernel would, over the entries
//! of the package.

use std::collections::HashMap;

/// How many links the kernel follows on one path.
const MAX_FOLLOWED: usize = 40;

/// The longest target in bytes. Linux takes four times as much; package managers stay far below.
pub(super) const MAX_TARGET_BYTES: usize = 1024;
/// The most links of a package. With the limits on a target this bounds what resolving them all costs.
pub(super) const MAX_LINKS: usize = 10_000;
/// The most components walked to the end of one link.
const MAX_STEPS: usize = 256;

/// Refuses a link that leads out of the package. `links` are all links of the package with their targets, by path.
pub(super) fn check(link: &str, links: &HashMap<&str, &str>) -> Result<(), &'static str> {
    let mut here: Vec<&str> = Vec::new();
    // What is still to be walked, the next part last.
    let mut ahead: Vec<&str> = link.rsplit('/').collect();
    let (mut followed, mut steps) = (0, 0);
    while let Some(part) = ahead.pop() {
        steps += 1;
        if steps > MAX_STEPS {
            return Err("a symbolic link that leads too far");
        }
        match part {
            "" | "." => continue,
            ".." => {
                here.pop().ok_or("a symbolic link that leads out of the package")?;
                continue;
            }
            name => here.push(name),
        }
        let Some(target) = links.get(here.join("/").as_str()) else { continue };
        followed += 1;
        if followed > MAX_FOLLOWED {
            return Err("a symbolic link that leads nowhere");
        }
        if target.is_empty() || target.starts_with('/') {
            return Err("a symbolic link that leads out of the package");
        }
        here.pop();
        ahead.extend(target.rsplit('/'));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(links: &[(&str, &str)]) -> bool {
        let links: HashMap<&str, &str> = links.iter().copied().collect();
        links.keys().all(|link| check(link, &links).is_ok())
    }

    #[test]
    fn links_that_stay_inside() {
        assert!(accepted(&[("a", "b")]));
        assert!(accepted(&[("lib/libx.so", "libx.so.1"), ("lib/libx.so.1", "./libx.so.1.2")]));
        assert!(accepted(&[("a/b/c", "../../d/e")]));
        assert!(accepted(&[("self", ".")]));
        assert!(accepted(&[("a/root", "..")]));
        assert!(accepted(&[("node_modules/.bin/tsc", "../typescript/bin/tsc")]));
    }

    #[test]
    fn links_that_lead_out() {
        assert!(!accepted(&[("a", "..")]));
        assert!(!accepted(&[("a", "/etc/passwd")]));
        assert!(!accepted(&[("a/b", "../../c")]));
        assert!(!accepted(&[("a", "b/../../c")]));
        assert!(!accepted(&[("a", "")]));
    }

    #[test]
    fn links_that_lead_out_by_way_of_others() {
        // Each looks harmless; `e` is `a/b` as text, but the parent of the package when followed.
        assert!(!accepted(&[("a/b/c", "../.."), ("e", "a/b/c/..")]));
        assert!(accepted(&[("a/b/c", "../.."), ("e", "a/b/c")]));
    }

    #[test]
    fn links_in_a_circle() {
        assert!(!accepted(&[("a", "b"), ("b", "a")]));
        assert!(!accepted(&[("a", "a/x")]));
    }
}
