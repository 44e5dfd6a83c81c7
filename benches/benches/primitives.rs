//! miyu's primitives against their own past: `./x bench primitives` after a change says what it did to each of them.
//! Beside rivals they are measured by the program in `src/`, which lets the contenders take turns.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use miyu::crypto::gcm::Sm4Gcm;
use miyu::crypto::simd::Backend;
use miyu::crypto::sm2::{PublicKey, SecretKey, TLS_ID};
use miyu::crypto::sm3;
use miyu::crypto::sm4::Sm4;
use rand::SeedableRng;
use rand::rngs::StdRng;

const SIZES: [usize; 4] = [64, 1200, 16 << 10, 64 << 10];

fn sealing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm4-gcm seal");
    for backend in Backend::available() {
        let key = Sm4Gcm::on(backend, &[7; 16]);
        for size in SIZES {
            let mut buffer = vec![3; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_with_input(BenchmarkId::new(backend.name(), size), &size, |bencher, _| {
                bencher.iter(|| key.seal_in_place(&[9; 12], &[5; 20], black_box(&mut buffer)));
            });
        }
    }
}

/// What a packet costs besides its payload: the mask of its header is one block.
fn one_block(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm4 block");
    for backend in Backend::available() {
        let key = Sm4::on(backend, &[7; 16]);
        let mut block = [3; 16];
        group.bench_function(backend.name(), |bencher| bencher.iter(|| key.encrypt_block(black_box(&mut block))));
    }
}

fn key_set_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm4-gcm key");
    for backend in Backend::available() {
        group.bench_function(backend.name(), |bencher| bencher.iter(|| Sm4Gcm::on(backend, black_box(&[7; 16]))));
    }
}

fn digest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm3");
    for size in SIZES {
        let data = vec![3; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(size.to_string(), |bencher| bencher.iter(|| sm3::digest(black_box(&data))));
    }
}

fn curve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm2");
    let mut rng = StdRng::seed_from_u64(1);
    let (secret, peer) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng).public_key());
    let (public, signature) = (secret.public_key(), secret.sign(TLS_ID, b"message"));
    let encoded = peer.to_uncompressed();
    group.bench_function("key pair", |bencher| bencher.iter(|| SecretKey::generate(&mut rng)));
    group.bench_function("sign", |bencher| bencher.iter(|| secret.sign(TLS_ID, black_box(b"message"))));
    group.bench_function("verify", |bencher| bencher.iter(|| public.verify(TLS_ID, b"message", black_box(&signature))));
    group.bench_function("agree", |bencher| bencher.iter(|| secret.diffie_hellman(black_box(&peer))));
    group.bench_function("read a point", |bencher| {
        bencher.iter(|| PublicKey::from_uncompressed(black_box(&encoded)));
    });
}

criterion_group!(primitives, sealing, one_block, key_set_up, digest, curve);
criterion_main!(primitives);
