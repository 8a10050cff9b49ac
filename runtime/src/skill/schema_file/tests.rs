//! Files against WIT, without a component: what is taken, what it becomes, and what is refused with which words.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use wit_parser::{Resolve, WorldItem};

use super::*;
use crate::skill::schema::{self, Documentation};

/// A tool with these parameters.
fn tool(params: &str) -> Tool {
    let text = format!(
        "package t:t;
        interface types {{
            record address {{ street: option<string>, city: option<string> }}
            variant %place {{ nowhere, known(address), number(u32) }}
            enum method {{ phone, email }}
            flags rights {{ read, write }}
        }}
        world w {{ use types.{{address, %place, method, rights}}; export t: func({params}) -> string; }}"
    );
    let mut resolve = Resolve::default();
    let package = resolve.push_str("t.wit", &text).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut functions = resolve.worlds[world].exports.values().filter_map(|item| match item {
        WorldItem::Function(function) => Some(function),
        _ => None,
    });
    let function = functions.next().unwrap();
    let (input_schema, output_schema) = schema::of_function(&resolve, function, Documentation::Kept).unwrap();
    Tool {
        name: "t".to_owned(),
        interface: None,
        function: "t".to_owned(),
        description: String::new(),
        parameters: Vec::new(),
        input_schema,
        output_schema,
        returns_content: false,
    }
}

fn read_for(params: &str, schema: &Value) -> Result<EnforcedSchema, Fault> {
    read("schemas/t.json", schema.to_string().as_bytes(), &tool(params))
}

/// A file with these properties and nothing else.
fn properties(properties: Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// A file with these keywords at the one parameter `p`.
fn of_p(keywords: Value) -> Value {
    properties(json!({ "p": keywords }))
}

/// How a file is refused.
fn refused(params: &str, schema: &Value) -> String {
    match read_for(params, schema) {
        Err(fault) => {
            SchemaError { file: "schemas/t.json".into(), place: fault.place, message: fault.message }
                .to_string()
        }
        Ok(_) => panic!("taken: {schema}"),
    }
}

fn said(checked: Result<(), crate::sandbox::value::ArgumentError>) -> String {
    checked.err().map_or_else(|| "fits".to_owned(), |error| error.to_string())
}

#[test]
fn what_is_shown_is_both_at_once() {
    let params = "url: string, limit: option<u32>, address: option<address>, code: u64, kinds: list<method>";
    let author = json!({
        "type": "object",
        "$defs": {"city": {"$anchor": "town", "type": "string", "minLength": 2}},
        "properties": {
            "url": {"description": "Where to", "pattern": "^https://", "maxLength": 2000},
            "limit": {"type": "integer", "minimum": 1, "maximum": 4_294_967_296_u64},
            "address": {"properties": {"city": {"$ref": "#town"}}, "required": ["city"]},
            "kinds": {"items": {"enum": ["phone"]}, "minItems": 1},
        },
        "required": ["limit"],
        "if": {"properties": {"code": {"const": 1}}},
        "then": {"required": ["address"]},
    });
    let schema = read_for(params, &author).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(schema.document()).unwrap());
}

#[test]
fn the_suite_s_schema_is_taken_and_holds() {
    let params = "name: option<string>, address: option<address>, contact-method: option<string>, phone: option<string>, email: option<string>";
    let author = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contact-method": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contact-method": {"const": "phone"}}, "required": ["contact-method"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    });
    let schema = read_for(params, &author).unwrap();
    assert_eq!(said(schema.check(&json!({"contact-method": "phone", "phone": "1"}))), "fits");
    assert_eq!(said(schema.check(&json!({"email": "a", "address": {"city": "x"}}))), "fits");
    let cases = [
        (json!({"contact-method": "phone", "email": "a"}), "args: \"phone\" is a required property"),
        (json!({"phone": "1"}), "args: \"email\" is a required property"),
        (json!({"email": "a", "address": null}), "args.address: the value is not of type"),
        (json!({"email": "a", "contact-method": "post"}), "args.contact-method: the value is not one of"),
    ];
    for (arguments, message) in cases {
        let said = said(schema.check(&arguments));
        assert!(said.starts_with(message), "{said}");
    }
}

