//! Long lists, a page at a time. The cursor is the last entry that the client has, so that a list which changes between two
//! pages neither repeats nor loses an entry that stayed; a cursor that leads nowhere is an error, never the first page.

use rmcp::ErrorData;
use rmcp::model::PaginatedRequestParams;

/// Entries on a page. A page of tools is then about half a MiB, and most agents need one: some clients never ask for a second.
pub(crate) const PAGE: usize = 500;

/// The page of `entries` after the request's cursor, and the cursor of the next one.
///
/// # Errors
///
/// The cursor names no entry: the list changed, or it is not ours.
pub(crate) fn page<'a, Entry>(
    entries: &'a [Entry],
    key: impl Fn(&Entry) -> &str,
    request: Option<&PaginatedRequestParams>,
) -> Result<(&'a [Entry], Option<String>), ErrorData> {
    let start = match request.and_then(|request| request.cursor.as_deref()) {
        None => 0,
        Some(cursor) => match entries.iter().position(|entry| key(entry) == cursor) {
            Some(index) => index + 1,
            None => {
                return Err(ErrorData::invalid_params("the cursor leads nowhere; list from the start", None));
            }
        },
    };
    let rest = entries.get(start..).unwrap_or_default();
    match rest.split_at_checked(PAGE) {
        Some((page, more)) if !more.is_empty() => Ok((page, page.last().map(|last| key(last).to_owned()))),
        _ => Ok((rest, None)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(cursor: Option<String>) -> PaginatedRequestParams {
        PaginatedRequestParams::default().with_cursor(cursor)
    }

    proptest! {
        #[test]
        fn the_pages_are_the_whole_list_in_order(count in 0_usize..3 * PAGE) {
            let entries: Vec<String> = (0..count).map(|index| format!("tool{index}")).collect();
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let (page, next) = page(&entries, |entry| entry.as_str(), Some(&request(cursor))).unwrap();
                prop_assert!(page.len() <= PAGE);
                seen.extend_from_slice(page);
                match next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(seen, entries);
        }
    }

    #[test]
    fn a_cursor_that_leads_nowhere_is_an_error() {
        let entries = ["a".to_owned()];
        assert!(page(&entries, |entry| entry.as_str(), Some(&request(Some("b".to_owned())))).is_err());
    }
}
