//! The border to the host: the imported functions, and memory that passes between host and guest.
//!
//! This is the one file with `unsafe`. Outside WebAssembly there is no host: every import answers `CLOSED`, so that
//! the rest of a connector can be compiled and tested natively.
#![allow(unsafe_code)]

use crate::abi_numbers::Status;
use crate::error::{Category, Error, Result};

macro_rules! imports {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        #[cfg(target_family = "wasm")]
        mod raw {
            #[link(wasm_import_module = "rapidbyte_v1")]
            unsafe extern "C" {
                $(pub(super) fn $name($($argument: $type),*) -> $result;)*
            }
        }
        #[cfg(not(target_family = "wasm"))]
        mod raw {
            use crate::abi_numbers::Status;
            $(pub(super) unsafe fn $name($(_: $type),*) -> $result { Status::Closed as i32 as $result })*
        }
    };
}

imports! {
    fn last_error(pointer: *mut u8, capacity: usize) -> i32;
    fn log(level: i32, pointer: *const u8, length: usize) -> i32;
    fn frame_new(capacity: i64) -> i64;
    fn frame_write(frame: i64, pointer: *const u8, length: usize) -> i64;
    fn frame_seal(frame: i64) -> i64;
    fn frame_len(frame: i64) -> i64;
    fn frame_read(frame: i64, offset: i64, pointer: *mut u8, length: usize) -> i32;
    fn frame_drop(frame: i64) -> i32;
    fn emit(frame: i64, pointer: *const u8, length: usize) -> i32;
    fn next() -> i64;
    fn frame_meta(frame: i64, pointer: *mut u8, capacity: usize) -> i32;
    fn checkpoint(pointer: *const u8, length: usize) -> i32;
    fn durable_position(stream: i32, pointer: *mut u8, capacity: usize) -> i32;
    fn stop_requested() -> i32;
    fn report_lag(size: i64) -> i32;
    fn reject(pointer: *const u8, length: usize) -> i32;
    fn next_range(stream: i32, pointer: *mut u8) -> i32;
    fn sock_connect(pointer: *const u8, length: usize, port: i32, timeout_ms: i32) -> i64;
    fn sock_read(socket: i64, pointer: *mut u8, length: usize) -> i32;
    fn sock_write(socket: i64, pointer: *const u8, length: usize) -> i32;
    fn sock_wait(pointer: *mut u8, count: i32, timeout_ms: i32) -> i32;
    fn sock_start_tls(socket: i64, pointer: *const u8, length: usize, timeout_ms: i32) -> i32;
    fn sock_tls_end_point(socket: i64, pointer: *mut u8, capacity: usize) -> i32;
    fn sock_close(socket: i64) -> i32;
    fn state_get(key: *const u8, key_length: usize, pointer: *mut u8, capacity: usize) -> i32;
    fn state_put(key: *const u8, key_length: usize, pointer: *const u8, length: usize) -> i32;
    fn state_compare_and_swap(key: *const u8, key_length: usize, old: *const u8, old_length: i64, pointer: *const u8, length: i64) -> i32;
}

/// A value, or the status that stands in its place.
pub(crate) type Answer = std::result::Result<i64, Status>;

fn answer(number: i64) -> Answer {
    if number >= 0 { Ok(number) } else { Err(Status::of(number)) }
}

// SAFETY (for every function below): the pointer and length come from one live slice, the host reads or writes at most
// that many bytes of it, and it keeps no pointer after it returns.

pub(crate) fn log_line(level: i32, line: &str) {
    unsafe { raw::log(level, line.as_ptr(), line.len()) };
}

pub(crate) fn last_error_message() -> String {
    let mut text = vec![0u8; 1024];
    let length = unsafe { raw::last_error(text.as_mut_ptr(), text.len()) };
    text.truncate(usize::try_from(length).unwrap_or(0));
    String::from_utf8_lossy(&text).into_owned()
}

pub(crate) fn frame_new(capacity: i64) -> Answer {
    answer(unsafe { raw::frame_new(capacity) })
}

pub(crate) fn frame_write(frame: i64, bytes: &[u8]) -> Answer {
    answer(unsafe { raw::frame_write(frame, bytes.as_ptr(), bytes.len()) })
}

pub(crate) fn frame_seal(frame: i64) -> Answer {
    answer(unsafe { raw::frame_seal(frame) })
}

pub(crate) fn frame_len(frame: i64) -> Answer {
    answer(unsafe { raw::frame_len(frame) })
}

pub(crate) fn frame_read(frame: i64, offset: i64, into: &mut [u8]) -> Answer {
    answer(i64::from(unsafe { raw::frame_read(frame, offset, into.as_mut_ptr(), into.len()) }))
}

pub(crate) fn frame_drop(frame: i64) {
    unsafe { raw::frame_drop(frame) };
}

pub(crate) fn emit(frame: i64, metadata: &[u8]) -> Answer {
    answer(i64::from(unsafe { raw::emit(frame, metadata.as_ptr(), metadata.len()) }))
}

pub(crate) fn next() -> Answer {
    answer(unsafe { raw::next() })
}

pub(crate) fn frame_meta(frame: i64, into: &mut [u8]) -> Answer {
    answer(i64::from(unsafe { raw::frame_meta(frame, into.as_mut_ptr(), into.len()) }))
}

