//! SM4-GCM on each path of this machine, beside other SM4-GCMs and, for scale, ring's AES-128-GCM.

use std::hint::black_box;

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use anyhow::{Result, anyhow};
use libsm::sm4::cipher_mode::{CipherMode, Sm4CipherMode};
use miyu::crypto::gcm::Sm4Gcm;
use miyu::crypto::simd::{Backend, SWITCH};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::paired::{Contender, keep, speeds};
use crate::report::{Row, Unit};

/// A short frame, a QUIC packet, and two sizes of bulk data.
pub(crate) const SIZES: [usize; 4] = [64, 1200, 16 << 10, 64 << 10];
const KEY: [u8; 16] = [7; 16];
const NONCE: [u8; 12] = [9; 12];
/// libsm's GCM takes no other nonce than one of 16 bytes.
const LONG_NONCE: [u8; 16] = [9; 16];
const AAD: [u8; 20] = [5; 20];

type Contest = for<'a> fn(&'a Sm4Gcm, &'a Keys, usize) -> Result<Vec<Contender<'a>>>;
type Generic = AesGcm<sm4::Sm4, U12>;

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let keys = Keys {
        ring: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY).map_err(|_| anyhow!("ring refuses the key"))?),
        generic: Generic::new(&KEY.into()),
        libsm: Sm4CipherMode::new(&KEY, CipherMode::Gcm).map_err(|error| anyhow!("libsm: {error:?}"))?,
    };
    let mut rows = Vec::new();
    for backend in paths() {
        let ours = Sm4Gcm::on(backend, &KEY);
        for (operation, contenders) in [("seal", seal as Contest), ("open", open as Contest)] {
            for size in SIZES {
                let series = speeds(rounds, size as f64 / 1e6, contenders(&ours, &keys, size)?);
                let case = format!("{operation} {size} B on {}", backend.name());
                rows.extend(
                    series[1..]
                        .iter()
                        .map(|rival| Row::beside(&case, backend.name(), Unit::MegabytesPerSecond, &series[0], rival)),
                );
            }
        }
    }
    Ok(rows)
}

/// All that the machine has, or the one that the switch asks for.
fn paths() -> Vec<Backend> {
    match std::env::var_os(SWITCH) {
        Some(_) => vec![Backend::chosen()],
        None => Backend::available(),
    }
}

struct Keys {
    ring: LessSafeKey,
    generic: Generic,
    libsm: Sm4CipherMode,
}

/// An answer that the contender could not give would be measured as a fast one.
fn right<T, E>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|_| panic!("a contender refused its own ciphertext"))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(NONCE)
}

fn seal<'a>(ours: &'a Sm4Gcm, keys: &'a Keys, size: usize) -> Result<Vec<Contender<'a>>> {
    let text = vec![3; size];
    let (mut mine, mut rings, mut generics, plain) = (text.clone(), text.clone(), text.clone(), text);
    Ok(vec![
        Contender::new("miyu", move || {
            keep(ours.seal_in_place(&NONCE, &AAD, black_box(&mut mine)));
        }),
        Contender::new("ring AES-128-GCM", move || {
            keep(right(keys.ring.seal_in_place_separate_tag(nonce(), Aad::from(AAD), black_box(&mut rings))));
        }),
        Contender::new("sm4 + aes-gcm", move || {
            let buffer = black_box(&mut generics[..]);
            keep(right(keys.generic.encrypt_inout_detached(&NONCE.into(), &AAD, buffer.into())));
        }),
        Contender::new("libsm (16-byte nonce)", move || {
            keep(right(keys.libsm.encrypt(&AAD, black_box(&plain), &LONG_NONCE)));
        }),
    ])
}

/// A sealed message, and the place where it is opened.
struct Sealed<T> {
    sealed: Vec<u8>,
    tag: T,
    buffer: Vec<u8>,
}

impl<T> Sealed<T> {
    fn new(sealed: Vec<u8>, tag: T) -> Self {
        Self { buffer: sealed.clone(), sealed, tag }
    }

    fn restore(&mut self) {
        self.buffer.copy_from_slice(&self.sealed);
    }
}

fn open<'a>(ours: &'a Sm4Gcm, keys: &'a Keys, size: usize) -> Result<Vec<Contender<'a>>> {
    let mut text = vec![3; size];
    let tag = ours.seal_in_place(&NONCE, &AAD, &mut text);
    let mine = Sealed::new(text, tag);

    let mut text = vec![3; size];
    let tag = right(keys.ring.seal_in_place_separate_tag(nonce(), Aad::from(AAD), &mut text));
    text.extend_from_slice(tag.as_ref());
    let rings = Sealed::new(text, ());

    let mut text = vec![3; size];
    let tag = right(keys.generic.encrypt_inout_detached(&NONCE.into(), &AAD, (&mut text[..]).into()));
    let generics = Sealed::new(text, tag);

    let sealed = keys.libsm.encrypt(&AAD, &vec![3; size], &LONG_NONCE).map_err(|error| anyhow!("libsm: {error:?}"))?;
    Ok(vec![
        Contender::after("miyu", mine, Sealed::restore, move |it| {
            right(ours.open_in_place(&NONCE, &AAD, black_box(&mut it.buffer), &it.tag));
        }),
        Contender::after("ring AES-128-GCM", rings, Sealed::restore, move |it| {
            keep(right(keys.ring.open_in_place(nonce(), Aad::from(AAD), black_box(&mut it.buffer))));
        }),
        Contender::after("sm4 + aes-gcm", generics, Sealed::restore, move |it| {
            let buffer = black_box(&mut it.buffer[..]);
            right(keys.generic.decrypt_inout_detached(&NONCE.into(), &AAD, buffer.into(), &it.tag));
        }),
        Contender::new("libsm (16-byte nonce)", move || {
            keep(right(keys.libsm.decrypt(&AAD, black_box(&sealed), &LONG_NONCE)));
        }),
    ])
}
