//! As in miyu; SM2 and SM3 with the feature `sm2` alone.

#[path = "../../../src/crypto/gcm.rs"]
pub mod gcm;
#[cfg(feature = "sm2")]
#[path = "../../../src/crypto/kdf.rs"]
pub mod kdf;
#[path = "../../../src/crypto/simd/mod.rs"]
pub mod simd;
#[cfg(feature = "sm2")]
#[path = "../../../src/crypto/sm2/mod.rs"]
pub mod sm2;
#[cfg(feature = "sm2")]
#[path = "../../../src/crypto/sm3.rs"]
pub mod sm3;
#[path = "../../../src/crypto/sm4.rs"]
pub mod sm4;
