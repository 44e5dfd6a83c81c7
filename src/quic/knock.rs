//! Reads a datagram as a stranger would have formed it: is there an Initial that opens under our key? No I/O, no
//! state; the gate asks and decides.

use rustls::quic::{HeaderProtectionKey, PacketKey};

use super::keys::{KnockSalt, header_protection, packet_protection};
use super::{INITIAL_DATAGRAM_BYTES_MIN, VERSION};
use crate::tls::HeaderProtection;

/// Longest connection id (RFC 9000 §17.2).
pub const DCID_BYTES_MAX: usize = 20;
/// Shortest DCID that a client may choose (RFC 9000 §7.2).
const DCID_BYTES_MIN: usize = 8;

/// What a datagram is, read from the bits that are not protected.
#[derive(Debug, PartialEq, Eq)]
pub enum First<'a> {
    /// Its first packet belongs to a connection or is dropped without an answer: a 1-RTT or Handshake packet.
    Connected,
    /// Its first packet is an Initial of our version with a DCID of an allowed length, without a token.
    Initial(Initial<'a>),
    /// Nothing that quinn may see: another version, a Retry, 0-RTT, a token, a wrong length.
    Unwelcome,
}

/// The parts of an Initial that the trial needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Initial<'a> {
    /// Destination connection id.
    pub dcid: &'a [u8],
    packet: &'a [u8],
    pn_offset: usize,
}

/// Classifies a datagram by its first packet, and gives where a later one begins that quinn must not see: in a
/// datagram, several packets may follow each other (RFC 9000 §12.2), and some of the later kinds are not authenticated
/// either.
pub fn inspect(datagram: &[u8]) -> (First<'_>, Option<usize>) {
    let (first, mut at) = match packet(datagram) {
        None => return (First::Unwelcome, None),
        Some(Packet::Short) => return (First::Connected, None),
        Some(Packet::Handshake { length }) => (First::Connected, length),
        Some(Packet::Initial { initial, length }) => (First::Initial(initial), length),
    };
    while let Some(rest) = datagram.get(at..).filter(|rest| !rest.is_empty()) {
        match packet(rest) {
            // A short header has no length: it is the last.
            Some(Packet::Short) => break,
            Some(Packet::Handshake { length } | Packet::Initial { length, .. }) => at += length,
            None => return (first, Some(at)),
        }
    }
    (first, None)
}

enum Packet<'a> {
    Short,
    Handshake { length: usize },
    Initial { initial: Initial<'a>, length: usize },
}

/// The packet at the start of `data` (RFC 9000 §17.2, §17.3), if it is of a kind that we use.
fn packet(data: &[u8]) -> Option<Packet<'_>> {
    let byte = *data.first()?;
    if byte & 0x80 == 0 {
        return Some(Packet::Short);
    }
    let mut at = Reader { data, position: 1 };
    if byte & 0x40 == 0 || at.take(4)? != VERSION.to_be_bytes() {
        return None;
    }
    let dcid_len = usize::from(at.take(1)?[0]);
    let dcid = at.take(dcid_len)?;
    let scid_len = usize::from(at.take(1)?[0]);
    at.take(scid_len)?;
    if dcid_len > DCID_BYTES_MAX || scid_len > DCID_BYTES_MAX {
        return None;
    }
    let is_initial = match (byte >> 4) & 0x03 {
        0 => true,
        2 => false,
        // 0-RTT and Retry are never sent, and never accepted.
        _ => return None,
    };
    if is_initial && (dcid_len < DCID_BYTES_MIN || at.varint()? != 0) {
        return None;
    }
    let length = usize::try_from(at.varint()?).ok()?;
    let pn_offset = at.position;
    let length = pn_offset.checked_add(length)?;
    // Cut to the datagram here, so that no arithmetic of a lower layer meets a length beyond it.
    let packet = data.get(..length)?;
    if is_initial {
        return Some(Packet::Initial { initial: Initial { dcid, packet, pn_offset }, length });
    }
    Some(Packet::Handshake { length })
}

impl Initial<'_> {
    /// Tries the packet under the responder's knock key. `datagram_len` is that of the whole datagram: a shorter one
    /// than RFC 9000 §14.1 demands never opens.
    pub fn opens(&self, salt: &KnockSalt, datagram_len: usize) -> bool {
        datagram_len >= INITIAL_DATAGRAM_BYTES_MIN && self.try_open(salt).is_some()
    }

    fn try_open(&self, salt: &KnockSalt) -> Option<()> {
        let secret = salt.client_secret(self.dcid);
        let header_key = header_protection(&secret);
        let sample_at = self.pn_offset.checked_add(4)?;
        let sample = self.packet.get(sample_at..sample_at.checked_add(HeaderProtection::SAMPLE_BYTES)?)?;
        let mut header = self.packet.get(..sample_at)?.to_vec();
        let (first, rest) = header.split_first_mut()?;
        let number_field = rest.get_mut(self.pn_offset.checked_sub(1)?..)?;
        header_key.decrypt_in_place(sample, first, number_field).ok()?;
        // RFC 9000 §17.2: the reserved bits are zero once unmasked.
        if *first & 0x0c != 0 {
            return None;
        }
        let number_len = usize::from(*first & 0x03) + 1;
        // The first packets of a connection: the truncated number is the whole number (RFC 9000 §A.3 with nothing
        // received yet), as quinn expands it too.
        let number = number_field.iter().take(number_len).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let body_at = self.pn_offset.checked_add(number_len)?;
        let mut body = self.packet.get(body_at..)?.to_vec();
        packet_protection(&secret).decrypt_in_place(number, header.get(..body_at)?, &mut body).ok()?;
        Some(())
    }
}

struct Reader<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(count)?;
        let bytes = self.data.get(self.position..end)?;
        self.position = end;
        Some(bytes)
    }

    /// RFC 9000 §16.
    fn varint(&mut self) -> Option<u64> {
        let first = self.take(1)?[0];
        let rest = self.take((1 << (first >> 6)) - 1)?;
        Some(rest.iter().fold(u64::from(first & 0x3f), |value, byte| (value << 8) | u64::from(*byte)))
    }
}
