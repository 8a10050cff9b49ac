//! `soulbound approvals watch`: what waits, as it comes; on a terminal with a key to decide.
//!
//! The rule: a key decides about the question that stands on the screen and no other. When another takes its place, what was
//! typed before is forgotten and keys are deaf for a moment.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use super::screen::Screen;
use crate::exit::Exit;
use crate::operator::approvals::{Ask, ask_running, text};
use crate::oversight::approvals::{Decision, Listing};
use crate::state::StateFolder;
use crate::style::Style;

/// How long the gateway is asked to wait for news, without a terminal.
const NEWS: Duration = Duration::from_secs(2);
/// How long a key is waited for before the screen is looked at again.
const KEY: Duration = Duration::from_millis(250);
/// How long keys are deaf after another question came onto the screen.
const DEAF: Duration = Duration::from_millis(700);
/// What `f` approves for, in seconds.
const A_WHILE: u64 = 30 * 60;

/// Watch what waits, live; on a terminal decide by key
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound approvals watch")]
pub(super) struct Watch {}

impl Watch {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        match Screen::open()? {
            Some(screen) => on_screen(&state, screen),
            None => in_lines(&state),
        }
    }
}

/// A line for everything that begins or ceases to wait.
fn in_lines(state: &StateFolder) -> Result<Exit> {
    let mut known: Vec<(String, String)> = Vec::new();
    let mut version = u64::MAX;
    let mut listing = look(state, version, Duration::ZERO)?;
    crate::cli::note(&format!(
        "no terminal, so a line for whatever begins or ceases to wait, and no keys; {} now, Ctrl-C ends this\n  hint: soulbound \
         approvals approve ID, soulbound approvals deny ID",
        match listing.waiting.len() {
            0 => "nothing waits".to_owned(),
            count => format!("{count} wait"),
        }
    ));
    loop {
        version = listing.version;
        let now: Vec<(String, String)> = listing
            .waiting
            .iter()
            .map(|request| (text(request, "name").to_owned(), text(request, "what").to_owned()))
            .collect();
        let waits = now.iter().filter(|one| !known.contains(one));
        let closed = known.iter().filter(|one| !now.contains(one));
        let lines = waits.map(|(name, what)| format!("waits {name}: {what}"));
        let lines: Vec<String> = lines.chain(closed.map(|(name, _)| format!("closed {name}"))).collect();
        if !lines.iter().all(|line| crate::cli::put(line)) || is_read_no_more() {
            return Ok(Exit::Done);
        }
        known = now;
        listing = look(state, version, NEWS)?;
    }
}

/// Whether whoever read what this writes went away (`| head`): nothing may have to be written for hours.
fn is_read_no_more() -> bool {
    let stdout = std::io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut polled, Some(&at_once)), Ok(1..))
        && polled.iter().any(|one| one.revents().contains(PollFlags::ERR))
}

/// What stands on the screen.
#[derive(Default)]
struct View {
    /// The question's id: names repeat in no gateway, and ids nowhere.
    id: String,
    card: String,
    /// Since when.
    since: Option<Instant>,
    said: String,
}

fn on_screen(state: &StateFolder, mut screen: Screen) -> Result<Exit> {
    let style = Style::stdout();
    let mut view = View::default();
    let mut at = 0_usize;
    loop {
        let listing = look(state, u64::MAX, Duration::ZERO)?;
        let place = listing.waiting.iter().position(|request| text(request, "id") == view.id);
        at = place.unwrap_or_else(|| at.min(listing.waiting.len().saturating_sub(1)));
        show(state, &mut view, listing.waiting.get(at), &mut screen)?;
        let mut lines = vec![match listing.waiting.len() {
            0 => style.dim("nothing waits"),
            count => style.bold(&format!("{} of {count} that wait", at + 1)),
        }];
        lines.extend(view.card.lines().map(str::to_owned));
        lines.push(String::new());
        lines.push(style.dim("a approve once · f approve for 30 m · d deny · n next · p previous · q quit"));
        lines.push(view.said.clone());
        screen.draw(&lines)?;
        let Some(key) = screen.key(KEY)? else { continue };
        let is_deaf = view.since.is_none_or(|since| since.elapsed() < DEAF);
        let decision = match key {
            b'q' | 3 | 4 => return Ok(Exit::Done),
            b'n' | b'p' if !listing.waiting.is_empty() => {
                let count = listing.waiting.len();
                at = if key == b'n' { (at + 1) % count } else { (at + count - 1) % count };
                show(state, &mut view, listing.waiting.get(at), &mut screen)?;
                continue;
            }
            _ if view.id.is_empty() || is_deaf => continue,
            b'a' => Decision::Once {},
            b'f' => Decision::For { seconds: A_WHILE },
            b'd' => Decision::Deny { reason: None },
            _ => continue,
        };
        let reply = ask_running(state, Ask::Decide { id: view.id.clone(), decision })?;
        view.said = match reply.into_result() {
            Ok(value) => text(&value, "said").to_owned(),
            Err(error) => style.red(format!("{error:#}").lines().next().unwrap_or_default()),
        };
    }
}

/// Puts a question onto the screen. Another than before makes keys deaf for a moment.
fn show(state: &StateFolder, view: &mut View, request: Option<&Value>, screen: &mut Screen) -> Result<()> {
    let id = request.map(|request| text(request, "id").to_owned()).unwrap_or_default();
    if id != view.id {
        screen.forget_typed()?;
        view.since = Some(Instant::now());
        view.id.clone_from(&id);
    }
    if id.is_empty() {
        view.card.clear();
        return Ok(());
    }
    match ask_running(state, Ask::Show { id, full: false })?.into_result() {
        Ok(value) => view.card = text(&value, "card").to_owned(),
        // Decided in this very moment.
        Err(_) => {
            view.card.clear();
            view.id.clear();
        }
    }
    Ok(())
}

fn look(state: &StateFolder, version: u64, within: Duration) -> Result<Listing> {
    let milliseconds = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let value = ask_running(state, Ask::Watch { version, milliseconds })?.into_result()?;
    serde_json::from_value(value).context("the gateway's answer is not understood: is it of another version?")
}
