//! HTML in a SOUL.md: it grants nothing, and it must not hide from a reader what does.
//!
//! A browser hides what follows an open `<div hidden>`, an open comment or an open attribute, and what a style sheet says;
//! a Markdown parser goes on reading after the next blank line. We write no second HTML parser that could differ from a
//! browser's: whole comments, and a few plain elements without attributes that close what they open, pass; any other HTML
//! refuses the file.

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

/// Elements that only format. None of them hides its content, and none is read by other rules than its neighbours.
const PLAIN: &[&str] = &[
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "del",
    "ins",
    "code",
    "kbd",
    "sub",
    "sup",
    "small",
    "mark",
    "p",
    "div",
    "span",
    "center",
    "blockquote",
    "ul",
    "ol",
    "li",
];

/// Elements that have no end and no content.
const VOID: &[&str] = &["br", "hr", "wbr"];

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
        if rest.starts_with([' ', '\t', '\n', '=', '<']) || rest.starts_with(|c: char| c.is_ascii_digit()) {
            // No tag to anybody.
            continue;
        }
        let Some((tag, after)) = rest.split_once('>') else {
            return Html::Open("a tag that is never closed".into());
        };
        rest = after;
        let (closing, name) = match tag.strip_prefix('/') {
            Some(name) => (true, name),
            None => (false, tag.strip_suffix('/').unwrap_or(tag)),
        };
        let name = name.trim_end().to_ascii_lowercase();
        if VOID.contains(&name.as_str()) && !closing {
            continue;
        }
        if !PLAIN.contains(&name.as_str()) {
            let shown: String = tag.chars().take(20).collect();
            return Html::Open(format!(
                "a tag `<{shown}>` that is not one of the few plain ones without attributes"
            ));
        }
        if !closing {
            open.push(name);
        } else if open.pop().as_deref() != Some(name.as_str()) {
            return Html::Open(format!("a tag `</{name}>` that does not close the element before it"));
        }
    }
    only_comments &= rest.trim().is_empty();
    match open.first() {
        Some(tag) => Html::Open(format!("an element `<{tag}>` that is not closed in the same block")),
        None if only_comments => Html::Comments,
        None => Html::Closed,
    }
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
            ("<div><p>x</p></div>", Some(Html::Closed)),
            ("<p title='>'>x</p>", None),
            ("</div>", None),
            // A quote inside an attribute's name opens nothing in a browser, which sees an open comment here.
            ("<p x\"><!--<p y\"></p>", None),
            // Only its own end tag ends such an element in a browser.
            ("<div><textarea hidden></div>", None),
            ("<script><!-- a</script>b--></script>", None),
            ("<plaintext></plaintext>", None),
            ("<style>li{display:none}</style>", None),
            ("<details></details>", None),
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
