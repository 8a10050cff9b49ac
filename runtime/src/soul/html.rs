//! HTML in a SOUL.md: it grants nothing, and it must not hide from a reader what does.
//!
//! A browser hides what follows an open `<div hidden>`, an open comment or an open attribute; a Markdown
//! parser goes on reading after the next blank line. So HTML must close what it opens within its own block,
//! or the file is refused.

/// What a piece of HTML amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Html {
    /// Comments and nothing else.
    Comments,
    /// Elements that are all closed.
    Closed,
    /// Something stays open, or is not understood: what.
    Open(String),
}

/// Elements that have no end.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// Reads one block's HTML.
pub(super) fn read(html: &str) -> Html {
    let mut rest = html;
    let mut open: Vec<String> = Vec::new();
    let mut only_comments = true;
    while let Some(at) = rest.find('<') {
        only_comments &= rest.get(..at).is_some_and(|between| between.trim().is_empty());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("!--") {
            // `<!-->` and `<!--->` are whole comments to a browser.
            let end = ["->", ">"]
                .iter()
                .find_map(|short| comment.strip_prefix(short))
                .or_else(|| Some(comment.split_once("-->")?.1));
            match end {
                Some(end) => rest = end,
                None => return Html::Open("a comment that is never closed".into()),
            }
            continue;
        }
        only_comments = false;
        let (closing, name) = match rest.strip_prefix('/') {
            Some(after) => (true, after),
            None => (false, rest),
        };
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            if rest.starts_with(['!', '?']) {
                return Html::Open("a declaration that a browser does not read as it stands".into());
            }
            continue;
        }
        let length =
            name.len() - name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-').len();
        let (tag, attributes) = name.split_at(length);
        let Some(end) = tag_end(attributes) else {
            return Html::Open(format!("a tag `<{tag}` that is never closed"));
        };
        rest = attributes.get(end + 1..).unwrap_or_default();
        let tag = tag.to_ascii_lowercase();
        if closing {
            // An end without a beginning closes nothing that is ours; one across another element closes that
            // too.
            if let Some(index) = open.iter().rposition(|name| *name == tag) {
                open.truncate(index);
            }
        } else if !VOID.contains(&tag.as_str()) {
            open.push(tag);
        }
    }
    only_comments &= rest.trim().is_empty();
    match open.first() {
        Some(tag) => Html::Open(format!("an element `<{tag}>` that is not closed in the same block")),
        None if only_comments => Html::Comments,
        None => Html::Closed,
    }
}

/// Where a tag's `>` is, outside its quoted attributes.
fn tag_end(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in attributes.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Whether some line of it looks like a bullet: somebody may believe that it grants.
pub(super) fn holds_bullets(html: &str) -> bool {
    html.lines().any(|line| {
        let line = line.trim_start();
        ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_closes_what_it_opens_or_is_said_to_be_open() {
        for (html, expected) in [
            ("<!-- a\n- b -->\n", Some(Html::Comments)),
            ("<!-- a --> <!-- b -->", Some(Html::Comments)),
            ("<!-->", Some(Html::Comments)),
            ("<!-- a --> text", Some(Html::Closed)),
            ("<b>x</b><br>", Some(Html::Closed)),
            ("<p title='>'>x</p>", Some(Html::Closed)),
            ("</div>", Some(Html::Closed)),
            ("1 < 2", Some(Html::Closed)),
            ("<!-- a", None),
            ("<!-- a --><div hidden>", None),
            ("<div hidden>", None),
            ("<DIV><b></DIV><details>", None),
            ("<div title=\"", None),
            ("<p title=\"</p>", None),
            ("<br title=\">", None),
            ("<textarea>", None),
            ("<script/>", None),
            ("<?php", None),
            ("<!DOCTYPE html>", None),
            ("<![CDATA[", None),
        ] {
            let read = read(html);
            assert!(
                expected.map_or(matches!(read, Html::Open(_)), |expected| read == expected),
                "{html}: {read:?}"
            );
        }
        assert!(holds_bullets("<!--\n  - terminal: x\n-->"));
        assert!(!holds_bullets("<!-- a-b -->"));
    }
}
