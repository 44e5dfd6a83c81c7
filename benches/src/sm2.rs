//! SM2 beside other SM2s and, for scale, ring's P-256.

use std::hint::black_box;

use ::sm2::ProjectivePoint;
use ::sm2::dsa::signature::{Signer, Verifier};
use ::sm2::elliptic_curve::Generate;
use ::sm2::elliptic_curve::point::AffineCoordinates;
use anyhow::{Result, anyhow};
use libsm::sm2::ecc::EccCtx;
use libsm::sm2::signature::SigCtx;
use miyu::crypto::sm2::{DEFAULT_ID, PublicKey, SecretKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use crate::openssl;
use crate::paired::{Contender, Series, keep, speeds};
use crate::report::{Row, Unit};

const MESSAGE: &[u8] = &[3; 64];
const ID: &str = "1234567812345678";
const RING: &str = "ring P-256";
const SM2: &str = "sm2 (RustCrypto)";
const LIBSM: &str = "libsm";

/// A contender that fails would be measured as a fast one.
fn right<T, E>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|_| panic!("a contender refused its own key or signature"))
}

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let mut rows = beside("key pair", &speeds(rounds, 1.0, key_pairs()));
    let keys = Keys::new()?;
    rows.extend(beside("sign 64 B", &speeds(rounds, 1.0, keys.sign())));
    rows.extend(openssl(rounds, "sign 64 B", 0, || keep(keys.ours.sign(DEFAULT_ID, black_box(MESSAGE)))));
    rows.extend(beside("verify 64 B", &speeds(rounds, 1.0, keys.verify()?)));
    let (public, signature) = (keys.ours.public_key(), keys.ours.sign(DEFAULT_ID, MESSAGE));
    rows.extend(openssl(rounds, "verify 64 B", 1, || right(public.verify(DEFAULT_ID, MESSAGE, black_box(&signature)))));
    rows.extend(beside("agree with 65 bytes of a peer", &speeds(rounds, 1.0, keys.agree())));
    Ok(rows)
}

fn beside(case: &str, series: &[Series]) -> Vec<Row> {
    series[1..].iter().map(|rival| Row::beside(case, "", Unit::PerSecond, &series[0], rival)).collect()
}

/// A line like `+F7:0:256:CurveSM2:2403.6:2112.7` ends with signatures and verifications a second.
fn openssl(rounds: Option<u32>, case: &str, field: usize, operation: impl FnMut()) -> Option<Row> {
    let pick = |line: &str| {
        let (_, figures) = line.strip_prefix("+F7:")?.split_once("CurveSM2:")?;
        figures.split(':').nth(field)?.trim().parse().ok()
    };
    let (ours, theirs) = openssl::beside(rounds, &["sm2"], pick, operation)?;
    Some(Row::beside(case, "", Unit::PerSecond, &ours, &theirs))
}

/// The public key included.
fn key_pairs<'a>() -> Vec<Contender<'a>> {
    // One quick source of randomness for those that take one: it is not what is measured.
    let (mut mine, mut sm2s) = (StdRng::seed_from_u64(1), StdRng::seed_from_u64(2));
    let (system, libsm) = (SystemRandom::new(), SigCtx::new());
    vec![
        Contender::new("miyu", move || keep(SecretKey::generate(&mut mine))),
        Contender::new(SM2, move || {
            let secret = ::sm2::SecretKey::generate_from_rng(&mut sm2s);
            black_box(secret.public_key());
        }),
        Contender::new(LIBSM, move || keep(right(libsm.new_keypair()))),
        Contender::new(RING, move || {
            let secret = right(EphemeralPrivateKey::generate(&ECDH_P256, &system));
            black_box(right(secret.compute_public_key()));
        }),
    ]
}

/// One SM2 key for all who sign with SM2, and a P-256 key.
struct Keys {
    ours: SecretKey,
    sm2: ::sm2::SecretKey,
    libsm: SigCtx,
    ring: EcdsaKeyPair,
    system: SystemRandom,
}

