//! Accepts connections for the HTTP door: as many as there is room for (`room.rs`), without Nagle's delay, and not for those
//! who only dawdle.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::doors::DoorHandles;
use crate::gateway::http::room::Room;
use crate::gateway::lane::Lane;

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
    let room = Room::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let stay = tokio::select! {
                    biased;
                    () = end.cancelled() => return,
                    stay = room.enter(&end) => stay,
                };
                let lane = Lane::default();
                let router = router.clone().layer(axum::Extension(stay.visitor(lane.clone())));
                let (doors, place, end) = (doors.clone(), doors.place(), end.clone());
                let handle = place.handle.clone();
                let served = async move {
                    let (stay, _place) = (stay, place);
                    // Another thread looks after it from here on.
                    let stream = TcpStream::from_std(stream.into_std()?)?;
                    let out = stay.out.clone();
                    doors.wander(lane, connection(stream, router, end, out)).await
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

/// Serves a connection. `out` ends it at once, and is cancelled with `end`, which leaves it a moment for its last answer.
async fn connection(stream: TcpStream, router: Router, end: CancellationToken, out: CancellationToken) {
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
        () = out.cancelled() => {
            if end.is_cancelled() {
                serving.as_mut().graceful_shutdown();
                tokio::time::timeout(LAST_ANSWER, serving).await.unwrap_or(Ok(()))
            } else {
                Ok(())
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended");
    }
}
