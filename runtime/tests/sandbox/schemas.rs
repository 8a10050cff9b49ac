//! What a skill's author says in `schemas/` holds at every call, and lets nothing pass that WIT refuses.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{BindError, BoundSkill, Ending, ErrorKind, Outcome};
use soulbound_runtime::skill::{FolderFile, SkillFolder};

use crate::shared::{bind, call, guest, returned};

/// The probe with these files in its `schemas/`.
fn probe(files: &[(&str, Value)]) -> Result<BoundSkill, BindError> {
    let probe = guest("probe");
    let mut all: Vec<FolderFile> = probe
        .files()
        .into_iter()
        .map(|(path, bytes)| FolderFile { path: path.to_owned(), bytes: bytes.to_vec() })
        .collect();
    all.extend(files.iter().map(|(name, schema)| FolderFile {
        path: format!("schemas/{name}.json"),
        bytes: schema.to_string().into_bytes(),
    }));
    bind(&SkillFolder::from_files(Path::new("/skills/probe"), all).unwrap(), &[])
}

fn value(keywords: Value) -> Value {
    json!({"type": "object", "properties": {"value": keywords}})
}

fn why(outcome: &Outcome) -> &str {
    match &outcome.ending {
        Ending::Failed { denial: None, error: Some(error) } if error.kind == ErrorKind::Arguments => {
            &error.message
        }
        _ => "",
    }
}

#[tokio::test]
async fn what_violates_the_schema_never_reaches_the_guest() {
    let skill = probe(&[
        ("echo-string", value(json!({"pattern": "^https://", "maxLength": 20}))),
        ("echo-list", value(json!({"items": {"multipleOf": 5}, "maxItems": 3}))),
        (
            "echo-many",
            json!({"type": "object", "if": {"required": ["second"]}, "then": {"required": ["fourth"]}}),
        ),
    ])
    .unwrap();
    let cases = [
        ("echo-string", json!({"value": "http://x"}), "args.value: the value does not match"),
        (
            "echo-string",
            json!({"value": "https://example.com/long"}),
            "args.value: the value is longer than 20",
        ),
        ("echo-list", json!({"value": [5, 7]}), "args.value[1]: the value is not a multiple of 5, found 7"),
        ("echo-list", json!({"value": [5, 5, 5, 5]}), "args.value: the value has more than 3 items"),
        (
            "echo-many",
            json!({"first": 1, "third": "x", "second": 2}),
            "args: \"fourth\" is a required property",
        ),
        // WIT's own word comes first.
        ("echo-string", json!({"value": 7}), "args.value: expected string, found 7"),
        ("echo-string", json!({"value": "https://x", "other": 1}), "args.other: unknown"),
    ];
    for (tool, arguments, message) in cases {
        let outcome = call(&skill, tool, arguments).await;
        assert!(why(&outcome).starts_with(message), "{outcome:?}");
    }
    assert_eq!(returned(&call(&skill, "echo-string", json!({"value": "https://x"})).await), "https://x");
    assert_eq!(returned(&call(&skill, "echo-list", json!({"value": [5, 10]})).await), json!([5, 10]));
    let full = json!({"first": 1, "third": "x", "second": 2, "fourth": true});
    assert_eq!(returned(&call(&skill, "echo-many", full).await), "1 Some(2) x Some(true)");
}

#[tokio::test]
async fn no_other_spelling_of_a_value_passes_a_schema() {
    let skill = probe(&[
        ("echo-u64", value(json!({"maximum": 100}))),
        ("echo-s64", value(json!({"type": "integer", "minimum": 0}))),
        ("echo-f64", value(json!({"type": "number", "maximum": 1}))),
        ("echo-option", json!({"type": "object", "required": ["value"]})),
        ("echo-many", json!({"type": "object", "required": ["second"]})),
    ])
    .unwrap();
    let cases = [
        ("echo-u64", json!({"value": "200"})),
        ("echo-u64", json!({"value": 200})),
        ("echo-s64", json!({"value": "5"})),
        ("echo-f64", json!({"value": "NaN"})),
        ("echo-f64", json!({"value": "Infinity"})),
        ("echo-option", json!({"value": null})),
        ("echo-many", json!({"first": 1, "third": "x", "second": null})),
    ];
    for (tool, arguments) in cases {
        let outcome = call(&skill, tool, arguments.clone()).await;
        assert!(why(&outcome).starts_with("args"), "{tool} {arguments}: {outcome:?}");
    }
    assert_eq!(returned(&call(&skill, "echo-u64", json!({"value": "99"})).await), 99);
    assert_eq!(returned(&call(&skill, "echo-u64", json!({"value": 1.0})).await), 1);
}

