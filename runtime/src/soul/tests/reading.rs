//! What is read from a good SOUL.md, and what else in it changes nothing.

use super::super::{Soul, SoulView, Standing};
use super::{skills, soul};

const GUARDIAN: &str = "\
# Security Analyst
## Identity
- Name: Guardian
- Role: Internal Security Monitor
- Model: ollama/llama3
## Rules
- Never execute code or system commands
- All outputs must be logged to HEARTBEAT.md
## Skills
- file-reader: Read internal documents only
  - read: ./documents
- browser: Research topics on the web
  - hosts: https://en.wikipedia.org, `https://*.arxiv.org`
- file-writer: Save drafts to the workspace
  - write: ./workspace/drafts
  - approve: delete, move
  - limit: rate 10/minute, time 5s, memory 64MiB
## Channels
- slack: content-team
  - approve: always
";

#[test]
fn the_example_of_the_design_is_read() {
    let soul = soul(GUARDIAN).unwrap();
    assert_eq!((soul.id(), soul.name(), soul.title()), ("guardian", "Guardian", Some("Security Analyst")));
    assert_eq!((soul.role(), soul.model()), (Some("Internal Security Monitor"), Some("ollama/llama3")));
    let view = serde_json::to_value(SoulView::from(&soul)).unwrap();
    let keys: Vec<&String> = view.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["agent", "rules", "skills", "reach", "channels", "warnings", "errors"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&view["skills"][2]).unwrap(), @r#"
    {
      "name": "file-writer",
      "purpose": "Save drafts to the workspace",
      "line": 14,
      "read": [],
      "write": [
        {
          "dir": "./workspace/drafts",
          "as": "/drafts",
          "hidden": false
        }
      ],
      "create": [],
      "hosts": [],
      "env": [],
      "secrets": [],
      "approve": [
        "delete",
        "move"
      ],
      "limits": [
        "rate 10/minute",
        "time 5s",
        "memory 64MiB"
      ],
      "refuse": [],
      "sha256": null
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&view["rules"]).unwrap(), @r#"
    [
      {
        "text": "Never execute code or system commands",
        "line": 7,
        "standing": "enforced",
        "by": "components cannot start processes: no import for it exists"
      },
      {
        "text": "All outputs must be logged to HEARTBEAT.md",
        "line": 8,
        "standing": "enforced",
        "by": "every call through the gateway is recorded before it runs, and HEARTBEAT.md is written from the records: what was called and how it ended, not the text of answers"
      }
    ]
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&view["channels"]).unwrap(), @r#"
    [
      {
        "kind": "slack",
        "target": "content-team",
        "line": 19,
        "approve": [
          "always"
        ]
      }
    ]
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&view["reach"]["flows"][0]).unwrap(), @r#"
    {
      "from": [
        {
          "skill": "file-reader",
          "place": "./documents",
          "line": 11
        },
        {
          "skill": "file-writer",
          "place": "./workspace/drafts",
          "line": 15
        }
      ],
      "from_omitted": 0,
      "to": {
        "skill": "browser",
        "place": "https://en.wikipedia.org",
        "line": 13
      },
      "public": true
    }
    "#);
    let browser = &soul.skill("browser").unwrap().grant;
    let hosts: Vec<(String, u32, u32)> =
        browser.hosts.iter().map(|host| (host.to_string(), host.rule.line, host.rule.column)).collect();
    assert_eq!(hosts, [("https://en.wikipedia.org".into(), 13, 12), ("https://*.arxiv.org".into(), 13, 39)]);
    assert_eq!(browser.hosts[0].rule.text, "hosts: https://en.wikipedia.org, `https://*.arxiv.org`");
    let warnings: Vec<String> =
        soul.warnings().iter().map(|warning| format!("{}: {}", warning.line, warning.message)).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    13: what is read from `./documents`, `./workspace/drafts` can leave through `browser` to `https://en.wikipedia.org`
    13: what is read from `./documents`, `./workspace/drafts` can leave through `browser` to `https://*.arxiv.org`
    19: what is read from `./documents`, `./workspace/drafts` can leave to the channel `slack: content-team`
    ");
}

