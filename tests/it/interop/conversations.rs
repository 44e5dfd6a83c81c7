//! miyu's TLS provider and Tongsuo talk: raw public keys on both sides, data both ways, new keys, an orderly end.

use miyu::identity::Identity;
use miyu::tls;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::hex;
use super::line::{Line, Listening};
use super::tongsuo::{ASKS, Program, RAW_KEYS, Running, SHANGMI, STRICT, contains};
use crate::tls::only;

/// More than one TLS record, and more than what sockets and pipes hold.
const BODY_BYTES: usize = 1 << 20;
/// The record of a KeyUpdate: header, message, content type, tag (RFC 8446 §4.6.3 and §5.2).
const KEY_UPDATE_RECORD_BYTES: usize = 5 + 5 + 1 + 16;
/// What Tongsuo shows of the keys that both must have.
const EXPORT: &str = "-keymatexport miyu -keymatexportlen 32";

/// Digits: no other first letter is a command to s_client or s_server.
fn digits(rng: &mut StdRng, length: usize) -> Vec<u8> {
    (0..length).map(|_| rng.random_range(b'0'..=b'9')).collect()
}

fn exchange(line: &mut Line, tongsuo: &mut Running, rng: &mut StdRng, length: usize) {
    let ours = digits(rng, length);
    let before = tongsuo.stdout.so_far().len();
    line.send(&ours);
    tongsuo.stdout.wait("all that we sent", |text| {
        let late = text.get(before..).filter(|late| late.len() >= length)?;
        // remarks of s_client and s_server stand between the data
        let late = String::from_utf8_lossy(late);
        let late = ["read R BLOCK\n", "Read BLOCK\n", "SSL_do_handshake -> 1\n"]
            .iter()
            .fold(late.into_owned(), |text, remark| text.replace(remark, ""));
        contains(late.as_bytes(), &ours).then_some(())
    });
    let theirs = digits(rng, length);
    // at once: neither side holds all of it
    let got = std::thread::scope(|scope| {
        scope.spawn(|| tongsuo.type_in(&theirs));
        line.receive(length)
    });
    assert!(got == theirs, "what came is not what tongsuo sent");
}

/// Data both ways, then again after each kind of key update.
fn converse(line: &mut Line, tongsuo: &mut Running) {
    let mut rng = StdRng::seed_from_u64(0x8998);
    exchange(line, tongsuo, &mut rng, BODY_BYTES);
    // ours, which asks for theirs
    line.connection.refresh_traffic_keys().unwrap();
    exchange(line, tongsuo, &mut rng, 40_000);
    // theirs, which asks for ours, and theirs alone
    for letter in [b"K\n", b"k\n"] {
        tongsuo.type_in(letter);
        assert_eq!(line.absorb(), KEY_UPDATE_RECORD_BYTES);
        exchange(line, tongsuo, &mut rng, 40_000);
    }
    let messages = tongsuo.messages();
    let updates =
        |arrow: &str| messages.lines().filter(|line| line.starts_with(arrow) && line.contains("KeyUpdate")).count();
    assert_eq!((updates("<<<"), updates(">>>")), (2, 3), "{messages}");
}

/// Both sides know the same suite, key and exported secret.
fn agree(line: &Line, tongsuo: &Running, shown_to_tongsuo: &Identity) {
    let suite = line.connection.negotiated_cipher_suite().unwrap().suite();
    assert_eq!((u16::from(suite), line.connection.alpn_protocol()), (0x00c6, Some(tls::ALPN)));
    let mut exported = [0; 32];
    line.connection.export_keying_material(&mut exported, b"miyu", None).unwrap();
    tongsuo.stdout.says(&format!("Keying material: {}\n", hex(&exported).to_uppercase()));
    let said = String::from_utf8_lossy(&tongsuo.stdout.so_far()).into_owned();
    assert!(said.to_lowercase().contains("cipher is tls_sm4_gcm_sm3\n"), "{said}");
    let bare: String = said.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    assert!(bare.contains(&hex(&shown_to_tongsuo.public().to_uncompressed())), "{said}");
}

/// A client of ours with a server of Tongsuo's.
fn with_a_server(options: &str) -> (Line, Running) {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let server =
        Program::tongsuo().server(&theirs, &format!("{SHANGMI} {RAW_KEYS} {ASKS} {EXPORT} -alpn miyu/1 {options}"));
    let mut line = Line::dial(tls::client_config(&ours, theirs.public()).unwrap(), server.port());
    line.handshake().unwrap();
    agree(&line, &server, &ours);
    (line, server)
}

/// A client of Tongsuo's, which knows our key beforehand, with a server of ours.
fn with_a_client(options: &str) -> (Line, Running) {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let listening = Listening::new();
    let options = format!("{options} {RAW_KEYS} {EXPORT} -alpn miyu/1");
    let client = Program::tongsuo().client(Some(&theirs), &ours, listening.port, &options);
    let mut line = listening.answer(tls::server_config(&ours, only(&theirs)).unwrap());
    line.handshake().unwrap();
    agree(&line, &client, &ours);
    (line, client)
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_server_of_tongsuo_in_strict_mode() {
    let (mut line, mut server) = with_a_server(STRICT);
    converse(&mut line, &mut server);
    line.close();
    server.stdout.says("DONE\n");
    line.read_close_notify();
    assert!(server.ends_well());
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_client_of_tongsuo_in_strict_mode() {
    let (mut line, mut client) = with_a_client(&format!("{SHANGMI} {STRICT}"));
    converse(&mut line, &mut client);
    client.type_in(b"Q\n");
    line.read_close_notify();
    line.close();
    assert!(client.ends_well());
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn without_strict_mode_it_is_the_same() {
    let (mut line, mut server) = with_a_server("");
    converse(&mut line, &mut server);
    let (mut line, mut client) = with_a_client(SHANGMI);
    converse(&mut line, &mut client);
    // this time the end is ours
    line.close();
    line.read_close_notify();
    assert!(client.ends_well());
}

/// RFC 8446 §4.1.4: a share of another group is answered with HelloRetryRequest, not with a refusal.
#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_client_that_shows_another_group_first_is_asked_again() {
    let (mut line, mut client) = with_a_client(
        "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256:TLS_SM4_GCM_SM3 -groups P-256:curveSM2 \
         -sigalgs ecdsa_secp256r1_sha256:sm2sig_sm3",
    );
    let hellos = client.messages().lines().filter(|line| line.contains("ClientHello")).count();
    assert_eq!(hellos, 2, "{}", client.messages());
    converse(&mut line, &mut client);
}
