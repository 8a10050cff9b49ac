//! What services print in their own documentation so that it can be copied: no secret of anybody's.

use soulbound_runtime::grant::output::Detector;

/// Numbers that the card schemes and payment services publish for tests.
const CARDS: [&str; 24] = [
    "4242424242424242",
    "4000056655665556",
    "4000002500003155",
    "4000000000000002",
    "4000002760003184",
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "2223003122003222",
    "5200828282828210",
    "5105105105105100",
    "5431111111111111",
    "378282246310005",
    "371449635398431",
    "378734493671000",
    "6011111111111117",
    "6011000990139424",
    "6011981111111113",
    "3056930009020004",
    "30569309025904",
    "38520000023237",
    "36227206271667",
    "3566002020360505",
    "6200000000000005",
];
/// Numbers from SWIFT's registry and from Wikipedia.
const IBANS: [&str; 14] = [
    "GB82WEST12345698765432",
    "GB29NWBK60161331926819",
    "GB33BUKB20201555555555",
    "DE89370400440532013000",
    "DE75512108001245126199",
    "FR1420041010050500013M02606",
    "CH9300762011623852957",
    "NL91ABNA0417164300",
    "ES9121000418450200051332",
    "IT60X0542811101000000123456",
    "BE68539007547034",
    "AT611904300234573201",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
];
/// Tokens of AWS, Stripe and jwt.io.
const TOKENS: [&str; 6] = [
    "AKIAIOSFODNN7EXAMPLE",
    "AKIAI44QH8DHBEXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiYWRtaW4iOnRydWUsImlhdCI6MTUxNjIzOTAyMn0.KMUFsIDTnFmyG3nMiGM6H9FNFUROf3wh7SmqJp-QV30",
];
/// How AWS's example of a secret key ends.
const AWS_SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Domains that are nobody's (RFC 2606).
const DOMAINS: [&str; 6] = ["example.com", "example.org", "example.net", ".example", ".test", ".invalid"];

/// Whether what a detector found is such an example.
pub(in crate::oversight::outputs) fn is_documented_example(detector: Detector, matched: &[u8]) -> bool {
    let plain: Vec<u8> =
        matched.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
    let is_among = |list: &[&str]| list.iter().any(|one| one.as_bytes() == plain);
    match detector {
        Detector::Card => is_among(&CARDS),
        Detector::Iban => is_among(&IBANS),
        Detector::CloudToken => {
            TOKENS.iter().any(|one| one.as_bytes() == matched) || matched.ends_with(AWS_SECRET)
        }
        Detector::Email => {
            let lower = matched.to_ascii_lowercase();
            DOMAINS.iter().any(|domain| lower.ends_with(domain.as_bytes()))
        }
        _ => false,
    }
}
