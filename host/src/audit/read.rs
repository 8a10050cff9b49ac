//! Records for whoever asks: filtered, in order, and on as they are written. Read only, without a lock.

use std::path::{Path, PathBuf};

use super::error::AuditError;
use super::event::Decision;
use super::files::{self, Lines};
pub(crate) use super::line::Line;
use super::log;
use super::watch::Watch;
use crate::clock::Moment;

/// Which records are asked for. What is not said admits all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of this skill.
    pub(crate) skill: Option<String>,
    /// Decided so.
    pub(crate) decision: Option<Decision>,
    /// About this.
    pub(crate) event: Option<String>,
    /// Written then or later.
    pub(crate) since: Option<Moment>,
    /// Written before.
    pub(crate) until: Option<Moment>,
}

impl Filter {
    /// Whether a record is asked for.
    pub(crate) fn admits(&self, record: &Line<'_>) -> bool {
        let same = |wanted: &Option<String>, name| wanted.is_none() || wanted.as_deref() == record.text(name);
        let in_time = || match (self.since, self.until) {
            (None, None) => true,
            (since, until) => record.time().is_some_and(|time| {
                since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until)
            }),
        };
        same(&self.skill, "skill")
            && same(&self.event, "event")
            && (self.decision.is_none() || self.decision == record.decision())
            && in_time()
    }
}

/// Hears of records. `false` ends the reading.
pub(crate) type Hears<'a> = dyn FnMut(&Line<'_>) -> bool + 'a;

/// Reads what there is. Lines that are no records are left to `verify`.
pub(crate) fn all(folder: &Path, filter: &Filter, hears: &mut Hears<'_>) -> Result<(), AuditError> {
    for file in files::list(folder)? {
        let mut lines = file.lines(folder)?;
        if !drain(&mut lines, filter, hears)? {
            break;
        }
    }
    Ok(())
}

/// A trail that is read on and on.
pub(crate) struct Following {
    folder: PathBuf,
    filter: Filter,
    watch: Watch,
    current: Option<Lines>,
}

impl Following {
    /// Reads what there is, and is then ready to read on. Nothing is missed in between.
    pub(crate) fn begin(folder: &Path, filter: Filter, hears: &mut Hears<'_>) -> Result<Self, AuditError> {
        // Watched first: what is written from here on is read below, or wakes the first wait.
        let watch = Watch::on(folder)?;
        let mut current = None;
        for file in files::list(folder)? {
            let written = file.first.is_none();
            let mut lines = file.lines(folder)?;
            drain(&mut lines, &filter, hears)?;
            current = written.then_some(lines);
        }
        Ok(Self { folder: folder.to_owned(), filter, watch, current })
    }

    /// Reads on until `hears` has enough.
    pub(crate) fn go_on(mut self, hears: &mut Hears<'_>) -> Result<(), AuditError> {
        loop {
            let more = match &mut self.current {
                Some(lines) => {
                    // Asked before the last look: a file that was current then is read to its end now.
                    let current = lines.is_current();
                    if !drain(lines, &self.filter, hears)? {
                        return Ok(());
                    }
                    !current
                }
                None => true,
            };
            if more && self.next_file()? {
                continue;
            }
            self.watch.wait().map_err(AuditError::file("watched", &self.folder))?;
        }
    }

    /// Goes on to the file after a rotation, if it is there already.
    fn next_file(&mut self) -> Result<bool, AuditError> {
        let next = files::list(&self.folder)?.pop().filter(|file| file.name == log::NAME);
        self.current = next.map(|file| file.lines(&self.folder)).transpose()?;
        Ok(self.current.is_some())
    }
}

fn drain(lines: &mut Lines, filter: &Filter, hears: &mut Hears<'_>) -> Result<bool, AuditError> {
    while let Some(line) = lines.next_whole()? {
        if let Some(record) = Line::parse(line).filter(|record| filter.admits(record))
            && !hears(&record)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::audit::trail::Options;
    use crate::audit::trail::tests::{Place, call, calls};

    #[test]
    fn whoever_follows_gets_every_record_once_and_in_order_through_rotations() {
        let place = Place::with(Options { rotate: 3_000, ..Options::default() });
        let (book, _) = place.open();
        calls(&book, 5);
        let (sender, heard) = mpsc::channel();
        let folder = place.echo();
        std::thread::spawn(move || {
            let mut hears = |record: &Line<'_>| sender.send(record.seq).is_ok();
            let following = Following::begin(&folder, Filter::default(), &mut hears).unwrap();
            following.go_on(&mut hears)
        });
        let mut next = 1;
        for _ in 0..30 {
            call(&book);
            while next <= book.tip().seq {
                assert_eq!(heard.recv_timeout(Duration::from_secs(10)).unwrap(), next);
                next += 1;
            }
        }
    }
}
