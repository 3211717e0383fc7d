//! What the engine's relaxed dot product of bytes (`i32x4.relaxed_dot_i8x16_i7x16_add_s`) makes of activations of eight bits.
//!
//! Specified are those of seven, 0 to 127. What an engine does with the sign bit is its choice, and stays the same while it runs: with
//! AVX-VNNI V8 makes `vpdpbusd` of it, which takes 0 to 255, and on Arm `sdot`, which takes -128 to 127. Both give exact sums. Elsewhere
//! V8 makes three instructions of it, of which the first saturates: no faster than products of 16 bits (AMD Zen 3 and 4). So the choice
//! is made by results.

use crate::simd::{HAS_DOT, IntLanes, IntVector};
use core::sync::atomic::{AtomicU8, Ordering};

/// What activations of the dot product are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Dot {
    /// Not to be had, or no exact sums: weights of 8 bits are multiplied as those of 16.
    None = 1,
    /// Bytes from -128 to 127.
    Signed,
    /// Bytes from 0 to 255.
    Unsigned,
}

impl Dot {
    /// What activations count from.
    pub fn zero(self) -> i8 {
        if self == Dot::Unsigned { i8::MIN } else { 0 }
    }
}

/// 0: not known yet.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// What this engine has.
pub fn dot() -> Dot {
    if !HAS_DOT {
        return Dot::None;
    }
    match CHOSEN.load(Ordering::Relaxed) {
        0 => {
            let found = probe();
            CHOSEN.store(found as u8, Ordering::Relaxed);
            found
        }
        2 => Dot::Signed,
        3 => Dot::Unsigned,
        _ => Dot::None,
    }
}

/// The choice, by the ends of the ranges: exact sums of four products each.
fn probe() -> Dot {
    const WEIGHTS: [i8; 5] = [-128, -127, -1, 1, 127];
    const ACTIVATIONS: [u8; 8] = [0x00, 0x01, 0x7e, 0x7f, 0x81, 0x82, 0xfe, 0xff];
    let (mut signed, mut unsigned) = (true, true);
    for (i, w) in WEIGHTS.into_iter().enumerate() {
        for (j, a) in ACTIVATIONS.into_iter().enumerate() {
            let weights = [w, WEIGHTS[(i + j) % WEIGHTS.len()], w, WEIGHTS[j % WEIGHTS.len()]];
            let activations = [a, a, ACTIVATIONS[(i + j) % ACTIVATIONS.len()], a];
            let found = sum_of(weights, activations);
            let sum = |number: fn(u8) -> i32| -> i32 {
                weights.into_iter().zip(activations).map(|(w, a)| i32::from(w) * number(a)).sum()
            };
            signed &= found == sum(|a| i32::from(a as i8));
            unsigned &= found == sum(i32::from);
        }
    }
    match (signed, unsigned) {
        (true, _) => Dot::Signed,
        (_, true) => Dot::Unsigned,
        _ => Dot::None,
    }
}

/// By the engine: what the compiler does not know.
fn sum_of(weights: [i8; 4], activations: [u8; 4]) -> i32 {
    let words = core::hint::black_box([
        f32::from_bits(u32::from_le_bytes(weights.map(|w| w as u8))),
        f32::from_bits(u32::from_le_bytes(activations)),
    ]);
    // SAFETY: each is readable.
    let [weights, activations] = unsafe { [IntLanes::splat_word(&words[0]), IntLanes::splat_word(&words[1])] };
    IntLanes::zero().add_dot_of_bytes(weights, activations).first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_what_the_products_are() {
        if HAS_DOT {
            assert_eq!(probe(), dot());
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn each_kind_of_products_is_found() {
        use crate::simd::scalar::SIGNED;
        assert_eq!(probe(), Dot::Unsigned);
        SIGNED.set(true);
        assert_eq!(probe(), Dot::Signed);
        SIGNED.set(false);
    }
}
