//! The few vector operations that the kernels use, and the type that stands for them on this target.

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub mod scalar;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

#[cfg(all(feature = "full", not(target_arch = "wasm32")))]
pub use scalar::Words4 as IntLanes;
#[cfg(not(target_arch = "wasm32"))]
pub use scalar::{Scalar4 as Lanes, sqrt};
#[cfg(all(feature = "full", target_arch = "wasm32"))]
pub use wasm::V128 as IntLanes;
#[cfg(target_arch = "wasm32")]
pub use wasm::{V128 as Lanes, sqrt};

/// Numbers in a vector.
pub const LANES: usize = 4;

/// The bits of sqrt(1/2): what [`Vector::split`] takes off, so that the exponent comes out rounded.
const SQRT_HALF: u32 = core::f32::consts::FRAC_1_SQRT_2.to_bits();

/// Four f32. Every operation rounds to nearest once; `madd` twice, but for relaxed SIMD.
pub trait Vector: Copy {
    /// A mask: all bits of a lane set or none.
    type Mask: Copy;

    /// The same value in all lanes.
    fn splat(x: f32) -> Self;
    /// Loads four values.
    /// # Safety
    /// `p` is readable for 4 f32.
    unsafe fn load(p: *const f32) -> Self;
    /// Loads one value into all lanes.
    /// # Safety
    /// `p` is readable for 1 f32.
    unsafe fn load_splat(p: *const f32) -> Self;
    /// Lane `I` in all lanes.
    fn splat_lane<const I: usize>(self) -> Self;
    /// Stores four values.
    /// # Safety
    /// `p` is writable for 4 f32.
    unsafe fn store(self, p: *mut f32);

    /// `self + b`
    fn add(self, b: Self) -> Self;
    /// `self - b`
    fn sub(self, b: Self) -> Self;
    /// `self * b`
    fn mul(self, b: Self) -> Self;
    /// `self / b`
    fn div(self, b: Self) -> Self;
    /// `self * b + c`
    fn madd(self, b: Self, c: Self) -> Self;
    /// `-self`
    fn neg(self) -> Self;
    /// `|self|`
    fn abs(self) -> Self;
    /// `self` within [lo, hi]: the lesser of `self` and `hi`, then the greater of that and `lo`. A NaN in `self` stays.
    fn clamp(self, lo: Self, hi: Self) -> Self;
    /// `self < b ? b : self`, for which a NaN may become `b`.
    fn pmax(self, b: Self) -> Self;
    /// The bits of each lane shifted left by 23: a biased exponent in the low bits becomes a power of two.
    fn exponent_from_low_bits(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The greatest whole number up to `self`.
    fn floor(self) -> Self;
    /// The least whole number from `self`.
    fn ceil(self) -> Self;
    /// The nearest whole number, the even one of two.
    fn nearest(self) -> Self;
    /// m and e of `self` = m 2^e, m from sqrt(1/2) to sqrt(2), for normal numbers above 0.
    fn split(self) -> (Self, Self);
    /// `self < b`
    fn lt(self, b: Self) -> Self::Mask;
    /// `self <= b`
    fn le(self, b: Self) -> Self::Mask;
    /// `mask ? yes : no`
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// `mask ? 0 : self`
    fn zero_where(self, mask: Self::Mask) -> Self;
}

/// Whether [`IntVector::add_dot_of_bytes`] may give sums.
#[cfg(feature = "full")]
pub const HAS_DOT: bool = cfg!(any(not(target_arch = "wasm32"), target_feature = "relaxed-simd"));

/// Four words: i32, pairs of i16 or fours of bytes, the first in the lowest bits.
#[cfg(feature = "full")]
pub trait IntVector: Copy {
    /// As many f32.
    type Floats: Vector;

    /// Zeros.
    fn zero() -> Self;
    /// Loads four words.
    /// # Safety
    /// `p` is readable for 4 words.
    unsafe fn load_words(p: *const f32) -> Self;
    /// Loads one word into all lanes.
    /// # Safety
    /// `p` is readable for 1 word.
    unsafe fn splat_word(p: *const f32) -> Self;
    /// Word `I` in all lanes.
    fn splat_lane<const I: usize>(self) -> Self;
    /// Stores four words.
    /// # Safety
    /// `p` is writable for 4 words.
    unsafe fn store_words(self, p: *mut f32);
    /// The first word.
    fn first(self) -> i32;
    /// `self` and, in each lane, both products of a pair of `a` and one of `b`. It wraps.
    fn add_dot(self, a: Self, b: Self) -> Self;
    /// `self` and, in each lane, the four products of bytes of `a` and `b`, if [`HAS_DOT`]: those of `a` from -128 to 127; those of `b` as
    /// [`crate::kernels::dot`] finds. It wraps.
    fn add_dot_of_bytes(self, a: Self, b: Self) -> Self;
    /// The four i32, each rounded to nearest.
    fn to_floats(self) -> Self::Floats;
    /// The greater of `self` and the bits of |x|, in each lane.
    fn max_magnitude(self, x: Self::Floats) -> Self;
    /// The greatest of the four i32.
    fn greatest(self) -> i32;
    /// The nearest whole numbers, the even one of two, of eight numbers that i16 hold; anything of a NaN.
    fn of_nearest(a: Self::Floats, b: Self::Floats) -> Self;
    /// Bytes of the pairs of `a`, then of `b`, that i8 hold.
    fn bytes(a: Self, b: Self) -> Self;
    /// The same byte everywhere.
    fn splat_byte(x: i8) -> Self;
    /// Bits of one of both alone.
    fn xor(self, b: Self) -> Self;
}

/// 1.5 * 2^23: the bits of a sum of it and a number of 22 bits are its own and the nearest whole number, the even one of two.
#[cfg(feature = "full")]
const MAGIC: f32 = 12582912.0;
