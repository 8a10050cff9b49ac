//! HTML to what its reader sees. The rule: what a browser would not show (scripts, styles, templates, hidden
//! parts) is not in the text: a page must not tell a model what it does not show a person.

use html5gum::{DefaultEmitter, HtmlString, StartTag, Token, Tokenizer};
use url::Url;

use crate::bindings::Link;
use crate::element::{attribute, ends_before, ends_with, is_hidden, is_void, stands_apart};
use crate::layout::Layout;

/// The most links in an answer.
const MOST_LINKS: usize = 200;

/// The deepest nesting that is kept track of inside a hidden part. Deeper, the rest of the page counts as
/// hidden.
const DEEPEST: usize = 4096;

/// A page, read.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// The title.
    pub(crate) title: Option<String>,
    /// The text.
    pub(crate) text: String,
    /// The links, each target once.
    pub(crate) links: Vec<Link>,
    /// Whether there were more links.
    pub(crate) more_links: bool,
}

/// Reads `html`, a page at `url`.
pub(crate) fn read_html(html: &str, url: &Url) -> Readable {
    let mut emitter = DefaultEmitter::default();
    // Without it, `<p>` inside a script would be taken for a paragraph.
    emitter.naively_switch_states(true);
    let mut reader = Reader::new(url);
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => reader.start(&tag),
            Token::EndTag(tag) => reader.end(&tag.name),
            Token::String(text) => reader.text(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    reader.finish()
}

struct Reader {
    base: Url,
    layout: Layout,
    title: Option<String>,
    in_title: bool,
    /// The open elements of the hidden part that is being passed over, outermost first; empty outside of one.
    hidden: Vec<Vec<u8>>,
    preformatted: usize,
    /// The open link: its target, and where in the text it began.
    link: Option<(Url, usize)>,
    links: Vec<Link>,
    more_links: bool,
}

impl Reader {
    fn new(url: &Url) -> Self {
        Self {
            base: url.clone(),
            layout: Layout::default(),
            title: None,
            in_title: false,
            hidden: Vec::new(),
            preformatted: 0,
            link: None,
            links: Vec::new(),
            more_links: false,
        }
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        if let [hidden] = self.hidden.as_slice()
            && ends_before(hidden, name)
        {
            self.hidden.clear();
        }
        if !self.hidden.is_empty() || is_hidden(tag) {
            if !is_void(name) && !tag.self_closing && self.hidden.len() < DEEPEST {
                self.hidden.push(name.to_vec());
            }
            return;
        }
        match name {
            b"title" => self.in_title = self.title.is_none(),
            b"base" => {
                if let Some(base) = attribute(tag, b"href").and_then(|href| self.base.join(&href).ok()) {
                    self.base = base;
                }
            }
            b"a" => {
                self.close_link();
                let target = attribute(tag, b"href").and_then(|href| self.base.join(href.trim()).ok());
                self.link = target.map(|target| (target, self.layout.len()));
            }
            b"img" => {
                if let Some(text) = attribute(tag, b"alt") {
                    self.layout.text(&text, false);
                }
            }
            b"pre" | b"textarea" => {
                self.layout.paragraph();
                self.preformatted += 1;
            }
            b"li" => self.layout.mark("- "),
            b"td" | b"th" => self.layout.cell(),
            b"br" | b"hr" => self.layout.line(),
            _ => self.block(name),
        }
    }

    fn end(&mut self, name: &HtmlString) {
        let name = name.as_slice();
        if !self.hidden.is_empty() {
            // An end tag closes the innermost open element of its name and what was left open in it.
            if let Some(at) = self.hidden.iter().rposition(|open| open == name) {
                self.hidden.truncate(at);
                return;
            }
            if !self.hidden.first().is_some_and(|hidden| ends_with(hidden, name)) {
                return;
            }
            self.hidden.clear();
        }
        match name {
            b"title" => self.in_title = false,
            b"a" => self.close_link(),
            b"pre" | b"textarea" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.layout.paragraph();
            }
            _ => self.block(name),
        }
    }

    fn text(&mut self, text: &str) {
        if !self.hidden.is_empty() {
            return;
        }
        if self.in_title {
            let words: Vec<&str> = text.split_whitespace().collect();
            self.title.get_or_insert_default().push_str(&words.join(" "));
        } else {
            self.layout.text(text, self.preformatted > 0);
        }
    }

    /// A block's beginning or end; nothing for other elements.
    fn block(&mut self, name: &[u8]) {
        match name {
            _ if stands_apart(name) => self.layout.paragraph(),
            b"div" | b"li" | b"tr" | b"dt" | b"dd" | b"header" | b"footer" | b"main" | b"nav" | b"aside"
            | b"address" | b"form" | b"fieldset" | b"figcaption" | b"details" | b"summary" | b"caption"
            | b"option" | b"body" => self.layout.line(),
            _ => {}
        }
    }

    fn close_link(&mut self) {
        let Some((mut target, begun)) = self.link.take() else { return };
        target.set_fragment(None);
        let leads_on = matches!(target.scheme(), "http" | "https")
            && target.as_str() != self.base.as_str()
            && self.links.iter().all(|link| link.url != target.as_str());
        if !leads_on {
            return;
        }
        if self.links.len() == MOST_LINKS {
            self.more_links = true;
            return;
        }
        self.links.push(Link { text: self.layout.since(begun), url: target.into() });
    }

    fn finish(mut self) -> Readable {
        self.close_link();
        Readable {
            title: self.title.filter(|title| !title.is_empty()),
            text: self.layout.finish(),
            links: self.links,
            more_links: self.more_links,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> Readable {
        read_html(html, &Url::parse("https://a.example/dir/page").unwrap())
    }

    #[test]
    fn a_page_becomes_its_title_its_text_and_its_links() {
        let page = read(
            "<!doctype html><html><head><title>A &amp; B</title></head><body><h1>Head</h1>\
             <p>One  <b>two</b>\n three.</p><ul><li>x<li>y</ul><a href='../z#part'>the <i>z</i></a>\
             <a href='mailto:me'>me</a><a href='#top'>top</a></body></html>",
        );
        assert_eq!(page.title.as_deref(), Some("A & B"));
        assert_eq!(page.text, "Head\n\nOne two three.\n\n- x\n- y\n\nthe zmetop");
        let links: Vec<_> = page.links.iter().map(|link| (link.text.as_str(), link.url.as_str())).collect();
        assert_eq!(links, [("the z", "https://a.example/z")]);
    }

    #[test]
    fn what_a_browser_does_not_show_is_not_in_the_text() {
        for html in [
            "<script>var a = '<p>no</p>';</script>",
            "<style>p { content: 'no' }</style>",
            "<noscript>no</noscript>",
            "<template><p>no</p></template>",
            "<div hidden>no<br><p>no</div>",
            "<div style='color: red; display : none'>no <div>no</div> no</div>",
            "<span aria-hidden=true>no</span>",
            "<svg><text>no</text><path/></svg>",
            "<!-- no -->",
            "<iframe>no</iframe>",
        ] {
            assert_eq!(read(&format!("<p>yes</p>{html}<p>after</p>")).text, "yes\n\nafter", "{html}");
        }
    }

    #[test]
    fn a_hidden_part_ends_where_a_browser_ends_it() {
        assert_eq!(read("<ul><li hidden>no<li>yes</ul>after").text, "- yes\n\nafter");
        assert_eq!(read("<ul><li>yes<li hidden>no</ul>after").text, "- yes\n\nafter");
        assert_eq!(read("<p hidden>no<i>no</i><div>yes</div>").text, "yes");
        assert_eq!(
            read("<table><tr><td hidden>no<td>yes<tr hidden><td>no</table>after").text,
            "yes\n\nafter"
        );
    }

    #[test]
    fn what_stands_in_scripts_and_titles_is_no_markup() {
        assert_eq!(read("<script>'<!--'</script>after").text, "after");
        assert_eq!(read("<style>a::after { content: '<!--' }</style>after").text, "after");
        assert_eq!(read("<title>a <b> c</title>after").title.as_deref(), Some("a <b> c"));
    }

    #[test]
    fn entities_tables_and_preformatted_text_are_kept() {
        assert_eq!(read("caf&eacute; &lt;b&gt; &#8364;").text, "café <b> €");
        assert_eq!(read("<table><tr><td>a<td>b<tr><td>c<td>d</table>").text, "a | b\nc | d");
        assert_eq!(read("<p>x</p><pre>  a\n    b</pre><p>y").text, "x\n\n  a\n    b\n\ny");
    }

    #[test]
    fn a_base_element_moves_the_links() {
        let page = read("<base href='https://b.example/q/'><a href='r'>r</a>");
        assert_eq!(page.links[0].url, "https://b.example/q/r");
    }

    #[test]
    fn broken_and_endless_markup_ends() {
        assert_eq!(read("<p>a<div><b>b</p></span></div>c").text, "a\nb\n\nc");
        assert_eq!(read(&format!("{}x", "<div>".repeat(100_000))).text, "x");
        assert_eq!(read(&format!("<div hidden>{}x", "<div>".repeat(100_000))).text, "");
        assert_eq!(read("<a href='/x'>open").links.len(), 1);
    }

    #[test]
    fn links_are_bounded_and_it_is_said() {
        let html: String = (0..300).map(|n| format!("<a href='/{n}'>{n}</a>")).collect();
        let page = read(&html);
        assert!(page.links.len() == MOST_LINKS && page.more_links);
    }
}
