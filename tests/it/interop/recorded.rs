//! What Tongsuo and GmSSL have said once, checked without them.

use miyu::crypto::gcm::Sm4Gcm;
use miyu::crypto::sm2::{DEFAULT_ID, PublicKey, TLS_ID};
use miyu::tls::hkdf_expand_label;

use super::hex;
use crate::crypto::{cases, hex as bytes};

const TONGSUO: &str = include_str!("../../vectors/tongsuo_tls13.txt");

#[test]
fn a_certificate_verify_of_tongsuo_is_taken_and_under_another_id_is_not() {
    let case = &cases(TONGSUO)[0];
    let key = PublicKey::from_spki_der(&bytes(case["spki"])).unwrap();
    let (message, signature) = (bytes(case["message"]), bytes(case["signature"]));
    // RFC 8446 §4.4.3: what is signed
    let context: Vec<u8> = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0"].concat();
    assert_eq!((&message[..context.len()], message.len()), (&context[..], context.len() + 32));
    key.verify(TLS_ID, &message, &signature).unwrap();
    key.verify(DEFAULT_ID, &message, &signature).unwrap_err();
    let mut other = message;
    other[100] ^= 1;
    key.verify(TLS_ID, &other, &signature).unwrap_err();
}

/// The record `number` under `secret`, opened (RFC 8446 §5.2 and §7.3).
fn open(secret: &[u8; 32], number: u8, record: &[u8]) -> Vec<u8> {
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    hkdf_expand_label(secret, b"key", &mut key).unwrap();
    hkdf_expand_label(secret, b"iv", &mut nonce).unwrap();
    nonce[11] ^= number;
    let (header, rest) = record.split_at(5);
    let (sealed, tag) = rest.split_at(rest.len() - 16);
    let mut plain = sealed.to_vec();
    Sm4Gcm::new(&key).open_in_place(&nonce, header, &mut plain, tag.try_into().unwrap()).unwrap();
    plain
}

#[test]
fn records_of_tongsuo_open_before_and_after_its_key_update() {
    let case = &cases(TONGSUO)[1];
    let first: [u8; 32] = bytes(case["secret"]).try_into().unwrap();
    // the content, its type, no padding (RFC 8446 §5.4); update_not_requested (§4.6.3)
    assert_eq!(open(&first, 0, &bytes(case["record_before"])), b"0123456789\x17");
    assert_eq!(hex(&open(&first, 1, &bytes(case["record_of_key_update"]))), "180000010016");
    // RFC 8446 §7.2
    let mut second = [0; 32];
    hkdf_expand_label(&first, b"traffic upd", &mut second).unwrap();
    assert_eq!(open(&second, 0, &bytes(case["record_after"])), b"9876543210\x17");
}

#[test]
fn signatures_of_gmssl_are_taken() {
    for case in cases(include_str!("../../vectors/gmssl_sm2.txt")) {
        let key = PublicKey::from_uncompressed(&bytes(case["public"])).unwrap();
        let (id, message, signature) = (bytes(case["id"]), bytes(case["message"]), bytes(case["signature"]));
        key.verify(&id, &message, &signature).unwrap();
        key.verify(b"another", &message, &signature).unwrap_err();
    }
}
