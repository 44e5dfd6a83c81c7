//! A text sealed and hidden in a picture: between two peers, or under a passphrase without any peer.
//!
//! Along the keyed path lie: under a passphrase 16 random bytes (the salt of this one hiding); then the sealed length
//! (4 bytes and a tag); then the sealed text and its tag. Everything but the salt is SM4-GCM output, and the salt is
//! random, so that without the key no bit differs from noise. `docs/protocol.md`, "Hidden text".

use std::num::NonZeroU32;

use rand_core::Rng;
use zeroize::Zeroizing;

use crate::crypto::gcm::{NONCE_BYTES, Sm4Gcm, TAG_BYTES};
use crate::crypto::kdf::{hkdf_expand, hkdf_extract, pbkdf2};
use crate::crypto::sm2::PublicKey;
use crate::crypto::sm3::Sm3;
use crate::crypto::sm4::Keystream;
use crate::identity::{Identity, PeerId, system_rng};
use crate::media::picture::{self, Decoded, PictureError};
use crate::stego::{self, Canvas, CanvasError, PathKey};
use crate::store::MessageId;

/// Bytes of the longest text that can be hidden.
pub const HIDDEN_BYTES_MAX: usize = 64 * 1024;
/// PBKDF2-HMAC-SM3 iterations for a passphrase: 14 million guesses take a week instead of 2 s. (A fuzzer's build has no
/// secrets, and a fuzzer needs to be quick.)
pub const PASSPHRASE_ITERATIONS: NonZeroU32 = match NonZeroU32::new(if cfg!(fuzzing) { 2 } else { 600_000 }) {
    Some(iterations) => iterations,
    None => NonZeroU32::MIN,
};
const LENGTH_BYTES: usize = 4;
const SALT_BYTES: usize = 16;
/// What a hiding takes beside the text, between peers.
const OVERHEAD_BYTES: usize = LENGTH_BYTES + 2 * TAG_BYTES;
const PEER_LABEL: &[u8] = b"miyu/1 stego";
const PASSPHRASE_LABEL: &[u8] = b"miyu/1 stego passphrase";

/// Why a text was not hidden, or a picture not searched.
#[derive(Debug, thiserror::Error)]
pub enum HiddenError {
    /// Not a picture, or one over the limits.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The picture's size is out of range.
    #[error(transparent)]
    Canvas(#[from] CanvasError),
    /// The text is too long for this picture.
    #[error("the text has {bytes} bytes, this picture can hide {capacity}")]
    DoesNotFit {
        /// What it has.
        bytes: usize,
        /// What fits.
        capacity: usize,
    },
    /// The text is over the limit.
    #[error("the text has {bytes} bytes, at most {HIDDEN_BYTES_MAX} can be hidden")]
    TooLong {
        /// What it has.
        bytes: usize,
    },
    /// There is no text to hide.
    #[error("the text to hide is empty")]
    Empty,
    /// Wrong passphrase, or nothing there: the two cannot be told apart, which is the point.
    #[error("nothing was found: the passphrase is wrong, or this picture hides nothing")]
    NotFound,
}

impl HiddenError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Picture(error) => error.hint(),
            Self::DoesNotFit { .. } => {
                Some("shorten the text, or take a larger picture or one with more texture".into())
            }
            Self::TooLong { .. } => Some("send long texts as a file".into()),
            Self::Empty => Some("give a text of at least one byte".into()),
            Self::NotFound => Some(
                "the picture must be the PNG as it was written: any conversion or scaling destroys a hidden text"
                    .into(),
            ),
            Self::Canvas(_) => None,
        }
    }
}

/// A picture that hides a text.
#[derive(Debug)]
pub struct Hidden {
    /// The PNG.
    pub png: Vec<u8>,
    /// What the carrier lost on the way to PNG, in words; `None` where nothing.
    pub conversion: Option<&'static str>,
}

/// Key, nonce and path of one hiding.
struct Keys {
    gcm: Sm4Gcm,
    nonce: [u8; NONCE_BYTES],
    path: Zeroizing<[u8; 32]>,
}

