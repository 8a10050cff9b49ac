//! `browser`: looks things up on the web.
//!
//! One file a tool; `wit/browser.wit` is the documentation of each. The rule: nothing is sent but a bare
//! request, and nothing comes back unbounded.

mod bindings;
mod charset;
mod element;
mod failure;
mod fetch;
mod fetch_json;
mod follow;
mod head;
mod layout;
mod readable;
mod request;

use bindings::{Answer, Document, Failure, Guest, Page};

struct Browser;

impl Guest for Browser {
    fn fetch(url: String) -> Result<Page, Failure> {
        fetch::fetch(&url)
    }

    fn fetch_json(url: String) -> Result<Document, Failure> {
        fetch_json::fetch_json(&url)
    }

    fn head(url: String) -> Result<Answer, Failure> {
        head::head(&url)
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Browser with_types_in crate::bindings);
    use super::Browser;
}
