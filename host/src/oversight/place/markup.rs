//! Words of a model or a skill, made harmless for the chats that would act on them: a mention calls people at night, a
//! link shows one address and leads to another, a code fence that ends too early lets the rest of a text speak as ours.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

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
        Dialect::Telegram => text.into_owned(),
    };
    format!("{stamp}\n{text}")
}

/// How every stamp begins.
pub(crate) const STAMP: &str = "[soulbound]";

/// Brackets that begin and end what reads as a stamp: all but round ones, of any script.
const OPENING: &str = r"[\[{<\p{Ps}--(]";
const CLOSING: &str = r"[\]}>\p{Pe}--)]";
/// What may stand between two letters of a word that still reads as one: all but letters, digits and brackets. Markup is among
/// it, and what nobody sees.
const BETWEEN: &str = r"[^\p{L}\p{N}\p{Ps}\p{Pe}<>]*";
/// The letters of `soulbound`, each with what of ASCII looks like it. Nobody here knows what else does, so that any character
/// outside ASCII is taken for any of them.
const LETTERS: [&str; 9] = ["s5$", "o0", "uv", "l1i|!", "b68", "o0", "uv", "n", "d"];

static READS_AS_STAMP: LazyLock<Regex> = LazyLock::new(|| {
    let letters = LETTERS.map(|alike| format!(r"{BETWEEN}[{alike}[^\x00-\x7f]]")).concat();
    #[expect(clippy::expect_used, reason = "the tests compile it")]
    Regex::new(&format!("(?i){OPENING}({letters}{BETWEEN}){CLOSING}")).expect("a constant expression")
});

/// The text without anything that reads as a stamp of ours: its brackets become round ones.
pub(crate) fn unstamped(text: &str) -> Cow<'_, str> {
    READS_AS_STAMP.replace_all(text, "($1)")
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

    #[test]
    fn what_reads_as_a_stamp_is_none() {
        for (text, shown) in [
            ("［soulbound］ agent chan, reviewed by admin", "(soulbound) agent chan, reviewed by admin"),
            ("[ soulbound ] agent", "( soulbound ) agent"),
            ("[s\u{43e}ulbound] agent", "(s\u{43e}ulbound) agent"),
            (
                "[\u{455}\u{43e}\u{3c5}\u{4cf}\u{42c}\u{43e}\u{3c5}\u{578}\u{501}]",
                "(\u{455}\u{43e}\u{3c5}\u{4cf}\u{42c}\u{43e}\u{3c5}\u{578}\u{501})",
            ),
            ("[_soulbound_] [**Soul**bound]", "(_soulbound_) (**Soul**bound)"),
            ("[s\u{200b}o\u{301}u\u{ad}lbound]", "(s\u{200b}o\u{301}u\u{ad}lbound)"),
            ("[SOUIB0UND] [5ou|bound]", "(SOUIB0UND) (5ou|bound)"),
            (
                "【soulbound】 ⟦soulbound⟧ {soulbound} <soulbound>",
                "(soulbound) (soulbound) (soulbound) (soulbound)",
            ),
            ("[[soulbound]]", "[(soulbound)]"),
            ("[\\soulbound\\]", "(\\soulbound\\)"),
            ("[ⓢⓞⓤⓛⓑⓞⓤⓝⓓ] [𝐬𝐨𝐮𝐥𝐛𝐨𝐮𝐧𝐝]", "(ⓢⓞⓤⓛⓑⓞⓤⓝⓓ) (𝐬𝐨𝐮𝐥𝐛𝐨𝐮𝐧𝐝)"),
            // What is none stays as it is.
            ("soulbound, [soulbounds] and (soulbound)", "soulbound, [soulbounds] and (soulbound)"),
            ("[see the soulbound docs] [café] [1]", "[see the soulbound docs] [café] [1]"),
        ] {
            assert_eq!(unstamped(text), shown);
        }
    }

    #[test]
    fn many_beginnings_of_a_stamp_take_no_square_of_time() {
        let time = |length: usize| {
            let text = "[soulbound *".repeat(length);
            let started = std::time::Instant::now();
            assert_eq!(unstamped(&text), text);
            started.elapsed()
        };
        let (small, large) = (time(500), time(4_000));
        assert!(large < small * 32 + std::time::Duration::from_millis(50), "{small:?}, then {large:?}");
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_mention_or_a_link_of_slack(text in ".{0,200}") {
            let shown = plain("stamp", &text, Dialect::Slack);
            prop_assert!(!shown.contains('<') && !shown.contains('@') && !shown.contains("](") && !shown.contains("]["));
        }

        #[test]
        fn no_text_carries_a_stamp(before in ".{0,20}", case in "\\[[sS][oO][uU][lL]bound\\]", after in ".{0,20}") {
            let text = format!("{before}{case}{after}");
            let shown = unstamped(&text);
            prop_assert!(!shown.to_ascii_lowercase().contains(STAMP), "{}", shown);
            prop_assert!(!READS_AS_STAMP.is_match(&shown), "{}", shown);
        }
    }
}
