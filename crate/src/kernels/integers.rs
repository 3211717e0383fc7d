//! Sums of products of integers over one weight panel, and rows of activations as integers.
//!
//! `out[i] = init[i] + float(sum over k of panel[k] * a[i][k]) * (scale * scale of a[i])`: the sum in 32 bits, each operation after
//! it rounded once, in every build. See docs/arithmetic.md.
//!
//! # No sum overflows
//! |a| <= levels, and levels * (sum over k of |w|) <= 2^31 - 1 for each row of weights ([`levels_of`]). So the sum of any of the
//! products of a row is at most 2^31 - 1, in whatever order they are added; a pair's two products are such a sum too.

use crate::buffer::Integer;
use crate::simd::{IntLanes, IntVector, LANES, Vector};

/// Most levels of an activation on either side of zero: what i16 holds.
pub const MOST_LEVELS: u32 = i16::MAX as u32;

/// Fewer are no 10 bits: products are made of the numbers that such weights stand for.
pub const LEAST_LEVELS: u32 = 1023;

/// The levels of what is multiplied by weights of which the row with the greatest sum of magnitudes has this one.
pub fn levels_of(sum: u64) -> u32 {
    (i32::MAX as u64 / sum.max(1)).min(u64::from(MOST_LEVELS)) as u32
}

/// Words in front of a row's integers: its scale, and what keeps them at 16 bytes.
const HEAD: usize = LANES;

/// Words of a row of `k` activations as integers: its scale, then whole vectors of pairs, zeros behind the last.
pub fn row_words(k: usize) -> usize {
    HEAD + k.div_ceil(2 * LANES) * LANES
}

/// Rows whose greatest magnitude is less are scaled as by this: its quotient stays finite.
const LEAST: i32 = 0x0d80_0000; // 2^-100
const INFINITE: i32 = f32::INFINITY.to_bits() as i32;

/// Makes integers of a row: `a = nearest(x * (levels / m))`, the even one of two, by the scale `m / levels`, where m is the greatest
/// |x|, 2^-100 at least. |a| <= levels, for rounding adds less than levels * 2^-22. An infinity or a NaN makes the scale a NaN.
///
/// # Safety
/// `x` is readable for `k` f32, `into` writable for [`row_words`].
pub unsafe fn quantize(x: *const f32, k: usize, levels: f32, into: *mut f32) {
    // SAFETY: the caller's promise; the last vectors are read from copies.
    unsafe {
        let whole = k - k % (2 * LANES);
        let mut rest = [0.0; 2 * LANES];
        for (i, rest) in rest.iter_mut().enumerate().take(k - whole) {
            *rest = *x.add(whole + i);
        }
        let load = |p: *const f32| -> <IntLanes as IntVector>::Floats { Vector::load(p) };
        let rest = rest.as_ptr();
        let (low, high) = (load(rest), load(rest.add(LANES)));
        let mut greatest = IntLanes::zero().max_magnitude(low).max_magnitude(high);
        let mut i = 0;
        while i < whole {
            greatest = greatest.max_magnitude(load(x.add(i))).max_magnitude(load(x.add(i + LANES)));
            i += 2 * LANES;
        }
        let greatest = greatest.greatest().max(LEAST);
        let (mut scale, mut by) = (f32::NAN, 0.0);
        if greatest < INFINITE {
            let m = f32::from_bits(greatest as u32);
            (scale, by) = (m / levels, levels / m);
        }
        *into = scale;
        let by = Vector::splat(by);
        let into = into.add(HEAD).cast::<i16>();
        let mut i = 0;
        while i < whole {
            let (low, high) = (load(x.add(i)).mul(by), load(x.add(i + LANES)).mul(by));
            IntLanes::of_nearest(low, high).store_pairs(into.add(i));
            i += 2 * LANES;
        }
        if whole < k {
            IntLanes::of_nearest(low.mul(by), high.mul(by)).store_pairs(into.add(whole));
        }
    }
}

/// Integers that weights are kept in.
pub trait Weight: Integer + 'static {
    /// Loads four pairs.
    /// # Safety
    /// `p` is readable for 8 of them.
    unsafe fn load<I: IntVector>(p: *const Self) -> I;
}

