//! A part of a file, moved so that it begins and ends between two characters, if it is text. The rule: a part
//! that is not UTF-8 is left exactly as it was asked for.

/// How many bytes before the part to read: what of a character (at most four bytes) may lie before its last
/// byte.
pub(crate) const LOOK_BACK: u64 = 3;

/// A part of a file.
#[derive(Debug)]
pub(crate) struct Window {
    content: Result<String, Vec<u8>>,
    start: u64,
    end: u64,
}

impl Window {
    /// The part that begins `before` bytes into `bytes`, which is `offset` bytes into a file of `size` bytes.
    pub(crate) fn new(mut bytes: Vec<u8>, before: usize, offset: u64, size: u64) -> Self {
        let before = before.min(bytes.len());
        let raw_end = offset + (bytes.len() - before) as u64;
        let back = bytes.get(..before).map_or(0, |head| characters_tail(head, bytes.get(before)));
        let start = before - back;
        let whole = match std::str::from_utf8(bytes.get(start..).unwrap_or_default()) {
            Ok(text) => Some(text.len()),
            // `error_len` is absent only where the bytes end inside a character. At the end of the file no
            // rest will come, and then it is not text.
            Err(error) if error.error_len().is_none() && raw_end < size => Some(error.valid_up_to()),
            Err(_) => None,
        };
        if let Some(length) = whole {
            bytes.truncate(start + length);
            bytes.drain(..start);
            let start = offset - back as u64;
            let end = start + length as u64;
            return match String::from_utf8(bytes) {
                Ok(text) => Self { content: Ok(text), start, end },
                Err(error) => Self { content: Err(error.into_bytes()), start, end },
            };
        }
        bytes.drain(..before);
        Self { content: Err(bytes), start: offset, end: raw_end }
    }

    /// Where the part begins in the file.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Where the part ends in the file.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The text, or the bytes of what is none.
    pub(crate) fn into_text(self) -> Result<String, Vec<u8>> {
        self.content
    }
}

/// How many bytes at the end of `head` begin the character that `next` continues.
fn characters_tail(head: &[u8], next: Option<&u8>) -> usize {
    let continues = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    if !next.is_some_and(continues) {
        return 0;
    }
    head.iter().rev().position(|byte| !continues(byte)).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `read` does with a file's bytes.
    fn part(file: &[u8], offset: usize, length: usize) -> (Result<String, Vec<u8>>, u64, u64) {
        let before = offset.min(LOOK_BACK as usize);
        let end = (offset + length).min(file.len());
        let window =
            Window::new(file[offset - before..end].to_vec(), before, offset as u64, file.len() as u64);
        let (start, end) = (window.start(), window.end());
        (window.into_text(), start, end)
    }

    #[test]
    fn a_part_never_ends_inside_a_character() {
        assert_eq!(part("ab€cd".as_bytes(), 0, 4), (Ok("ab".into()), 0, 2));
        assert_eq!(part("ab€cd".as_bytes(), 0, 5), (Ok("ab€".into()), 0, 5));
    }

    #[test]
    fn a_part_that_would_begin_inside_a_character_begins_before_it() {
        assert_eq!(part("ab€cd".as_bytes(), 3, 4), (Ok("€cd".into()), 2, 7));
        assert_eq!(part("ab€cd".as_bytes(), 4, 4), (Ok("€cd".into()), 2, 7));
        assert_eq!(part("ab€cd".as_bytes(), 5, 4), (Ok("cd".into()), 5, 7));
    }

    #[test]
    fn what_is_not_text_comes_as_it_is() {
        assert_eq!(part(b"a\xff\x80b", 0, 9), (Err(b"a\xff\x80b".to_vec()), 0, 4));
        assert_eq!(part(b"a\xff\x80b", 2, 9), (Err(b"\x80b".to_vec()), 2, 4));
        assert_eq!(part(b"abc\xe2\x82", 0, 9), (Err(b"abc\xe2\x82".to_vec()), 0, 5));
    }

    #[test]
    fn the_end_of_a_file_is_empty_text() {
        assert_eq!(part(b"abc", 3, 4), (Ok(String::new()), 3, 3));
        assert_eq!(part(b"", 0, 4), (Ok(String::new()), 0, 0));
    }

    #[test]
    fn following_the_end_gives_every_byte_once_at_every_step() {
        let text = "añ€𝄞 - ü𝄞𝄞€ end";
        for step in 4..text.len() {
            let (mut at, mut seen) = (0, String::new());
            while at < text.len() {
                let (content, start, end) = part(text.as_bytes(), at, step);
                assert_eq!(start as usize, at);
                seen.push_str(&content.unwrap());
                at = end as usize;
            }
            assert_eq!(seen, text);
        }
    }
}
