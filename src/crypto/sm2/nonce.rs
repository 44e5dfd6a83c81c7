//! The nonces of signatures: RFC 6979 §3.2 with HMAC-SM3.

use zeroize::{Zeroize, Zeroizing};

use super::scalar::Scalar;
use crate::crypto::kdf;

/// One HMAC makes one candidate, as n has as many bits as SM3 gives.
pub(super) struct Nonces {
    pub(super) key: [u8; 32],
    pub(super) value: [u8; 32],
    /// Whether a candidate was taken from `value`, so that the state must move on before the next.
    spent: bool,
}

impl Nonces {
    /// The nonces for the hash `e` under the key `secret`.
    pub(super) fn new(secret: &Scalar, e: &Scalar) -> Self {
        let secret = Zeroizing::new(secret.to_be_bytes());
        let e = e.to_be_bytes();
        let mut state = Self { key: [0; 32], value: [1; 32], spent: false };
        for step in [0u8, 1] {
            state.key = kdf::hmac(&state.key, &[&state.value, &[step], &*secret, &e]);
            state.value = kdf::hmac(&state.key, &[&state.value]);
        }
        state
    }

    /// The next k in 1..n. That a candidate is refused says nothing of the one that is not.
    #[inline(never)] // tests/alone/ct.supp names it
    pub(super) fn next_nonce(&mut self) -> Scalar {
        loop {
            if self.spent {
                self.key = kdf::hmac(&self.key, &[&self.value, &[0]]);
                self.value = kdf::hmac(&self.key, &[&self.value]);
            }
            self.value = kdf::hmac(&self.key, &[&self.value]);
            self.spent = true;
            if let Some(k) = Scalar::from_be_bytes(&self.value).filter(|k| k.is_zero() == 0) {
                return k;
            }
        }
    }
}

impl Drop for Nonces {
    fn drop(&mut self) {
        self.key.zeroize();
        self.value.zeroize();
    }
}
