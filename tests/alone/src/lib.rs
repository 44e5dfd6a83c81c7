//! The ciphers of miyu under miyu's name, so that their tests need no change.

// what SM2 alone needs of the kernels
#![cfg_attr(not(feature = "sm2"), allow(dead_code, unused_imports))]

pub mod crypto;
