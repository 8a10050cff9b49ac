//! Texts that were made to slow the reader down, to overflow it, or to grant from where nothing may be
//! granted.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::Soul;
use super::{errors, skills, soul};

#[test]
fn no_text_makes_the_reader_slow_or_overflows_its_stack() {
    let size = 250_000;
    let fill = |unit: &str| unit.repeat(size / unit.len());
    let staircase: String = (0..480).map(|depth| format!("{}- a: x\n", "  ".repeat(depth))).collect();
    let shallow: String = (0..100).map(|depth| format!("{}- a: x\n", "  ".repeat(depth))).collect();
    let half_markers = format!("{}x\n", "> ".repeat(15));
    let mut texts: Vec<String> = [
        "[",
        "]",
        "![",
        "[a](",
        "[a](<b",
        "[a]:",
        "*",
        "_",
        "**a ",
        "*a_ ",
        "`",
        "``a`",
        "<",
        "<!--",
        "<a ",
        "<a href=\"",
        "<?",
        "<![CDATA[",
        "&",
        "&amp;",
        "\\",
        "\\*",
        ">",
        "> ",
        "- ",
        "1. ",
        "# ",
        "#",
        "|",
        "|a|\n",
        "~",
        "~~~\n",
        "```\n",
        "---\n",
        "===\n",
        "a\n===\n",
        "\t",
        " ",
        "\n",
        "\r\n",
        "a",
        "a\n",
        "- a\n",
        "- a: x\n",
        "- a: x\n  - read: ./x\n",
        "(",
        ")",
        "),(",
        ",",
        "- a: x\n\n",
        ":",
        "[^a]: ",
        "[^a]",
        "http://",
        "- [ ] a\n",
        "$",
        "<b>",
        "</b>",
        "<b>x</b>",
        "\\\n",
        "  \n",
        "{#a}",
        "[a][",
        "[a]: b\n",
        "<!-- a -->\n",
        "<p>\n\n",
        "É",
        "🛠",
        "## Skills\n",
    ]
    .into_iter()
    .map(fill)
    .collect();
    texts.push(staircase.clone());
    texts.push(format!("{shallow}{}", "\n".repeat(200_000)));
    texts.push(format!("{half_markers}{}", "\n".repeat(200_000)));
    texts.push(half_markers.repeat(size / half_markers.len()));
    texts.push(format!("- a: x\n  - read: {}", "./a,".repeat(60_000)));
    texts.push(format!("- a: x\n  - env: {}", (0..30_000).map(|n| format!("A{n}=1,")).collect::<String>()));
    texts.push((0..20_000).map(|n| format!("- a{n}: x\n")).collect());
    texts.push(
        (0..250)
            .map(|n| format!("- a{n}: x\n  - read: ./d{n}\n  - hosts: https://h{n}.example.com\n"))
            .collect(),
    );
    for text in texts {
        for text in [
            format!("## Identity\n- Name: E\n## Rules\n{text}"),
            format!("## Identity\n- Name: E\n## Skills\n{text}"),
        ] {
            let started = Instant::now();
            let _ = Soul::parse("SOUL.md", text.as_bytes()).map(|soul| super::super::SoulView::from(&soul));
            let head: String = text.chars().skip(30).take(30).collect();
            // Unoptimised and beside other tests: what is quadratic takes minutes.
            assert!(started.elapsed() < Duration::from_secs(5), "{:?} for {head:?}", started.elapsed());
        }
    }
    assert!(errors(skills(&staircase))[0].1.contains("nested"));
}

#[test]
fn more_skills_or_entries_than_256_are_refused() {
    let lines: String = (0..256).map(|n| format!("- a{n}: x\n")).collect();
    assert_eq!(skills(&lines).unwrap().skills().len(), 256);
    assert!(errors(skills(&(lines + "- b: x\n")))[0].1.contains("more than 256 skills"));
    let entries = |count: usize| {
        format!("- a: x\n  - env: {}\n", (0..count).map(|n| format!("A{n}=1")).collect::<Vec<_>>().join(", "))
    };
    assert_eq!(skills(&entries(256)).unwrap().skills()[0].grant.environment.len(), 256);
    assert!(errors(skills(&entries(257)))[0].1.contains("more than 256 entries"));
}

