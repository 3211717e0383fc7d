//! WebAssembly SIMD. With relaxed SIMD one operation differs: the multiply-add may round once.

#[cfg(feature = "full")]
use super::{IntVector, MAGIC};
use super::{SQRT_HALF, Vector};
use core::arch::wasm32::*;

/// A 128-bit vector register.
#[derive(Clone, Copy)]
pub struct V128(v128);

/// The square root.
pub fn sqrt(x: f64) -> f64 {
    f64x2_extract_lane::<0>(f64x2_sqrt(f64x2_splat(x)))
}

impl Vector for V128 {
    type Mask = v128;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        V128(f32x4_splat(x))
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller promises 4 readable f32; wasm loads need no alignment.
        V128(unsafe { v128_load(p.cast()) })
    }
    #[inline(always)]
    unsafe fn load_splat(p: *const f32) -> Self {
        // SAFETY: the caller promises 1 readable f32.
        V128(unsafe { v128_load32_splat(p.cast()) })
    }
    #[inline(always)]
    fn splat_lane<const I: usize>(self) -> Self {
        V128(i32x4_shuffle::<I, I, I, I>(self.0, self.0))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller promises 4 writable f32.
        unsafe { v128_store(p.cast(), self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        V128(f32x4_add(self.0, b.0))
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        V128(f32x4_sub(self.0, b.0))
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        V128(f32x4_mul(self.0, b.0))
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        V128(f32x4_div(self.0, b.0))
    }
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        V128(f32x4_relaxed_madd(self.0, b.0, c.0))
    }
    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        V128(f32x4_add(f32x4_mul(self.0, b.0), c.0))
    }
    #[inline(always)]
    fn neg(self) -> Self {
        V128(f32x4_neg(self.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        V128(f32x4_abs(self.0))
    }
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn clamp(self, lo: Self, hi: Self) -> Self {
        // LLVM makes relaxed_min and relaxed_max of pmin and pmax, which may drop a NaN (x64 does): all bits set bring it back.
        let clamped = f32x4_pmax(f32x4_pmin(self.0, hi.0), lo.0);
        V128(v128_or(clamped, f32x4_ne(self.0, self.0)))
    }
    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn clamp(self, lo: Self, hi: Self) -> Self {
        V128(f32x4_pmax(f32x4_pmin(self.0, hi.0), lo.0))
    }
    #[inline(always)]
    fn pmax(self, b: Self) -> Self {
        V128(f32x4_pmax(self.0, b.0))
    }
    #[inline(always)]
    fn exponent_from_low_bits(self) -> Self {
        V128(i32x4_shl(self.0, 23))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        V128(f32x4_sqrt(self.0))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        V128(f32x4_floor(self.0))
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        V128(f32x4_ceil(self.0))
    }
    #[inline(always)]
    fn nearest(self) -> Self {
        V128(f32x4_nearest(self.0))
    }
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let exponent = i32x4_shr(i32x4_sub(self.0, i32x4_splat(SQRT_HALF as i32)), 23);
        (V128(i32x4_sub(self.0, i32x4_shl(exponent, 23))), V128(f32x4_convert_i32x4(exponent)))
    }
    #[inline(always)]
    fn lt(self, b: Self) -> v128 {
        f32x4_lt(self.0, b.0)
    }
    #[inline(always)]
    fn le(self, b: Self) -> v128 {
        f32x4_le(self.0, b.0)
    }
    #[inline(always)]
    fn select(mask: v128, yes: Self, no: Self) -> Self {
        V128(v128_bitselect(yes.0, no.0, mask))
    }
    #[inline(always)]
    fn zero_where(self, mask: v128) -> Self {
        V128(v128_andnot(self.0, mask))
    }
}

#[cfg(feature = "full")]
impl IntVector for V128 {
    type Floats = V128;

    #[inline(always)]
    fn zero() -> Self {
        V128(i32x4_splat(0))
    }
    #[inline(always)]
    unsafe fn load_words(p: *const f32) -> Self {
        // SAFETY: the caller promises 4 readable words; wasm loads need no alignment.
        V128(unsafe { v128_load(p.cast()) })
    }
    #[inline(always)]
    unsafe fn splat_word(p: *const f32) -> Self {
        // SAFETY: the caller promises 1 readable word.
        V128(unsafe { v128_load32_splat(p.cast()) })
    }
    #[inline(always)]
    fn splat_lane<const I: usize>(self) -> Self {
        V128(i32x4_shuffle::<I, I, I, I>(self.0, self.0))
    }
    #[inline(always)]
    unsafe fn store_words(self, p: *mut f32) {
        // SAFETY: the caller promises 4 writable words.
        unsafe { v128_store(p.cast(), self.0) }
    }
    #[inline(always)]
    fn first(self) -> i32 {
        i32x4_extract_lane::<0>(self.0)
    }
    #[inline(always)]
    fn add_dot(self, a: Self, b: Self) -> Self {
        V128(i32x4_add(self.0, i32x4_dot_i16x8(a.0, b.0)))
    }
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn add_dot_of_bytes(self, a: Self, b: Self) -> Self {
        V128(i32x4_relaxed_dot_i8x16_i7x16_add(a.0, b.0, self.0))
    }
    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn add_dot_of_bytes(self, _: Self, _: Self) -> Self {
        self
    }
    #[inline(always)]
    fn to_floats(self) -> V128 {
        V128(f32x4_convert_i32x4(self.0))
    }
    #[inline(always)]
    fn max_magnitude(self, x: V128) -> Self {
        V128(i32x4_max(self.0, v128_and(x.0, i32x4_splat(i32::MAX))))
    }
    #[inline(always)]
    fn greatest(self) -> i32 {
        let pairs = i32x4_max(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        i32x4_extract_lane::<0>(i32x4_max(pairs, i32x4_shuffle::<1, 0, 3, 2>(pairs, pairs)))
    }
    #[inline(always)]
    fn of_nearest(a: V128, b: V128) -> Self {
        // Two instructions a vector; of trunc_sat(nearest) V8 makes nine.
        let magic = f32x4_splat(MAGIC);
        let whole = |x: V128| i32x4_sub(f32x4_add(x.0, magic), magic);
        V128(i16x8_narrow_i32x4(whole(a), whole(b)))
    }
    #[inline(always)]
    fn bytes(a: Self, b: Self) -> Self {
        V128(i8x16_narrow_i16x8(a.0, b.0))
    }
    #[inline(always)]
    fn splat_byte(x: i8) -> Self {
        V128(i8x16_splat(x))
    }
    #[inline(always)]
    fn xor(self, b: Self) -> Self {
        V128(v128_xor(self.0, b.0))
    }
}
