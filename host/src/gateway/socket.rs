//! `gateway.sock`: where the command line and the stdio shim come in. One line says what is asked, one line answers; a
//! connection that asks for MCP speaks it from then on, as one agent.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::mcp;
use crate::operator::waiting::{Told, WaitSink};
use crate::operator::{Reply, Request};
use crate::state::StateFolder;

/// The longest request, in bytes: a call's arguments.
const REQUEST_BYTES: u64 = 4 << 20;
/// Connections at once.
const CONNECTIONS: usize = 256;
/// A request is here within this, or the connection ends.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Makes the socket, for this user alone. One that a killed gateway left is replaced: the lock says that it is dead.
pub(crate) fn bind(state: &StateFolder) -> Result<UnixListener> {
    let path = state.socket();
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("`{}` cannot be replaced", path.display()));
    }
    // The folder is 0700, so nobody gets in between these two.
    let listener = UnixListener::bind(&path).map_err(|error| {
        anyhow::anyhow!("`{}` cannot be made: {error}\n  hint: a socket's path has at most 107 bytes; set SOULBOUND_HOME to a shorter one", path.display())
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("`{}` cannot be kept to this user", path.display()))?;
    Ok(listener)
}

/// Serves until it is told to end.
pub(crate) async fn serve(listener: UnixListener, gateway: Arc<Gateway>, end: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely. The caller stays in the queue, so without a pause this is asked again at
                // once, for ever, on the thread that hears the stop.
                tracing::warn!(%error, "a connection to the socket could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let gateway = Arc::clone(&gateway);
        let answers = gateway.answers().clone();
        tokio::spawn(async move {
            let _permit = permit;
            let _answering = answers.token();
            if let Err(error) = connection(stream, &gateway).await {
                tracing::debug!(error = format!("{error:#}"), "a connection to the socket ended");
            }
        });
    }
}

async fn connection(stream: UnixStream, gateway: &Arc<Gateway>) -> Result<()> {
    let peer = stream.peer_cred().context("the kernel does not say who it is")?;
    if peer.uid() != rustix::process::geteuid().as_raw() {
        bail!("user {} is not the gateway's", peer.uid());
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    // It may hold a secret.
    let mut line = zeroize::Zeroizing::new(Vec::new());
    let mut limited = (&mut reader).take(REQUEST_BYTES);
    tokio::time::timeout(REQUEST_WITHIN, limited.read_until(b'\n', &mut line))
        .await
        .context("nothing was asked")??;
    let request: Request = match serde_json::from_slice(&line) {
        // Who acts is the kernel's word, whatever the request says.
        Ok(request) => Request::by(request, peer.uid(), peer.pid()),
        Err(error) => {
            let error = anyhow::anyhow!(
                "the request is not understood ({error}): is the gateway of another version?\n  hint: soulbound gateway restart"
            );
            return reply(&mut writer, &Reply::failed(&error)).await;
        }
    };
    match request {
        Request::Mcp { agent } => match gateway.running_agent(&agent).await {
            Ok(agent) => {
                reply(&mut writer, &Reply::done(json!({"agent": agent.id()}))).await?;
                // Among the doors, for good: what a model asks for must not pass through the thread of the commands. What
                // came with the request already is read first.
                let early = std::io::Cursor::new(reader.buffer().to_vec());
                let stream = reader.into_inner().reunite(writer)?.into_std()?;
                let running = agent.running();
                let place = gateway.doors().place();
                let door = place.handle.clone();
                let served = async move {
                    let _place = place;
                    let (reader, writer) = UnixStream::from_std(stream)?.into_split();
                    mcp::serve_connection(Arc::new(agent), early.chain(reader), writer, running).await;
                    Ok::<_, std::io::Error>(())
                };
                door.spawn(served).await??;
                Ok(())
            }
            Err(denial) => reply(&mut writer, &Reply::failed(&super::requests::refusal(denial))).await,
        },
        Request::Stop { who } => {
            let ended = gateway.kill(&who).await;
            let answered = reply(&mut writer, &Reply::done(json!({"calls": ended}))).await;
            gateway.leave();
            answered
        }
        Request::Quit { who } => {
            let ended = gateway.quit(&who).await;
            let answered = reply(&mut writer, &Reply::done(json!({"calls": ended}))).await;
            gateway.leave();
            answered
        }
        // Acts run to their recorded end also when whoever asked hangs up.
        request @ (Request::Act { .. } | Request::Token { .. } | Request::Secret { .. }) => {
            let gateway = Arc::clone(gateway);
            let answer = tokio::spawn(async move { gateway.perform(request, None).await }).await?;
            let answer = answer.unwrap_or_else(|error| Reply::failed(&error));
            reply(&mut writer, &answer).await
        }
        other => {
            let (told, mut heard) = mpsc::unbounded_channel();
            let waits: WaitSink = Arc::new(move |waits| drop(told.send(Told { waits })));
            let waits = matches!(other, Request::Call { told: true, .. }).then_some(waits);
            // Whoever hangs up no longer wants what was asked: a call ends with its caller.
            let mut rest = [0_u8; 1];
            let mut performing = std::pin::pin!(gateway.perform(other, waits));
            let answer = loop {
                tokio::select! {
                    biased;
                    answer = &mut performing => break answer,
                    Some(told) = heard.recv() => put(&mut writer, &told).await?,
                    _ = reader.read(&mut rest) => bail!("the caller hung up"),
                }
            };
            let answer = answer.unwrap_or_else(|error| Reply::failed(&error));
            reply(&mut writer, &answer).await
        }
    }
}

async fn reply(writer: &mut OwnedWriteHalf, reply: &Reply) -> Result<()> {
    put(writer, reply).await
}

async fn put(writer: &mut OwnedWriteHalf, said: &impl serde::Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    writer.write_all(&line).await.context("the caller hung up")
}
