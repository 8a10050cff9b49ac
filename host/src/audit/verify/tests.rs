//! Every kind of change by hand, and every single byte of a small trail.

mod everywhere;

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::audit::book::agent_folder;
use crate::audit::entry::OutcomeEntry;
use crate::audit::event::{Decision, Event};
use crate::audit::line::LONGEST;
use crate::audit::trail::tests::{Place as Folder, arguments, call, calls, entry, now};
use crate::audit::trail::{Options, Trail};

fn verify(place: &Folder) -> Report {
    let keys = Keys::read(place.state()).unwrap().unwrap();
    trail(&place.echo(), "echo", &keys, None, false).unwrap()
}

fn faults(place: &Folder) -> Vec<&'static str> {
    verify(place).findings.iter().map(|finding| finding.fault.id()).collect()
}

/// Three calls, closed.
fn written() -> Folder {
    let place = Folder::new();
    let (book, _) = place.open();
    calls(&book, 3);
    place
}

fn lines(place: &Folder) -> Vec<String> {
    fs::read_to_string(place.file()).unwrap().lines().map(str::to_owned).collect()
}

fn write(place: &Folder, lines: &[String]) {
    fs::write(place.file(), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[test]
fn what_was_written_is_clean() {
    let place = written();
    let report = verify(&place);
    assert_eq!(report.findings, []);
    assert_eq!((report.records, report.files, report.tip.seq), (7, 1, 7));
}

/// Found by the fuzz target `audit`: the proof counted on from the number, and ended in an overflow.
#[test]
fn a_forged_record_with_the_largest_number_is_found_and_does_not_end_the_proof() {
    let place = written();
    let mut all = lines(&place);
    let record = all[6].replace("\"seq\":7", "\"seq\":18446744073709551615");
    all[6] = Line::parse(record.as_bytes()).unwrap().resealed().unwrap();
    all.push("{}".to_owned());
    write(&place, &all);
    let found = faults(&place);
    assert_eq!(found.first(), Some(&"forged"), "{found:?}");
    assert!(found.contains(&"not-a-record"), "{found:?}");
    // A gateway that starts reads it too.
    let (book, _) = place.open();
    call(&book);
}

#[test]
fn each_kind_of_change_is_named_with_its_record() {
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change, &str, u64); 9] = [
        ("edit", |lines| lines[1] = lines[1].replace("policy", "police"), "changed", 2),
        (
            "edit of a hash",
            |lines| lines[1] = lines[1].replace("\"hash\":\"", "\"hash\":\"0"),
            "not-a-record",
            2,
        ),
        ("deletion", |lines| drop(lines.remove(2)), "order", 4),
        ("deletion at the start", |lines| drop(lines.remove(0)), "missing", 2),
        ("insertion", |lines| lines.insert(3, lines[2].clone()), "order", 3),
        ("swap", |lines| lines.swap(3, 4), "order", 5),
        ("cut", |lines| lines.truncate(5), "cut-off", 6),
        ("garbage", |lines| lines.insert(2, "{}".to_owned()), "not-a-record", 3),
        ("number", |lines| lines[3] = lines[3].replace("\"seq\":4", "\"seq\":5"), "changed", 4),
    ];
    for (name, change, fault, seq) in changes {
        let place = written();
        let mut text = lines(&place);
        change(&mut text);
        write(&place, &text);
        let findings = verify(&place).findings;
        let first = findings.first().unwrap_or_else(|| panic!("{name}: nothing found"));
        assert_eq!((first.fault.id(), first.place.seq), (fault, Some(seq)), "{name}: {findings:#?}");
    }
}

#[test]
fn a_record_of_another_trail_or_without_the_key_is_found() {
    let place = written();
    let (other, _) = place.audit().book("guardian", Default::default()).unwrap();
    drop(other);
    fs::copy(agent_folder(place.state(), "guardian").join("audit.jsonl"), place.file()).unwrap();
    assert!(faults(&place).contains(&"foreign"), "{:?}", faults(&place));

    // A whole trail of another gateway, its hashes and tips in order.
    let (place, other) = (written(), written());
    for name in ["audit.jsonl", "audit.tip", "audit.tip.sig"] {
        fs::copy(other.echo().join(name), place.echo().join(name)).unwrap();
    }
    let found = faults(&place);
    assert_eq!(found.iter().filter(|fault| **fault == "forged").count(), 7, "{found:?}");
    assert!(found.contains(&"no-tip") && found.contains(&"bad-signature"));
}