pub(crate) fn checkpoint(document: &[u8]) -> Answer {
    answer(i64::from(unsafe { raw::checkpoint(document.as_ptr(), document.len()) }))
}

pub(crate) fn durable_position(stream: i32, into: &mut [u8]) -> Answer {
    answer(i64::from(unsafe { raw::durable_position(stream, into.as_mut_ptr(), into.len()) }))
}

pub(crate) fn stop_requested() -> Answer {
    answer(i64::from(unsafe { raw::stop_requested() }))
}

pub(crate) fn report_lag(size: i64) -> Answer {
    answer(i64::from(unsafe { raw::report_lag(size) }))
}

pub(crate) fn reject(document: &[u8]) -> Answer {
    answer(i64::from(unsafe { raw::reject(document.as_ptr(), document.len()) }))
}

pub(crate) fn next_range(stream: i32, into: &mut [u8; 16]) -> Answer {
    answer(i64::from(unsafe { raw::next_range(stream, into.as_mut_ptr()) }))
}

pub(crate) fn sock_connect(host: &str, port: u16, timeout_ms: i32) -> Answer {
    answer(unsafe { raw::sock_connect(host.as_ptr(), host.len(), i32::from(port), timeout_ms) })
}

pub(crate) fn sock_read(socket: i64, into: &mut [u8]) -> Answer {
    answer(i64::from(unsafe { raw::sock_read(socket, into.as_mut_ptr(), into.len()) }))
}

pub(crate) fn sock_write(socket: i64, bytes: &[u8]) -> Answer {
    answer(i64::from(unsafe { raw::sock_write(socket, bytes.as_ptr(), bytes.len()) }))
}

pub(crate) fn sock_wait(records: &mut [u8], count: i32, timeout_ms: i32) -> Answer {
    answer(i64::from(unsafe { raw::sock_wait(records.as_mut_ptr(), count, timeout_ms) }))
}

pub(crate) fn sock_start_tls(socket: i64, request: &[u8], timeout_ms: i32) -> Answer {
    answer(i64::from(unsafe { raw::sock_start_tls(socket, request.as_ptr(), request.len(), timeout_ms) }))
}

pub(crate) fn sock_tls_end_point(socket: i64, into: &mut [u8]) -> Answer {
    answer(i64::from(unsafe { raw::sock_tls_end_point(socket, into.as_mut_ptr(), into.len()) }))
}

pub(crate) fn sock_close(socket: i64) {
    unsafe { raw::sock_close(socket) };
}

pub(crate) fn state_get(key: &[u8], into: &mut [u8]) -> Answer {
    answer(i64::from(unsafe { raw::state_get(key.as_ptr(), key.len(), into.as_mut_ptr(), into.len()) }))
}

pub(crate) fn state_put(key: &[u8], value: &[u8]) -> Answer {
    answer(i64::from(unsafe { raw::state_put(key.as_ptr(), key.len(), value.as_ptr(), value.len()) }))
}

pub(crate) fn state_compare_and_swap(key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) -> Answer {
    let place = |value: Option<&[u8]>| match value {
        Some(bytes) => (bytes.as_ptr(), bytes.len() as i64),
        None => (std::ptr::null(), -1),
    };
    let ((old, old_length), (new, length)) = (place(old), place(new));
    answer(i64::from(unsafe { raw::state_compare_and_swap(key.as_ptr(), key.len(), old, old_length, new, length) }))
}

/// Lend the host `length` bytes; [`take_request`] takes them back.
pub fn allocate(length: usize) -> *mut u8 {
    let mut room = Vec::<u8>::new();
    if room.try_reserve_exact(length.max(1)).is_err() {
        return std::ptr::null_mut();
    }
    room.resize(length, 0);
    Box::into_raw(room.into_boxed_slice()).cast()
}

/// Take back what [`allocate`] lent, now holding a request.
pub fn take_request(pointer: *mut u8, length: usize) -> Result<Vec<u8>> {
    if pointer.is_null() {
        return Err(Error::new(Category::Internal, "null_request", "The host passed a null request."));
    }
    // SAFETY: the host passes on the pointer and length of one `rb_alloc`, once (docs/ABI.md §3), so this is the boxed
    // slice that `allocate` made, and nobody else owns it.
    Ok(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(pointer, length)) }.into_vec())
}

/// Pack the place of a result as `(pointer << 32) | length`.
pub fn pack(result: &[u8]) -> i64 {
    (((result.as_ptr() as usize as u64) << 32) | result.len() as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::{allocate, last_error_message, take_request};

    #[test]
    fn what_was_lent_comes_back_whole() {
        for length in [0, 1, 4096] {
            let pointer = allocate(length);
            assert_eq!(take_request(pointer, length).map(|bytes| bytes.len()).ok(), Some(length));
        }
    }

    #[test]
    fn a_null_request_is_an_error() {
        assert_eq!(
            take_request(std::ptr::null_mut(), 4).map_err(|error| error.code).err().as_deref(),
            Some("null_request")
        );
    }

    #[test]
    fn outside_webassembly_every_import_is_closed() {
        assert_eq!(super::next(), Err(crate::Status::Closed));
        assert_eq!(last_error_message(), "");
    }
}
