//! Each detector against its table, and against everybody else's.

use soulbound_runtime::grant::output::Detector;

use super::super::detectors::{all, is_documented_example};
use super::samples;

#[test]
fn each_detector_finds_what_is_its_own_whole_and_alone() {
    for (detector, sample) in samples::found() {
        for (before, after) in [("", ""), ("x = ", ";"), ("\"", "\""), ("\n", "\n"), ("(", ")."), ("é", "é")]
        {
            let text = format!("{before}{sample}{after}");
            let found = all(detector, text.as_bytes());
            assert_eq!(found.len(), 1, "{detector:?} in {text:?}: {found:?}");
            let found = String::from_utf8_lossy(found[0]);
            assert!(sample.contains(&*found) || found.contains(&sample), "{found} in {sample}");
            assert!(
                found.len() * 2 >= sample.len()
                    || detector == Detector::CloudToken
                    || found.starts_with("PuTTY"),
                "{found} of {sample}"
            );
        }
    }
}

#[test]
fn what_looks_like_something_and_is_nothing_is_left_alone() {
    for (detector, text) in samples::LEFT_ALONE {
        for (before, after) in [("", ""), ("x = ", ";"), ("\"", "\"")] {
            let text = format!("{before}{text}{after}");
            let found = all(detector, text.as_bytes());
            assert!(found.is_empty(), "{detector:?} in {text:?}: {:?}", String::from_utf8_lossy(found[0]));
        }
    }
}

#[test]
fn no_detector_takes_another_s_for_its_own() {
    for (own, sample) in samples::found() {
        for other in Detector::ALL.iter().filter(|other| **other != own) {
            let found = all(*other, sample.as_bytes());
            assert!(found.is_empty(), "{other:?} in {sample:?}");
        }
    }
}

#[test]
fn several_in_a_row_are_several() {
    let cards = "4268465632122333 5107924402685996, 4268 4656 3212 2333 5107 9244 0268 5996 12/27";
    assert_eq!(all(Detector::Card, cards.as_bytes()).len(), 4);
    let mails = "a@b.se,c@d.se; <e@f.se>";
    assert_eq!(all(Detector::Email, mails.as_bytes()), [b"a@b.se", b"c@d.se", b"e@f.se"]);
}

#[test]
fn an_example_of_the_documentation_is_known_as_one() {
    for (detector, text, expected) in [
        (Detector::Card, "4242 4242-4242 4242", true),
        (Detector::Card, "4268465632122333", false),
        (Detector::Iban, "GB82 WEST 1234 5698 7654 32", true),
        (Detector::CloudToken, "AKIAIOSFODNN7EXAMPLE", true),
        (Detector::CloudToken, "AKIAGI3MNBQNSPUQ2IDW", false),
        (Detector::Email, "someone@example.com", true),
        (Detector::Email, "someone@example.com.evil.io", false),
        (Detector::PrivateKey, "anything", false),
    ] {
        assert_eq!(is_documented_example(detector, text.as_bytes()), expected, "{text}");
    }
}
