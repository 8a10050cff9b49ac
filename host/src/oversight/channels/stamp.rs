//! What the host writes above every message: whose it is, whether a person reviewed it, and where that stands.

use std::fmt;

use serde_json::{Value, json};
use soulbound_runtime::visible;

use crate::oversight::place::markup;

/// Characters of a reviewer's name.
const WHO: usize = 80;

/// A message that a person let go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reviewed {
    /// Who, as the trail names them.
    pub(crate) who: String,
}

/// The stamp of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The agent's id.
    pub(crate) agent: String,
    /// The call's record in the agent's trail: `echo#37`.
    pub(crate) record: String,
    /// Who reviewed it.
    pub(crate) reviewed: Option<Reviewed>,
}

impl Stamp {
    /// For programs.
    pub(crate) fn review(&self) -> Value {
        match &self.reviewed {
            None => json!({"state": "unreviewed"}),
            Some(reviewed) => json!({"state": "reviewed", "who": reviewed.shown()}),
        }
    }
}

impl Reviewed {
    /// The name on one line, without what a chat would act on.
    fn shown(&self) -> String {
        let who: String = visible::line(&self.who).chars().take(WHO).collect();
        who.replace(['<', '>', '[', ']', '@', '&'], "?")
    }
}

/// `[soulbound] agent echo, unreviewed, echo#37`
impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} agent {}, ", markup::STAMP, self.agent)?;
        match &self.reviewed {
            None => formatter.write_str("unreviewed")?,
            Some(reviewed) => write!(formatter, "reviewed by {}", reviewed.shown())?,
        }
        write!(formatter, ", {}", self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_whose_who_and_where() {
        let mut stamp = Stamp { agent: "echo".to_owned(), record: "echo#37".to_owned(), reviewed: None };
        assert_eq!(stamp.to_string(), "[soulbound] agent echo, unreviewed, echo#37");
        stamp.reviewed = Some(Reviewed { who: "anna on pts/3\n<!channel>".to_owned() });
        assert_eq!(
            stamp.to_string(),
            "[soulbound] agent echo, reviewed by anna on pts/3\\n?!channel?, echo#37"
        );
    }
}
