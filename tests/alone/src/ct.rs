//! Uses of secret keys, to be run under valgrind's memcheck, which is told that the key's bytes are undefined: it then
//! reports every branch and every address that depends on them, as it would for memory that nobody wrote.
//!
//! `ct seal|open|block|sign|agree [BYTES]` on the path that `MIYU_SIMD` leaves; `ct leak-branch|leak-address` has what
//! must be reported, so that silence means something; `ct path` prints the path's name.
//!
//! valgrind does not know the newest instructions: for the paths that use them `disassembly.py` goes through this
//! program's machine code, and must find what stands in `leaks`.

use std::hint::black_box;
use std::process::ExitCode;

use miyu::crypto::gcm::Sm4Gcm;
use miyu::crypto::simd::Backend;
#[cfg(feature = "sm2")]
use miyu::crypto::sm2::{SecretKey, TLS_ID};
use miyu::crypto::sm4::Sm4;

/// Requests of valgrind's memcheck.h, whose tool is named by "MC" in the upper half.
const MAKE_MEM_UNDEFINED: usize = 0x4d43_0001;
const MAKE_MEM_DEFINED: usize = 0x4d43_0002;

/// Does nothing but under valgrind: turns of a register that add up to a whole one, then an exchange with itself.
fn request(request: usize, bytes: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    {
        let arguments = [request, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0];
        // SAFETY: outside of valgrind the registers keep their values; inside, it reads the six words of the array
        // and marks memory that the slice borrows, without changing it.
        unsafe {
            std::arch::asm!(
                "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
                in("rax") arguments.as_ptr(), inout("rdx") 0usize => _, in("rdi") 0usize,
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (request, bytes);
}

fn secret<const N: usize>(bytes: [u8; N]) -> [u8; N] {
    let mut bytes = black_box(bytes);
    request(MAKE_MEM_UNDEFINED, &mut bytes);
    bytes
}

/// What may be known from here on: ciphertext, tag, signature.
fn public(bytes: &mut [u8]) {
    request(MAKE_MEM_DEFINED, bytes);
}

const KEY: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10";
#[cfg(feature = "sm2")]
const SCALAR: [u8; 32] = *b"\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78\
                            \x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78";

fn seal(length: usize) {
    let aead = Sm4Gcm::new(&secret(KEY));
    let mut text = vec![0x5a; length];
    request(MAKE_MEM_UNDEFINED, &mut text);
    let mut tag = aead.seal_in_place(&[7; 12], &[3; 21], &mut text);
    public(&mut text);
    public(&mut tag);
    black_box((text, tag));
}

/// Whether a tag is right is public, but it is looked at inside: a branch there is the one that is allowed.
fn open(length: usize) {
    let mut text = vec![0x5a; length];
    let tag = Sm4Gcm::new(&KEY).seal_in_place(&[7; 12], &[3; 21], &mut text);
    let right = Sm4Gcm::new(&secret(KEY)).open_in_place(&[7; 12], &[3; 21], &mut text, &tag);
    public(&mut text);
    black_box((text, right.is_ok()));
}

fn block(_: usize) {
    let mut block = [9; 16];
    Sm4::new(&secret(KEY)).encrypt_block(&mut block);
    public(&mut block);
    black_box(block);
}

#[cfg(feature = "sm2")]
fn sign(_: usize) {
    if let Ok(key) = SecretKey::from_bytes(&secret(SCALAR)) {
        let mut signature = key.sign(TLS_ID, b"message");
        public(&mut signature);
        black_box(signature);
    }
}

#[cfg(feature = "sm2")]
fn agree(_: usize) {
    let Ok(peer) = SecretKey::from_bytes(&[5; 32]) else { return };
    if let Ok(key) = SecretKey::from_bytes(&secret(SCALAR)) {
        let mut shared = *key.diffie_hellman(&peer.public_key());
        public(&mut shared);
        black_box(shared);
    }
}

fn leak_branch(_: usize) {
    if secret(KEY)[3] & 1 == 1 {
        black_box(1);
    }
}

fn leak_address(_: usize) {
    let table = black_box([0u8; 256]);
    black_box(table[usize::from(secret(KEY)[3])]);
}

/// Never called; compiled with the features of each path, to be found by `disassembly.py`.
#[cfg(target_arch = "x86_64")]
mod leaks {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    static TABLE: [i32; 256] = [1; 256];

    macro_rules! leaks {
        ($path:ident, $features:literal) => {
            mod $path {
                use super::*;

                #[used]
                static ALL: [unsafe fn(&[u8; 16]); 7] = [branch, address, gather, masked, stack, call, division];

                #[target_feature(enable = $features)]
                fn mixed(key: &[u8; 16]) -> __m256i {
                    let key = u128::from_le_bytes(*key);
                    let key = _mm_set_epi64x((key >> 64) as i64, key as i64);
                    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(key), _mm256_set1_epi8(3))
                }

                #[target_feature(enable = $features)]
                fn word(key: &[u8; 16]) -> u32 {
                    _mm256_cvtsi256_si32(mixed(key)).cast_unsigned()
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn branch(key: &[u8; 16]) {
                    if word(key) & 1 == 1 {
                        black_box(1);
                    }
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn address(key: &[u8; 16]) {
                    black_box(black_box(&TABLE)[word(key) as usize % 256]);
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn gather(key: &[u8; 16]) {
                    let at = _mm256_and_si256(mixed(key), _mm256_set1_epi32(0xff));
                    // SAFETY: the table has 256 words.
                    black_box(unsafe { _mm256_i32gather_epi32::<4>(black_box(&TABLE).as_ptr(), at) });
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn masked(key: &[u8; 16]) {
                    // SAFETY: the table has more than the eight words that may be read.
                    black_box(unsafe { _mm256_maskload_epi32(black_box(&TABLE).as_ptr(), mixed(key)) });
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn stack(key: &[u8; 16]) {
                    let mut place = [0; 3];
                    place[1] = word(key);
                    if black_box(&mut place)[1] == 7 {
                        black_box(1);
                    }
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn call(key: &[u8; 16]) {
                    branch_on(black_box(3), word(key));
                }

                #[inline(never)]
                fn branch_on(public: u32, secret: u32) {
                    if secret > public {
                        black_box(1);
                    }
                }

                #[inline(never)]
                #[target_feature(enable = $features)]
                fn division(key: &[u8; 16]) {
                    black_box(1000 / black_box(word(key)));
                }
            }
        };
    }

    leaks!(avx2_aes, "avx2,aes");
    leaks!(avx2_vaes, "avx2,aes,vaes");
    leaks!(avx2_gfni, "avx2,gfni");
    leaks!(avx512, "avx512f,avx512bw,avx512vl,gfni");
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (task, length) = (arguments.next(), arguments.next().and_then(|length| length.parse().ok()));
    let task = match task.as_deref() {
        Some("seal") => seal,
        Some("open") => open,
        Some("block") => block,
        #[cfg(feature = "sm2")]
        Some("sign") => sign,
        #[cfg(feature = "sm2")]
        Some("agree") => agree,
        Some("leak-branch") => leak_branch,
        Some("leak-address") => leak_address,
        Some("path") => |_| println!("{}", Backend::chosen().name()),
        _ => {
            eprintln!("usage: ct seal|open|block|sign|agree|leak-branch|leak-address|path [BYTES]");
            return ExitCode::from(2);
        }
    };
    task(length.unwrap_or(1200));
    ExitCode::SUCCESS
}
