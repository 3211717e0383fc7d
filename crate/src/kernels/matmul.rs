//! Sums of products over one weight panel: the inner loop of the input projection, the recurrent step and dense layers.
//!
//! `out[i] = init[i] + sum over k ascending of panel[k] * a[rows[i]][k]`, i being a number of a row and each `out[i]` the `4 N`
//! sums of a panel of N vectors. One order of accumulation for each element: see docs/arithmetic.md.

use crate::checked::Checked;
use crate::simd::{LANES, Lanes, Vector};

/// Most vectors of sums in a panel: 12 accumulators, a weight, an activation and the four that it is of fit into 16 registers.
pub const MAX_VECTORS: usize = 12;

/// Operands of a kernel. All distances are in f32.
pub struct PanelArgs {
    /// First row of activations, at the first k of this block.
    pub a: *const f32,
    /// Distance between rows of `a`.
    pub lda: usize,
    /// Which rows to take.
    pub rows: *const u32,
    /// Length of the block along k, 1 at least.
    pub k: usize,
    /// The panel at the first k of this block: `[k][4 vectors]`.
    pub panel: *const f32,
    /// Vectors of sums in the panel.
    pub vectors: usize,
    /// How many such panels, one after the other in `panel`, `init` and `out`. More than one: for one row and the whole depth only,
    /// which more calls would slow down.
    pub panels: usize,
    /// Initial sums of row 0.
    pub init: *const f32,
    /// Distance between rows of `init`; 0 for the same in all rows.
    pub ld_init: usize,
    /// Sums of row 0.
    pub out: *mut f32,
    /// Distance between rows of `out`.
    pub ld_out: usize,
}

/// Computes the sums of the rows `first` to `end`: of all vectors from `column` on, or of as many as the kernel's name says.
///
/// # Safety
/// Every pointer is valid for the rows, distances and lengths given, rows of `a` for k rounded up to a whole vector; the rows and
/// vectors are whole tiles of the kernel. `out` overlaps nothing but an `init` of the same rows.
pub type Kernel = unsafe fn(args: &PanelArgs, first: usize, end: usize, column: usize);

/// The products of one k and the end of its basic block: in a longer one V8 groups the multiply-adds of each sum, which wait for
/// each other, and spills (4 k of 1x12: 8 % slower instead of 3 % faster).
macro_rules! products {
    ($V:ident, $weights:ident + $width:ident => $last:ident, $x:expr; $($sum:ident $j:literal),+) => {
        let x = $x;
        $($sum = $V::load($weights.add($j * LANES)).madd(x, $sum);)+
        products!(next $weights + $width => $last);
    };
    (
        $V:ident, $weights:ident + $width:ident => $last:ident, $k:literal;
        [$($w:ident $j:literal),+] $($x:ident [$($sum:ident $v:ident),+]);+
    ) => {
        $(let $w = $V::load($weights.add($j * LANES));)+
        $(
            let x = $V::load_splat($x.add($k));
            $($sum = $v.madd(x, $sum);)+
        )+
        products!(next $weights + $width => $last);
    };
    (next $weights:ident + $width:ident => $last:ident) => {
        $weights = $weights.wrapping_add($width);
        if $weights == $last {
            break;
        }
    };
}

/// `gemv_f32_ukernel_1xN`: N accumulators; for each k N loads of weights, and a quarter of a load of activations: a processor loads
/// two vectors while it computes two multiply-adds, so that a load_splat for each k costs up to 5 % (AMD Zen 5).
///
/// Unrolled by a macro, not by the optimiser: the crate is compiled for size (opt-level s), which leaves a loop over an array
/// of accumulators rolled and those in memory (17 against 54 GFLOP/s).
macro_rules! one_row {
    ($name:ident: $($sum:ident $j:literal),+) => {
        /// # Safety
        /// As [`Kernel`].
        unsafe fn $name<V: Vector>(args: &PanelArgs, first: usize, end: usize, column: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let width = args.vectors * LANES;
                let column = column * LANES;
                let (mut panel, mut init, mut out) = (args.panel.add(column), args.init.add(column), args.out.add(column));
                for _ in 0..args.panels {
                    for i in first..end {
                        let mut a = args.a.add(*args.rows.add(i) as usize * args.lda);
                        let mut weights = panel;
                        let init = init.add(i * args.ld_init);
                        $(let mut $sum = V::load(init.add($j * LANES));)+
                        let last = weights.wrapping_add(args.k * width);
                        loop {
                            let four = V::load(a);
                            a = a.add(LANES);
                            products!(V, weights + width => last, four.splat_lane::<0>(); $($sum $j),+);
                            products!(V, weights + width => last, four.splat_lane::<1>(); $($sum $j),+);
                            products!(V, weights + width => last, four.splat_lane::<2>(); $($sum $j),+);
                            products!(V, weights + width => last, four.splat_lane::<3>(); $($sum $j),+);
                        }
                        let out = out.add(i * args.ld_out);
                        $($sum.store(out.add($j * LANES));)+
                    }
                    panel = panel.wrapping_add(args.k * width);
                    init = init.wrapping_add(width);
                    out = out.wrapping_add(width);
                }
            }
        }
    };
}

