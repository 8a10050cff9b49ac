//! A trail is proven if and only if it is untouched: one byte more, one byte less and two lines swapped, everywhere there is a
//! place for it, in a trail of one file and in one of several.

use std::fs;
use std::path::PathBuf;

use super::{Folder, faults, written};
use crate::audit::rotation::segments;
use crate::audit::tip::SIGNED;
use crate::audit::trail::Options;
use crate::audit::trail::tests::calls;

/// Three calls over several files, closed.
fn rotated() -> Folder {
    let place = Folder::with(Options { rotate: 1_000, ..Options::default() });
    let (book, _) = place.open();
    calls(&book, 3);
    drop(book);
    assert!(files(&place).len() > 2, "{:?}", files(&place));
    place
}

/// The trail's files, oldest first.
fn files(place: &Folder) -> Vec<PathBuf> {
    let segments = segments(&place.echo()).unwrap().into_iter().map(|segment| segment.path);
    segments.chain([place.file()]).collect()
}

/// Writes each change in place of its file's bytes; each must be found, and what was there before must not. The signed tip is
/// taken away before: what is found is found without it, and in a tenth of the time.
fn each_is_found(place: &Folder, what: &str, changes: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    fs::remove_file(place.echo().join(SIGNED)).unwrap();
    for file in files(place) {
        let whole = fs::read(&file).unwrap();
        for (number, changed) in changes(&whole).into_iter().enumerate() {
            assert_ne!(changed, whole);
            fs::write(&file, changed).unwrap();
            assert_ne!(faults(place), [""; 0], "{what} {number} of {}", file.display());
        }
        fs::write(&file, whole).unwrap();
        assert_eq!(faults(place), [""; 0], "{what}: untouched again");
    }
}

fn deletions(whole: &[u8]) -> Vec<Vec<u8>> {
    (0..whole.len()).map(|at| [&whole[..at], &whole[at + 1..]].concat()).collect()
}

/// In turn: what JSON skips, what ends a line, what makes a number another, and the byte that stands there once more.
fn insertions(whole: &[u8]) -> Vec<Vec<u8>> {
    let put = |at: usize| {
        let byte = [b' ', b'\n', b'0', whole.get(at).copied().unwrap_or(0)][at % 4];
        [&whole[..at], &[byte], &whole[at..]].concat()
    };
    (0..=whole.len()).map(put).collect()
}

#[test]
fn one_byte_less_is_found_wherever_it_was() {
    each_is_found(&written(), "deletion", deletions);
    each_is_found(&rotated(), "deletion", deletions);
}

#[test]
fn one_byte_more_is_found_wherever_it_is() {
    each_is_found(&written(), "insertion", insertions);
    each_is_found(&rotated(), "insertion", insertions);
}

#[test]
fn any_two_lines_in_each_other_s_place_are_found_in_other_files_too() {
    for place in [written(), rotated()] {
        let files = files(&place);
        let whole: Vec<Vec<String>> = files
            .iter()
            .map(|file| fs::read_to_string(file).unwrap().split_inclusive('\n').map(str::to_owned).collect())
            .collect();
        let write = |lines: &[Vec<String>]| {
            files.iter().zip(lines).for_each(|(file, lines)| fs::write(file, lines.concat()).unwrap());
        };
        let places: Vec<(usize, usize)> = whole
            .iter()
            .enumerate()
            .flat_map(|(file, lines)| (0..lines.len()).map(move |line| (file, line)))
            .collect();
        for (index, first) in places.iter().enumerate() {
            for second in &places[index + 1..] {
                let mut swapped = whole.clone();
                swapped[first.0][first.1] = whole[second.0][second.1].clone();
                swapped[second.0][second.1] = whole[first.0][first.1].clone();
                write(&swapped);
                assert_ne!(faults(&place), [""; 0], "{first:?} and {second:?}");
            }
        }
        write(&whole);
        assert_eq!(faults(&place), [""; 0]);
    }
}
