//! The form that is written is RFC 8785's, whatever stands in a record, and every kind of record fits the schema.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use soulbound_runtime::sandbox::{Access, AccessKind, CallError, ErrorKind};
use soulbound_runtime::{Denial, RuleRef};

use super::*;
use crate::audit::entry::{CallEntry, OutcomeEntry};
use crate::audit::keys::Keys;
use crate::audit::line::Line;

fn line(fields: &Fields, keys: &Keys) -> String {
    let body = fields.body("echo", 7, &Hex::of(&[9; 32]));
    let hash = body.hash();
    String::from_utf8(body.line(&hash, &keys.record(&hash))).unwrap()
}

/// What the contract says a hash is, computed the long way.
fn hash_by_the_contract(line: &str) -> Hex {
    let mut value: Value = line.parse().unwrap();
    let members = value.as_object_mut().unwrap();
    let prev = members.shift_remove("prev").unwrap();
    members.shift_remove("hash");
    members.shift_remove("mac");
    let form = serde_json_canonicalizer::to_string(&value).unwrap();
    Hex::of(&Digest::of(format!("{}{form}", prev.as_str().unwrap()).as_bytes()).0)
}

fn keys() -> std::sync::Arc<Keys> {
    Keys::open(tempfile::tempdir().unwrap().path()).unwrap()
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!({"hash": "x", "mac": "y", "prev": "z"})),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_line_is_the_canonical_form_and_its_hash_the_contract_s(
        members in proptest::collection::vec((any::<String>(), json_value()), 0..5),
        skill in any::<String>(), tool in any::<String>(), who in any::<String>(), result in json_value(),
    ) {
        let keys = keys();
        let arguments = members.into_iter().collect();
        let call = CallEntry { skill: &skill, tool: &tool, digest: Some(Digest::of(b"x")), soul: None, narrowed_by: None, policy: None,
            arguments: &arguments, who: &who, approval: None };
        let outcome = OutcomeEntry { result: Some(&result), ..OutcomeEntry::without_result(Decision::Allowed) };
        for fields in [call.fields(Event::Intent, &keys), outcome.fields(&keys)] {
            let line = line(&fields, &keys);
            let text = line.strip_suffix('\n').unwrap();
            prop_assert_eq!(serde_json_canonicalizer::pipe(text).unwrap(), text);
            let read = Line::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(read.computed(), Some(read.hash));
            prop_assert_eq!(read.hash, hash_by_the_contract(text));
        }
    }
}

#[test]
fn two_integers_that_a_double_cannot_tell_apart_leave_two_records() {
    assert_eq!(
        exact(&json!([9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64, -9_007_199_254_740_993_i64])),
        r#"[9007199254740992,"9007199254740993","-9007199254740993"]"#
    );
    assert_eq!(
        exact(&json!({"b": 1, "a": {"y": 1e21, "x": "\u{202e}"}})),
        "{\"a\":{\"x\":\"\u{202e}\",\"y\":1e+21},\"b\":1}"
    );
}

#[test]
fn long_arguments_and_many_accesses_are_cut_and_counted() {
    let keys = keys();
    let arguments = [("text".to_owned(), Value::from("é".repeat(5_000)))].into_iter().collect();
    let call = CallEntry {
        skill: "s",
        tool: "t",
        digest: None,
        soul: None,
        narrowed_by: None,
        policy: None,
        arguments: &arguments,
        who: "w",
        approval: None,
    };
    let record: Value = line(&call.fields(Event::Intent, &keys), &keys).parse().unwrap();
    assert_eq!(record["args"]["cut"], 10_011);
    assert!(record["args"]["prefix"].as_str().unwrap().starts_with("{\"text\":\"éé"));
    assert_eq!(record["args_mac"], keys.content(exact_members(&arguments).as_bytes()).as_str());

    let access = |number: usize| Access {
        kind: AccessKind::File,
        target: format!("/{number}/{}", "x".repeat(if number < 3 { 4_000 } else { 5 })),
        access: "read".to_owned(),
        decision: soulbound_runtime::sandbox::Decision::Allowed,
        denial: None,
        failed: None,
    };
    let accesses: Vec<Access> = (0..150).map(access).collect();
    let outcome = OutcomeEntry {
        accesses: &accesses,
        accesses_dropped: 5,
        ..OutcomeEntry::without_result(Decision::Allowed)
    };
    let written = line(&outcome.fields(&keys), &keys);
    let record: Value = written.parse().unwrap();
    let listed = record["accesses"].as_array().unwrap().len() as u64;
    assert!(listed <= 100 && written.len() < 20_000);
    assert_eq!(record["accesses_more"]["count"], 155 - listed);
}