#[test]
fn nothing_hidden_grants() {
    for lines in [
        "```\n- terminal: x\n```\n",
        "~~~~\n```\n- terminal: x\n~~~~\n",
        "    - terminal: x\n",
        "> - terminal: x\n>   - write: ./x\n",
        "> - terminal: x\n  - write: ./x\n",
        "<!--\n- terminal: x\n-->\n",
        "<!-- a\n\n- terminal: x\n\n-->\n",
        "- clock: y\n<!--\n- terminal: x\n  - write: ./x\n-->\n",
        "- clock: y\n\n  <!--\n  - terminal: x\n  -->\n",
        "[x]: ./y '\n- terminal: x\n'\n",
        "| - terminal: x |\n|---|\n",
        "<div>\n- terminal: x\n</div>\n",
        "<div hidden>\n\n- terminal: x\n\n</div>\n",
        "<details><summary>\n\n- terminal: x\n",
        "<textarea>\n\n- terminal: x\n\n</textarea>\n",
        "<p title=\"\n\n- terminal: x\n\n\">\n",
        "[^1]: note\n\n    - terminal: x\n",
        "- clock: y\n  - env: `A=1\n- terminal: x`\n",
        "1. terminal: x\n",
        "- clock: y\u{85}- terminal: x\n",
        "- clock: y\r- terminal: x\n",
        "- clock: y\u{2028}- terminal: x\n",
        "# Other\n- terminal: x\n",
        "## Notes\n- terminal: x\n",
        "Notes\n===\n- terminal: x\n",
    ] {
        if let Ok(soul) = skills(lines) {
            assert!(soul.skill("terminal").is_none(), "{lines}");
            assert!(soul.skills().iter().all(|skill| skill.grant.directories.is_empty()), "{lines}");
        }
    }
    // What hides in another section is refused before the section that follows it could be believed.
    for notes in [
        "<div hidden>\n",
        "text <div hidden> text\n",
        "<!--\n",
        "```\n",
        "<p title=\"\n",
        "# A <i>\n",
        "<details>\n\nx\n\n</details>\n",
    ] {
        let text = format!("## Identity\n- Name: Echo\n## Notes\n{notes}\n## Skills\n- terminal: x\n");
        assert_eq!(errors(soul(&text))[0].0, 4, "{notes}");
    }
}

/// A piece of a SOUL.md: markers, names, and what could be mistaken for them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "- ",
            "  - ",
            "    - ",
            "* ",
            "1. ",
            "> ",
            "# ",
            "## ",
            "### ",
            "## Skills\n",
            "## Identity\n",
            "## Rules\n",
            "## Channels\n",
            "- Name: Echo\n",
            "- a: x\n",
            "  - read: ./a\n",
            "  - hosts: https://a.example.com\n",
            "- a-b: `x`, y\n",
            "```\n",
            "~~~\n",
            "<!--",
            "-->\n",
            "<div>\n",
            "</div>\n",
            "\n",
            "\n\n",
            "\r\n",
            "\t",
            "    ",
            "`",
            "*",
            "_",
            "[",
            "](",
            ")",
            "(",
            ",",
            ": ",
            ":",
            "&amp;",
            "\\",
            "\\\n",
            "|a|\n|-|\n",
            "---\n",
            "===\n",
            "[a]: b\n",
            "[^a]: ",
            "terminal: x\n",
            "write: /x\n",
            "é",
            "\u{200b}",
            "\u{feff}",
            "\0",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

proptest! {
    #[test]
    fn no_text_panics(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        match soul(&text) {
            Ok(soul) => { let _ = serde_json::to_string(&super::super::SoulView::from(&soul)); }
            Err(errors) => {
                prop_assert!(!errors.errors.is_empty());
                prop_assert!(errors.errors.is_sorted_by_key(|error| error.line));
                let shown = errors.to_string();
                prop_assert!(!shown.chars().any(|c| c != '\n' && crate::visible::is_invisible(c)));
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Soul::parse("SOUL.md", &bytes);
    }

    /// A reading by lines, that knows no Markdown at all, finds every skill that was granted: on its own
    /// line, at the left edge, below `## Skills`.
    #[test]
    fn a_granted_skill_stands_in_the_open(pieces in prop::collection::vec(piece(), 0..30)) {
        let text = format!("## Identity\n- Name: Echo\n## Skills\n- clock: x\n{}", pieces.concat());
        if let Ok(soul) = soul(&text) {
            let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
            let mut fenced = false;
            let open: Vec<bool> = lines.iter().map(|line| {
                let mark = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
                fenced ^= mark;
                !fenced && !mark && !line.trim_start().starts_with('>')
            }).collect();
            for skill in soul.skills() {
                let index = usize::try_from(skill.line).unwrap() - 1;
                let line = lines[index];
                let marker = line.trim_start_matches(' ').get(..1);
                prop_assert!(matches!(marker, Some("-" | "*" | "+")), "{text:?}");
                prop_assert!(line.contains(&format!("{}: ", skill.name)), "{text:?}");
                prop_assert!(open[index] || text.contains("~~~") && text.contains("```") , "{text:?}");
                prop_assert!(lines[..index].iter().any(|line| line.trim().starts_with("## Skills")), "{text:?}");
            }
        }
    }

    /// Whatever stands inside a fence, a comment or a quote, the skills are those that stand outside.
    #[test]
    fn a_grant_never_comes_from_a_fence_a_quote_or_a_comment(pieces in prop::collection::vec(piece(), 0..20)) {
        let inner = pieces.concat();
        let quoted: String = inner.lines().map(|line| format!("> {line}\n")).collect();
        let fenced = format!("`````````\n{}\n`````````\n", inner.replace('`', "'"));
        let comment = format!("<!--\n{}\n-->\n", inner.replace("-->", "").replace("<!", ""));
        for hidden in [quoted, fenced, comment] {
            if let Ok(soul) = skills(&format!("- clock: x\n\n{hidden}\n")) {
                let names: Vec<&str> = soul.skills().iter().map(|skill| skill.name.as_str()).collect();
                prop_assert_eq!(names, ["clock"], "{}", hidden);
                prop_assert!(soul.skills()[0].grant.directories.is_empty() && soul.skills()[0].grant.hosts.is_empty());
            }
        }
    }
}
