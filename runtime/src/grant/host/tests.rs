//! Entries as a table, the matcher, the ceiling, and properties over random entries and targets.

use proptest::prelude::*;

use super::*;
use crate::denial::RuleRef;

fn rule() -> RuleRef {
    RuleRef { file: "SOUL.md".into(), line: 3, column: 5, text: "hosts: …".into() }
}

fn parse(entry: &str) -> Result<HostGrant, EntryError> {
    HostGrant::parse(entry, rule())
}

fn grants(entries: &[&str]) -> Vec<HostGrant> {
    entries.iter().map(|entry| parse(entry).unwrap()).collect()
}

fn allowed(entries: &[&str], method: &str, url: &str) -> bool {
    Target::from_url(url).is_ok_and(|target| permits(&grants(entries), method, &target).is_ok())
}

#[test]
fn an_entry_has_one_canonical_text() {
    for (entry, canonical) in [
        ("api.example.com", "https://api.example.com"),
        ("API.Example.COM.", "https://api.example.com"),
        (" HTTPS://api.example.com:443 ", "https://api.example.com"),
        ("http://api.example.com:80", "http://api.example.com"),
        ("api.example.com:8443", "https://api.example.com:8443"),
        ("GET POST\tapi.example.com", "GET POST https://api.example.com"),
        ("*.example.com", "https://*.example.com"),
        ("93.184.216.34", "https://93.184.216.34"),
        ("127.0.0.1:18080", "https://127.0.0.1:18080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("[2606:2800:0:0::1]", "https://[2606:2800::1]"),
        ("93.184.216.0/24", "https://93.184.216.0/24"),
        ("93.184.216.0/24:8443", "https://93.184.216.0/24:8443"),
        ("2606:2800::/32", "https://[2606:2800::/32]"),
        ("[2606:2800::/32]:8443", "https://[2606:2800::/32]:8443"),
        ("nas (private 192.168.1.0/24)", "https://nas (private 192.168.1.0/24)"),
        ("git.corp.example ( private fd12::/16 )", "https://git.corp.example (private fd12::/16)"),
        ("http://10.0.0.5:8080 (private 10.0.0.5/32)", "http://10.0.0.5:8080 (private 10.0.0.5/32)"),
        ("10.2.0.0/16 (private 10.0.0.0/8)", "https://10.2.0.0/16 (private 10.0.0.0/8)"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("r3---sn-4g5e6nze.example.com", "https://r3---sn-4g5e6nze.example.com"),
        ("github.io", "https://github.io"),
        ("*.user.github.io", "https://*.user.github.io"),
        ("*.arxiv.org", "https://*.arxiv.org"),
    ] {
        let grant = parse(entry).unwrap_or_else(|error| panic!("{entry}: {error:?}"));
        assert_eq!(grant.to_string(), canonical);
        assert_eq!(parse(canonical).unwrap(), grant);
    }
}

#[test]
fn what_cannot_be_enforced_or_would_surprise_is_an_error() {
    for (entry, message) in [
        ("", "without a host"),
        ("POST", "one label"),
        ("post api.example.com", "expected an HTTP method"),
        ("GTE api.example.com", "expected an HTTP method"),
        ("CONNECT api.example.com", "can't be granted"),
        ("TRACE api.example.com", "can't be granted"),
        ("GET GET api.example.com", "twice"),
        ("tcp://db.example.com:5432", "reserved"),
        ("udp://dns.example.com:53", "reserved"),
        ("ftp://api.example.com", "expected `https://`"),
        ("https://api.example.com/", "a path"),
        ("https://api.example.com/v1", "a path"),
        ("api.example.com/24", "a path"),
        ("//api.example.com", "a path"),
        ("api.example.com?x", "a query"),
        ("api.example.com#x", "a fragment"),
        ("user@api.example.com", "a user name"),
        ("user:pw@api.example.com", "a user name"),
        ("api.example.com:", "expected a port"),
        ("api.example.com:*", "expected a port"),
        ("api.example.com:8000-9000", "expected a port"),
        ("api.example.com:0", "expected a port"),
        ("api.example.com:65536", "expected a port"),
        ("api.example.com:0443", "expected a port"),
        ("api.example.com:+443", "expected a port"),
        ("*", "every host"),
        ("https://*", "every host"),
        ("*.com", "anybody"),
        ("*.co.uk", "anybody"),
        ("*.github.io", "anybody"),
        ("*.amazonaws.com", "anybody"),
        ("*.ck", "anybody"),
        ("*.kawasaki.jp", "anybody"),
        ("*.internal", "anybody"),
        ("*.metadata.google.internal", "metadata"),
        ("a*.example.com", "whole labels"),
        ("api.*.com", "whole labels"),
        ("*.*.example.com", "whole labels"),
        ("*.1.2.3", "a number"),
        ("*.93.184.216.34", "a number"),
        ("localhost", "by its address"),
        ("localhost:18080", "by its address"),
        ("localhost (private 10.0.0.0/8)", "by its address"),
        ("foo.localhost", "by its address"),
        ("*.foo.localhost", "by its address"),
        ("foo.invalid", "never resolves"),
        ("intranet", "one label"),
        ("metadata", "metadata"),
        ("metadata.google.internal", "metadata"),
        ("METADATA.GOOG.", "metadata"),
        ("instance-data (private 10.0.0.0/8)", "metadata"),
        ("169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("168.63.129.16/32", "metadata"),
        ("100.100.100.200", "metadata"),
        ("[fd00:ec2::254]", "metadata"),
        ("[fd00:ec2::254] (private fd00::/8)", "metadata"),
        ("127.1", "a number"),
        ("0x7f000001", "a number"),
        ("0x7f.0.0.1", "a number"),
        ("2130706433", "a number"),
        ("127.0.0.01", "a number"),
        ("127.0.0.1.", "a number"),
        ("256.1.1.1", "a number"),
        ("example.0x10", "a number"),
        ("10.0.0.5", "can never match"),
        ("[fd00::1]", "can never match"),
        ("10.0.0.5 (private 10.1.0.0/16)", "can never match"),
        ("0.0.0.0", "nothing opens"),
        ("[::]", "nothing opens"),
        ("169.254.1.1", "nothing opens"),
        ("224.0.0.1", "nothing opens"),
        ("192.0.2.1", "nothing opens"),
        ("203.0.113.9", "nothing opens"),
        ("100.64.0.1", "nothing opens"),
        ("[fe80::1]", "nothing opens"),
        ("[::ffff:93.184.216.34]", "nothing opens"),
        ("[64:ff9b::1.1.1.1]", "nothing opens"),
        ("[2002:101:101::1]", "nothing opens"),
        ("0.0.0.0/0", "the network holds"),
        ("::/0", "the network holds"),
        ("2000::/3", "the network holds"),
        ("10.0.0.0/8", "the network holds"),
        ("192.0.0.0/8", "the network holds"),
        ("127.0.0.0/8", "the network holds"),
        ("10.0.0.0/8 (private 10.2.0.0/16)", "whole network"),
        ("8.8.8.0/24 (private 10.0.0.0/8)", "whole network"),
        ("93.184.216.0/33", "prefix length"),
        ("93.184.216.0/-1", "prefix length"),
        ("93.184.216.0/024", "prefix length"),
        ("93.184.216.1/24", "behind the prefix"),
        ("2606:2800::1/32", "behind the prefix"),
        ("2606:2800::1", "without brackets"),
        ("::1", "without brackets"),
        ("[fe80::1%25eth0]", "a percent sign"),
        ("[::1", "without `]`"),
        ("[1.2.3.4]", "expected an IPv6"),
        ("[::1]x", "after `]`"),
        ("a_b.example.com", "an underscore"),
        ("-a.example.com", "a hyphen"),
        ("a..example.com", "empty label"),
        (".example.com", "empty label"),
        ("*..example.com", "empty label"),
        ("exa mple.com", "expected an HTTP method"),
        ("example.com;evil.com", "`;`"),
        ("example.com\\evil.com", "a backslash"),
        ("example%2ecom", "a percent sign"),
        ("bücher.example", "outside ASCII"),
        ("faß.example", "outside ASCII"),
        ("exam\u{200b}ple.com", "invisible"),
        ("xn--.example.com", "a hyphen"),
        ("xn--api-.example.com", "a hyphen"),
        ("xn--a.example.com", "IDNA"),
        ("xn--99999999.example.com", "IDNA"),
        ("api.example.com (private 8.8.8.0/24)", "a private range lies"),
        ("api.example.com (private 127.0.0.0/8)", "a private range lies"),
        ("api.example.com (private 0.0.0.0/0)", "a private range lies"),
        ("api.example.com (private 169.254.0.0/16)", "a private range lies"),
        ("api.example.com (private ::/0)", "a private range lies"),
        ("api.example.com (private 10.2.3.4)", "expected a range"),
        ("api.example.com (private 10.2.3.4/16)", "behind the prefix"),
        ("api.example.com (private)", "expected `private`"),
        ("api.example.com (public 10.0.0.0/8)", "expected `private`"),
        ("api.example.com (private 10.0.0.0/8", "without `)`"),
        ("api.example.com (private 10.0.0.0/8) x", "without `)`"),
        ("*.example.com (private 10.0.0.0/8)", "wildcard"),
        ("93.184.216.34 (private 10.0.0.0/8)", "changes nothing"),
        ("127.0.0.1 (private 10.0.0.0/8)", "changes nothing"),
    ] {
        match parse(entry) {
            Ok(grant) => panic!("`{entry}` was read as `{grant}`"),
            Err(error) => {
                assert!(entry.get(error.at.clone()).is_some(), "{entry}: {error:?}");
                assert!(error.message.contains(message), "`{entry}`: {error:?} does not say {message}");
            }
        }
    }
}

#[test]
fn an_error_names_the_spelling_that_would_do() {
    for (entry, hint) in [
        ("faß.example", "xn--fa-hia.example"),
        ("*.bücher.example", "xn--bcher-kva.example"),
        ("::1", "`[::1]`"),
        ("localhost:18080", "http://127.0.0.1:8080"),
        ("93.184.216.1/24", "93.184.216.0/24"),
        ("https://api.example.com/v1", "`api.example.com`"),
        ("10.0.0.5", "`10.0.0.5 (private 10.0.0.5/32)`"),
        ("GTE api.example.com", "`GET`"),
        ("get api.example.com", "`GET`"),
    ] {
        let error = parse(entry).unwrap_err();
        assert!(error.hint.as_deref().is_some_and(|text| text.contains(hint)), "`{entry}`: {error:?}");
    }
    let error = parse("POST https://api.example.com:99999").unwrap_err();
    assert_eq!("POST https://api.example.com:99999".get(error.at), Some("99999"));
}

#[test]
fn methods_are_what_the_entry_says_or_get_and_head() {
    let entries = ["api.example.com", "POST GET https://form.example.com"];
    assert!(allowed(&entries, "GET", "https://api.example.com/"));
    assert!(allowed(&entries, "HEAD", "https://api.example.com/"));
    assert!(!allowed(&entries, "POST", "https://api.example.com/"));
    assert!(!allowed(&entries, "get", "https://api.example.com/"));
    assert!(allowed(&entries, "POST", "https://form.example.com/"));
    assert!(!allowed(&entries, "HEAD", "https://form.example.com/"));
    assert!(!allowed(&entries, "CONNECT", "https://form.example.com/"));
    assert!(!allowed(&entries, "TRACE", "https://form.example.com/"));
}

#[test]
fn the_refusal_tells_a_method_from_a_host() {
    let grants = grants(&["cdn.example.net", "https://api.example.com"]);
    let refusal = |method, url| permits(&grants, method, &Target::from_url(url).unwrap()).unwrap_err();
    assert_eq!(refusal("POST", "https://api.example.com"), HostRefusal::Method { entry: &grants[1] });
    assert_eq!(
        refusal("GET", "http://api.example.com"),
        HostRefusal::NotGranted { nearest: Some(&grants[1]) }
    );
    assert_eq!(refusal("GET", "https://evil.test"), HostRefusal::NotGranted { nearest: Some(&grants[0]) });
    assert_eq!(
        refusal("GET", "http://169.254.169.254"),
        HostRefusal::Metadata(crate::grant::address::metadata::ADDRESSES[0].owner)
    );
}

#[test]
fn a_metadata_name_is_refused_under_a_granted_wildcard_too() {
    assert!(allowed(&["http://*.google.internal"], "GET", "http://x.google.internal/"));
    assert!(!allowed(&["http://*.google.internal"], "GET", "http://metadata.google.internal/"));
    assert!(!allowed(&["http://*.ec2.internal"], "GET", "http://instance-data.ec2.internal./"));
}

#[test]
fn of_two_entries_the_closer_one_decides() {
    let grants = grants(&["*.corp.example", "git.corp.example (private 10.0.0.0/8)"]);
    let target = Target::from_url("https://git.corp.example").unwrap();
    assert_eq!(permits(&grants, "GET", &target).unwrap().private_range(), "10.0.0.0/8".parse().ok());
}

#[test]
fn a_target_is_read_strictly() {
    for (url, shown) in [
        ("https://api.example.com", "https://api.example.com:443"),
        ("HTTP://API.Example.com.:8080/a@b?c#d", "http://api.example.com:8080"),
        ("https://api.example.com:/", "https://api.example.com:443"),
        ("https://[2606:2800:0::0:1]:8443", "https://[2606:2800::1]:8443"),
        ("https://1.1.1.1", "https://1.1.1.1:443"),
    ] {
        assert_eq!(Target::from_url(url).unwrap().to_string(), shown);
    }
    assert_eq!(Target::from_url("https://api.example.com:443").unwrap().origin(), "https://api.example.com");
}

#[test]
fn a_malformed_target_says_why() {
    let number = MalformedTarget::Name(name::NameError::Number);
    for (url, why) in [
        ("https://user:pass@api.example.com/", MalformedTarget::Userinfo),
        ("https://api.example.com@evil.com/", MalformedTarget::Userinfo),
        ("https://[::1]@evil.com/", MalformedTarget::Userinfo),
        ("https://api.example.com\\@evil.com/", MalformedTarget::Userinfo),
        ("ftp://api.example.com/", MalformedTarget::Scheme),
        ("https:/api.example.com", MalformedTarget::Scheme),
        ("https://api.example.com/a b", MalformedTarget::Character),
        ("https://b\u{fc}cher.example/", MalformedTarget::Character),
        ("https://[::1", MalformedTarget::Brackets),
        ("https://[fe80::1%25lo]", MalformedTarget::Brackets),
        ("https://[127.0.0.1]", MalformedTarget::Brackets),
        ("https://api.example.com:0", MalformedTarget::Port),
        ("https://api.example.com:65979", MalformedTarget::Port),
        ("https://api.example.com:+443", MalformedTarget::Port),
        ("https://[::1]443", MalformedTarget::Port),
        ("https://2130706433/", number),
        ("https://127.1/", number),
        ("https://0x7f.1/", number),
        ("https://127.0.0.1./", number),
        ("https://api.example.0x/", number),
        ("https://a_b.example.com/", MalformedTarget::Name(name::NameError::Underscore)),
        ("https://api%2eexample.com/", MalformedTarget::Name(name::NameError::Character('%'))),
        ("https://api..example.com/", MalformedTarget::Name(name::NameError::EmptyLabel)),
        ("https:///", MalformedTarget::Name(name::NameError::Empty)),
    ] {
        assert_eq!(Target::from_url(url), Err(why), "{url}");
    }
}

#[test]
fn the_ceiling_denies_before_it_allows() {
    let list = |entries: &[&str]| entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>();
    let ceiling = HostCeiling::parse(
        "gateway.toml",
        Some(&list(&["https://*.wikipedia.org", "api.example.com", "*.internal.example"])),
        &list(&["*.internal.example", "evil.example.com:8443", "10.0.0.0/8", "[fd00::/8]"]),
    )
    .unwrap();
    let target = |url| Target::from_url(url).unwrap();
    assert!(ceiling.permits(&target("https://en.wikipedia.org")).is_ok());
    assert!(ceiling.permits(&target("https://en.wikipedia.org:8443")).is_ok());
    assert_eq!(ceiling.permits(&target("http://en.wikipedia.org")), Err(CeilingRefusal::NotAllowed));
    assert!(ceiling.permits(&target("http://api.example.com:1234")).is_ok());
    assert!(matches!(ceiling.permits(&target("https://x.internal.example")), Err(CeilingRefusal::Denied(_))));
    let Err(CeilingRefusal::Denied(rule)) = ceiling.permits(&target("https://internal.example")) else {
        panic!("the apex of a denied wildcard is denied");
    };
    assert_eq!(rule.to_string(), "gateway.toml `deny_hosts: *.internal.example`");
    let api = target("https://api.example.com");
    assert!(ceiling.permits_address(&api, "10.1.2.3".parse().unwrap()).is_err());
    assert!(ceiling.permits_address(&api, "::ffff:10.1.2.3".parse().unwrap()).is_err());
    assert!(ceiling.permits_address(&api, "93.184.216.34".parse().unwrap()).is_ok());
    let empty = HostCeiling::parse("gateway.toml", Some(&[]), &[]).unwrap();
    assert_eq!(empty.permits(&api), Err(CeilingRefusal::NotAllowed));
    assert!(HostCeiling::default().permits(&api).is_ok());
    assert!(HostCeiling::parse("gateway.toml", None, &list(&["POST evil.com"])).is_err());
    assert!(HostCeiling::parse("gateway.toml", None, &list(&["https://evil.com/x"])).is_err());
}

#[test]
fn no_row_of_the_table_above_the_suffixes_is_itself_a_suffix() {
    for line in include_str!("above_suffix.txt").lines() {
        assert_ne!(psl::suffix_str(line), Some(line));
        assert!(parse(&format!("*.{line}")).is_err(), "{line}");
    }
}

fn any_entry() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-c]{1,3}\\.example\\.(com|org)",
        "\\*\\.[a-c]{1,2}\\.example\\.com",
        "(93|8|127)\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,3}",
        "\\[2606:[0-9a-f]{1,4}::[0-9a-f]{1,4}\\]",
        "93\\.[0-9]{1,2}\\.0\\.0/16",
        "[ -~]{0,24}",
    ];
    (
        "(|GET |POST |GET PUT )",
        "(|http://|https://|HTTPS://)",
        host,
        "(|:80|:443|:8443)",
        "(| \\(private 10\\.0\\.0\\.0/8\\))",
    )
        .prop_map(|(method, scheme, host, port, private)| format!("{method}{scheme}{host}{port}{private}"))
}