one_row!(tile_1x1: a 0);
one_row!(tile_1x2: a 0, b 1);
one_row!(tile_1x3: a 0, b 1, c 2);
one_row!(tile_1x4: a 0, b 1, c 2, d 3);
one_row!(tile_1x5: a 0, b 1, c 2, d 3, e 4);
one_row!(tile_1x6: a 0, b 1, c 2, d 3, e 4, f 5);
one_row!(tile_1x7: a 0, b 1, c 2, d 3, e 4, f 5, g 6);
one_row!(tile_1x8: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7);
one_row!(tile_1x9: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8);
one_row!(tile_1x10: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9);
one_row!(tile_1x11: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9, r 10);
one_row!(tile_1x12: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9, r 10, s 11);

/// The products of as many k as the number in front says.
macro_rules! several_k {
    (1 $V:ident, $weights:ident + $width:ident => $last:ident; [$($w:tt)+] $($x:ident $sums:tt);+) => {
        products!($V, $weights + $width => $last, 0; [$($w)+] $($x $sums);+);
        $($x = $x.add(1);)+
    };
    (2 $V:ident, $weights:ident + $width:ident => $last:ident; [$($w:tt)+] $($x:ident $sums:tt);+) => {
        products!($V, $weights + $width => $last, 0; [$($w)+] $($x $sums);+);
        products!($V, $weights + $width => $last, 1; [$($w)+] $($x $sums);+);
        $($x = $x.add(2);)+
    };
}

/// `gemm_f32_ukernel_RxC`: C vectors of R rows; a weight is loaded once for all rows. An iteration takes 1 k or 2.
macro_rules! tile {
    ($name:ident by $by:tt: [$($w:ident $j:literal),+] $($x:ident $i:literal [$($sum:ident $v:ident $c:literal),+]);+) => {
        /// # Safety
        /// As [`Kernel`], for one panel.
        #[inline(never)]
        unsafe fn $name<V: Vector>(args: &PanelArgs, first: usize, end: usize, column: usize) {
            let mut row = first;
            while row < end {
                // SAFETY: the caller's promise.
                unsafe {
                    let width = args.vectors * LANES;
                    let mut weights = args.panel.add(column * LANES);
                    let init = args.init.add(row * args.ld_init + column * LANES);
                    $(let mut $x = args.a.add(*args.rows.add(row + $i) as usize * args.lda);)+
                    $($(let mut $sum = V::load(init.add($i * args.ld_init).add($c * LANES));)+)+
                    let last = weights.wrapping_add(args.k * width);
                    loop {
                        several_k!($by V, weights + width => last; [$($w $j),+] $($x [$($sum $v),+]);+);
                    }
                    let out = args.out.add(row * args.ld_out + column * LANES);
                    // Row first, then a constant: an offset in the instruction, by which V8 finds adjacent pairs.
                    $($($sum.store(out.add($i * args.ld_out).add($c * LANES));)+)+
                }
                row += [$($i),+].len();
            }
        }
    };
}

// Two k an iteration: 1.5 % faster with 6 rows, 5 % slower with 2 on Node 22, for which those are.
tile!(tile_2x1 by 1: [w0 0] x0 0 [a0 w0 0]; x1 1 [b0 w0 0]);
tile!(tile_2x2 by 1: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]; x1 1 [b0 w0 0, b1 w1 1]);
tile!(tile_2x3 by 1: [w0 0, w1 1, w2 2] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2]);
tile!(tile_2x4 by 1: [w0 0, w1 1, w2 2, w3 3] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2, b3 w3 3]);
tile!(tile_6x1 by 2: [w0 0] x0 0 [a0 w0 0]; x1 1 [b0 w0 0]; x2 2 [c0 w0 0]; x3 3 [d0 w0 0]; x4 4 [e0 w0 0]; x5 5 [f0 w0 0]);
tile!(tile_6x2 by 2: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]; x1 1 [b0 w0 0, b1 w1 1]; x2 2 [c0 w0 0, c1 w1 1]; x3 3 [d0 w0 0, d1 w1 1]; x4 4 [e0 w0 0, e1 w1 1]; x5 5 [f0 w0 0, f1 w1 1]);
tile!(tile_6x4 by 2: [w0 0, w1 1, w2 2, w3 3] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2, b3 w3 3]; x2 2 [c0 w0 0, c1 w1 1, c2 w2 2, c3 w3 3]; x3 3 [d0 w0 0, d1 w1 1, d2 w2 2, d3 w3 3]; x4 4 [e0 w0 0, e1 w1 1, e2 w2 2, e3 w3 3]; x5 5 [f0 w0 0, f1 w1 1, f2 w2 2, f3 w3 3]);

/// Kernels for panels of 1, 2, ... vectors.
type Widths = [Kernel; MAX_VECTORS];

