//! Sums of products of integers over one weight panel, and rows of activations as integers.
//!
//! `out[i] = init[i] + float(sum over k of panel[k] * a[i][k]) * (scale * scale of a[i])`: the sum in 32 bits, each operation after
//! it rounded once, in every build. See docs/arithmetic.md.
//!
//! # No sum overflows
//! |a| <= levels, and levels * (sum over k of |w|) <= 2^31 - 1 for each row of weights ([`levels_of`]). So the sum of any of the
//! products of a row is at most 2^31 - 1, in whatever order they are added; a pair's two products are such a sum too.
//!
//! Where activations are bytes that count from -128 ([`super::dot::Dot::Unsigned`]), sums start at -128 * (sum over k of w): each sum on
//! the way is the sum of `a w` of what was added and of `-128 w` of what was not, and 128 * (sum over k of |w|) <= 2^31 - 1 too.

use crate::buffer::Integer;
use crate::simd::{IntLanes, IntVector, LANES, Vector};

/// The levels, on either side of zero, of what is multiplied by weights of which the row with the greatest sum of magnitudes has this
/// one; none where products are made of the numbers that the weights stand for.
pub fn levels_of<T: Weight>(sum: u64) -> Option<u32> {
    let most = i32::MAX as u64 / sum.max(1);
    (most >= T::LEAST).then_some(most.min(T::MOST) as u32)
}

/// Words in front of a row's integers: its scale, and what keeps them at 16 bytes.
const HEAD: usize = LANES;

/// Words of a row of `k` activations as integers, of 16 bits or fewer: its scale, then whole vectors, zeros behind the last integer.
pub fn row_words(k: usize) -> usize {
    HEAD + k.div_ceil(Pairs::IN_VECTOR) * LANES
}

/// Rows whose greatest magnitude is less are rows of zeros, of scale 0: the quotient stays finite, and of a scale times that of the weights
/// no denormal comes where a row is silent (on an Intel Xeon 2 to 5 times the time).
const LEAST: i32 = 0x0d80_0000; // 2^-100
const INFINITE: i32 = f32::INFINITY.to_bits() as i32;

/// Makes integers of a row: `a = nearest(x * (levels / m))`, the even one of two, by the scale `m / levels`, where m is the greatest
/// |x|; zeros by the scale 0 where that is below 2^-100. |a| <= levels, for rounding adds less than levels * 2^-22. An infinity or a NaN makes the scale a NaN. Bytes
/// count from `from`: 0 or -128.
///
/// # Safety
/// `x` is readable for `k` f32, `into` writable for [`row_words`].
pub unsafe fn quantize<P: Products>(x: *const f32, k: usize, levels: f32, from: i8, into: *mut f32) {
    // SAFETY: the caller's promise; the last vectors are read from a copy.
    unsafe {
        let whole = k - k % P::IN_VECTOR;
        let mut rest = [0.0; 4 * LANES];
        for (i, rest) in rest.iter_mut().enumerate().take(k - whole) {
            *rest = *x.add(whole + i);
        }
        let load = |p: *const f32| -> <IntLanes as IntVector>::Floats { Vector::load(p) };
        let rest = rest.as_ptr();
        let mut greatest = IntLanes::zero();
        for i in (0..P::IN_VECTOR).step_by(LANES) {
            greatest = greatest.max_magnitude(load(rest.add(i)));
        }
        for i in (0..whole).step_by(2 * LANES) {
            greatest = greatest.max_magnitude(load(x.add(i))).max_magnitude(load(x.add(i + LANES)));
        }
        let greatest = greatest.greatest();
        let (scale, by) = if greatest < LEAST {
            (0.0, 0.0)
        } else if greatest < INFINITE {
            let m = f32::from_bits(greatest as u32);
            (m / levels, levels / m)
        } else {
            (f32::NAN, 0.0)
        };
        *into = scale;
        let (by, from) = (Vector::splat(by), IntLanes::splat_byte(from));
        let mut into = into.add(HEAD);
        for i in (0..whole).step_by(P::IN_VECTOR) {
            P::integers::<IntLanes>(x.add(i), by, from).store_words(into);
            into = into.add(LANES);
        }
        if whole < k {
            P::integers::<IntLanes>(rest, by, from).store_words(into);
        }
    }
}

/// Integers that weights are kept in.
pub trait Weight: Integer + Into<i32> + 'static {
    /// Fewest levels of what is multiplied by them, else products are of numbers: 10 bits, for i8 what its proof above needs.
    const LEAST: u64;
    /// Most of them.
    const MOST: u64;
}

impl Weight for i16 {
    const LEAST: u64 = 1023;
    const MOST: u64 = i16::MAX as u64;
}

// 127, not 63 that the relaxed dot product allows everywhere: with 63 our model of words changes 9 of its 300 words, with 127 3, with 255 2.
impl Weight for i8 {
    const LEAST: u64 = 128;
    const MOST: u64 = i8::MAX as u64;
}

