//! HMAC and HKDF on SM3 take no memory from the heap.
#![allow(missing_docs, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use miyu::crypto::kdf::{HmacSm3, hkdf_expand, hkdf_extract, hmac};
use miyu::crypto::sm3;

struct Counting;

static TAKEN: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The fewest of some runs, as the test runner's own threads may take memory meanwhile.
fn taken(run: impl Fn()) -> u64 {
    let once = || {
        let before = TAKEN.load(Ordering::Relaxed);
        run();
        TAKEN.load(Ordering::Relaxed) - before
    };
    (0..20).map(|_| once()).min().unwrap()
}

#[test]
fn hmac_and_hkdf_take_no_memory() {
    let (message, mut out) = ([7; 1000], [0; 300]);
    let derived = || {
        let mut out = black_box(out);
        hkdf_expand(&hkdf_extract(b"salt", &message), &[b"label", &message], &mut out).unwrap();
        black_box(out);
    };
    assert_eq!(taken(derived), 0);
    let authenticated = || {
        let mut mac = HmacSm3::new(&message);
        mac.update(&message);
        black_box((mac.clone().finish(), hmac(b"key", &[&message, b"more"]), sm3::digest(&message)));
    };
    assert_eq!(taken(authenticated), 0);
    // and the count does count
    assert_eq!(taken(|| drop(black_box(vec![1u8; 10]))), 1);
    hkdf_expand(&[1; 32], &[], &mut out).unwrap();
    assert_ne!(out, [0; 300]);
}
