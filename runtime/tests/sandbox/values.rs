//! The table of WIT and JSON: every kind there and back through a real guest, and errors that name the place.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{BoundSkill, Ending, ErrorKind};

use crate::shared::{bind, call, guest, none, returned};

static PROBE: LazyLock<BoundSkill> = LazyLock::new(|| bind(&guest("probe"), &[]).unwrap());

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went_in() {
    let max = u64::MAX.to_string();
    let cases = [
        ("echo-bool", json!(true)),
        ("echo-u8", json!(255)),
        ("echo-s8", json!(-128)),
        ("echo-u16", json!(65_535)),
        ("echo-s16", json!(-32_768)),
        ("echo-u32", json!(u32::MAX)),
        ("echo-s32", json!(i32::MIN)),
        ("echo-u64", json!(9_007_199_254_740_992_u64)),
        ("echo-u64", json!(max)),
        ("echo-s64", json!("-9223372036854775808")),
        ("echo-f32", json!(0.5)),
        ("echo-f64", json!(1e300)),
        ("echo-f64", json!("NaN")),
        ("echo-f64", json!("-Infinity")),
        ("echo-char", json!("ß")),
        ("echo-char", json!("\u{10ffff}")),
        ("echo-string", json!("")),
        ("echo-string", json!("\u{0}\u{1b}\u{1f600}")),
        ("echo-bytes", json!("AAECAw==")),
        ("echo-bytes", json!("")),
        ("echo-list", json!([])),
        ("echo-list", json!([1, 2, 3])),
        ("echo-tuple", json!([1, "two", false])),
        ("echo-option", json!("some")),
        ("echo-option", json!(null)),
        ("echo-nested", json!(null)),
        ("echo-nested", json!({"some": null})),
        ("echo-nested", json!({"some": 3})),
        ("echo-shape", json!("nothing")),
        ("echo-shape", json!({"circle": 1.5})),
        ("echo-shape", json!({"rectangle": [1, 2]})),
        ("echo-shape", json!({"named": null})),
        ("echo-shape", json!({"named": "x"})),
        ("echo-colour", json!("light-green")),
        ("echo-rights", json!([])),
        ("echo-rights", json!(["read", "run-it"])),
        ("echo-outcomes", json!([{"ok": 1}, {"err": "no"}])),
    ];
    for (tool, value) in cases {
        let outcome = call(&PROBE, tool, json!({"value": value})).await;
        assert_eq!(returned(&outcome), value, "{tool}");
    }
}

#[tokio::test]
async fn a_record_of_everything_comes_back_as_it_went_in() {
    let everything = everything();
    assert_eq!(returned(&call(&PROBE, "echo", json!({"value": everything})).await), everything);
}

fn everything() -> Value {
    json!({
        "yes": true, "tiny": 1, "small": -2, "huge": "18446744073709551615", "deep": "-9223372036854775808",
        "rough": 0.25, "letter": "x", "label": "name", "raw": "AQI=",
        "shapes": ["nothing", {"circle": 2.5}, {"rectangle": [3, 4]}, {"named": "n"}],
        "pair": ["red", ["write"]], "maybe": {"some": 5}, "outcome": {"err": "no"}, "bare": {"ok": null},
    })
}

#[tokio::test]
async fn a_result_as_the_tool_s_own_is_the_value_or_the_tool_s_error() {
    assert_eq!(returned(&call(&PROBE, "echo-result", json!({"value": {"ok": 7}})).await), 7);
    let outcome = call(&PROBE, "echo-result", json!({"value": {"err": "no luck"}})).await;
    let Ending::Failed { denial: None, error: Some(error) } = &outcome.ending else { panic!("{outcome:?}") };
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Tool, "no luck"));
    assert_eq!(error.value, Some(json!("no luck")));
}

#[tokio::test]
async fn options_may_be_left_out_and_nothing_else() {
    let some = call(&PROBE, "echo-many", json!({"first": 1, "third": "x"})).await;
    assert_eq!(returned(&some), "1 None x None");
    for arguments in [json!({"third": "x"}), json!({"first": 1, "third": null}), json!({"first": 1})] {
        let outcome = call(&PROBE, "echo-many", arguments).await;
        assert!(
            matches!(&outcome.ending, Ending::Failed { error: Some(error), .. } if error.kind == ErrorKind::Arguments)
        );
    }
}

