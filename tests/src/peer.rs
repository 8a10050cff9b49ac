//! A server on loopback, one thread a connection, that does what a test wants with each request.
//!
//! It counts what reaches it: the oracle of a refused request is who was contacted, not the error's text.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A running server; it ends with the test's process.
#[derive(Debug, Clone)]
pub struct Peer {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// A server that passes each request (its head, as it came) and the connection to `answer`.
    #[must_use]
    pub fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let bodies = Arc::<Mutex<Vec<String>>>::default();
        let (seen, kept, answer) = (Arc::clone(&requests), Arc::clone(&bodies), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, kept, answer) = (Arc::clone(&seen), Arc::clone(&kept), Arc::clone(&answer));
                let Ok(stream) = stream else { continue };
                thread::spawn(move || serve(stream, &seen, &kept, &*answer));
            }
        });
        Self { port, requests, bodies }
    }

    /// A server that answers each request with this status and content.
    #[must_use]
    pub fn answering(status: &'static str, headers: &'static str, content: &'static str) -> Self {
        Self::start(move |_, stream| {
            let length = content.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{content}"
            );
        })
    }

    /// A server that takes each request and never answers.
    #[must_use]
    pub fn silent() -> Self {
        Self::start(|_, _| thread::sleep(Duration::from_secs(300)))
    }

    /// A server that answers one byte a second, for ever.
    #[must_use]
    pub fn trickling() -> Self {
        Self::start(|_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_secs(1));
            }
        })
    }

    /// `http://127.0.0.1:PORT`: also how it is granted.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The bodies so far, of requests that gave their length.
    #[must_use]
    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }

    /// The requests so far, heads as they came.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads a chunked body to its end; false when the sender stopped before.
fn read_chunks(reader: &mut impl BufRead) -> bool {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        let Ok(size) = u64::from_str_radix(line.trim(), 16) else { return false };
        // The chunk and its line end; the last one has only the line end.
        let taken = std::io::copy(&mut reader.by_ref().take(size + 2), &mut std::io::sink());
        if !matches!(taken, Ok(taken) if taken == size + 2) {
            return false;
        }
        if size == 0 {
            return true;
        }
    }
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    kept: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str, &mut TcpStream),
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(read) if read > 0 => head.push_str(&line),
            _ => return,
        }
        if line == "\r\n" {
            break;
        }
    }
    seen.lock().unwrap().push(head.clone());
    let length = head
        .lines()
        .filter_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<u64>().ok()
        })
        .next();
    // The whole body first: an answer in the middle of it would end an upload that was to be judged to its end.
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") && !read_chunks(&mut reader) {
        return;
    }
    // Read what was sent, so that closing does not reset the answer away.
    let mut body = Vec::new();
    let _ = reader.by_ref().take(length.unwrap_or(0)).read_to_end(&mut body);
    if length.is_some() {
        kept.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
    }
    let mut stream = stream;
    answer(&head, &mut stream);
}