#[test]
fn a_trail_put_back_with_its_tips_is_found_by_the_gateway_s_copy() {
    let place = Folder::new();
    let (gateway, _) = place.audit().gateway().unwrap();
    let (book, _) = place.open();
    calls(&book, 3);
    drop(book);
    let before: Vec<_> = ["audit.jsonl", "audit.tip", "audit.tip.sig"]
        .map(|name| (name, fs::read(place.echo().join(name)).unwrap()))
        .into();
    let (book, _) = place.open();
    call(&book);
    gateway.tips(&[("echo".to_owned(), book.tip())]).unwrap();
    drop((book, gateway));
    for (name, bytes) in before {
        fs::write(place.echo().join(name), bytes).unwrap();
    }
    assert_eq!(verify(&place).findings, [], "by itself it looks whole");
    let keys = Keys::read(place.state()).unwrap().unwrap();
    let gateway = trail(place.state(), crate::audit::book::GATEWAY, &keys, None, false).unwrap();
    assert_eq!(gateway.findings, []);
    let report = trail(&place.echo(), "echo", &keys, Some(gateway.agents["echo"]), false).unwrap();
    assert!(matches!(report.findings[0].fault, Fault::CutOff { witness: Witness::Gateway, .. }));
}

#[test]
fn a_second_outcome_and_one_without_an_intent_are_found() {
    let place = Folder::new();
    let (book, _) = place.open();
    let done = call(&book);
    let outcome = |call: u64| {
        let trail: &Trail = book.trail();
        let mut fields = OutcomeEntry::without_result(Decision::Allowed)
            .fields(&Keys::read(place.state()).unwrap().unwrap());
        fields.call = Some(call);
        trail.append(fields).unwrap();
    };
    outcome(done);
    outcome(1);
    assert_eq!(faults(&place), ["not-open", "not-open"]);
}

#[test]
fn a_discontinuity_that_the_gateway_saw_is_found_for_ever() {
    let place = written();
    let mut text = lines(&place);
    text.truncate(4);
    write(&place, &text);
    let (book, opening) = place.open();
    assert!(opening.discontinuity.is_some());
    call(&book);
    drop(book);
    for _ in 0..2 {
        assert_eq!(faults(&place), ["discontinuity"]);
        drop(place.open());
    }
}

#[test]
fn segments_are_followed_and_a_missing_one_is_found() {
    let place = Folder::with(Options { rotate: 3_000, ..Options::default() });
    let (book, _) = place.open();
    calls(&book, 20);
    drop(book);
    let report = verify(&place);
    assert_eq!(report.findings, []);
    assert!(report.files > 3);
    let segments = super::super::rotation::segments(&place.echo()).unwrap();
    let renamed = place.echo().join("audit.000000000002.jsonl");
    fs::rename(&segments[0].path, &renamed).unwrap();
    assert_eq!(faults(&place), ["misnamed"]);
    fs::rename(&renamed, &segments[0].path).unwrap();
    for (index, segment) in segments.iter().enumerate() {
        let bytes = fs::read(&segment.path).unwrap();
        fs::remove_file(&segment.path).unwrap();
        let findings = verify(&place).findings;
        assert_eq!(findings[0].fault.id(), "missing", "segment {index}: {findings:#?}");
        fs::write(&segment.path, bytes).unwrap();
        std::os::unix::fs::chown(&segment.path, None, None).unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&segment.path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(verify(&place).findings, []);
}

#[test]
fn half_a_line_is_no_finding_while_a_gateway_writes() {
    let place = written();
    let whole = fs::read(place.file()).unwrap();
    fs::write(place.file(), [whole.as_slice(), b"{\"acc"].concat()).unwrap();
    let keys = Keys::read(place.state()).unwrap().unwrap();
    assert_eq!(faults(&place), ["unfinished"]);
    assert_eq!(trail(&place.echo(), "echo", &keys, None, true).unwrap().findings, []);
}

#[test]
fn the_second_half_of_a_line_is_no_line_when_it_is_written_while_the_trail_is_read() {
    use std::io::Write;
    let place = written();
    let whole = fs::read(place.file()).unwrap();
    let (begun, rest) = whole.split_at(whole.len() - 40);
    fs::write(place.file(), begun).unwrap();
    let mut lines = files::list(&place.echo()).unwrap().remove(0).lines(&place.echo()).unwrap();
    let mut read = 0;
    while let Some(line) = lines.next().unwrap() {
        read += 1;
        if !line.ends_with(b"\n") {
            fs::OpenOptions::new().append(true).open(place.file()).unwrap().write_all(rest).unwrap();
        }
    }
    assert_eq!(read, 7);
}

#[test]
fn a_line_longer_than_any_record_is_a_finding_in_a_live_trail_too_and_hides_no_record() {
    let place = written();
    let mut whole = lines(&place);
    whole.insert(3, "x".repeat(crate::audit::line::LONGEST as usize));
    write(&place, &whole);
    let keys = Keys::read(place.state()).unwrap().unwrap();
    let report = trail(&place.echo(), "echo", &keys, None, true).unwrap();
    assert_eq!(
        report.findings.iter().map(|finding| finding.fault.id()).collect::<Vec<_>>(),
        ["not-a-record"]
    );
    assert_eq!(report.tip.seq, 7);
    let mut heard = Vec::new();
    let mut hears = |record: &Line<'_>| {
        heard.push(record.seq);
        true
    };
    crate::audit::read::all(&place.echo(), &crate::audit::read::Filter::default(), &mut hears).unwrap();
    assert_eq!(heard, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn readers_find_nothing_wrong_while_a_gateway_writes() {
    let place = Folder::with(Options { rotate: 20_000, ..Options::default() });
    let (book, _) = place.open();
    let keys = Keys::read(place.state()).unwrap().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut rounds = 0;
                    while rounds == 0 || !done.load(std::sync::atomic::Ordering::Acquire) {
                        let report = trail(&place.echo(), "echo", &keys, None, true).unwrap();
                        assert_eq!(report.findings, []);
                        rounds += 1;
                    }
                })
            })
            .collect();
        calls(&book, 400);
        done.store(true, std::sync::atomic::Ordering::Release);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn every_single_byte_of_a_small_trail_counts() {
    let place = written();
    let whole = fs::read(place.file()).unwrap();
    for index in 0..whole.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[index] ^= change;
            fs::write(place.file(), &bytes).unwrap();
            assert_ne!(faults(&place), [""; 0], "byte {index} ^ {change:#x}");
        }
    }
    // And what stands beside it: either copy of the tip.
    fs::write(place.file(), &whole).unwrap();
    let signed = place.echo().join(SIGNED);
    let bytes = fs::read(&signed).unwrap();
    for index in
        bytes.windows(9).position(|window| window == b"signature").into_iter().flat_map(|at| at + 13..at + 60)
    {
        let mut changed = bytes.clone();
        changed[index] ^= 0x01;
        fs::write(&signed, changed).unwrap();
        assert_eq!(faults(&place), ["bad-signature"], "byte {index}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Any replacement, removal or insertion of a piece.
    #[test]
    fn any_edit_is_found(at in 0usize..2_000, cut in 0usize..40, put in proptest::collection::vec(any::<u8>(), 0..40)) {
        let place = written();
        let whole = fs::read(place.file()).unwrap();
        let at = at.min(whole.len());
        let cut = cut.min(whole.len() - at);
        let edited = [&whole[..at], put.as_slice(), &whole[at + cut..]].concat();
        prop_assume!(edited != whole);
        fs::write(place.file(), edited).unwrap();
        prop_assert_ne!(faults(&place), [""; 0]);
    }
}

#[test]
fn a_live_call_is_not_a_finding_and_neither_is_a_note() {
    let place = Folder::new();
    let (book, _) = place.open();
    let arguments = arguments("x");
    let _running = now(book.intend(&entry(&arguments))).unwrap();
    book.note(Event::SoulChanged, "gateway", &serde_json::Value::Null).unwrap();
    assert_eq!(verify(&place).findings, []);
}

/// The end of a trail of several files, as doctor looks at it.
fn tail_faults(place: &Folder, bytes: u64) -> Vec<&'static str> {
    let keys = Keys::read(place.state()).unwrap().unwrap();
    let report = tail(&place.echo(), "echo", &keys, None, false, bytes).unwrap();
    report.findings.iter().map(|finding| finding.fault.id()).collect()
}

