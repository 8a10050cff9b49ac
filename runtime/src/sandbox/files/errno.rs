//! Linux error numbers as WASI error codes.
//!
//! The rule: whatever the table does not know is `io`. It never traps and never tells a guest a number.

use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// The code for an error of the kernel inside a grant.
pub(super) fn code(error: Errno) -> ErrorCode {
    match error {
        Errno::ACCESS => ErrorCode::Access,
        Errno::PERM => ErrorCode::NotPermitted,
        Errno::NOENT => ErrorCode::NoEntry,
        Errno::EXIST => ErrorCode::Exist,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::ISDIR => ErrorCode::IsDirectory,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::INVAL => ErrorCode::Invalid,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::LOOP => ErrorCode::Loop,
        Errno::FBIG => ErrorCode::FileTooLarge,
        Errno::NOSPC => ErrorCode::InsufficientSpace,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::XDEV => ErrorCode::CrossDevice,
        Errno::BUSY => ErrorCode::Busy,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::MLINK => ErrorCode::TooManyLinks,
        Errno::NOMEM | Errno::MFILE | Errno::NFILE => ErrorCode::InsufficientMemory,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::SPIPE => ErrorCode::InvalidSeek,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::NODEV | Errno::NXIO => ErrorCode::NoSuchDevice,
        Errno::OPNOTSUPP | Errno::NOSYS => ErrorCode::Unsupported,
        Errno::INTR => ErrorCode::Interrupted,
        Errno::AGAIN => ErrorCode::WouldBlock,
        _ => ErrorCode::Io,
    }
}
