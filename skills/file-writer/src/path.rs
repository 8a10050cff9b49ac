//! A path as a model writes it, made plain: absolute, without `.` and doubled slashes. The rule: `..` is
//! refused, not resolved, since what it leads to depends on links, and only the host knows those.

use granted::{Failure, Kind, quoted};

/// The plain form of `path`, such as `/drafts/report.md` for `drafts//./report.md`.
pub(crate) fn plain(path: &str) -> Result<String, Failure> {
    let mut plain = String::new();
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        if name == ".." {
            return Err(Failure::new(
                Kind::InvalidArgument,
                format!("{} has a `..`; write the path out", quoted(path)),
            ));
        }
        plain.push('/');
        plain.push_str(name);
    }
    if plain.is_empty() {
        return Err(Failure::new(
            Kind::InvalidArgument,
            "the path names nothing; `/drafts/report.md` is one that does",
        ));
    }
    Ok(plain)
}

/// The last name of a plain path.
pub(crate) fn name_of(plain: &str) -> &str {
    plain.rsplit_once('/').map_or(plain, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_and_plain() {
        assert_eq!(plain("drafts/a.md").unwrap(), "/drafts/a.md");
        assert_eq!(plain("//drafts/./a.md/").unwrap(), "/drafts/a.md");
        assert_eq!(name_of("/drafts/a.md"), "a.md");
    }

    #[test]
    fn a_path_that_climbs_or_names_nothing_is_refused() {
        for path in ["/drafts/../a", "..", "/", "", "."] {
            assert_eq!(plain(path).unwrap_err().kind, Kind::InvalidArgument, "{path}");
        }
    }
}