#[test]
fn the_end_of_a_sound_trail_is_sound_wherever_it_is_begun_and_any_change_of_it_is_found() {
    let rotated = Folder::with(Options { rotate: 1_500, ..Options::default() });
    let (book, _) = rotated.open();
    calls(&book, 4);
    drop(book);
    for place in [written(), rotated] {
        let whole = fs::read_to_string(place.file()).unwrap();
        for bytes in (0..whole.len() as u64 + 2).step_by(7) {
            assert_eq!(tail_faults(&place, bytes), [""; 0], "{bytes} bytes");
        }
        let last = whole.lines().last().unwrap().len();
        for at in whole.len() - 1 - last..whole.len() {
            let mut changed = whole.clone().into_bytes();
            changed[at] ^= 1;
            fs::write(place.file(), changed).unwrap();
            assert_ne!(tail_faults(&place, last as u64 + 1), [""; 0], "byte {at}");
            assert_ne!(tail_faults(&place, u64::MAX), [""; 0], "byte {at}");
        }
        // The end is gone, at the end of a record: the tips remember.
        fs::write(place.file(), &whole[..whole.len() - 1 - last]).unwrap();
        assert!(tail_faults(&place, u64::MAX).contains(&"cut-off"), "{:?}", tail_faults(&place, u64::MAX));
        fs::write(place.file(), "").unwrap();
        assert!(tail_faults(&place, u64::MAX).contains(&"cut-off"));
        fs::write(place.file(), &whole).unwrap();
        assert_eq!(faults(&place), [""; 0]);
    }
}

#[test]
fn a_last_line_that_is_longer_than_a_record_can_be_is_found_and_nothing_else_is_made_of_it() {
    let place = written();
    let whole = fs::read(place.file()).unwrap();
    for end in ["", "\n"] {
        for length in [LONGEST - 1, LONGEST, LONGEST + 1, 4 * LONGEST] {
            let long = vec![b'x'; usize::try_from(length).unwrap()];
            fs::write(place.file(), [whole.as_slice(), &long, end.as_bytes()].concat()).unwrap();
            let (tail, all) = (tail_faults(&place, 64 << 10), faults(&place));
            assert_eq!(tail, all, "{length} bytes, then {end:?}");
            assert_eq!(all.len(), 1, "{all:?}");
        }
    }
}
