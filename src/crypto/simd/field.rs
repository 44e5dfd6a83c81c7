//! SM4's S-box as inversion between linear maps, worked out when compiling.
//!
//! GB/T 32907-2016 gives the S-box as a table; it is S(x) = A·I(A·x + d3) + d3 with I the inversion modulo
//! x⁸+x⁷+x⁶+x⁵+x⁴+x²+1 and 0 ↦ 0. Machines invert modulo AES's x⁸+x⁴+x³+x+1 (FIPS 197 §4.2), so the state
//! is kept as N·x, where N = φ·A and φ carries SM4's field to AES's. A round then needs no map before the
//! inversion (φ(d3) is in the round key already), and what follows it is linear: the S-box's outer half
//! and the 2-bit rotations of L, which are shifts of a byte and of its upper neighbour:
//!
//! L(S) = z1 + z3 + rol₈(z1) + rol₁₆(z1) + rol₂₄(z3), z1 = (S≪2) + (S≫6), z3 = S + (S≫6), byte by byte.
//!
//! The constant of z3 occurs twice and vanishes; that of z1 occurs three times and stays once. a = z1 + z3.
//! A linear map on bytes is written as the images of its eight bits, lowest first.

/// A linear map of GF(2)⁸.
pub(super) type Map = [u8; 8];

const SM4_POLYNOMIAL: u16 = 0x1f5;
const AES_POLYNOMIAL: u16 = 0x11b;
const SM4_CONSTANT: u8 = 0xd3;
const AES_CONSTANT: u8 = 0x63;

/// N: from plain bytes to the basis that the state is kept in.
pub(super) const ENTER: Map = compose(&FIELD, &AFFINE);
/// N⁻¹.
pub(super) const LEAVE: Map = invert(&ENTER);
/// φ(d3): belongs to every byte of every round key in the basis.
pub(super) const KEY_CONSTANT: u8 = apply(&FIELD, SM4_CONSTANT);
/// z1, z3 and their sum from the inverse, and the constant of z1.
pub(super) const Z1: Map = compose(&ROTATE_2, &OUTER);
pub(super) const Z3: Map = compose(&KEEP_AND_CARRY, &OUTER);
pub(super) const A: Map = sum(&Z1, &Z3);
pub(super) const Z1_CONSTANT: u8 = apply(&ROTATE_2, apply(&ENTER, SM4_CONSTANT));
/// From the inverse straight to the plain S-box, whose constant is [`SBOX_CONSTANT`] (the key schedule).
pub(super) const SBOX: Map = compose(&AFFINE, &invert(&FIELD));
pub(super) const SBOX_CONSTANT: u8 = SM4_CONSTANT;
/// The same after AES's SubBytes instead of the bare inverse.
pub(super) const AES_Z1: Map = compose(&Z1, &invert(&AES_AFFINE));
pub(super) const AES_Z3: Map = compose(&Z3, &invert(&AES_AFFINE));
pub(super) const AES_A: Map = compose(&A, &invert(&AES_AFFINE));
pub(super) const AES_Z1_CONSTANT: u8 = Z1_CONSTANT ^ apply(&AES_Z1, AES_CONSTANT);
pub(super) const AES_SBOX: Map = compose(&SBOX, &invert(&AES_AFFINE));
pub(super) const AES_SBOX_CONSTANT: u8 = SBOX_CONSTANT ^ apply(&AES_SBOX, AES_CONSTANT);

/// A: bit i of A·x is the parity of x under d3 rotated left by i + 1.
const AFFINE: Map = {
    let mut map = [0; 8];
    let mut bit = 0;
    while bit < 8 {
        let row = SM4_CONSTANT.rotate_left(bit + 1);
        let mut from = 0;
        while from < 8 {
            map[from] |= (row >> from & 1) << bit;
            from += 1;
        }
        bit += 1;
    }
    map
};

/// The linear half of AES's SubBytes (FIPS 197 §5.1.1).
const AES_AFFINE: Map = {
    let mut map = [0; 8];
    let mut from = 0;
    while from < 8 {
        map[from] = 0x1fu8.rotate_left(from as u32);
        from += 1;
    }
    map
};

/// φ: the powers of a root of SM4's polynomial in AES's field.
const FIELD: Map = {
    let mut root = 2;
    loop {
        let (mut power, mut sum, mut map, mut degree) = (1, 0, [0; 8], 0);
        while degree <= 8 {
            if SM4_POLYNOMIAL >> degree & 1 == 1 {
                sum ^= power;
            }
            if degree < 8 {
                map[degree] = power;
            }
            power = multiply(power, root);
            degree += 1;
        }
        if sum == 0 {
            break map;
        }
        root += 1;
    }
};