/// How integers lie in words, and how those of two vectors are multiplied.
pub trait Products: 'static {
    /// Integers in a word.
    const IN_WORD: usize;
    /// Integers in a vector.
    const IN_VECTOR: usize = Self::IN_WORD * LANES;

    /// Whether tiles of six rows pay. Against two rows, 256 units, 32 sequences: bytes take 0.95 of the time, pairs, whose dot product takes
    /// one register more, 1.47 (AMD Zen 5).
    const SIX_ROWS: bool = false;

    /// A vector of integers of as many numbers, each times `by`; bytes with the bits of `from` flipped.
    ///
    /// # Safety
    /// `x` is readable for `IN_VECTOR` f32.
    unsafe fn integers<I: IntVector>(x: *const f32, by: I::Floats, from: I) -> I;

    /// What sums start from.
    ///
    /// # Safety
    /// `offsets` is readable for a vector, where they are bytes.
    unsafe fn start<I: IntVector>(offsets: *const f32) -> I;

    /// `sum` and in each lane the products of a word of weights and one of activations.
    fn add<I: IntVector>(sum: I, weights: I, activations: I) -> I;
}

/// Pairs of 16 bits.
pub struct Pairs;

impl Products for Pairs {
    const IN_WORD: usize = 2;

    #[inline(always)]
    unsafe fn integers<I: IntVector>(x: *const f32, by: I::Floats, _: I) -> I {
        // SAFETY: the caller's promise.
        unsafe { I::of_nearest(I::Floats::load(x).mul(by), I::Floats::load(x.add(LANES)).mul(by)) }
    }
    #[inline(always)]
    unsafe fn start<I: IntVector>(_: *const f32) -> I {
        I::zero()
    }
    #[inline(always)]
    fn add<I: IntVector>(sum: I, weights: I, activations: I) -> I {
        sum.add_dot(weights, activations)
    }
}

/// Fours of bytes, by the relaxed dot product.
pub struct Fours;

impl Products for Fours {
    const IN_WORD: usize = 4;
    const SIX_ROWS: bool = true;

    #[inline(always)]
    unsafe fn integers<I: IntVector>(x: *const f32, by: I::Floats, from: I) -> I {
        // SAFETY: the caller's promise.
        unsafe {
            let (low, high) = (Pairs::integers::<I>(x, by, from), Pairs::integers::<I>(x.add(2 * LANES), by, from));
            I::bytes(low, high).xor(from)
        }
    }
    #[inline(always)]
    unsafe fn start<I: IntVector>(offsets: *const f32) -> I {
        // SAFETY: the caller's promise.
        unsafe { I::load_words(offsets) }
    }
    #[inline(always)]
    fn add<I: IntVector>(sum: I, weights: I, activations: I) -> I {
        sum.add_dot_of_bytes(weights, activations)
    }
}