fn any_url() -> impl Strategy<Value = String> {
    let head = "https?://[a-c.*@:\\\\%\\[\\]0-9x-]{0,12}";
    let tail = "(\\.|@|)[a-c]{0,2}\\.?example\\.(com|org)\\.?(:80|:443|:8443|)(/|)";
    (head, tail).prop_map(|(head, tail)| format!("{head}{tail}"))
}

proptest! {
    #[test]
    fn what_parses_displays_as_itself(entry in any_entry()) {
        if let Ok(grant) = parse(&entry) {
            prop_assert_eq!(parse(&grant.to_string()), Ok(grant));
        }
    }

    #[test]
    fn no_text_makes_the_parser_or_the_target_panic(text in "\\PC{0,40}", scheme in "(https://|)") {
        let text = format!("{scheme}{text}");
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.at).is_some());
        }
        let _ = Target::from_url(&text);
    }

    /// The oracle is the text: an exact entry permits only a URL whose origin is spelled with the very same
    /// name.
    #[test]
    fn a_grant_permits_nothing_that_its_text_does_not_name(entry in any_entry(), url in any_url()) {
        let Ok(grant) = parse(&entry) else { return Ok(()) };
        let Ok(target) = Target::from_url(&url) else { return Ok(()) };
        if permits(std::slice::from_ref(&grant), grant.methods()[0], &target).is_err() {
            return Ok(());
        }
        prop_assert!(!url.contains(['@', '\\', '%', '*']));
        let bare = url.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
        let host = bare.split(':').next().unwrap().trim_end_matches('.').to_owned();
        let granted = grant.pattern().to_string();
        match granted.strip_prefix('*') {
            Some(dotted) => prop_assert!(host.ends_with(dotted) && host.len() > dotted.len()),
            None => prop_assert_eq!(host, granted),
        }
        let scheme = url.split("://").next();
        prop_assert_eq!(scheme, Some(grant.scheme().as_str()));
    }
}
