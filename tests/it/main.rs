//! The integration tests, one binary.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod cli;
mod config;
mod corpora;
mod crypto;
mod delivery;
#[cfg(all(feature = "gui", target_os = "linux"))]
mod desktop;
mod flood;
#[cfg(feature = "gui")]
mod gui;
mod hidden;
mod hostile;
mod identity;
mod interop;
mod links;
mod media;
mod misbehaviour;
mod pacing;
mod played;
#[cfg(target_os = "linux")]
mod power;
mod raw;
mod relay;
mod seal;
mod simd;
#[cfg(all(feature = "audio", target_os = "linux"))]
mod sound;
mod stego;
mod store;
mod strangers;
mod support;
mod tables;
mod talk;
mod tidy;
mod tls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod vm;
mod watching;
mod wire;