#[test]
fn the_ecosystem_s_own_forms_are_read() {
    let text = "\u{feff}<!-- a template -->\r\n# SOUL.md - Agent runs 100% locally\r\n\r\n# Writer\r\n## Identity\r\n\
        - **Name:** Blog Echo\r\n- **role**: Writer\r\n- Model: (your model)\r\n- Emoji: ⚠\u{fe0f}\r\n\
        ## Core Identity\r\n- Name: Other\r\n## Rules\r\n1. Be kind\r\n   - Always\r\n\
        ## Skills ##\r\n- clock: Tell *the* `time`\r\n- Token-level cost accounting across OpenAI\r\n\
        ## Example Interactions\r\n```\r\n## Skills\r\n- terminal: x\r\n```\r\n> ## Rules\r\n";
    let soul = soul(text).unwrap();
    assert_eq!((soul.id(), soul.role(), soul.model()), ("blog-echo", Some("Writer"), None));
    assert_eq!(soul.title(), Some("Writer"));
    assert_eq!(soul.rules().iter().map(|rule| rule.text.as_str()).collect::<Vec<_>>(), ["Be kind", "Always"]);
    assert_eq!(soul.skills().iter().map(|skill| skill.name.as_str()).collect::<Vec<_>>(), ["clock"]);
    assert_eq!(soul.skills()[0].purpose, "Tell *the* `time`");
    assert_eq!(soul.warnings().len(), 1, "{:?}", soul.warnings());
}

#[test]
fn comments_blank_lines_and_bullet_marks_change_nothing() {
    let plain = skills("- browser: Look\n  - hosts: https://a.example.com\n- clock: Tick\n").unwrap();
    for other in [
        "* browser: Look\n  * hosts: https://a.example.com\n* clock: Tick\n",
        "- browser: Look\n\n  - hosts: https://a.example.com\n\n- clock: Tick\n",
        "- browser: Look\n  <!-- why -->\n  - hosts: https://a.example.com\n- clock: Tick\n",
        "<!-- all -->\n\n+ browser: Look   \n\t- hosts: https://a.example.com\n+ clock: Tick",
        "- browser: Look\n  - hosts: `https://a.example.com`\n\n---\n\n- clock: Tick\n",
    ] {
        let soul = skills(other).unwrap_or_else(|errors| panic!("{other}\n{errors}"));
        let names = |soul: &super::Soul| {
            soul.skills()
                .iter()
                .map(|skill| (skill.name.clone(), skill.purpose.clone(), skill.grant.hosts.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&soul), names(&plain), "{other}");
    }
}

#[test]
fn entries_split_at_commas_outside_backticks_and_parentheses() {
    let soul = skills(
        "- a: x\n  - read: ./one, `./two, three`, ./four as /4 (hidden)\n  - env: A=1, `B=x, y`, C=`z, w`, D=(a, b), E=\n  \
         - hosts: https://a.example.com (private 10.0.0.0/8), POST `https://b.example.com`\n",
    )
    .unwrap();
    let grant = &soul.skills()[0].grant;
    let shown: Vec<String> = grant.directories.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["./one", "`./two, three`", "./four as /4 (hidden)"]);
    let shown: Vec<String> = grant.environment.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["A=1", "B=x, y", "C=z, w", "D=(a, b)", "E="]);
    let hosts: Vec<u32> = grant.hosts.iter().map(|host| host.rule.column).collect();
    assert_eq!(hosts, [12, 56]);
}

#[test]
fn a_rule_s_standing_is_what_this_build_enforces() {
    let standing = |rule: &str, rest: &str| {
        let soul = soul(&format!("## Identity\n- Name: Echo\n- Model: ollama/x\n## Rules\n- {rule}\n{rest}"))
            .unwrap();
        soul.standing(&soul.rules()[0])
    };
    for (rule, rest, expected, by) in [
        ("Never execute code or system commands", "", Standing::Enforced, "no import"),
        ("**never  EXECUTE code or system commands.**", "", Standing::Enforced, "no import"),
        (
            "Never execute code or system command",
            "",
            Standing::Advisory,
            "knows the rule `never execute code",
        ),
        ("Never access external networks", "", Standing::Enforced, "no skill"),
        (
            "Never access external networks",
            "## Skills\n- a: b\n  - hosts: http://127.0.0.1:8080\n",
            Standing::Enforced,
            "no skill",
        ),
        (
            "Never access external networks",
            "## Channels\n- slack: team\n",
            Standing::Partly,
            "the channel `slack`",
        ),
        ("All outputs must be logged to `HEARTBEAT.md`", "", Standing::Enforced, "recorded before it runs"),
        ("All outputs must be reviewed before publishing", "", Standing::Enforced, "no channel is listed"),
        (
            "Never output: Project Titan, `/sk-.*/`",
            "",
            Standing::Enforced,
            "hold the words \"Project Titan\", or what matches",
        ),
        ("**Never output:** card numbers.", "", Standing::Enforced, "blocked if they hold card numbers"),
        ("never  OUTPUT : `/TICKET-[0-9]{4,}/i`", "", Standing::Enforced, "(?i:TICKET"),
        ("Never output card numbers", "", Standing::Advisory, "knows the rule `Never output: <pattern>`"),
        ("Never outputs: card numbers", "", Standing::Advisory, "knows the rule `Never output: <pattern>`"),
        ("Be kind", "", Standing::Advisory, "only the model is asked"),
    ] {
        let found = standing(rule, rest);
        assert_eq!(found.standing, expected, "{rule}");
        assert!(found.by.contains(by), "{rule}: {}", found.by);
    }
    let remote =
        soul("## Identity\n- Name: E\n- Model: openai/gpt\n## Rules\n- Never access external networks\n")
            .unwrap();
    assert_eq!(remote.standing(&remote.rules()[0]).standing, Standing::Partly);
}

