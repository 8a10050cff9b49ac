//! A client of HTTP/1.1 as small as tests need: one connection, one request after the other, nothing hidden.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A connection that is kept alive.
#[derive(Debug)]
pub struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Connection {
    /// A connection to an address.
    #[must_use]
    pub fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { host: address.to_owned(), stream: BufReader::new(stream) }
    }

    /// Sends a request and reads its answer. A `host` among the headers is sent instead of the address.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.send(method, path, headers, body);
        self.answer()
    }

    /// Sends a request.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let text = self.text(method, path, headers, body);
        self.send_text(&text);
    }

    /// Sends a request that is written out.
    pub fn send_text(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// A request written out.
    #[must_use]
    pub fn text(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text += &format!("host: {}\r\n", self.host);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text + &format!("content-length: {}\r\n\r\n{body}", body.len())
    }

    /// Waits until the other side sends something or hangs up.
    pub fn until_anything(&mut self) {
        let _ = self.stream.fill_buf();
    }

    /// Reads an answer.
    pub fn answer(&mut self) -> Response {
        let mut response = self.head();
        let find = |wanted: &str| {
            response.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        let body = match (find("content-length"), find("transfer-encoding")) {
            (Some(length), _) => self.bytes(length.parse().unwrap()),
            (None, Some("chunked")) => self.chunks(),
            _ => Vec::new(),
        };
        response.body = String::from_utf8(body).unwrap();
        response
    }

    /// Reads an answer's head, and leaves its body where it is: a stream's does not end.
    pub fn head(&mut self) -> Response {
        let status = self.line();
        let status =
            status.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {status:?}")).parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Response { status, headers, body: String::new() }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).unwrap();
            body.extend(self.bytes(size));
            self.line();
            if size == 0 {
                return body;
            }
        }
    }
}

impl Response {
    /// The body as JSON; of an event stream, the last event's.
    #[must_use]
    pub fn json(&self) -> Value {
        let text = match self.body.lines().filter_map(|line| line.strip_prefix("data:")).next_back() {
            Some(data) => data,
            None => &self.body,
        };
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"))
    }
}