impl Weight for i16 {
    #[inline(always)]
    unsafe fn load<I: IntVector>(p: *const i16) -> I {
        // SAFETY: the caller's promise.
        unsafe { I::load_pairs(p) }
    }
}

impl Weight for i8 {
    #[inline(always)]
    unsafe fn load<I: IntVector>(p: *const i8) -> I {
        // SAFETY: the caller's promise.
        unsafe { I::load_bytes(p) }
    }
}

/// Operands of a kernel. Distances are in f32.
pub struct IntArgs<T> {
    /// Row 0 of activations, as [`quantize`] makes it; others follow.
    pub a: *const f32,
    /// Distance between rows of `a`.
    pub lda: usize,
    /// Pairs of k, 1 at least.
    pub pairs: usize,
    /// The panel: `[pair][4 vectors][2]`.
    pub panel: *const T,
    /// Vectors of sums in the panel.
    pub vectors: usize,
    /// The scales of the panel's rows of weights.
    pub scales: *const f32,
    /// Initial sums of row 0.
    pub init: *const f32,
    /// Distance between rows of `init`; 0 for the same in all rows.
    pub ld_init: usize,
    /// Sums of row 0.
    pub out: *mut f32,
    /// Distance between rows of `out`.
    pub ld_out: usize,
}

/// Computes some vectors from `column` on, of the rows `first` to `end`.
type Tile<T> = unsafe fn(args: &IntArgs<T>, first: usize, end: usize, column: usize);

/// `init + sum * (scale * of_row)`
///
/// # Safety
/// `scale` and `init` are readable, `out` writable for a vector.
#[inline(always)]
unsafe fn finish<I: IntVector>(sum: I, scale: *const f32, of_row: I::Floats, init: *const f32, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let scale = I::Floats::load(scale).mul(of_row);
        I::Floats::load(init).add(sum.to_floats().mul(scale)).store(out);
    }
}

/// One row by some vectors: each weight is loaded where it is used.
macro_rules! one_row {
    ($name:ident: $($sum:ident $j:literal),+) => {
        /// # Safety
        /// As [`multiply`].
        unsafe fn $name<T: Weight, I: IntVector>(args: &IntArgs<T>, first: usize, end: usize, column: usize) {
            for row in first..end {
                // SAFETY: the caller's promise.
                unsafe {
                    let a = args.a.add(row * args.lda);
                    let mut x = a.add(HEAD).cast::<i16>();
                    let width = args.vectors * 2 * LANES;
                    let mut weights = args.panel.add(column * 2 * LANES);
                    $(let mut $sum = I::zero();)+
                    let last = weights.wrapping_add(args.pairs * width);
                    loop {
                        let pair = I::splat_pair(x);
                        x = x.add(2);
                        $($sum = $sum.add_dot(T::load(weights.add($j * 2 * LANES)), pair);)+
                        weights = weights.wrapping_add(width);
                        if weights == last {
                            break;
                        }
                    }
                    let of_row = I::Floats::load_splat(a);
                    let scales = args.scales.add(column * LANES);
                    let init = args.init.add(row * args.ld_init + column * LANES);
                    let out = args.out.add(row * args.ld_out + column * LANES);
                    $(finish($sum, scales.add($j * LANES), of_row, init.add($j * LANES), out.add($j * LANES));)+
                }
            }
        }
    };
}

one_row!(tile_1x1: a 0);
one_row!(tile_1x2: a 0, b 1);
one_row!(tile_1x3: a 0, b 1, c 2);
one_row!(tile_1x4: a 0, b 1, c 2, d 3);
one_row!(tile_1x6: a 0, b 1, c 2, d 3, e 4, f 5);
one_row!(tile_1x9: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8);
one_row!(tile_1x12: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9, r 10, s 11);

