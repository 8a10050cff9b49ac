//! Strangers at the door: other agents' tokens, tokens in other places, pages of a browser. The oracle is the status: what is
//! answered with success was let in.

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::token::{self, TokenOf};
use crate::redteam::attack::{Attack, Class};
use crate::redteam::oracle::Verdict;
use crate::redteam::report::Finding;

use super::{NEIGHBOUR, NO_SKILL, Stage};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"redteam","version":"1"}}}"#;
/// The most of an answer that is read, in bytes.
const ANSWER: u64 = 64 << 10;

/// A request at the door.
struct Knock {
    name: &'static str,
    what: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    /// Whether it has to be let in.
    allowed: bool,
}

/// Everything that knocks.
pub(super) async fn attacks(stage: &Stage) -> Result<Vec<Finding>> {
    let id = stage.agent.id();
    let own = token::issue(&stage.state, TokenOf::Agent(id))?;
    let other = token::issue(&stage.state, TokenOf::Agent(NEIGHBOUR))?;
    let operator = token::issue(&stage.state, TokenOf::Operator)?;
    for of in [TokenOf::Agent(id), TokenOf::Agent(NEIGHBOUR), TokenOf::Operator] {
        stage.gateway.forget_token(of);
    }
    let (own, other, operator) = (own.reveal(), other.reveal(), operator.reveal());
    let host = || ("host", stage.address.to_string());
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let mcp = format!("/agents/{id}/mcp");
    let at = |name, what, path: &str, headers| Knock {
        name,
        what,
        method: "POST",
        path: path.to_owned(),
        headers,
        allowed: false,
    };
    let mut knocks = vec![
        Knock {
            allowed: true,
            ..at("control-token", "the agent's own token", &mcp, vec![host(), bearer(own)])
        },
        at("token-none", "no token", &mcp, vec![host()]),
        at("token-other", "another agent's token", &mcp, vec![host(), bearer(other)]),
        at("token-operator", "the operator's token at an agent's door", &mcp, vec![host(), bearer(operator)]),
        at(
            "token-cut",
            "a token without its last character",
            &mcp,
            vec![host(), bearer(own.get(..own.len() - 1).unwrap_or(""))],
        ),
        at("token-case", "a token in another case", &mcp, vec![host(), bearer(&own.to_uppercase())]),
        at(
            "token-basic",
            "a token as another scheme",
            &mcp,
            vec![host(), ("authorization", format!("Basic {own}"))],
        ),
        at(
            "token-query",
            "a token in the query",
            &format!("{mcp}?token={own}&access_token={own}"),
            vec![host()],
        ),
        at(
            "token-cookie",
            "a token in a cookie",
            &mcp,
            vec![host(), ("cookie", format!("authorization=Bearer {own}"))],
        ),
        at("token-two", "two tokens, the wrong one first", &mcp, vec![host(), bearer(other), bearer(own)]),
        at(
            "token-two-last",
            "two tokens, the wrong one last",
            &mcp,
            vec![host(), bearer(own), bearer(other)],
        ),
        at(
            "path-other",
            "the agent's token at another's door",
            &format!("/agents/{NEIGHBOUR}/mcp"),
            vec![host(), bearer(own)],
        ),
        at(
            "path-case",
            "the agent's door in another case",
            &format!("/agents/{}/mcp", id.to_uppercase()),
            vec![host(), bearer(own)],
        ),
        at(
            "path-dots",
            "a door by way of another",
            &format!("/agents/{NEIGHBOUR}/../{id}/mcp"),
            vec![host(), bearer(other)],
        ),
        at(
            "path-encoded",
            "a door with an encoded slash",
            &format!("/agents/{NEIGHBOUR}%2f..%2f{id}/mcp"),
            vec![host(), bearer(other)],
        ),
        at("stop", "the agent's token stops the gateway", "/stop", vec![host(), bearer(own)]),
        at(
            "host-rebound",
            "a page's host name that leads here",
            &mcp,
            vec![("host", "evil.redteam.invalid".to_owned()), bearer(own)],
        ),
        at("host-none", "no host", &mcp, vec![bearer(own)]),
        at(
            "host-two",
            "two hosts",
            &mcp,
            vec![host(), ("host", "evil.redteam.invalid".to_owned()), bearer(own)],
        ),
        at(
            "origin",
            "a page of another origin",
            &mcp,
            vec![host(), ("origin", "https://evil.redteam.invalid".to_owned()), bearer(own)],
        ),
        at(
            "origin-null",
            "a page without an origin",
            &mcp,
            vec![host(), ("origin", "null".to_owned()), bearer(own)],
        ),
    ];
    for path in ["/status", "/metrics"] {
        let read = at(
            if path == "/status" { "status" } else { "metrics" },
            "the agent's token reads the operator's page",
            path,
            vec![host(), bearer(own)],
        );
        knocks.push(Knock { method: "GET", ..read });
    }
    let mut found = Vec::new();
    for knock in knocks {
        let status = knock.at(stage).await?;
        let let_in = (200..300).contains(&status);
        let attack = Attack::new(Class::Authority, knock.name, knock.what, "request", Value::Null);
        let verdict = match (let_in, knock.allowed) {
            (true, true) => Verdict::Allowed,
            (false, true) => Verdict::Blind(format!("the door answered {status}")),
            (true, false) => Verdict::Escaped(format!("the door answered {status}")),
            (false, false) => Verdict::Refused(vec![answered(status)]),
        };
        found.push(Finding::new(&attack, NO_SKILL, 0, verdict));
    }
    Ok(found)
}

/// A refusal at the door has no denial's id: its status is what is told.
fn answered(status: u16) -> &'static str {
    match status {
        400 => "http 400",
        401 => "http 401",
        403 => "http 403",
        404 => "http 404",
        429 => "http 429",
        _ => "http",
    }
}

impl Knock {
    /// The status of the answer; 0 where the connection was just closed.
    async fn at(&self, stage: &Stage) -> Result<u16> {
        let mut stream = TcpStream::connect(stage.address).await.context("the stage's door does not open")?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = if self.method == "POST" { INITIALIZE } else { "" };
        head.push_str(&format!(
            "accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ));
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        // The status is in the first line; a stream of events does not end by itself.
        let mut first = stream.take(ANSWER);
        while !answer.contains(&b'\n') && first.read_buf(&mut answer).await? > 0 {}
        let line = String::from_utf8_lossy(&answer);
        Ok(line.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0))
    }
}