#[test]
fn a_file_that_fits_no_tool_refuses_the_skill() {
    let cases = [
        (vec![("echo-sting", value(json!({})))], "did you mean `echo-string.json`?"),
        (vec![("nothing-like-it", value(json!({})))], "exports no tool of this name; its tools are"),
        (vec![("deep/echo-string", value(json!({})))], "holds a file `TOOL.json`"),
        (
            vec![("echo-string", value(json!({"type": "integer"})))],
            "at `/properties/value/type`: WIT takes `string` here",
        ),
    ];
    for (files, message) in cases {
        let error = probe(&files).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("`/skills/probe/schemas/") && error.contains(message), "{error}");
    }
}

#[test]
fn what_is_shown_is_what_is_enforced() {
    let skill = probe(&[("echo-string", value(json!({"pattern": "^a", "description": "A word."})))]).unwrap();
    let shown = &skill.tool("echo-string").unwrap().input_schema;
    let expected = json!({"type": "string", "pattern": "^a", "description": "A word."});
    assert_eq!(shown.pointer("/properties/value"), Some(&expected));
    assert_eq!(shown.pointer("/required"), Some(&json!(["value"])));
}

/// Values of which some are of each tool's type and some are not.
fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-120_i64..120).prop_map(Value::from),
        (-120_i64..120).prop_map(|number| Value::from(number.to_string())),
        (-2.0_f64..2.0).prop_map(Value::from),
        "[a-c]{0,4}".prop_map(Value::from),
        prop::collection::vec(0_u32..30, 0..4).prop_map(Value::from),
        prop::sample::select(vec!["NaN", "-Infinity", "red", "AQID"]).prop_map(Value::from),
    ]
}

/// Limits on values and on lengths.
const LIMITS: [(i64, u64); 3] = [(-50, 0), (7, 2), (100, 3)];
const TOOLS: [&str; 8] =
    ["echo-u64", "echo-s64", "echo-u8", "echo-f64", "echo-string", "echo-option", "echo-list", "echo-colour"];

static PLAIN: LazyLock<BoundSkill> = LazyLock::new(|| probe(&[]).unwrap());
static NARROW: LazyLock<Vec<BoundSkill>> = LazyLock::new(|| {
    LIMITS
        .map(|(limit, length)| {
            probe(&TOOLS.map(|tool| {
                let keywords = match tool {
                    "echo-u64" | "echo-s64" | "echo-u8" => json!({"maximum": limit}),
                    "echo-f64" => json!({"type": "number", "maximum": limit}),
                    "echo-list" => json!({"maxItems": length}),
                    _ => json!({"maxLength": length}),
                };
                (tool, value(keywords))
            }))
            .unwrap()
        })
        .to_vec()
});

proptest! {
    #[test]
    fn a_schema_only_narrows_and_what_fits_both_arrives(
        value in values(), which in 0..LIMITS.len(), tool in prop::sample::select(&TOOLS[..]),
    ) {
        let (limit, length) = LIMITS[which];
        let arguments = json!({ "value": value });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (with, without) = runtime.block_on(async {
            (call(&NARROW[which], tool, arguments.clone()).await, call(&PLAIN, tool, arguments).await)
        });
        match (&with.ending, &without.ending) {
            // It arrived as it would have without a schema, and within the limit.
            (Ending::Returned(one), Ending::Returned(other)) => {
                prop_assert_eq!(one, other);
                let within = match one {
                    Value::Number(number) => number.as_f64().is_some_and(|number| number <= limit as f64),
                    Value::Array(items) => items.len() as u64 <= length,
                    Value::String(text) => text.chars().count() as u64 <= length,
                    _ => true,
                };
                prop_assert!(within, "{one} passed");
            }
            // WIT refuses it with or without.
            (Ending::Failed { .. }, Ending::Failed { .. }) => prop_assert_eq!(&with.ending, &without.ending),
            (Ending::Failed { .. }, Ending::Returned(_)) => prop_assert!(why(&with).starts_with("args")),
            (Ending::Returned(_), Ending::Failed { .. }) => prop_assert!(false, "WIT refuses it: {:?}", without),
        }
    }
}