impl Keys {
    fn derive(prk: &[u8; 32], info: &[&[u8]]) -> Self {
        let mut out = Zeroizing::new([0; 16 + NONCE_BYTES + 32]);
        // 60 bytes are far below the 255 digests at which this fails; zeros would then seal nothing readable.
        let _ = hkdf_expand(prk, info, out.as_mut());
        let mut key = Zeroizing::new([0; 16]);
        let mut nonce = [0; NONCE_BYTES];
        let mut path = Zeroizing::new([0; 32]);
        key.copy_from_slice(&out[..16]);
        nonce.copy_from_slice(&out[16..16 + NONCE_BYTES]);
        path.copy_from_slice(&out[16 + NONCE_BYTES..]);
        Self { gcm: Sm4Gcm::new(&key), nonce, path }
    }

    /// The length and the text have a nonce each.
    fn text_nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = self.nonce;
        nonce[NONCE_BYTES - 1] ^= 1;
        nonce
    }

    fn seal(&self, text: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(text.len() + OVERHEAD_BYTES);
        // The caller has bounded the text at 64 KiB.
        let mut length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        let tag = self.gcm.seal_in_place(&self.nonce, b"length", &mut length);
        sealed.extend_from_slice(&length);
        sealed.extend_from_slice(&tag);
        let mut body = text.to_vec();
        let tag = self.gcm.seal_in_place(&self.text_nonce(), b"text", &mut body);
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what `read` takes along the path; `None` where the tag says that nothing of this key is there.
    fn open(&self, mut read: impl FnMut(usize) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut length = [0; LENGTH_BYTES];
        length.copy_from_slice(&read(LENGTH_BYTES)?);
        let tag: [u8; TAG_BYTES] = read(TAG_BYTES)?.try_into().ok()?;
        self.gcm.open_in_place(&self.nonce, b"length", &mut length, &tag).ok()?;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        if length > HIDDEN_BYTES_MAX {
            return None;
        }
        let mut text = read(length)?;
        let tag: [u8; TAG_BYTES] = read(TAG_BYTES)?.try_into().ok()?;
        self.gcm.open_in_place(&self.text_nonce(), b"text", &mut text, &tag).ok()?;
        Some(text)
    }
}

/// SM4-CTR as the path's source.
struct Path(Keystream);

impl PathKey for Path {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }
}

/// Who hides for whom.
#[derive(Clone, Copy)]
pub struct Between<'a> {
    /// Us.
    pub me: &'a Identity,
    /// The other side.
    pub peer: &'a PublicKey,
    /// The message that carries the picture: its id makes every hiding's keys fresh.
    pub message: MessageId,
}

impl Between<'_> {
    /// The static SM2 Diffie-Hellman through HKDF-SM3; `sending` sets the direction.
    fn keys(&self, sending: bool, width: u32, height: u32) -> Keys {
        let shared = self.me.secret().diffie_hellman(self.peer);
        let prk = Zeroizing::new(hkdf_extract(&[], shared.as_slice()));
        let (ours, theirs) = (self.me.peer_id(), PeerId::of(self.peer));
        let (from, to) = if sending { (ours, theirs) } else { (theirs, ours) };
        let info: [&[u8]; 6] =
            [PEER_LABEL, from.as_bytes(), to.as_bytes(), &self.message.0, &width.to_be_bytes(), &height.to_be_bytes()];
        Keys::derive(&prk, &info)
    }
}

/// How many bytes of text a picture can hide, and what it would lose on the way to PNG. `passphrase` tells which of
/// the two ways is meant.
pub fn capacity(file: &[u8], passphrase: bool) -> Result<(usize, Option<&'static str>), HiddenError> {
    let mut decoded = picture::decode(file)?;
    let conversion = decoded.conversion();
    let canvas = canvas(&mut decoded)?;
    let overhead = OVERHEAD_BYTES + if passphrase { SALT_BYTES } else { 0 };
    Ok((stego::capacity_bytes(&canvas).saturating_sub(overhead).min(HIDDEN_BYTES_MAX), conversion))
}

/// Hides `text` for the peer.
pub fn hide(between: Between<'_>, file: &[u8], text: &str) -> Result<Hidden, HiddenError> {
    let mut decoded = checked(file, text)?;
    let keys = between.keys(true, decoded.width, decoded.height);
    let mut canvas = canvas(&mut decoded)?;
    let mut embedder = stego::embedder(&mut canvas, Path(Keystream::new(&keys.path)));
    let capacity = embedder.remaining().saturating_sub(OVERHEAD_BYTES);
    embedder.write(&keys.seal(text.as_bytes())).map_err(|_| HiddenError::DoesNotFit { bytes: text.len(), capacity })?;
    Ok(Hidden { conversion: decoded.conversion(), png: decoded.to_png()? })
}

