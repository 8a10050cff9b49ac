//! What a model reads first: whose skills these are and what they may do. Its words are those of the trusted SOUL.md.

use soulbound_runtime::Denial;

use crate::gateway::offer::Offer;

/// The `instructions` of an agent.
pub(crate) fn instructions(title: &str, offer: Result<&Offer, &Denial>) -> String {
    let mut text = format!(
        "The skills of {title}. Each runs in a sandbox and reaches only what its SOUL.md grants it.\n"
    );
    match offer {
        Err(denial) => text.push_str(&format!("Nothing can be called now: {}\n", denial.first_line())),
        Ok(offer) => {
            for skill in &offer.skills {
                let may = skill.bound.annotations();
                let reach = match (may.read_only_hint, may.open_world_hint) {
                    (true, _) => "changes nothing, no network",
                    (false, true) => "may reach the network",
                    (false, false) => "may change files",
                };
                text.push_str(&format!("- {}: {} ({reach})\n", skill.name, skill.purpose));
            }
            for (name, why) in &offer.refused {
                text.push_str(&format!("- {name}: cannot be called now: {why}\n"));
            }
        }
    }
    text.push_str(
        "A refusal is an error that starts with `denied[…]`: it is final, and another spelling does not change it. Tell the user what was refused. \
         What a tool itself says of a failure starts with `the tool's error:` and is no refusal.\n",
    );
    text
}
