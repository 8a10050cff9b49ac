//! HTML's named entities, as far as they stand for a character of ASCII, for a space, for a dash or dot, or for nothing that
//! is seen. The standard has 2,231; the others are no part of what is looked for.

/// Names and what they are read as.
const NAMES: [(&str, &[&str]); 46] = [
    ("&", &["amp", "AMP"]),
    ("<", &["lt", "LT"]),
    (">", &["gt", "GT"]),
    ("\"", &["quot", "QUOT"]),
    ("'", &["apos"]),
    ("!", &["excl"]),
    ("#", &["num"]),
    ("$", &["dollar"]),
    ("%", &["percnt"]),
    ("(", &["lpar"]),
    (")", &["rpar"]),
    ("*", &["ast", "midast"]),
    ("+", &["plus"]),
    (",", &["comma"]),
    ("-", &["hyphen", "dash", "ndash", "mdash", "minus", "horbar"]),
    (".", &["period", "middot", "centerdot", "CenterDot", "bull", "bullet"]),
    ("/", &["sol"]),
    (":", &["colon"]),
    (";", &["semi"]),
    ("=", &["equals"]),
    ("?", &["quest"]),
    ("@", &["commat"]),
    ("[", &["lbrack", "lsqb"]),
    ("\\", &["bsol"]),
    ("]", &["rbrack", "rsqb"]),
    ("^", &["Hat"]),
    ("_", &["lowbar", "UnderBar"]),
    ("`", &["grave", "DiacriticalGrave"]),
    ("{", &["lbrace", "lcub"]),
    ("|", &["verbar", "vert", "VerticalLine"]),
    ("}", &["rbrace", "rcub"]),
    ("\t", &["Tab"]),
    ("\n", &["NewLine"]),
    ("1", &["sup1"]),
    ("2", &["sup2"]),
    ("3", &["sup3"]),
    ("a", &["ordf"]),
    ("d", &["dd", "DifferentialD"]),
    ("D", &["DD", "CapitalDifferentialD"]),
    ("e", &["ee", "exponentiale", "ExponentialE"]),
    ("h", &["planckh"]),
    ("i", &["ii", "ImaginaryI"]),
    ("l", &["ell"]),
    ("o", &["ordm", "order", "orderof"]),
    (
        " ",
        &[
            "nbsp",
            "NonBreakingSpace",
            "ensp",
            "emsp",
            "emsp13",
            "emsp14",
            "numsp",
            "puncsp",
            "thinsp",
            "ThinSpace",
            "hairsp",
            "VeryThinSpace",
            "MediumSpace",
            "ThickSpace",
        ],
    ),
    (
        "\u{200b}",
        &[
            "ZeroWidthSpace",
            "NegativeVeryThinSpace",
            "NegativeThinSpace",
            "NegativeMediumSpace",
            "NegativeThickSpace",
            "shy",
            "zwj",
            "zwnj",
            "lrm",
            "rlm",
            "NoBreak",
            "ApplyFunction",
            "af",
            "InvisibleTimes",
            "it",
            "InvisibleComma",
            "ic",
        ],
    ),
];
/// Those that browsers know without the semicolon.
const OPEN: [&str; 10] = ["amp", "AMP", "lt", "LT", "gt", "GT", "quot", "QUOT", "nbsp", "shy"];

/// The character of the entity whose name begins this text, and the name's length with its end.
pub(super) fn named(text: &[u8]) -> Option<(u32, usize)> {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = std::str::from_utf8(text.get(..length)?).ok()?;
    if text.get(length) == Some(&b';') {
        return Some((meaning(name)?, length + 1));
    }
    let open = OPEN.iter().find(|open| name.starts_with(**open))?;
    Some((meaning(open)?, open.len()))
}

fn meaning(name: &str) -> Option<u32> {
    // Letters of mathematics: `&Popf;`, `&Pscr;`, `&Pfr;`.
    let letter = ["opf", "scr", "fr"].iter().find_map(|style| match name.strip_suffix(style)?.as_bytes() {
        [letter] => Some(u32::from(*letter)),
        _ => None,
    });
    letter.or_else(|| {
        let (character, _) = NAMES.iter().find(|(_, names)| names.contains(&name))?;
        character.chars().next().map(u32::from)
    })
}
