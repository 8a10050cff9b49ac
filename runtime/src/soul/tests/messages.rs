//! The messages that a person reads, as a whole.

use super::{errors, skills, soul};

#[test]
fn every_error_of_a_file_is_reported_in_order_of_line() {
    let text = "# Writer\n## Identity\n- Name: Écho\n## Skills\n- Browser: x\n- reader: y\n  - host: x\n  - read ./a\n  - read: ../a, ~/b\n\
        - read: ./slipped\n## Skils\n- a: b\n";
    insta::assert_snapshot!(soul(text).unwrap_err(), @"
    SOUL.md:3:9: the name `Écho` makes no id: it holds U+00C9, which is not ASCII
      | - Name: Écho
      |         ^^^^
      hint: a name is 1 to 64 ASCII letters, digits, single spaces and `-`
    SOUL.md:5:3: `Browser` cannot name a skill: `B` is upper case
      | - Browser: x
      |   ^^^^^^^
      hint: did you mean `browser`?
    SOUL.md:7:5: unknown key `host` for skill `reader`
      |   - host: x
      |     ^^^^
      hint: did you mean `hosts`?
    SOUL.md:8:5: expected `key: value` for skill `reader`, found `read ./a`
      |   - read ./a
      |     ^^^^^^^^
      hint: write `- read: …`
    SOUL.md:9:11: `..` leaves the directory that is written before it
      |   - read: ../a, ~/b
      |           ^^^^
      hint: write the path without `..`
    SOUL.md:9:17: `~` is not a directory: nothing is expanded
      |   - read: ../a, ~/b
      |                 ^^^
      hint: write the path in full, or `./~` for that very name
    SOUL.md:10:3: `read` cannot name a skill: it is the key of a grant
      | - read: ./slipped
      |   ^^^^
      hint: indent it by two spaces, below the skill that it belongs to
    SOUL.md:11:4: `Skils` is nearly the section `## Skills`
      | ## Skils
      |    ^^^^^
      hint: write `## Skills`, or another heading
    ");
}

#[test]
fn what_a_page_would_show_otherwise_says_put_it_in_backticks() {
    let text = "- a: x\n  - hosts: https://*.a.com*, b.com\n  - read: ./a&amp;b\n  - write: ./a\\_b\n  - env: A=<b>\n- b: [x](y)\n";
    insta::assert_snapshot!(skills(text).unwrap_err(), @r"
    SOUL.md:5:20: `*.a.com*` is Markdown, and a page would show it otherwise
      |   - hosts: https://*.a.com*, b.com
      |                    ^^^^^^^^
      hint: put the entry in backticks
    SOUL.md:6:14: `&amp;` is Markdown, and a page would show it otherwise
      |   - read: ./a&amp;b
      |              ^^^^^
      hint: put the entry in backticks
    SOUL.md:7:15: `\_` is Markdown, and a page would show it otherwise
      |   - write: ./a\_b
      |               ^^
      hint: put the entry in backticks
    SOUL.md:8:12: HTML in the section `## Skills`
      |   - env: A=<b>
      |            ^^^
      hint: put it in backticks, or write Markdown
    SOUL.md:9:6: `[x](y)` is a link, and a page would show it otherwise
      | - b: [x](y)
      |      ^^^^^^
      hint: write it as plain text, or in backticks
    ");
}

#[test]
fn a_key_of_a_grant_is_checked_beside_its_neighbours() {
    let text = "- a: x\n  - read: ./w, ./b as /w\n  - write: ./w/drafts\n  - env: A=1, A=2\n  - refuse: files, htp\n  - sha256: abc\n\
        \x20 - limit: time 0s, tme 5s\n  - approve: DELTE\n  - env: B=1\n";
    insta::assert_snapshot!(skills(text).unwrap_err(), @"
    SOUL.md:5:16: the skill would see it at `/w`, which overlaps `/w` of line 5
      |   - read: ./w, ./b as /w
      |                ^^^^^^^^^
      hint: write `as /another-name` after it
    SOUL.md:6:12: overlaps the directory `./w` of line 5
      |   - write: ./w/drafts
      |            ^^^^^^^^^^
      hint: grant directories that lie beside each other
    SOUL.md:7:15: this stands twice on the line
      |   - env: A=1, A=2
      |               ^^^
      hint: delete one of the two
    SOUL.md:8:13: `files` is refused here and granted by its directories
      |   - refuse: files, htp
      |             ^^^^^
      hint: delete one of the two lines
    SOUL.md:8:20: unknown capability `htp`
      |   - refuse: files, htp
      |                    ^^^
      hint: did you mean `http`?
    SOUL.md:9:13: `abc` is no SHA-256: expected 64 hexadecimal digits
      |   - sha256: abc
      |             ^^^
      hint: `soulbound inspect` prints a component's digest
    SOUL.md:10:17: zero would allow nothing
      |   - limit: time 0s, tme 5s
      |                 ^^
      hint: leave the skill out instead
    SOUL.md:10:21: unknown limit
      |   - limit: time 0s, tme 5s
      |                     ^^^
      hint: did you mean `time`?
    SOUL.md:11:14: unknown HTTP method
      |   - approve: DELTE
      |              ^^^^^
      hint: did you mean `DELETE`?
    SOUL.md:12:5: a second `env` for skill `a`
      |   - env: B=1
      |     ^^^
      hint: write all entries on one line, separated by commas
    ");
}

#[test]
fn a_rule_that_a_grant_contradicts_is_an_error() {
    let text = "## Identity\n- Name: Echo\n## Rules\n- Never access external networks.\n## Skills\n- a: x\n  - hosts: https://a.example.com\n";
    insta::assert_snapshot!(soul(text).unwrap_err(), @"
    SOUL.md:4:3: this rule cannot hold: skill `a` is granted `https://a.example.com` in line 7
      | - Never access external networks.
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: delete the rule, or the grant that contradicts it
    ");
}

#[test]
fn each_kind_of_structure_error_stands_on_its_line() {
    for (lines, line, part) in [
        ("- read: ./x\n", 4, "key of a grant"),
        ("- browser\n", 4, "has no purpose"),
        ("- browser:\n", 4, "has no purpose"),
        ("- browser:x\n", 4, "no space after"),
        ("- https://a.example.com\n", 4, "no space after"),
        ("- browser\u{ff1a} x\n", 4, "looks like a colon"),
        ("- browser : x\n", 4, "holds a space"),
        ("-\n", 4, "empty bullet"),
        ("- - a: x\n", 4, "empty bullet"),
        ("- [a]: x\n", 4, "empty bullet"),
        ("- a: x\n  more\n", 5, "continues the bullet"),
        ("- a: x\nlazy\n", 5, "continues the bullet"),
        ("- a: x\n\n  more\n", 6, "only bullets"),
        ("- a: x\n\n      code\n", 6, "only bullets"),
        ("- a: x\n  ```\n  b\n  ```\n", 5, "only bullets"),
        ("- a: x\n  > quote\n", 5, "only bullets"),
        ("- a: x\n  1. read: ./x\n", 5, "numbered list"),
        ("- a: x\n  - read: ./x\n    - write: ./y\n", 6, "a list inside a grant"),
        ("- a: x\n  - read: ./x\n    more\n", 6, "continues the bullet"),
        ("- a: x\n  - read: ./x\n\n    more\n", 7, "only bullets"),
        ("- a: x\n  - read:\n", 5, "has no value"),
        ("- a: x\n  - read: ,\n", 5, "empty entry"),
        ("- a: x\n  - read: ./a,,./b\n", 5, "empty entry"),
        ("- a: x\n  - read: ./a,\n", 5, "empty entry"),
        ("- a: x\n  - Read: ./a\n", 5, "unknown key"),
        ("- a: x\n  - `read`: ./a\n", 5, "unknown key"),
        ("- a: x\n  - exec: /bin/sh\n", 5, "unknown key"),
        ("- a: x\n  - read:./a\n", 5, "no space after"),
        ("- a: x\n  - read\u{ff1a} ./a\n", 5, "looks like a colon"),
        ("- a: x\n  - r\u{435}ad: ./a\n", 5, "unknown key"),
        ("- a: x\n  - read ./a\n", 5, "expected `key: value`"),
        ("- a: x\n  - read: `./a\n", 5, "partner"),
        ("- a: x\n  - hosts: a.example.com (private 10.0.0.0/8\n", 5, "without its `)`"),
        ("- a: x\n  - read: ./a\n  - read: ./b\n", 6, "a second `read`"),
        ("- a: x\n- a: y\n", 5, "listed twice"),
        ("Some prose.\n", 4, "text in"),
        ("1. a: x\n", 4, "numbered list"),
        ("| a | b |\n|---|---|\n| c | d |\n", 4, "a table"),
        ("### More\n- a: x\n", 4, "a heading inside"),
        ("[a]: ./b\n", 4, "text in"),
        ("- a: x <b>y</b>\n", 4, "HTML in the section"),
        ("- a: x <!-- y -->\n", 4, "HTML in the section"),
        ("<b>x</b>\n", 4, "HTML in the section"),
        ("<p>x</p>\n", 4, "HTML in the section"),
        ("- a: x &lt;\n", 4, "an entity"),
        ("- a: ![x](y)\n", 4, "an image"),
        ("- a: x\\*\n", 4, "a backslash escape"),
        ("- Look things up\n  - hosts: a.example.com\n", 5, "lists nothing"),
        ("- a: x\n  - sha256: zz\n", 5, "no SHA-256"),
        ("- a: x\n  - refuse: everything\n", 5, "unknown capability"),
        ("- a: x\n  - refuse: http\n  - hosts: https://a.example.com\n", 5, "granted by its `hosts`"),
        ("## Skills\n", 4, "a second section"),
        ("```\n- a: x\n", 4, "never closed"),
        ("<!--\n- a: x\n", 4, "never closed"),
        ("<div hidden>\n\n- a: x\n\n</div>\n", 4, "could hide"),
        ("> > > > x\n", 4, "nested deeper"),
        ("- a: x\n## Channels\n- slack: t\n  - approve: writes\n", 7, "channel can wait for"),
        ("- a: x\n## Channels\n- slack: t\n  - hosts: x\n", 7, "unknown key"),
        ("- a: x\n## Channels\n- slack: t\n- slack: t\n", 7, "listed twice"),
        ("- a: x\n## Channels\n- Slack: t\n", 6, "cannot name a channel"),
    ] {
        let errors = errors(skills(lines));
        assert_eq!(errors[0].0, line, "{lines}: {errors:?}");
        assert!(errors[0].1.contains(part), "{lines}: {errors:?}");
    }
}

#[test]
fn a_name_is_required_once_and_makes_an_id() {
    for (text, line, part) in [
        ("", 1, "no section"),
        ("# A\n", 1, "no section"),
        ("# A\n## Identity\n- Role: x\n", 2, "no `Name`"),
        ("## Identity\n- Nmae: x\n", 2, "is this meant"),
        ("## Identity\n- Name:\n", 2, "is empty"),
        ("## Identity\n- Name: (your name)\n", 1, "no `Name`"),
        ("## Identity\n- Name: A\n- name: B\n", 3, "a second name"),
        ("## Identity\n- Name: A\n- Role: B\n- **Role:** C\n", 4, "a second role"),
        ("## Identity\n- Name: Zoë\n", 2, "U+00EB"),
        ("## Identity\n- Name: A/B\n", 2, "`/`"),
        ("## Identity\n- Name: A\n  B\n", 2, "one line"),
        ("## Identity\n- Emoji: x\n  - Name: A\n", 3, "nested"),
        ("## Identity\n- Name: A\n## identity\n- Name: B\n", 3, "nearly"),
        ("Identity\n---\n- Name: A\n", 1, "nearly"),
        ("## Identity\n- Name: A\n## Identity\n- Name: B\n", 3, "a second section"),
        ("## Identity\n- Name: A <b hidden>\n", 2, "`<`"),
        ("## Identity\n- Name: A\n- Role: [x](y)\n", 3, "a link"),
        ("## Identity\n- Name: A\n\n##Skills\n- a: x\n", 4, "is no heading"),
        ("## Identity\n- Name: A\n## Rules\n- x\n  ## Skills\n", 5, "nearly"),
    ] {
        let errors = errors(soul(text));
        assert_eq!(errors[0].0, line, "{text}: {errors:?}");
        assert!(errors[0].1.contains(part), "{text}: {errors:?}");
    }
}
