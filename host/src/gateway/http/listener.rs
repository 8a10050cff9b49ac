//! Accepts connections for the HTTP door: bounded in number, without Nagle's delay, and not for those who only dawdle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::doors::DoorHandles;
use crate::gateway::lane::Lane;

/// Connections at once. Each costs a descriptor, of which calls and the trails need theirs.
const CONNECTIONS: usize = 512;
/// A request's head is here within this, or the connection ends.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// Binds the address.
///
/// # Errors
///
/// It is taken, or is not this machine's.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!(
            "the gateway cannot listen on {address}: {error}\n  hint: free the port, or set another with `[gateway] listen` in gateway.toml"
        )
    })
}

/// What a connection that is being answered has, once the gateway leaves.
const LAST_ANSWER: Duration = Duration::from_millis(250);

/// Serves until it is told to end; then nothing new is taken and answers under way have a moment to leave.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    end: CancellationToken,
    answers: TaskTracker,
    doors: DoorHandles,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let lane = Lane::default();
                let router = router.clone().layer(axum::Extension(lane.clone()));
                let (doors, place, end) = (doors.clone(), doors.place(), end.clone());
                let handle = place.handle.clone();
                let served = async move {
                    let (_permit, _place) = (permit, place);
                    // Another thread looks after it from here on.
                    let stream = TcpStream::from_std(stream.into_std()?)?;
                    doors.wander(lane, connection(stream, router, end)).await
                };
                let told = async move {
                    if let Err(error) = served.await {
                        tracing::debug!(error = format!("{error:#}"), "a connection ended");
                    }
                };
                answers.spawn_on(told, &handle);
            }
            Err(error) => {
                // Out of descriptors, most likely: let some connection end before the next try.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, end: CancellationToken) {
    // Answers are small: with Nagle's algorithm they wait 40 ms for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        biased;
        served = serving.as_mut() => served,
        () = end.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_ANSWER, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended");
    }
}