impl Keys {
    fn new() -> Result<Self> {
        let ours = SecretKey::generate(&mut StdRng::seed_from_u64(3));
        let sm2 = ::sm2::SecretKey::from_slice(&*ours.to_bytes()).map_err(|error| anyhow!("sm2: {error}"))?;
        let system = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &system).map_err(|_| anyhow!("ring made no key"))?;
        let ring = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &system).map_err(|error| anyhow!("{error}"))?;
        Ok(Self { ours, sm2, libsm: SigCtx::new(), ring, system })
    }

    fn sign(&self) -> Vec<Contender<'_>> {
        let sm2 = right(::sm2::dsa::SigningKey::new(ID, &self.sm2));
        let point = right(self.libsm.load_pubkey(&self.ours.public_key().to_uncompressed()));
        let number = right(self.libsm.load_seckey(&*self.ours.to_bytes()));
        vec![
            Contender::new("miyu", || keep(self.ours.sign(DEFAULT_ID, black_box(MESSAGE)))),
            Contender::new(SM2, move || {
                let signature: ::sm2::dsa::Signature = sm2.sign(black_box(MESSAGE));
                black_box(signature);
            }),
            Contender::new(LIBSM, move || {
                keep(right(self.libsm.sign(black_box(MESSAGE), &number, &point)));
            }),
            Contender::new(RING, || keep(right(self.ring.sign(&self.system, black_box(MESSAGE))))),
        ]
    }

    fn verify(&self) -> Result<Vec<Contender<'_>>> {
        let (public, mine) = (self.ours.public_key(), self.ours.sign(DEFAULT_ID, MESSAGE));
        let signing = ::sm2::dsa::SigningKey::new(ID, &self.sm2).map_err(|error| anyhow!("sm2: {error}"))?;
        let verifying = signing.verifying_key().clone();
        let sm2s: ::sm2::dsa::Signature = signing.sign(MESSAGE);
        let point = right(self.libsm.load_pubkey(&public.to_uncompressed()));
        let number = right(self.libsm.load_seckey(&*self.ours.to_bytes()));
        let libsms = right(self.libsm.sign(MESSAGE, &number, &point));
        let rings = right(self.ring.sign(&self.system, MESSAGE));
        let ring = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.ring.public_key().as_ref());
        Ok(vec![
            Contender::new("miyu", move || right(public.verify(DEFAULT_ID, black_box(MESSAGE), black_box(&mine)))),
            Contender::new(SM2, move || right(verifying.verify(black_box(MESSAGE), black_box(&sm2s)))),
            Contender::new(LIBSM, move || {
                assert!(right(self.libsm.verify(black_box(MESSAGE), &point, &libsms)), "libsm refused its signature");
            }),
            Contender::new(RING, move || right(ring.verify(black_box(MESSAGE), black_box(rings.as_ref())))),
        ])
    }

    /// As in a handshake: the peer's 65 bytes come in and are checked, the shared x goes out.
    fn agree(&self) -> Vec<Contender<'_>> {
        let peer = SecretKey::generate(&mut StdRng::seed_from_u64(4)).public_key().to_uncompressed();
        let number = right(self.libsm.load_seckey(&*self.ours.to_bytes()));
        let curve = EccCtx::new();
        let new = || right(EphemeralPrivateKey::generate(&ECDH_P256, &self.system));
        let ring_peer = right(new().compute_public_key());
        vec![
            Contender::new("miyu", move || {
                let peer = right(PublicKey::from_uncompressed(black_box(&peer)));
                black_box(self.ours.diffie_hellman(&peer));
            }),
            Contender::new(SM2, move || {
                let peer = right(::sm2::PublicKey::from_sec1_bytes(black_box(&peer)));
                let shared = ProjectivePoint::from(*peer.as_affine()) * *self.sm2.to_nonzero_scalar();
                black_box(shared.to_affine().x());
            }),
            Contender::new(LIBSM, move || {
                let peer = right(self.libsm.load_pubkey(black_box(&peer)));
                let shared = right(curve.mul(&number, &peer));
                black_box(right(curve.to_affine(&shared)));
            }),
            // ring's ephemeral keys serve once.
            Contender::prepared(RING, new, move |secret| {
                let peer = UnparsedPublicKey::new(&ECDH_P256, black_box(ring_peer.as_ref()));
                black_box(right(agreement::agree_ephemeral(secret, &peer, |shared| shared[0])));
            }),
        ]
    }
}