/// A set of kernels for all widths of panels. All sets give the same bits.
pub struct KernelSet {
    /// Its name.
    pub name: &'static str,
    /// For fewer than [`TALL`] rows.
    few_rows: &'static Widths,
    /// For more rows.
    many_rows: &'static Widths,
}

impl KernelSet {
    /// The kernel for panels of so many vectors (1 to [`MAX_VECTORS`]) and so many rows.
    pub fn kernel(&self, vectors: usize, rows: usize) -> Kernel {
        *(if rows < TALL { self.few_rows } else { self.many_rows }).at(vectors - 1)
    }
}

/// Rows of the tallest tile.
pub const TALL: usize = 6;

/// Number of the set whose tiles of one row are 6 vectors wide at most.
#[cfg(feature = "full")]
pub const NARROW: usize = 1;

/// All sets. Which one is fastest depends on the engine's compiler: the facade times them while models run on the first.
pub static KERNELS: [KernelSet; 3] = [
    // V8 12.9 (Node 24) and later. Without fused multiply-adds 6x2 needs more registers than there are: 14 GFLOP/s.
    KernelSet {
        name: "1x12, 6x2",
        few_rows: &WIDE,
        many_rows: if cfg!(target_feature = "relaxed-simd") { &[tall; MAX_VECTORS] } else { &WIDE },
    },
    // Node 20 and 22: their V8 moves all loads of an iteration to its start, and spills from 12 accumulators on.
    KernelSet { name: "1x6, 2x4", few_rows: &[narrow; MAX_VECTORS], many_rows: &[narrow; MAX_VECTORS] },
    // V8 with --experimental-wasm-revectorize, which makes 256-bit code of adjacent pairs of vectors.
    KernelSet { name: "1x12, 6x4", few_rows: &WIDE, many_rows: &[paired; MAX_VECTORS] },
];

/// The kernel for many rows of the relaxed build, for the tests of this one.
#[cfg(test)]
pub const RELAXED: KernelSet = KernelSet { name: "6x2", few_rows: &WIDE, many_rows: &[tall; MAX_VECTORS] };

/// The whole panel, row by row.
static WIDE: Widths = [
    tile_1x1::<Lanes>,
    tile_1x2::<Lanes>,
    tile_1x3::<Lanes>,
    tile_1x4::<Lanes>,
    tile_1x5::<Lanes>,
    tile_1x6::<Lanes>,
    tile_1x7::<Lanes>,
    tile_1x8::<Lanes>,
    tile_1x9::<Lanes>,
    tile_1x10::<Lanes>,
    tile_1x11::<Lanes>,
    tile_1x12::<Lanes>,
];

/// Tiles of 1, 2, ... vectors, the widest for as many as it can, the others for the rest.
///
/// # Safety
/// As [`Kernel`].
unsafe fn cover(tiles: &[Kernel], args: &PanelArgs, first: usize, end: usize, mut column: usize) {
    while first < end && column < args.vectors {
        let width = tiles.len().min(args.vectors - column);
        // SAFETY: the caller's promise; tiles cover each row and vector once.
        unsafe { tiles.at(width - 1)(args, first, end, column) };
        column += width;
    }
}

/// Two rows by four vectors, the odd row in tiles of up to 6.
///
/// # Safety
/// As [`Kernel`].
unsafe fn narrow(args: &PanelArgs, first: usize, end: usize, column: usize) {
    static PAIRS: [Kernel; 4] = [tile_2x1::<Lanes>, tile_2x2::<Lanes>, tile_2x3::<Lanes>, tile_2x4::<Lanes>];
    let odd = end - (end - first) % 2;
    // SAFETY: the caller's promise.
    unsafe {
        cover(&PAIRS, args, first, odd, column);
        cover(WIDE.at(..6), args, odd, end, column);
    }
}

static SIXES: [Kernel; 2] = [tile_6x1::<Lanes>, tile_6x2::<Lanes>];

/// Six rows by two vectors, which are 8 loads for 12 multiply-adds where 1x12 has 12 and a quarter, and the other rows one by one.
///
/// # Safety
/// As [`Kernel`].
unsafe fn tall(args: &PanelArgs, first: usize, end: usize, column: usize) {
    let others = end - (end - first) % TALL;
    // SAFETY: the caller's promise.
    unsafe {
        cover(&SIXES, args, first, others, column);
        cover(&WIDE, args, others, end, column);
    }
}

/// Six rows by four vectors, the vectors that are left by two, and the other rows one by one.
///
/// # Safety
/// As [`Kernel`].
unsafe fn paired(args: &PanelArgs, first: usize, end: usize, column: usize) {
    let others = end - (end - first) % TALL;
    let fours = (args.vectors - column) / 4 * 4;
    // SAFETY: the caller's promise.
    unsafe {
        for column in (column..column + fours).step_by(4) {
            tile_6x4::<Lanes>(args, first, others, column);
        }
        cover(&SIXES, args, first, others, column + fours);
        cover(&WIDE, args, others, end, column);
    }
}
