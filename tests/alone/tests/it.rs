//! The tests of the kernels alone.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../../it/simd.rs"]
mod simd;
