//! miyu 密语: a serverless, LAN-first, peer-to-peer encrypted messenger and camera share on SM2, SM3 and SM4.
//!
//! The map; `docs/architecture.md` has the invariants.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`config`] | `peers.toml` to a `Config` that cannot be invalid |
//! | [`identity`] | SM2 key files, PeerId, fingerprint, safety number |
//! | [`crypto`] | SM2, SM3, SM4, GCM, key derivation; pure |
//! | [`tls`] | RFC 8998 as a rustls provider, raw public keys |
//! | [`quic`] | QUIC on it, and the gate that keeps silence to strangers |
//! | [`wire`] | frames and bytes; pure |
//! | [`node`] | the engine: links, delivery, camera |
//! | [`store`] | history, outbox, attachments |
//! | [`media`] | JPEG, camera sources, clips, pictures |
//! | [`stego`] | a picture and hidden bytes; pure |
//! | [`seal`] | files on their own: encrypt, decrypt, sign, verify |
//! | `gui` | the desktop app (with the feature `gui`) |
//! | [`cli`] | one file a subcommand |

pub mod cli;
pub mod config;
pub mod crypto;
#[cfg(feature = "gui")]
pub mod gui;
pub mod identity;
pub mod media;
pub mod node;
pub mod quic;
pub mod seal;
pub mod stego;
pub mod store;
pub mod tls;
pub mod wire;