#[tokio::test]
async fn an_argument_error_names_the_path_what_was_expected_and_what_was_found() {
    let with = |key: &str, value: Value| {
        let mut everything = everything();
        everything[key] = value;
        json!({"value": everything})
    };
    let cases = [
        ("echo-u32", json!({"value": "ten"}), r#"args.value: expected u32, found "ten""#),
        ("echo-u32", json!({"value": -1}), "args.value: expected u32, found -1"),
        ("echo-u32", json!({"value": 1.5}), "args.value"),
        ("echo-u8", json!({"value": 256}), "args.value"),
        ("echo-u64", json!({"value": "18446744073709551616"}), "args.value"),
        ("echo-u64", json!({"value": 1e20}), "args.value"),
        ("echo-u64", json!({"value": "+1"}), "args.value"),
        ("echo-bool", json!({"value": 1}), "args.value"),
        ("echo-char", json!({"value": "ab"}), "args.value"),
        ("echo-char", json!({"value": ""}), "args.value"),
        ("echo-string", json!({"value": 1}), "args.value"),
        ("echo-bytes", json!({"value": "not base64!"}), "args.value"),
        ("echo-bytes", json!({"value": [1, 2]}), "args.value"),
        ("echo-list", json!({"value": [1, "x"]}), "args.value[1]"),
        ("echo-tuple", json!({"value": [1, "x"]}), "args.value"),
        ("echo-shape", json!({"value": "square"}), "args.value"),
        ("echo-shape", json!({"value": {"circle": 1, "named": null}}), "args.value"),
        ("echo-shape", json!({"value": {"rectangle": [1, "x"]}}), "args.value.rectangle[1]"),
        ("echo-colour", json!({"value": "blue"}), "args.value"),
        ("echo-rights", json!({"value": ["read", "fly"]}), "args.value"),
        ("echo-rights", json!({"value": ["read", "read"]}), "args.value"),
        ("echo-outcomes", json!({"value": [{"ok": 1, "err": "x"}]}), "args.value[0]"),
        ("echo", with("tiny", json!(256)), "args.value.tiny"),
        ("echo", with("shapes", json!(["nothing", {"circle": "x"}])), "args.value.shapes[1].circle"),
        ("echo", with("extra", json!(1)), "extra"),
        ("nothing", json!({"value": 1}), "value"),
    ];
    for (tool, arguments, expected) in cases {
        let outcome = call(&PROBE, tool, arguments.clone()).await;
        let Ending::Failed { denial: None, error: Some(error) } = &outcome.ending else {
            panic!("{tool} {arguments}: {:?}", outcome.ending)
        };
        assert_eq!(error.kind, ErrorKind::Arguments, "{tool} {arguments}");
        assert!(error.message.contains(expected), "{tool} {arguments}: {}", error.message);
    }
}

#[tokio::test]
async fn every_call_has_an_instance_of_its_own() {
    for _ in 0..3 {
        assert_eq!(returned(&call(&PROBE, "calls", none()).await), 1);
    }
}

fn shapes() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("nothing")),
        any::<f64>()
            .prop_filter("JSON has these", |float| float.is_finite())
            .prop_map(|float| json!({"circle": float})),
        any::<(u32, u32)>().prop_map(|(wide, high)| json!({"rectangle": [wide, high]})),
        proptest::option::of(any::<String>()).prop_map(|text| json!({"named": text})),
    ]
}

fn cases() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        any::<String>().prop_map(|text| ("echo-string", json!(text))),
        any::<char>().prop_map(|letter| ("echo-char", json!(letter))),
        any::<i64>().prop_map(|number| {
            let plain = number.unsigned_abs() <= 1 << 53;
            ("echo-s64", if plain { json!(number) } else { json!(number.to_string()) })
        }),
        any::<u64>().prop_map(|number| {
            ("echo-u64", if number <= 1 << 53 { json!(number) } else { json!(number.to_string()) })
        }),
        any::<f64>()
            .prop_filter("JSON has these", |float| float.is_finite())
            .prop_map(|float| ("echo-f64", json!(float))),
        proptest::collection::vec(any::<u32>(), 0..64).prop_map(|list| ("echo-list", json!(list))),
        proptest::option::of(proptest::option::of(any::<u32>())).prop_map(|nested| {
            ("echo-nested", nested.map_or(Value::Null, |inner| json!({"some": inner})))
        }),
        shapes().prop_map(|shape| ("echo-shape", shape)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_comes_back_as_it_went_in((tool, value) in cases()) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = tokio.block_on(call(&PROBE, tool, json!({"value": value})));
        prop_assert_eq!(returned(&outcome), value);
    }
}
