//! `[f32; 4]` with the same results as plain wasm SIMD, bit for bit.

extern crate std;

#[cfg(feature = "full")]
use super::{IntVector, MAGIC};
use super::{SQRT_HALF, Vector};

/// Four f32 in an array. Lane by lane, without closures of core's: Miri takes ten times as long through those.
#[derive(Clone, Copy, Debug)]
pub struct Scalar4(pub [f32; 4]);

impl Scalar4 {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (self.0, b.0);
        Scalar4([f(a0, b0), f(a1, b1), f(a2, b2), f(a3, b3)])
    }

    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        let [a, b, c, d] = self.0;
        Scalar4([f(a), f(b), f(c), f(d)])
    }
}

/// The square root.
#[cfg(not(target_arch = "wasm32"))]
pub fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

impl Vector for Scalar4 {
    type Mask = [bool; 4];

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Scalar4([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller promises 4 readable f32; no alignment beyond f32's is needed.
        Scalar4(unsafe { p.cast::<[f32; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn load_splat(p: *const f32) -> Self {
        // SAFETY: the caller promises 1 readable f32.
        Scalar4([unsafe { p.read() }; 4])
    }
    #[inline(always)]
    fn splat_lane<const I: usize>(self) -> Self {
        Scalar4([self.0[I]; 4])
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller promises 4 writable f32.
        unsafe { p.cast::<[f32; 4]>().write(self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |x, y| x + y)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |x, y| x - y)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |x, y| x * y)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |x, y| x / y)
    }
    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c)
    }
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|x| -x)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.map(f32::abs)
    }
    #[inline(always)]
    fn clamp(self, lo: Self, hi: Self) -> Self {
        self.zip(hi, |x, y| if y < x { y } else { x }).pmax(lo)
    }
    #[inline(always)]
    fn pmax(self, b: Self) -> Self {
        self.zip(b, |x, y| if x < y { y } else { x })
    }
    #[inline(always)]
    fn exponent_from_low_bits(self) -> Self {
        self.map(|x| f32::from_bits(x.to_bits() << 23))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        self.map(f32::floor)
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        self.map(f32::ceil)
    }
    #[inline(always)]
    fn nearest(self) -> Self {
        self.map(f32::round_ties_even)
    }
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let exponent = |x: f32| (x.to_bits().wrapping_sub(SQRT_HALF) as i32) >> 23;
        let mantissa = |x: f32| f32::from_bits(x.to_bits().wrapping_sub((exponent(x) << 23) as u32));
        (self.map(mantissa), self.map(|x| exponent(x) as f32))
    }
    #[inline(always)]
    fn lt(self, b: Self) -> [bool; 4] {
        core::array::from_fn(|i| self.0[i] < b.0[i])
    }
    #[inline(always)]
    fn le(self, b: Self) -> [bool; 4] {
        core::array::from_fn(|i| self.0[i] <= b.0[i])
    }
    #[inline(always)]
    fn select(mask: [bool; 4], yes: Self, no: Self) -> Self {
        Scalar4(core::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
    }
    #[inline(always)]
    fn zero_where(self, mask: [bool; 4]) -> Self {
        Self::select(mask, Scalar4([0.0; 4]), self)
    }
}

/// Four words in an array.
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug)]
pub struct Words4(pub [i32; 4]);

#[cfg(feature = "full")]
fn pair(low: i16, high: i16) -> i32 {
    i32::from(low) & 0xffff | i32::from(high) << 16
}

/// Whether products of bytes take signed activations, as on Arm, instead of unsigned ones, as with AVX-VNNI: tests try both.
#[cfg(all(feature = "full", test))]
pub(crate) fn takes_signed() -> bool {
    SIGNED.get()
}
#[cfg(all(feature = "full", test))]
std::thread_local! {
    pub(crate) static SIGNED: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}
#[cfg(all(feature = "full", not(test)))]
fn takes_signed() -> bool {
    false
}

#[cfg(feature = "full")]
impl IntVector for Words4 {
    type Floats = Scalar4;

    #[inline(always)]
    fn zero() -> Self {
        Words4([0; 4])
    }
    #[inline(always)]
    unsafe fn load_words(p: *const f32) -> Self {
        // SAFETY: the caller promises 4 readable words.
        Words4(unsafe { p.cast::<[i32; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn splat_word(p: *const f32) -> Self {
        // SAFETY: the caller promises 1 readable word.
        Words4([unsafe { p.cast::<i32>().read() }; 4])
    }
    #[inline(always)]
    fn splat_lane<const I: usize>(self) -> Self {
        Words4([self.0[I]; 4])
    }
    #[inline(always)]
    unsafe fn store_words(self, p: *mut f32) {
        // SAFETY: the caller promises 4 writable words.
        unsafe { p.cast::<[i32; 4]>().write(self.0) }
    }
    #[inline(always)]
    fn first(self) -> i32 {
        self.0[0]
    }
    #[inline(always)]
    fn add_dot(self, a: Self, b: Self) -> Self {
        let half = |word: i32, by: u32| i32::from((word >> by) as i16);
        let dot = |i: usize| {
            let (a, b) = (a.0[i], b.0[i]);
            (half(a, 0) * half(b, 0)).wrapping_add(half(a, 16) * half(b, 16))
        };
        Words4(core::array::from_fn(|i| self.0[i].wrapping_add(dot(i))))
    }
    #[inline(always)]
    fn add_dot_of_bytes(self, a: Self, b: Self) -> Self {
        let activation = |b: u8| if takes_signed() { i32::from(b as i8) } else { i32::from(b) };
        let dot = |(a, b): (i32, i32)| -> i32 {
            a.to_le_bytes().into_iter().zip(b.to_le_bytes()).map(|(a, b)| i32::from(a as i8) * activation(b)).sum()
        };
        Words4(core::array::from_fn(|i| self.0[i].wrapping_add(dot((a.0[i], b.0[i])))))
    }
    #[inline(always)]
    fn to_floats(self) -> Scalar4 {
        Scalar4(self.0.map(|x| x as f32))
    }
    #[inline(always)]
    fn max_magnitude(self, x: Scalar4) -> Self {
        Words4(core::array::from_fn(|i| self.0[i].max(x.0[i].abs().to_bits() as i32)))
    }
    #[inline(always)]
    fn greatest(self) -> i32 {
        let [a, b, c, d] = self.0;
        a.max(b).max(c.max(d))
    }
    #[inline(always)]
    fn of_nearest(a: Scalar4, b: Scalar4) -> Self {
        let whole = |x: f32| (x + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i16;
        let ([a, b, c, d], [e, f, g, h]) = (a.0.map(whole), b.0.map(whole));
        Words4([pair(a, b), pair(c, d), pair(e, f), pair(g, h)])
    }
    #[inline(always)]
    fn bytes(a: Self, b: Self) -> Self {
        let two = |[low, high]: [i32; 2]| {
            let [a, b, c, d] = [low, low >> 16, high, high >> 16].map(|half| half as i8 as u8);
            i32::from_le_bytes([a, b, c, d])
        };
        let ([a, b, c, d], [e, f, g, h]) = (a.0, b.0);
        Words4([two([a, b]), two([c, d]), two([e, f]), two([g, h])])
    }
    #[inline(always)]
    fn splat_byte(x: i8) -> Self {
        Words4([i32::from_le_bytes([x as u8; 4]); 4])
    }
    #[inline(always)]
    fn xor(self, b: Self) -> Self {
        Words4(core::array::from_fn(|i| self.0[i] ^ b.0[i]))
    }
}
