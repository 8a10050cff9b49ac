//! `/approvals/<token>`: the page that a webhook's link leads to.
//!
//! The rule: GET shows and changes nothing, since whoever previews or scans a link opens it; only the page's own form
//! decides. The token in the link is the credential, of one question: a bearer token is none here.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::gateway::Gateway;
use crate::oversight::approvals::{Decider, Decision, Way};

/// The longest form, in bytes.
const FORM_BYTES: usize = 8 << 10;
/// How long a form may take to come.
const FORM_WITHIN: Duration = Duration::from_secs(15);

/// Whose decision it is: the link says no more.
fn decider() -> Decider {
    Decider { who: "whoever opened the link".to_owned(), way: Way::Link }
}

/// Shows the question.
pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    if let Err(refusal) = allowed(&gateway, &request) {
        return *refusal;
    }
    let Some(opened) = gateway.approvals().opened(&token) else {
        return gone(&gateway, StatusCode::NOT_FOUND);
    };
    let form = format!(
        "<form method=\"post\"><input type=\"hidden\" name=\"form\" value=\"{}\">\
         <p><button name=\"decision\" value=\"approve\">Approve once</button> \
         <button name=\"decision\" value=\"deny\">Deny</button> \
         <label>Reason, told to the model: <input name=\"reason\" maxlength=\"300\"></label></p></form>",
        escaped(&opened.form)
    );
    let title = format!("{} waits for a person", opened.name);
    page(StatusCode::OK, &title, &format!("<pre>{}</pre>{form}", escaped(&opened.card)))
}

/// Decides.
pub(super) async fn decide(
    State(gateway): State<Arc<Gateway>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    if let Err(refusal) = allowed(&gateway, &request) {
        return *refusal;
    }
    let read = tokio::time::timeout(FORM_WITHIN, axum::body::to_bytes(request.into_body(), FORM_BYTES)).await;
    let Ok(Ok(body)) = read else { return StatusCode::BAD_REQUEST.into_response() };
    let sent = |name: &str| {
        let mut of = url::form_urlencoded::parse(&body).filter(|(key, _)| key == name);
        of.next().map(|(_, value)| value.into_owned())
    };
    let Some(opened) = gateway.approvals().opened(&token) else {
        return gone(&gateway, StatusCode::GONE);
    };
    if !opened.is_form(&sent("form").unwrap_or_default()) {
        let why = "it did not come from the page's own form";
        gateway.approvals().record_forged(gateway.trail(), &decider(), &opened.name, why);
        return page(StatusCode::FORBIDDEN, "Not decided", "<p>Open the link and use the form there.</p>");
    }
    let decision = match sent("decision").as_deref() {
        Some("approve") => Decision::Once {},
        Some("deny") => Decision::Deny { reason: sent("reason").filter(|reason| !reason.is_empty()) },
        _ => return page(StatusCode::BAD_REQUEST, "Not decided", "<p>Neither approved nor denied.</p>"),
    };
    match gateway.approvals().decide(&opened.id, decision, &decider(), gateway.trail()) {
        Ok(said) => page(StatusCode::OK, "Decided", &format!("<p>{}</p>", escaped(&said))),
        Err(error) => {
            page(StatusCode::CONFLICT, "Not decided", &format!("<p>{}</p>", escaped(&format!("{error:#}"))))
        }
    }
}

/// Links are for people, where the operator allows them. Whoever presents a token of theirs is a program.
fn allowed(gateway: &Gateway, request: &Request) -> Result<(), Box<Response>> {
    if !gateway.policies().current().settings.approvals.ways.webhook {
        return Err(Box::new(StatusCode::NOT_FOUND.into_response()));
    }
    if request.headers().contains_key(header::AUTHORIZATION) {
        let why = "a bearer token decides nothing";
        gateway.approvals().record_forged(gateway.trail(), &decider(), "a link", why);
        return Err(Box::new((StatusCode::FORBIDDEN, why).into_response()));
    }
    Ok(())
}

/// A link that was never one, was used, or is out of time: which of these is not told.
fn gone(gateway: &Gateway, status: StatusCode) -> Response {
    gateway.approvals().record_forged(
        gateway.trail(),
        &decider(),
        "a link",
        "it leads to nothing that waits",
    );
    page(status, "Nothing waits here", "<p>This was decided, or is out of time: no answer was no.</p>")
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title><h1>{title}</h1>{body}</html>"
    );
    let mut response = (status, text).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        // Not `no-referrer`: then browsers send `Origin: null` with the form (Fetch, 3.2), which is nobody's.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Text in HTML, between tags or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