#[test]
fn arguments_nested_as_deep_as_a_reader_goes_leave_a_record_that_can_be_read() {
    let keys = keys();
    let deepest = (1..200)
        .map(|levels| format!("{}1{}", "[".repeat(levels), "]".repeat(levels)))
        .map_while(|text| text.parse().ok());
    for value in deepest {
        let value: Value = value;
        let arguments = [("x".to_owned(), value)].into_iter().collect();
        let call = CallEntry {
            skill: "s",
            tool: "t",
            digest: None,
            soul: None,
            narrowed_by: None,
            policy: None,
            arguments: &arguments,
            who: "w",
            approval: None,
        };
        let line = line(&call.fields(Event::Intent, &keys), &keys);
        assert!(Line::parse(line.trim_end().as_bytes()).is_some(), "{line}");
    }
}

/// The part of JSON Schema that `docs/audit.schema.json` uses.
fn fits(schema: &Value, root: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        fits(&root["$defs"][reference.rsplit('/').next().unwrap()], root, value, at);
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("{at}: the test knows no type `{other}`"),
    };
    match &schema["type"] {
        Value::String(name) => assert!(is(name), "{at}: {value} is no {name}"),
        Value::Array(names) => assert!(names.iter().any(|name| is(name.as_str().unwrap())), "{at}: {value}"),
        _ => {}
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{at}");
    }
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{at}: {value}");
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_u64(), value.as_u64()) {
        assert!(number >= least, "{at}: {number}");
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        let known = match pattern {
            "^[0-9a-f]{64}$" => Hex::parse(text).is_some(),
            "^[a-z]+([.-][a-z]+)*$" => text
                .split(['.', '-'])
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
            time if time.contains("T") => {
                Moment::parse(text).is_some_and(|moment| moment.to_string() == text)
            }
            other => panic!("{at}: the test knows no pattern `{other}`"),
        };
        assert!(known, "{at}: {text}");
    }
    if let Some(items) = value.as_array() {
        assert!(schema["maxItems"].as_u64().is_none_or(|most| items.len() as u64 <= most), "{at}");
        items.iter().for_each(|item| fits(&schema["items"], root, item, at));
    }
    if let Some(members) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(members.contains_key(name.as_str().unwrap()), "{at}: {name} is missing in {value}");
        }
        for (name, member) in members {
            match schema["properties"].get(name) {
                Some(property) => fits(property, root, member, &format!("{at}.{name}")),
                None => assert_ne!(schema["additionalProperties"], false, "{at}: `{name}` is unknown"),
            }
        }
    }
    for case in schema["allOf"].as_array().into_iter().flatten() {
        if value["event"] == case["if"]["properties"]["event"]["const"] {
            fits(&case["then"], root, value, at);
        }
    }
}

#[test]
fn every_kind_of_record_fits_the_published_schema() {
    let schema: Value = include_str!("../../../../docs/audit.schema.json").parse().unwrap();
    let keys = keys();
    let arguments = [("path".to_owned(), Value::from("/x"))].into_iter().collect();
    let digest = Some(Digest::of(b"x"));
    let call = CallEntry {
        skill: "s",
        tool: "t",
        digest,
        soul: digest,
        narrowed_by: None,
        policy: digest,
        arguments: &arguments,
        who: "w",
        approval: None,
    };
    let rule = RuleRef { file: "SOUL.md".to_owned(), line: 3, column: 1, text: "read: ./docs".to_owned() };
    let denial = Denial::new(DenialId::PathOutside, "no").rule(rule);
    let error = CallError::new(ErrorKind::Trap, "unreachable");
    let access = Access {
        kind: AccessKind::Host,
        target: "https://x".to_owned(),
        access: "GET".to_owned(),
        decision: soulbound_runtime::sandbox::Decision::Denied,
        denial: Some(denial.clone()),
        failed: None,
    };
    let sent = Access { kind: AccessKind::Channel, ..access.clone() };
    let failed = Access { kind: AccessKind::File, failed: Some("exist".to_owned()), ..access.clone() };
    let accesses = [vec![sent, failed], vec![access; 120]].concat();
    let result = Value::from(1);
    for event in Event::ALL {
        let mut fields = match event {
            Event::Intent => call.fields(Event::Intent, &keys),
            Event::Refused => Fields {
                decision: Some(Decision::Denied),
                denial: Some(crate::audit::entry::denial(&denial)),
                ..call.fields(Event::Refused, &keys)
            },
            event => Fields { note: Some("{}".to_owned()), ..Fields::new(*event) },
        };
        if *event == Event::Outcome {
            continue;
        }
        fields.who = Some("operator".to_owned());
        fits(&schema, &schema, &line(&fields, &keys).parse().unwrap(), event.name());
    }
    for decision in Decision::ALL {
        let outcome = OutcomeEntry {
            decision: *decision,
            denial: Some(&denial),
            error: Some(&error),
            result: Some(&result),
            accesses: &accesses,
            accesses_dropped: 3,
            unrecorded: 0,
            duration: Some(Duration::from_micros(5)),
        };
        let mut fields = outcome.fields(&keys);
        (fields.call, fields.skill, fields.tool) = (Some(1), Some("s".to_owned()), Some("t".to_owned()));
        fits(&schema, &schema, &line(&fields, &keys).parse().unwrap(), decision.name());
    }
}
