//! What elements mean for their reader: hidden, apart from what is around them, ended by what follows. The rule: as
//! the HTML standard has it, by name and attributes alone, since styles and scripts are not run.

use html5gum::StartTag;

/// Whether a browser with scripts on would not show this element.
pub(crate) fn is_hidden(tag: &StartTag<()>) -> bool {
    let style = attribute(tag, b"style").map(|style| style.to_ascii_lowercase().replace(' ', ""));
    matches!(
        tag.name.as_slice(),
        b"script"
            | b"style"
            | b"noscript"
            | b"template"
            | b"svg"
            | b"math"
            | b"iframe"
            | b"object"
            | b"canvas"
            | b"audio"
            | b"video"
            | b"noembed"
            | b"noframes"
            | b"datalist"
    ) || attribute(tag, b"hidden").is_some()
        || attribute(tag, b"aria-hidden").is_some_and(|value| value == "true")
        || (tag.name.as_slice() == b"input" && attribute(tag, b"type").is_some_and(|kind| kind == "hidden"))
        || style.is_some_and(|style| style.contains("display:none") || style.contains("visibility:hidden"))
}

/// Whether an open `hidden` element, whose end tag may be left out, ends where a `next` begins. Without this a
/// hidden list item would hide the rest of the page.
pub(crate) fn ends_before(hidden: &[u8], next: &[u8]) -> bool {
    match hidden {
        b"p" => is_block(next),
        b"li" | b"tr" | b"option" => next == hidden,
        b"td" | b"th" => matches!(next, b"td" | b"th" | b"tr"),
        b"dt" | b"dd" => matches!(next, b"dt" | b"dd"),
        _ => false,
    }
}

/// Whether an open `hidden` element ends with the `end` of what holds it.
pub(crate) fn ends_with(hidden: &[u8], end: &[u8]) -> bool {
    match hidden {
        b"li" => matches!(end, b"ul" | b"ol"),
        b"tr" | b"td" | b"th" => matches!(end, b"table" | b"tbody" | b"tr"),
        b"dt" | b"dd" => end == b"dl",
        b"option" => end == b"select",
        _ => false,
    }
}

/// Whether the element closes an open paragraph.
fn is_block(name: &[u8]) -> bool {
    stands_apart(name)
        || matches!(
            name,
            b"div" | b"main" | b"nav" | b"aside" | b"header" | b"footer" | b"form" | b"pre" | b"hr"
        )
}

/// Whether the element stands after an empty line.
pub(crate) fn stands_apart(name: &[u8]) -> bool {
    matches!(
        name,
        b"p" | b"h1"
            | b"h2"
            | b"h3"
            | b"h4"
            | b"h5"
            | b"h6"
            | b"ul"
            | b"ol"
            | b"dl"
            | b"table"
            | b"blockquote"
            | b"section"
            | b"article"
            | b"figure"
    )
}

/// Whether the element has no end tag.
pub(crate) fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

/// The value of an attribute.
pub(crate) fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    tag.attributes.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
}
