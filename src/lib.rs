//! miyu 密语: a serverless, LAN-first, peer-to-peer encrypted messenger and camera share on SM2, SM3 and SM4.
//!

pub mod config;
pub mod crypto;
pub mod identity;
pub mod media;
pub mod quic;
pub mod stego;
pub mod store;
pub mod tls;
pub mod wire;
