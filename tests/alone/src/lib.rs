//! The ciphers of miyu under miyu's name, so that their tests need no change.

pub mod crypto;
