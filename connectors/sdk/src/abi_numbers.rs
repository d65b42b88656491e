//! The numbers of the ABI; `src/rapidbyte/wasm/abi.py` has the same ones and a test compares the two files.

/// What an import answers when it has no value to give (docs/ABI.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    Ok = 0,
    WouldBlock = -1,
    EndOfStream = -2,
    Aborted = -3,
    Cancelled = -4,
    TimedOut = -5,
    Closed = -6,
    BadPointer = -7,
    BadHandle = -8,
    BadState = -9,
    OutOfBounds = -10,
    TooLarge = -11,
    Limit = -12,
    InvalidArgument = -13,
    Denied = -14,
    NotFound = -15,
    Refused = -16,
    Reset = -17,
    Internal = -18,
    TlsFailed = -19,
    Untrusted = -20,
    BadFile = -21,
}

impl Status {
    const ALL: [Status; 22] = [
        Status::Ok,
        Status::WouldBlock,
        Status::EndOfStream,
        Status::Aborted,
        Status::Cancelled,
        Status::TimedOut,
        Status::Closed,
        Status::BadPointer,
        Status::BadHandle,
        Status::BadState,
        Status::OutOfBounds,
        Status::TooLarge,
        Status::Limit,
        Status::InvalidArgument,
        Status::Denied,
        Status::NotFound,
        Status::Refused,
        Status::Reset,
        Status::Internal,
        Status::TlsFailed,
        Status::Untrusted,
        Status::BadFile,
    ];

    /// Read a negative answer; a number this version does not know is the host's fault, hence `Internal`.
    pub(crate) fn of(number: i64) -> Status {
        usize::try_from(-number).ok().and_then(|index| Status::ALL.get(index)).copied().unwrap_or(Status::Internal)
    }
}

/// Levels of the `log` import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
    Point = 5,
}

/// The longest document that `reject` takes.
pub(crate) const MAX_REJECTION_BYTES: usize = 16 * 1024 * 1024;

/// Interest bits of `sock_wait`.
pub(crate) const READABLE: u32 = 1;
pub(crate) const WRITABLE: u32 = 2;

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn every_status_stands_at_the_index_of_its_number() {
        for (index, status) in Status::ALL.iter().enumerate() {
            assert_eq!(*status as i32, -(index as i32));
            assert_eq!(Status::of(-(index as i64)), *status);
        }
    }

    #[test]
    fn an_unknown_number_is_the_hosts_fault() {
        assert_eq!(Status::of(-22), Status::Internal);
        assert_eq!(Status::of(i64::MIN + 1), Status::Internal);
    }
}
