//! Ends that are not a result.

#[expect(clippy::panic, reason = "what the tool is for")]
pub(crate) fn panic(message: &str) -> ! {
    panic!("{message}");
}