/// The text that the peer hid for us in this picture, if there is one.
pub fn reveal(between: Between<'_>, file: &[u8]) -> Result<Option<String>, HiddenError> {
    let mut decoded = picture::decode(file)?;
    let keys = between.keys(false, decoded.width, decoded.height);
    let canvas = canvas(&mut decoded)?;
    let mut extractor = stego::extractor(&canvas, Path(Keystream::new(&keys.path)));
    Ok(keys.open(|count| extractor.read(count)).map(text_of))
}

/// Hides `text` under a passphrase. Takes the time of [`PASSPHRASE_ITERATIONS`].
pub fn hide_with_passphrase(passphrase: &[u8], file: &[u8], text: &str) -> Result<Hidden, HiddenError> {
    let mut decoded = checked(file, text)?;
    let mut canvas = canvas(&mut decoded)?;
    let prk = passphrase_prk(passphrase, &canvas);
    let mut salt = [0; SALT_BYTES];
    system_rng().fill_bytes(&mut salt);
    let keys = Keys::derive(&prk, &[PASSPHRASE_LABEL, b" seal", &salt]);
    let path = Keys::derive(&prk, &[PASSPHRASE_LABEL, b" path"]).path;
    let mut embedder = stego::embedder(&mut canvas, Path(Keystream::new(&path)));
    let capacity = embedder.remaining().saturating_sub(OVERHEAD_BYTES + SALT_BYTES);
    let mut payload = salt.to_vec();
    payload.extend_from_slice(&keys.seal(text.as_bytes()));
    embedder.write(&payload).map_err(|_| HiddenError::DoesNotFit { bytes: text.len(), capacity })?;
    Ok(Hidden { conversion: decoded.conversion(), png: decoded.to_png()? })
}

/// The text that was hidden under this passphrase.
pub fn reveal_with_passphrase(passphrase: &[u8], file: &[u8]) -> Result<String, HiddenError> {
    let mut decoded = picture::decode(file)?;
    let canvas = canvas(&mut decoded)?;
    let prk = passphrase_prk(passphrase, &canvas);
    let path = Keys::derive(&prk, &[PASSPHRASE_LABEL, b" path"]).path;
    let mut extractor = stego::extractor(&canvas, Path(Keystream::new(&path)));
    let salt = extractor.read(SALT_BYTES).ok_or(HiddenError::NotFound)?;
    let keys = Keys::derive(&prk, &[PASSPHRASE_LABEL, b" seal", &salt]);
    keys.open(|count| extractor.read(count)).map(text_of).ok_or(HiddenError::NotFound)
}

/// The slow part is salted by what embedding does not change, so that the receiver finds the same salt and one table
/// of passphrases does not serve for two pictures. What makes two hidings under one passphrase in one picture differ
/// is the random salt in the path.
fn passphrase_prk(passphrase: &[u8], canvas: &Canvas<'_>) -> Zeroizing<[u8; 32]> {
    let mut hash = Sm3::new();
    hash.update(PASSPHRASE_LABEL);
    stego::digest_invariant(canvas, &mut |bytes| hash.update(bytes));
    let mut prk = Zeroizing::new([0; 32]);
    pbkdf2(passphrase, &hash.finish(), PASSPHRASE_ITERATIONS, prk.as_mut());
    prk
}

fn checked(file: &[u8], text: &str) -> Result<Decoded, HiddenError> {
    match text.len() {
        0 => Err(HiddenError::Empty),
        bytes if bytes > HIDDEN_BYTES_MAX => Err(HiddenError::TooLong { bytes }),
        _ => Ok(picture::decode(file)?),
    }
}

fn canvas(decoded: &mut Decoded) -> Result<Canvas<'_>, CanvasError> {
    let channels = decoded.channels();
    Canvas::new(decoded.width, decoded.height, channels, &mut decoded.data)
}

/// The tag vouches for the bytes; a peer that hid something else than UTF-8 is shown as well as it can be, within the
/// bound of a text.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        text.truncate((0..=HIDDEN_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
        text
    })
}
