//! The fuzzers' door to MCP: what a client's bytes are answered, by the shim and on a connection to the gateway.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use soulbound_runtime::sandbox::Outcome;
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, DenialId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::shim::message::{Head, Refusal};
use super::{Served, serve_connection};
use crate::gateway::offer::Offer;
use crate::gateway::request::{Answer, CallRequest};

/// A connection whose client has hung up is over within this.
const OVER_WITHIN: Duration = Duration::from_secs(20);

/// An agent without skills: whatever is called is not offered.
struct WithoutSkills(watch::Sender<u64>);

impl Served for WithoutSkills {
    fn title(&self) -> String {
        "Echo".to_owned()
    }

    async fn offer(&self) -> Result<Arc<Offer>, Denial> {
        Ok(Arc::default())
    }

    fn seen(&self) -> Option<Arc<Offer>> {
        None
    }

    async fn call(&self, _: CallRequest) -> Answer {
        not_offered()
    }

    async fn unknown(&self, _: &str, _: Map<String, Value>, _: &'static str) -> Answer {
        not_offered()
    }

    fn file(&self, _: &Digest) -> Result<Vec<u8>> {
        anyhow::bail!("it has no files")
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

fn not_offered() -> Answer {
    let denial = Denial::new(DenialId::SkillNotListed, "it has no skills");
    Answer { record: None, outcome: Outcome::refused(denial) }
}

/// The id, as JSON, that the shim takes a line to ask under; none when it asks for no answer.
#[must_use]
pub fn is_request(line: &[u8]) -> Option<String> {
    Head::of(line)?.request_id()
}

/// What the shim answers to a line when no gateway runs.
#[must_use]
pub fn refusal(line: &[u8], why: &str) -> Vec<u8> {
    Refusal::stopped(why).line(is_request(line).as_deref())
}

/// Everything that a connection answers to these bytes, until it is over.
///
/// # Errors
///
/// It is not over long after its client has hung up.
pub fn answers(said: &[u8]) -> Result<Vec<u8>> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?;
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(theirs);
        let agent = Arc::new(WithoutSkills(watch::Sender::new(0)));
        let serving = tokio::spawn(serve_connection(agent, reader, writer, CancellationToken::new()));
        let (mut reader, mut writer) = tokio::io::split(ours);
        let mut heard = Vec::new();
        let talk = async {
            // A connection may be over before everything is said.
            let saying = async {
                let _ = writer.write_all(said).await;
                let _ = writer.shutdown().await;
            };
            let (_, read) = tokio::join!(saying, reader.read_to_end(&mut heard));
            read
        };
        tokio::time::timeout(OVER_WITHIN, talk).await.context("the connection is not over")??;
        tokio::time::timeout(OVER_WITHIN, serving).await.context("the connection is still served")??;
        Ok(heard)
    })
}