/// Operands of a kernel. Distances are in words.
#[derive(Clone, Copy)]
pub struct IntArgs {
    /// Row 0 of activations, as [`quantize`] makes it; others follow.
    pub a: *const f32,
    /// Distance between rows of `a`.
    pub lda: usize,
    /// Words of k, 1 at least.
    pub depth: usize,
    /// The panel: `[word of k][4 vectors]`.
    pub panel: *const f32,
    /// Vectors of sums in the panel.
    pub vectors: usize,
    /// Panels, each as wide as the first and behind the one before it; more than one for one row alone.
    pub panels: usize,
    /// What the panel's sums start from, of bytes; else any pointer, which is not read.
    pub offsets: *const f32,
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
type Tile = unsafe fn(args: &IntArgs, first: usize, end: usize, column: usize);

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

/// The products of a word of k and the end of its basic block, as in matmul.rs.
macro_rules! products {
    ($P:ident, $I:ident, $weights:ident + $width:ident => $last:ident, $word:expr; $($sum:ident $j:literal),+) => {
        let word = $word;
        $($sum = $P::add($sum, $I::load_words($weights.add($j * LANES)), word);)+
        $weights = $weights.wrapping_add($width);
        if $weights == $last {
            break;
        }
    };
}

/// One row by some vectors of all panels: each weight is loaded where it is used, four words of activations at once.
macro_rules! one_row {
    ($name:ident: $($sum:ident $j:literal),+) => {
        /// # Safety
        /// As [`multiply`].
        unsafe fn $name<P: Products, I: IntVector>(args: &IntArgs, first: usize, end: usize, column: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let width = args.vectors * LANES;
                let mut column = column * LANES;
                let mut panel = args.panel.add(column);
                for _ in 0..args.panels {
                    for row in first..end {
                        let a = args.a.add(row * args.lda);
                        let mut x = a.add(HEAD);
                        let mut weights = panel;
                        let offsets = args.offsets.wrapping_add(column);
                        $(let mut $sum: I = P::start(offsets.wrapping_add($j * LANES));)+
                        let last = weights.wrapping_add(args.depth * width);
                        loop {
                            let four = I::load_words(x);
                            x = x.add(LANES);
                            products!(P, I, weights + width => last, four.splat_lane::<0>(); $($sum $j),+);
                            products!(P, I, weights + width => last, four.splat_lane::<1>(); $($sum $j),+);
                            products!(P, I, weights + width => last, four.splat_lane::<2>(); $($sum $j),+);
                            products!(P, I, weights + width => last, four.splat_lane::<3>(); $($sum $j),+);
                        }
                        let of_row = I::Floats::load_splat(a);
                        let scales = args.scales.add(column);
                        let init = args.init.add(row * args.ld_init + column);
                        let out = args.out.add(row * args.ld_out + column);
                        $(finish($sum, scales.add($j * LANES), of_row, init.add($j * LANES), out.add($j * LANES));)+
                    }
                    panel = panel.wrapping_add(args.depth * width);
                    column += width;
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
one_row!(tile_1x8: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7);
one_row!(tile_1x9: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8);
one_row!(tile_1x12: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9, r 10, s 11);

/// Some rows by some vectors: a weight is loaded once for all rows. Against one row by 12, 256 units, 32 rows: i16 1.53 instead of 1.46
/// times f32, i8 1.50 instead of 1.33; 3x3, 4x2, 4x3 and 6x2 are no faster (AMD EPYC without AVX-VNNI, Node 24, relaxed build).
macro_rules! tile {
    ($name:ident: [$($w:ident $j:literal),+] $($x:ident $i:literal [$($sum:ident $v:ident $c:literal),+]);+) => {
        /// # Safety
        /// As [`multiply`]; the rows are whole tiles.
        #[inline(never)]
        unsafe fn $name<P: Products, I: IntVector>(args: &IntArgs, first: usize, end: usize, column: usize) {
            let mut row = first;
            while row < end {
                // SAFETY: the caller's promise.
                unsafe {
                    $(let mut $x = args.a.add((row + $i) * args.lda + HEAD);)+
                    let width = args.vectors * LANES;
                    let mut weights = args.panel.add(column * LANES);
                    let offsets = args.offsets.wrapping_add(column * LANES);
                    $($(let mut $sum: I = P::start(offsets.wrapping_add($c * LANES));)+)+
                    let last = weights.wrapping_add(args.depth * width);
                    loop {
                        $(let $w: I = I::load_words(weights.add($j * LANES));)+
                        $(
                            let word = I::splat_word($x);
                            $x = $x.add(1);
                            $($sum = P::add($sum, $v, word);)+
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

tile!(tile_6x1: [w0 0] x0 0 [a0 w0 0]; x1 1 [b0 w0 0]; x2 2 [c0 w0 0]; x3 3 [d0 w0 0]; x4 4 [e0 w0 0]; x5 5 [f0 w0 0]);
tile!(tile_6x2: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]; x1 1 [b0 w0 0, b1 w1 1]; x2 2 [c0 w0 0, c1 w1 1]; x3 3 [d0 w0 0, d1 w1 1];
    x4 4 [e0 w0 0, e1 w1 1]; x5 5 [f0 w0 0, f1 w1 1]);

/// Tiles of a number of rows, of so many vectors, the widest first.
struct Tiles(&'static [(usize, Tile)]);

impl Tiles {
    const fn one<P: Products>() -> Self {
        Tiles(&[
            (12, tile_1x12::<P, IntLanes>),
            (9, tile_1x9::<P, IntLanes>),
            (8, tile_1x8::<P, IntLanes>),
            (6, tile_1x6::<P, IntLanes>),
            (4, tile_1x4::<P, IntLanes>),
            (3, tile_1x3::<P, IntLanes>),
            (2, tile_1x2::<P, IntLanes>),
            (1, tile_1x1::<P, IntLanes>),
        ])
    }

    const fn six<P: Products>() -> Self {
        Tiles(&[(2, tile_6x2::<P, IntLanes>), (1, tile_6x1::<P, IntLanes>)])
    }

    const fn two<P: Products>() -> Self {
        Tiles(&[
            (4, tile_2x4::<P, IntLanes>),
            (3, tile_2x3::<P, IntLanes>),
            (2, tile_2x2::<P, IntLanes>),
            (1, tile_2x1::<P, IntLanes>),
        ])
    }

    /// Covers all vectors of some rows.
    ///
    /// # Safety
    /// As [`multiply`].
    unsafe fn cover(&self, args: &IntArgs, first: usize, end: usize, widest: usize) {
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
pub unsafe fn multiply<P: Products>(args: &IntArgs, rows: usize, widest: usize) {
    let (six, odd) = (if P::SIX_ROWS { rows - rows % 6 } else { 0 }, rows - rows % 2);
    // SAFETY: the caller's promise.
    unsafe {
        if P::SIX_ROWS {
            const { Tiles::six::<P>() }.cover(args, 0, six, usize::MAX);
        }
        const { Tiles::two::<P>() }.cover(args, six, odd, usize::MAX);
        const { Tiles::one::<P>() }.cover(args, odd, rows, widest);
    }
}
