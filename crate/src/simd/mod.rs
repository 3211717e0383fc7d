//! The few vector operations that the kernels use, and the type that stands for them on this target.

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub mod scalar;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub use scalar::{Scalar4 as Lanes, sqrt};
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