#[test]
fn an_output_rule_that_cannot_be_read_is_an_error_and_not_advice() {
    for (rule, line, message) in [
        ("Never output: sk-.*", 6, "`*` in words"),
        ("Never output:", 6, "an empty entry"),
        ("Never output: a*b*c", 6, "is Markdown"),
        ("Never output: `/(/`", 6, "no regular expression"),
        ("Never output: Titan,", 6, "an empty entry"),
        ("Never output: card numbers and IBANs", 6, "looks like card numbers"),
    ] {
        let text = format!("## Identity\n- Name: Echo\n## Rules\n- Be kind\n\n- {rule}\n");
        let errors = soul(&text).unwrap_err().errors;
        assert_eq!(errors.len(), 1, "{rule}: {errors:?}");
        assert_eq!(errors[0].line, line, "{rule}");
        assert!(errors[0].message.contains(message), "{rule}: {}", errors[0].message);
    }
    let many = format!("## Identity\n- Name: E\n## Rules\n- Never output: {}\n", vec!["abc"; 65].join(", "));
    assert!(soul(&many).unwrap_err().errors[0].message.contains("more than 64 patterns"));
}

#[test]
fn the_reach_is_a_union_and_names_both_ends_of_a_flow() {
    let soul = soul(
        "## Identity\n- Name: Echo\n## Skills\n- reader: x\n  - read: ./documents, ./out\n- writer: y\n  - write: ./out/drafts\n\
         - browser: z\n  - hosts: https://a.example.com\n## Channels\n- slack: team\n",
    )
    .unwrap();
    let reach = soul.reach();
    assert_eq!(reach.read, ["./documents", "./out", "./out/drafts"]);
    assert_eq!(
        (reach.write.as_slice(), reach.channels.as_slice()),
        (&["./out/drafts".to_owned()][..], &["slack: team".to_owned()][..])
    );
    let flows: Vec<String> =
        reach.flows.iter().map(|flow| format!("{} ({})", flow.sentence(), flow.public)).collect();
    insta::assert_snapshot!(flows.join("\n"), @"
    what is read from `./documents`, `./out`, `./out/drafts` can leave through `browser` to `https://a.example.com` (true)
    what is read from `./documents`, `./out`, `./out/drafts` can leave to the channel `slack: team` (true)
    what is read from `./documents`, `./out` can leave through `writer` to `./out/drafts` (false)
    ");
    // No warning for a flow that stays inside, and none where nothing private is read.
    assert_eq!(soul.warnings().len(), 2);
    assert!(skills("- browser: z\n  - hosts: https://a.example.com\n").unwrap().warnings().is_empty());
}

#[test]
fn a_message_waits_by_its_channel_s_line_or_by_the_rule_that_all_are_reviewed() {
    let read = |rules: &str, approve: &str| {
        let text = format!(
            "## Identity\n- Name: Echo\n## Rules\n{rules}## Channels\n- slack: team\n{approve}- mail: ops\n## Skills\n- messenger: Post\n"
        );
        Soul::parse("SOUL.md", text.as_bytes()).unwrap()
    };
    let line = |soul: &Soul, channel: &str| {
        let channels = &soul.skills()[0].grant.channels;
        let one = channels.iter().find(|one| format!("{}: {}", one.kind, one.target) == channel).unwrap();
        one.review.as_ref().map(|rule| rule.line)
    };
    let plain = read("- Be kind\n", "");
    assert_eq!((line(&plain, "slack: team"), line(&plain, "mail: ops")), (None, None));
    let own = read("- Be kind\n", "  - approve: always\n");
    assert_eq!((line(&own, "slack: team"), line(&own, "mail: ops")), (Some(7), None));
    let all = read("- All outputs must be reviewed before publishing.\n", "");
    assert_eq!((line(&all, "slack: team"), line(&all, "mail: ops")), (Some(4), Some(4)));
}