/// P: the S-box's outer half in the basis, from the inverse.
const OUTER: Map = compose(&ENTER, &SBOX);
const ROTATE_2: Map = {
    // plain bytes: ≪2 and ≫6 together are a rotation of the byte
    compose(&ENTER, &compose(&[4, 8, 16, 32, 64, 128, 1, 2], &LEAVE))
};
const KEEP_AND_CARRY: Map = compose(&ENTER, &compose(&[1, 2, 4, 8, 16, 32, 64 ^ 1, 128 ^ 2], &LEAVE));

/// The S-box as a table, for machines that look up in registers.
#[cfg(target_arch = "aarch64")]
pub(super) const TABLE: [u8; 256] = {
    let (mut table, mut at) = ([0; 256], 0);
    while at < 256 {
        let inner = apply(&ENTER, at as u8) ^ KEY_CONSTANT;
        // the inverse is the 254th power
        let (mut inverse, mut turn) = (1, 0);
        while turn < 254 {
            inverse = multiply(inverse, inner);
            turn += 1;
        }
        table[at] = apply(&SBOX, inverse) ^ SBOX_CONSTANT;
        at += 1;
    }
    table
};
/// The map that changes nothing.
#[cfg(target_arch = "aarch64")]
pub(super) const SAME: Map = [1, 2, 4, 8, 16, 32, 64, 128];

/// The maps that GFNI applies, as its instructions want them.
pub(super) const ENTER_MATRIX: i64 = matrix(&ENTER);
pub(super) const LEAVE_MATRIX: i64 = matrix(&LEAVE);
pub(super) const Z1_MATRIX: i64 = matrix(&Z1);
pub(super) const Z3_MATRIX: i64 = matrix(&Z3);
pub(super) const A_MATRIX: i64 = matrix(&A);
pub(super) const SBOX_MATRIX: i64 = matrix(&SBOX);

/// The map as `gf2p8affineqb` wants it: the row of bit 0 in the highest byte.
const fn matrix(map: &Map) -> i64 {
    let (mut rows, mut bit) = (0u64, 0);
    while bit < 8 {
        let mut from = 0;
        while from < 8 {
            rows |= ((map[from] >> bit & 1) as u64) << (8 * (7 - bit) + from);
            from += 1;
        }
        bit += 1;
    }
    rows.cast_signed()
}

/// The map plus `constant` as two tables, of the low and of the high nibble, whose entries are added.
pub(super) const fn nibbles(map: &Map, constant: u8) -> [[u8; 16]; 2] {
    let (mut tables, mut nibble) = ([[0; 16]; 2], 0u8);
    while nibble < 16 {
        tables[0][nibble as usize] = apply(map, nibble) ^ constant;
        tables[1][nibble as usize] = apply(map, nibble << 4);
        nibble += 1;
    }
    tables
}

/// The map plus `constant` on each byte of a word, in constant time: a bit chooses by multiplication.
pub(super) fn apply_to_bytes(map: &Map, constant: u8, word: u32) -> u32 {
    const EACH: u32 = 0x0101_0101;
    let images = map.iter().zip(0u32..).map(|(image, bit)| (word >> bit & EACH) * u32::from(*image));
    images.fold(u32::from(constant) * EACH, |sum, image| sum ^ image)
}

const fn apply(map: &Map, byte: u8) -> u8 {
    let (mut image, mut bit) = (0, 0);
    while bit < 8 {
        if byte >> bit & 1 == 1 {
            image ^= map[bit];
        }
        bit += 1;
    }
    image
}

/// `outer` after `inner`.
const fn compose(outer: &Map, inner: &Map) -> Map {
    let (mut map, mut bit) = ([0; 8], 0);
    while bit < 8 {
        map[bit] = apply(outer, inner[bit]);
        bit += 1;
    }
    map
}

/// The sum of two maps.
const fn sum(one: &Map, other: &Map) -> Map {
    let (mut map, mut bit) = ([0; 8], 0);
    while bit < 8 {
        map[bit] = one[bit] ^ other[bit];
        bit += 1;
    }
    map
}

/// The inverse map; compiling does not end for a map that has none.
const fn invert(map: &Map) -> Map {
    let (mut inverse, mut bit) = ([0; 8], 0);
    while bit < 8 {
        while apply(map, inverse[bit]) != 1 << bit {
            inverse[bit] += 1;
        }
        bit += 1;
    }
    inverse
}

const fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut a, mut bit) = (0, a as u16, 0);
    while bit < 8 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a & 0x100 != 0 {
            a ^= AES_POLYNOMIAL;
        }
        bit += 1;
    }
    product as u8
}
