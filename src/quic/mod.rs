//! QUIC version `SMQ1`: QUIC v1's format and labels with ShangMi packets (`docs/protocol.md`, "Transport").
//!
//! - [`keys`]: packet and header keys for quinn, the Initial keys that hang on the responder's public key;
//! - [`session`]: quinn's crypto traits over `rustls::quic`;
//! - [`knock`]: does a datagram hold an Initial that opens under our key? (pure);
//! - [`replay`]: the attempts that were answered already;
//! - [`admission`]: how many attempts, and whose (pure);
//! - [`gate`]: the UDP socket that shows quinn only what may be answered;
//! - [`endpoint`]: one UDP port, with every limit of the design;
//! - `silent`: the socket of an endpoint that has let go of its port.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub mod admission;
pub mod endpoint;
pub mod gate;
pub mod keys;
pub mod knock;
pub mod replay;
pub mod session;
mod silent;

pub use endpoint::{Attempt, Endpoint, EndpointError, Options, Traffic};

pub use crate::tls::Trust;

/// The QUIC version on the wire, "SMQ1".
pub const VERSION: u32 = 0x534d_5131;
/// Length of every connection id that we issue.
pub const CID_BYTES: usize = 8;
/// An Initial comes in a datagram of at least this many bytes (RFC 9000 §14.1).
pub const INITIAL_DATAGRAM_BYTES_MIN: usize = 1200;

/// A poisoned lock only says that another thread panicked; what is behind the locks of this module is valid at every
/// step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
