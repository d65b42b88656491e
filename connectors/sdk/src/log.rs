//! Lines for people, shown or kept by the host.

use crate::abi;
use crate::abi_numbers::Level;

pub fn error(line: &str) {
    abi::log_line(Level::Error as i32, line);
}

pub fn warn(line: &str) {
    abi::log_line(Level::Warn as i32, line);
}

pub fn info(line: &str) {
    abi::log_line(Level::Info as i32, line);
}

pub fn debug(line: &str) {
    abi::log_line(Level::Debug as i32, line);
}

/// Say that a named point of a run was reached: where a test of crashes may end the process (docs/ABI.md §4).
pub fn point(name: &str) {
    abi::log_line(Level::Point as i32, name);
}