#[test]
fn what_is_refused_says_where_and_why() {
    let cases: Vec<(&str, Value)> = vec![
        ("p: string", json!([])),
        ("p: string", json!({"properties": {}})),
        ("p: string", properties(json!({"q": {}}))),
        ("prefix: string", properties(json!({"prefx": {}}))),
        ("p: string", json!({"type": "object", "required": ["q"]})),
        ("p: string", json!({"type": "object", "then": {"required": ["q"]}, "if": {}})),
        ("p: string", of_p(json!({"maximun": 3}))),
        ("p: string", of_p(json!({"x-other": 3}))),
        ("p: string", of_p(json!({"type": "integer"}))),
        ("p: string", of_p(json!({"type": ["string", "null"]}))),
        ("p: u32", of_p(json!({"type": "number"}))),
        ("p: string", of_p(json!({"maximum": 3}))),
        ("p: u64", of_p(json!({"pattern": "^1$"}))),
        ("p: f64", of_p(json!({"minimum": 0}))),
        ("p: method", of_p(json!({"enum": ["phnoe"]}))),
        ("p: u8", of_p(json!({"const": 1.5}))),
        ("p: string", of_p(json!({"default": "x"}))),
        ("p: option<string>", of_p(json!({"default": 3}))),
        ("p: address", of_p(json!({"properties": {"town": {}}}))),
        ("p: %place", of_p(json!({"properties": {"know": {}}}))),
        ("p: tuple<u8, u8>", of_p(json!({"prefixItems": [{}, {}, {}]}))),
        ("p: list<address>", of_p(json!({"items": {"required": ["streets"]}}))),
        ("p: string", json!({"type": "object", "additionalProperties": true})),
        ("p: string", of_p(json!({"$ref": "https://example.com/s.json"}))),
        ("p: string", of_p(json!({"$ref": "other.json#/x"}))),
        ("p: string", of_p(json!({"$ref": "#/$defs/none"}))),
        ("p: string", of_p(json!({"$ref": "#none"}))),
        (
            "p: string",
            json!({"type": "object", "examples": [{"p": {"maximun": 3}}], "allOf": [{"$ref": "#/examples/0/p"}]}),
        ),
        ("p: string", json!({"type": "object", "allOf": [{"$ref": "#"}]})),
        (
            "p: string",
            json!({"type": "object", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        ),
        ("p: string", json!({"type": "object", "$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}})),
        ("p: string", json!({"type": "object", "$id": "https://example.com/"})),
        ("p: string", json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"})),
        ("p: string", of_p(json!({"$schema": "https://json-schema.org/draft/2020-12/schema"}))),
        ("p: string", json!({"type": "object", "unevaluatedProperties": false})),
        ("p: string", of_p(json!({"pattern": "(?=x)"}))),
        ("p: string", of_p(json!({"pattern": "(a)\\1"}))),
        ("p: string", of_p(json!({"pattern": "(a{1000}){1000}"}))),
        ("p: string", of_p(json!({"pattern": "("}))),
        ("p: string", of_p(json!({"format": "iri"}))),
        ("p: string", of_p(json!({"minLength": -1}))),
        ("p: string", of_p(json!({"contentEncoding": "base64"}))),
        ("p: string", of_p(json!({"description": "a\u{200b}b"}))),
        ("p: string", of_p(json!({"description": "x".repeat(1_025)}))),
        ("p: string", of_p(json!({"then": {"minLength": 1}}))),
        ("p: string", of_p(json!({"x-mcp-header": ""}))),
        ("p: string", of_p(json!({"x-mcp-header": "a b"}))),
        ("p: string", of_p(json!({"x-mcp-header": 3}))),
        ("p: f32", of_p(json!({"type": "number", "x-mcp-header": "P"}))),
        (
            "p: string, q: string",
            properties(json!({"p": {"x-mcp-header": "Region"}, "q": {"x-mcp-header": "region"}})),
        ),
        ("p: list<string>", of_p(json!({"items": {"type": "string", "x-mcp-header": "P"}}))),
        ("p: string", json!({"type": "object", "x-mcp-header": "P"})),
    ];
    let all: Vec<String> =
        cases.iter().map(|(params, schema)| format!("{params}\n    {}", refused(params, schema))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_is_no_json_or_too_much_is_refused_as_a_whole() {
    let tool = tool("p: string");
    let deep = format!("{{\"type\":\"object\",\"default\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let twice = r#"{"type":"object","properties":{"p":{"maxLength":3,"maxLength":300}}}"#.to_owned();
    for text in ["", "{", "{}x", &deep, &twice, &format!("{{\"type\":\"object\"{}}}", " ".repeat(FILE_BYTES))]
    {
        assert!(read("schemas/t.json", text.as_bytes(), &tool).is_err(), "{:.60}", text);
    }
    assert!(read("schemas/t.json", b"{\"type\":\"object\",\"title\":\"\xff\"}", &tool).is_err());
}

#[test]
fn annotations_for_headers_pass_and_are_found() {
    let author = properties(json!({
        "region": {"x-mcp-header": "Region"},
        "to": {"properties": {"city": {"type": "string", "x-mcp-header": "City"}}},
    }));
    let schema = read_for("region: string, to: address", &author).unwrap();
    assert!(asks_for_headers(schema.document()));
    assert_eq!(schema.document().pointer("/properties/region/type"), Some(&json!("string")));
    assert!(!asks_for_headers(read_for("p: string", &of_p(json!({}))).unwrap().document()));
}

#[test]
fn a_bomb_is_refused_before_it_costs_anything() {
    let chain = |length: usize, times: usize| {
        let one = |next: usize| json!({"allOf": vec![json!({"$ref": format!("#/$defs/d{next}")}); times]});
        let mut definitions: serde_json::Map<String, Value> =
            (0..length).map(|at| (format!("d{at}"), one(at + 1))).collect();
        definitions.insert(format!("d{length}"), json!({"minLength": 1}));
        json!({"type": "object", "$defs": definitions, "properties": {"p": {"$ref": "#/$defs/d0"}}})
    };
    let nested = (0..60).fold(json!({"minLength": 1}), |inner, _| json!({"not": inner}));
    let patterns: Vec<Value> = (0..1_000).map(|at| json!({"pattern": format!("x{{{at}}}\\w")})).collect();
    let started = Instant::now();
    let bombs = [
        ("exponential", chain(40, 2)),
        ("wide", chain(3, 100)),
        ("long", chain(700, 1)),
        ("deep", of_p(nested)),
        ("many patterns", of_p(json!({"anyOf": patterns}))),
        ("many branches", of_p(json!({"anyOf": vec![json!({}); 5_000]}))),
    ];
    for (name, bomb) in bombs {
        let said = refused("p: string", &bomb);
        assert!(said.contains("followed") || said.contains("bytes"), "{name}: {said}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn the_dearest_check_that_is_made_at_all_is_bounded() {
    // Each just within what a file may say, against the largest arguments that are read.
    let branches = of_p(
        json!({"items": {"anyOf": vec![json!({"type": "integer", "multipleOf": 7, "minimum": 4_000_000_000_u32}); 600]}}),
    );
    let numbers = json!({"p": vec![3; 700_000]});
    let pattern = of_p(json!({"pattern": "(x|y)*x(x|y){300}z$"}));
    let text = json!({"p": "xy".repeat(1 << 20)});
    let words: Vec<String> = (0..5_000).map(|at| format!("w{at}")).collect();
    let words = of_p(json!({"items": {"enum": words}}));
    let misses = json!({"p": vec!["none"; 300_000]});
    let unique = of_p(json!({"uniqueItems": true}));
    let alike: Vec<Vec<u32>> = (0..300_000).map(|at| vec![at]).collect();
    let cases = [
        ("list<u32>", branches, numbers),
        ("string", pattern, text),
        ("list<string>", words, misses),
        ("list<list<u32>>", unique, json!({"p": alike})),
    ];
    for (kind, schema, arguments) in cases {
        let schema = read_for(&format!("p: {kind}"), &schema).unwrap();
        let started = Instant::now();
        let said = said(schema.check(&arguments));
        assert!(started.elapsed() < Duration::from_secs(5), "{kind}: {:?}, {said}", started.elapsed());
    }
}

#[test]
fn a_large_text_under_a_plain_pattern_is_no_bomb() {
    let schema =
        read_for("p: string", &of_p(json!({"pattern": "^[a-z]{3}", "maxLength": 3_000_000}))).unwrap();
    assert_eq!(said(schema.check(&json!({"p": "abc ".repeat(1 << 18)}))), "fits");
    let large = json!({"p": "ABC ".repeat(1 << 18)});
    assert_eq!(said(schema.check(&large)), "args: do not fit `schemas/t.json` in the skill");
}

/// Some schema's text, valid or not.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z#/$]{0,8}".prop_map(Value::from),
        Just(json!("object")),
        Just(json!("#/$defs/a")),
        Just(Value::Null),
    ];
    let keyword = prop_oneof![
        prop::sample::select(vec![
            "type",
            "properties",
            "$defs",
            "$ref",
            "$anchor",
            "allOf",
            "anyOf",
            "not",
            "if",
            "then",
            "items",
            "enum",
            "const",
            "pattern",
            "minimum",
            "required",
            "format",
            "x-mcp-header",
            "prefixItems",
            "default",
            "contains",
            "p",
            "q",
            "a",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,5}",
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keyword.clone(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(schema in anything(), as_root in any::<bool>()) {
        let mut schema = schema;
        if as_root && let Value::Object(map) = &mut schema {
            map.insert("type".to_owned(), json!("object"));
        }
        let _ = read_for("p: string, q: option<address>", &schema);
    }

    /// Whatever a file says of two parameters: what satisfies the joined schema satisfies the generated and the author's.
    #[test]
    fn what_is_joined_holds_both(
        minimum in prop::option::of(-300_i64..300), maximum in prop::option::of(-300_i64..300),
        typed in any::<bool>(), short in prop::option::of(0_u64..4), needs_word in any::<bool>(),
        n in prop_oneof![(-400_i64..400).prop_map(Value::from), Just(json!("x")), Just(Value::Null)],
        word in prop::option::of(prop_oneof!["[a-c]{0,5}".prop_map(Value::from), Just(json!(1)), Just(Value::Null)]),
    ) {
        let mut number = serde_json::Map::new();
        if typed { number.insert("type".to_owned(), json!("integer")); }
        number.extend(minimum.map(|limit| ("minimum".to_owned(), json!(limit))));
        number.extend(maximum.map(|limit| ("maximum".to_owned(), json!(limit))));
        let mut text = serde_json::Map::new();
        text.extend(short.map(|limit| ("maxLength".to_owned(), json!(limit))));
        let mut author = properties(json!({"n": number, "word": text}));
        if needs_word && let Some(map) = author.as_object_mut() {
            map.insert("required".to_owned(), json!(["word"]));
        }
        let generated = tool("n: s8, word: option<string>").input_schema;
        let joined = read_for("n: s8, word: option<string>", &author).unwrap();
        let mut arguments = json!({"n": n});
        if let (Some(word), Some(map)) = (word, arguments.as_object_mut()) {
            map.insert("word".to_owned(), word);
        }
        let holds = |schema: &Value| jsonschema::draft202012::is_valid(schema, &arguments);
        prop_assert_eq!(joined.check(&arguments).is_ok(), holds(&generated) && holds(&author));
    }
}