/// Some rows by some vectors: a weight is loaded once for all rows. Against one row by 12, 256 units, 32 rows: i16 1.53 instead of 1.46
/// times f32, i8 1.50 instead of 1.33; 3x3, 4x2, 4x3 and 6x2 are no faster (AMD EPYC without AVX-VNNI, Node 24, relaxed build).
macro_rules! tile {
    ($name:ident: [$($w:ident $j:literal),+] $($x:ident $i:literal [$($sum:ident $v:ident $c:literal),+]);+) => {
        /// # Safety
        /// As [`multiply`]; the rows are whole tiles.
        #[inline(never)]
        unsafe fn $name<T: Weight, I: IntVector>(args: &IntArgs<T>, first: usize, end: usize, column: usize) {
            let mut row = first;
            while row < end {
                // SAFETY: the caller's promise.
                unsafe {
                    $(let mut $x = args.a.add((row + $i) * args.lda + HEAD).cast::<i16>();)+
                    let width = args.vectors * 2 * LANES;
                    let mut weights = args.panel.add(column * 2 * LANES);
                    $($(let mut $sum = I::zero();)+)+
                    let last = weights.wrapping_add(args.pairs * width);
                    loop {
                        $(let $w: I = T::load(weights.add($j * 2 * LANES));)+
                        $(
                            let pair = I::splat_pair($x);
                            $x = $x.add(2);
                            $($sum = $sum.add_dot($v, pair);)+
                        )+
                        weights = weights.wrapping_add(width);
                        if weights == last {
                            break;
                        }
                    }
                    let scales = args.scales.add(column * LANES);
                    $(
                        let of_row = I::Floats::load_splat(args.a.add((row + $i) * args.lda));
                        let init = args.init.add((row + $i) * args.ld_init + column * LANES);
                        let out = args.out.add((row + $i) * args.ld_out + column * LANES);
                        $(finish($sum, scales.add($c * LANES), of_row, init.add($c * LANES), out.add($c * LANES));)+
                    )+
                }
                row += [$($i),+].len();
            }
        }
    };
}

tile!(tile_2x1: [w0 0] x0 0 [a0 w0 0]; x1 1 [b0 w0 0]);
tile!(tile_2x2: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]; x1 1 [b0 w0 0, b1 w1 1]);
tile!(tile_2x3: [w0 0, w1 1, w2 2] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2]);
tile!(tile_2x4: [w0 0, w1 1, w2 2, w3 3] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2, b3 w3 3]);

/// Tiles of a number of rows, of so many vectors, the widest first.
struct Tiles<T: 'static>(&'static [(usize, Tile<T>)]);

impl<T: Weight> Tiles<T> {
    const ONE: Self = Tiles(&[
        (12, tile_1x12::<T, IntLanes>),
        (9, tile_1x9::<T, IntLanes>),
        (6, tile_1x6::<T, IntLanes>),
        (4, tile_1x4::<T, IntLanes>),
        (3, tile_1x3::<T, IntLanes>),
        (2, tile_1x2::<T, IntLanes>),
        (1, tile_1x1::<T, IntLanes>),
    ]);
    const TWO: Self = Tiles(&[
        (4, tile_2x4::<T, IntLanes>),
        (3, tile_2x3::<T, IntLanes>),
        (2, tile_2x2::<T, IntLanes>),
        (1, tile_2x1::<T, IntLanes>),
    ]);

    /// Covers all vectors of some rows.
    ///
    /// # Safety
    /// As [`multiply`].
    unsafe fn cover(&self, args: &IntArgs<T>, first: usize, end: usize, widest: usize) {
        let mut column = 0;
        while first < end && column < args.vectors {
            let left = (args.vectors - column).min(widest);
            for &(width, tile) in self.0 {
                if width <= left {
                    // SAFETY: the caller's promise; tiles cover each vector once.
                    unsafe { tile(args, first, end, column) };
                    column += width;
                    break;
                }
            }
        }
    }
}

/// The sums of `rows` rows, by tiles of one row that are `widest` vectors wide at most.
///
/// # Safety
/// Every pointer is valid for the rows, distances and lengths given. `out` overlaps nothing.
pub unsafe fn multiply<T: Weight>(args: &IntArgs<T>, rows: usize, widest: usize) {
    let odd = rows - rows % 2;
    // SAFETY: the caller's promise.
    unsafe {
        Tiles::<T>::TWO.cover(args, 0, odd, usize::MAX);
        Tiles::<T>::ONE.cover(args, odd, rows, widest);
    }
}
