//! What is wrong with a trail, and where: one sentence each.

use std::fmt;

use super::super::tip::Tip;

/// Where in a trail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The file's name.
    pub(crate) file: String,
    /// The line in it, from 1; 0 where the file as a whole is meant.
    pub(crate) line: u64,
    /// The record's number, as far as it can be told.
    pub(crate) seq: Option<u64>,
}

/// Who remembers how far a trail was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// `audit.tip`
    Slot,
    /// `audit.tip.sig`
    Signature,
    /// The gateway's own trail.
    Gateway,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The line is no record.
    NotARecord,
    /// The line is longer than a record can be, so it is none.
    TooLong,
    /// The file ends in the middle of a line.
    Unfinished,
    /// The record does not have its hash any more.
    Changed,
    /// The record was not written with the key.
    Forged,
    /// It is a record of another trail.
    Foreign {
        /// Whose.
        agent: String,
    },
    /// Its number is not the next.
    Order {
        /// The number that should stand here.
        expected: u64,
    },
    /// It does not name the record before it.
    Unlinked,
    /// A file is missing before this one, or its beginning is.
    Missing {
        /// The first missing record.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The file's name says another first record.
    Misnamed,
    /// An outcome of a call that is not open: its second, or one without an intent.
    NotOpen {
        /// The call.
        call: u64,
    },
    /// The trail itself says that it was changed once.
    Discontinuity {
        /// Whether the machine was started again in between.
        rebooted: bool,
    },
    /// The end is missing.
    CutOff {
        /// Who remembers more.
        witness: Witness,
        /// What they remember.
        tip: Tip,
    },
    /// The gateway's own trail saw this agent's trail go back: somebody put an older one in its place.
    WentBack {
        /// Whose.
        agent: String,
        /// How far it was.
        from: u64,
        /// How far it was later.
        to: u64,
    },
    /// The record is not the one that was remembered.
    Replaced {
        /// By whom.
        witness: Witness,
    },
    /// `audit.tip` is gone, or nothing in it was written with the key.
    NoTip,
    /// `audit.tip.sig` was not signed by this gateway.
    BadSignature,
    /// The whole trail is gone.
    Gone {
        /// Whether the gateway's own trail tells of it; else an agent's folder does.
        remembered: bool,
    },
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) fault: Fault,
}

impl Fault {
    /// The stable name of its kind.
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Self::NotARecord | Self::TooLong => "not-a-record",
            Self::Unfinished => "unfinished",
            Self::Changed => "changed",
            Self::Forged => "forged",
            Self::Foreign { .. } => "foreign",
            Self::Order { .. } => "order",
            Self::Unlinked => "unlinked",
            Self::Missing { .. } => "missing",
            Self::Misnamed => "misnamed",
            Self::NotOpen { .. } => "not-open",
            Self::Discontinuity { .. } => "discontinuity",
            Self::CutOff { .. } => "cut-off",
            Self::WentBack { .. } => "went-back",
            Self::Replaced { .. } => "replaced",
            Self::NoTip => "no-tip",
            Self::BadSignature => "bad-signature",
            Self::Gone { .. } => "gone",
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Slot => "`audit.tip`",
            Self::Signature => "the signed tip",
            Self::Gateway => "the gateway's own trail",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => formatter.write_str("the line is no record"),
            Self::TooLong => {
                write!(
                    formatter,
                    "the line is no record: it is longer than {} MiB",
                    super::super::line::LONGEST >> 20
                )
            }
            Self::Unfinished => {
                formatter.write_str("the file ends in the middle of a line; the next start repairs that")
            }
            Self::Changed => formatter.write_str("the record was changed: it does not have its hash"),
            Self::Forged => formatter.write_str("the record was written without this gateway's key"),
            Self::Foreign { agent } => {
                write!(
                    formatter,
                    "the record is of the trail {}",
                    soulbound_runtime::visible::quoted_target(agent)
                )
            }
            Self::Order { expected } => {
                write!(
                    formatter,
                    "record {expected} should stand here: records were deleted, inserted or swapped"
                )
            }
            Self::Unlinked => formatter.write_str("the record does not follow from the one before it"),
            Self::Missing { from, to } => write!(formatter, "records {from} to {to} are missing"),
            Self::Misnamed => formatter.write_str("the file's name names another first record"),
            Self::NotOpen { call } => write!(
                formatter,
                "the outcome of call {call}, which is not open: its second outcome, or its intent is gone"
            ),
            Self::Discontinuity { rebooted } => {
                formatter.write_str("the gateway found here that the trail was not what its tip said")?;
                if *rebooted {
                    formatter.write_str(
                        "; the machine was started again in between, so a power failure may explain it",
                    )?;
                }
                Ok(())
            }
            Self::CutOff { witness, tip } => {
                write!(formatter, "the end is missing: {witness} remembers record {}", tip.seq)
            }
            Self::WentBack { agent, from, to } => {
                write!(
                    formatter,
                    "the trail of `{agent}` was at record {from} and later at {to}: an older one was put in its place"
                )
            }
            Self::Replaced { witness } => write!(formatter, "{witness} remembers another record here"),
            Self::NoTip => formatter.write_str("`audit.tip` is gone, or was not written by this gateway"),
            Self::BadSignature => {
                formatter.write_str("`audit.tip.sig` was not signed by this gateway for this trail")
            }
            Self::Gone { remembered: true } => {
                formatter.write_str("the gateway's own trail knows this agent, and its trail is gone")
            }
            Self::Gone { remembered: false } => formatter
                .write_str("there are agents' folders, so there were records, and all of them are gone"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.place.file)?;
        if self.place.line > 0 {
            write!(formatter, ":{}", self.place.line)?;
        }
        if let Some(seq) = self.place.seq {
            write!(formatter, " (record {seq})")?;
        }
        write!(formatter, ": {}", self.fault)
    }
}
