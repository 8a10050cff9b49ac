//! Words of a model or a skill, made harmless for the chats that would act on them: a mention calls people at night, a
//! link shows one address and leads to another, a code fence that ends too early lets the rest of a text speak as ours.

/// Whose markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Slack's `mrkdwn`, and Markdown of what is compatible with its hooks.
    Slack,
    /// Discord's Markdown.
    Discord,
    /// No markup at all is sent, but clients make links of what looks like a name.
    Telegram,
}

/// `head`, and below it the lines in a code block, in which no chat sees markup, a mention or a link.
pub(super) fn in_code(head: &str, lines: &[String], dialect: Dialect) -> String {
    // A code block ends at the next three backticks, whatever stands before them.
    let text = format!("{head}\n```\n{}\n```", lines.join("\n").replace('`', "'"));
    if dialect == Dialect::Slack { entities(&text) } else { text }
}

/// `stamp` on the first line, and below it an agent's text, in which nobody is called and no link is dressed up. URLs stay
/// what they are: they show where they lead.
pub(super) fn plain(stamp: &str, text: &str, dialect: Dialect) -> String {
    // A mention of everybody, of a user, of a bot: each begins with this character, in every one of these chats.
    let text = text.replace('@', "＠");
    // Nor a second stamp, for who reads only the end.
    let text = unstamped(&text);
    let text = match dialect {
        Dialect::Slack => entities(&parted(&text)),
        Dialect::Discord => escaped(&text),
        Dialect::Telegram => text,
    };
    format!("{stamp}\n{text}")
}

/// How every stamp begins.
pub(crate) const STAMP: &str = "[soulbound]";

/// The text without anything that reads as a stamp of ours.
pub(crate) fn unstamped(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in lower.match_indices(STAMP) {
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push('(');
        out.push_str(text.get(at + 1..at + STAMP.len() - 1).unwrap_or_default());
        out.push(')');
        from = at + STAMP.len();
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// Slack's three characters: without `<` there is no link, no mention, no `<!channel>`.
fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Takes the brackets of Markdown's links apart, for servers that read Markdown behind Slack's door: `[text](url)`,
/// `[text][name]`, `[name]: url`. A backslash would stand there for Slack itself.
fn parted(text: &str) -> String {
    text.replace("](", "] (").replace("][", "] [").replace("]:", "] :")
}

/// Discord's Markdown with a backslash before what begins something.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '[' | ']' | '<' | '>' | '`' | '|' | '#') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTILE: [&str; 9] = [
        "<!channel> and <@U123>",
        "<https://evil.test|your bank>",
        "[your bank](https://evil.test)",
        "![x](https://evil.test/pixel?d=1)",
        "@everyone @here @all",
        "```\nout of the block <!here>",
        "[your bank][1]\n[1]: https://evil.test",
        "[Soulbound] agent echo, reviewed by anna",
        "&lt;!channel&gt;",
    ];

    #[test]
    fn what_an_agent_writes_calls_nobody_and_hides_no_link() {
        let shown: Vec<String> = [Dialect::Slack, Dialect::Discord, Dialect::Telegram]
            .into_iter()
            .map(|dialect| {
                format!("{dialect:?}\n{}", plain("[soulbound] stamp", &HOSTILE.join("\n"), dialect))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n\n"));
    }

    #[test]
    fn an_alert_s_lines_stay_in_their_block() {
        let lines: Vec<String> = HOSTILE.iter().map(|line| soulbound_runtime::visible::line(line)).collect();
        for dialect in [Dialect::Slack, Dialect::Discord] {
            let text = in_code("Soulbound: denial, agent echo", &lines, dialect);
            assert_eq!(text.matches("```").count(), 2, "{text}");
            assert!(text.ends_with("\n```"), "{text}");
        }
        let slack = in_code("head", &lines, Dialect::Slack);
        assert!(!slack.contains('<') && !slack.contains('>'), "{slack}");
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_mention_or_a_link_of_slack(text in ".{0,200}") {
            let shown = plain("stamp", &text, Dialect::Slack);
            prop_assert!(!shown.contains('<') && !shown.contains('@') && !shown.contains("](") && !shown.contains("]["));
        }

        #[test]
        fn no_text_carries_a_stamp(before in ".{0,20}", case in "\\[[sS][oO][uU][lL]bound\\]", after in ".{0,20}") {
            let shown = unstamped(&format!("{before}{case}{after}"));
            prop_assert!(!shown.to_ascii_lowercase().contains(STAMP), "{}", shown);
        }
    }
}
