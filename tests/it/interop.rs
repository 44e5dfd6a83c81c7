//! Other people's software agrees with ours: Tongsuo about TLS, GmSSL about keys, signatures, SM2 encryption and
//! SM4-GCM.
//!
//! What needs them at hand is ignored in an ordinary run: `./x interop` fetches and builds them, names them in the
//! environment and runs it. What they have said once is recorded, and checked in every run.

mod conversations;
mod gmssl;
mod line;
mod recorded;
mod refusals;
mod tongsuo;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
