//! What each fuzz target does with its input: one module a target, one function `run` in it. A fault is a panic.
//! `tests/it/corpora.rs` runs the kept corpora through the same functions.

#![allow(missing_docs, unreachable_pub)]

mod bytes;
pub mod clip;
#[cfg(fuzzing)]
pub mod control;
#[cfg(fuzzing)]
pub mod delivery;
pub mod hidden;
pub mod jpeg;
pub mod key_file;
pub mod mjpeg;
pub mod picture;
pub mod sealed;
#[cfg(fuzzing)]
pub mod sending;
#[cfg(fuzzing)]
mod stage;
pub mod stego;
pub mod table;
pub mod wire;
