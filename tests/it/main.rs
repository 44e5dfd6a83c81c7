//! The integration tests, one binary.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod cli;
mod config;
mod crypto;
mod identity;
mod media;
mod stego;
mod store;
mod tls;
mod wire;
