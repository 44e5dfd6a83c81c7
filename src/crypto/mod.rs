//! The national ciphers and what is built from them alone: SM2, SM3, SM4, GCM, HMAC, HKDF, PBKDF2.
//!
//! Pure: no file, socket, clock or global random source. Whoever needs randomness passes a
//! [`rand_core::CryptoRng`]. Nothing here knows of peers, messages or key files.
//!
//! Types rather than free functions keep what a key can precompute (round keys, powers of the GHASH key,
//! HMAC pads, `(1 + d)⁻¹`), so that faster kernels can take their place without a change outside.

pub mod gcm;
pub mod kdf;
pub mod simd;
pub mod sm2;
pub mod sm2_encrypt;
pub mod sm3;
pub mod sm4;
pub mod stream;
