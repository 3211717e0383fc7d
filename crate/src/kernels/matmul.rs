//! Sums of products over one weight panel: the inner loop of the input projection, the recurrent step and dense layers.
//!
//! `out[i] = init[i] + sum over k ascending of panel[k] * a[rows[i]][k]`, i being one of `n` rows and each `out[i]` the `4 N`
//! sums of a panel of N vectors. One order of accumulation for each element: see docs/arithmetic.md.

use crate::simd::{LANES, Lanes, Vector};

/// Most vectors of sums in a panel: 12 accumulators, one weight and one activation fit into 16 registers.
pub const MAX_VECTORS: usize = 12;

/// Operands of a panel kernel. All distances are in f32.
pub struct PanelArgs {
    /// First row of activations, at the first k of this block.
    pub a: *const f32,
    /// Distance between rows of `a`.
    pub lda: usize,
    /// Which rows to take.
    pub rows: *const u32,
    /// How many rows.
    pub n: usize,
    /// Length of the block along k.
    pub k: usize,
    /// The panel at the first k of this block: `[k][4 N]`.
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

impl PanelArgs {
    /// Panel number `p` alone.
    ///
    /// # Safety
    /// `p` is below `panels`.
    unsafe fn only_panel(&self, p: usize) -> Self {
        let width = self.vectors * LANES;
        // SAFETY: the caller's promise.
        unsafe {
            PanelArgs {
                panel: self.panel.add(p * self.k * width),
                panels: 1,
                init: self.init.add(p * width),
                out: self.out.add(p * width),
                ..*self
            }
        }
    }

    /// The rows from `row` on.
    ///
    /// # Safety
    /// There are as many rows.
    unsafe fn rows_from(&self, row: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            PanelArgs {
                rows: self.rows.add(row),
                n: self.n - row,
                init: self.init.add(row * self.ld_init),
                out: self.out.add(row * self.ld_out),
                ..*self
            }
        }
    }
}

/// # Safety
/// Every pointer is valid for the rows, distances and lengths given; `out` overlaps nothing but an `init` of the same rows.
pub type PanelKernel = unsafe fn(&PanelArgs);

/// `gemv_f32_ukernel_1xN`: N accumulators, one splat of the activation and N loads of weights each k.
///
/// Unrolled by a macro, not by the optimiser: the crate is compiled for size (opt-level s), which leaves a loop over an array
/// of accumulators rolled and those in memory (17 against 54 GFLOP/s).
macro_rules! panel_1xn {
    ($name:ident: $($sum:ident $j:literal),+) => {
        /// # Safety
        /// As [`PanelKernel`].
        unsafe fn $name<V: Vector>(args: &PanelArgs) {
            const WIDTH: usize = LANES * [$($j),+].len();
            let (mut panel, mut init, mut out) = (args.panel, args.init, args.out);
            for _ in 0..args.panels {
                for i in 0..args.n {
                    // SAFETY: the caller's promise, for row i.
                    unsafe {
                        let mut a = args.a.add(*args.rows.add(i) as usize * args.lda);
                        let mut weights = panel;
                        let init = init.add(i * args.ld_init);
                        $(let mut $sum = V::load(init.add($j * LANES));)+
                        let end = a.add(args.k);
                        while a < end {
                            let x = V::load_splat(a);
                            $($sum = V::load(weights.add($j * LANES)).madd(x, $sum);)+
                            weights = weights.add(WIDTH);
                            a = a.add(1);
                        }
                        let out = out.add(i * args.ld_out);
                        $($sum.store(out.add($j * LANES));)+
                    }
                }
                // SAFETY: the caller's promise, for the next panel.
                unsafe {
                    panel = panel.add(args.k * WIDTH);
                    init = init.add(WIDTH);
                    out = out.add(WIDTH);
                }
            }
        }
    };
}

panel_1xn!(panel_1x1: a 0);
panel_1xn!(panel_1x2: a 0, b 1);
panel_1xn!(panel_1x3: a 0, b 1, c 2);
panel_1xn!(panel_1x4: a 0, b 1, c 2, d 3);
panel_1xn!(panel_1x5: a 0, b 1, c 2, d 3, e 4);
panel_1xn!(panel_1x6: a 0, b 1, c 2, d 3, e 4, f 5);
panel_1xn!(panel_1x7: a 0, b 1, c 2, d 3, e 4, f 5, g 6);
panel_1xn!(panel_1x8: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7);
panel_1xn!(panel_1x9: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8);
panel_1xn!(panel_1x10: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9);
panel_1xn!(panel_1x11: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9, r 10);
panel_1xn!(panel_1x12: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, p 8, q 9, r 10, s 11);

/// `gemm_f32_ukernel_RxC`: C vectors of R rows, starting at vector `column` of the panel and row `row`; a weight is loaded
/// once for all rows.
macro_rules! tile {
    ($name:ident: [$($w:ident $j:literal),+] $($x:ident $i:literal [$($sum:ident $v:ident $c:literal),+]);+) => {
        /// # Safety
        /// As [`PanelKernel`], for the rows and vectors of the tile.
        #[inline(never)]
        unsafe fn $name<V: Vector>(args: &PanelArgs, row: usize, column: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let width = args.vectors * LANES;
                let mut weights = args.panel.add(column * LANES);
                let init = args.init.add(row * args.ld_init + column * LANES);
                $(let mut $x = args.a.add(*args.rows.add(row + $i) as usize * args.lda);)+
                $($(let mut $sum = V::load(init.add($i * args.ld_init).add($c * LANES));)+)+
                let end = weights.add(args.k * width);
                while weights < end {
                    $(let $w = V::load(weights.add($j * LANES));)+
                    $(
                        let x = V::load_splat($x);
                        $($sum = $v.madd(x, $sum);)+
                        $x = $x.add(1);
                    )+
                    weights = weights.add(width);
                }
                let out = args.out.add(row * args.ld_out + column * LANES);
                // Row first, then a constant: an offset in the instruction, by which V8 finds adjacent pairs.
                $($($sum.store(out.add($i * args.ld_out).add($c * LANES));)+)+
            }
        }
    };
}

tile!(tile_1x1: [w0 0] x0 0 [a0 w0 0]);
tile!(tile_1x2: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]);
tile!(tile_1x3: [w0 0, w1 1, w2 2] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2]);
tile!(tile_1x4: [w0 0, w1 1, w2 2, w3 3] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3]);
tile!(tile_1x5: [w0 0, w1 1, w2 2, w3 3, w4 4] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3, a4 w4 4]);
tile!(tile_1x6: [w0 0, w1 1, w2 2, w3 3, w4 4, w5 5] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3, a4 w4 4, a5 w5 5]);
tile!(tile_2x1: [w0 0] x0 0 [a0 w0 0]; x1 1 [b0 w0 0]);
tile!(tile_2x2: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]; x1 1 [b0 w0 0, b1 w1 1]);
tile!(tile_2x3: [w0 0, w1 1, w2 2] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2]);
tile!(tile_2x4: [w0 0, w1 1, w2 2, w3 3] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2, b3 w3 3]);
tile!(tile_6x1: [w0 0] x0 0 [a0 w0 0]; x1 1 [b0 w0 0]; x2 2 [c0 w0 0]; x3 3 [d0 w0 0]; x4 4 [e0 w0 0]; x5 5 [f0 w0 0]);
tile!(tile_6x2: [w0 0, w1 1] x0 0 [a0 w0 0, a1 w1 1]; x1 1 [b0 w0 0, b1 w1 1]; x2 2 [c0 w0 0, c1 w1 1]; x3 3 [d0 w0 0, d1 w1 1]; x4 4 [e0 w0 0, e1 w1 1]; x5 5 [f0 w0 0, f1 w1 1]);
tile!(tile_6x4: [w0 0, w1 1, w2 2, w3 3] x0 0 [a0 w0 0, a1 w1 1, a2 w2 2, a3 w3 3]; x1 1 [b0 w0 0, b1 w1 1, b2 w2 2, b3 w3 3]; x2 2 [c0 w0 0, c1 w1 1, c2 w2 2, c3 w3 3]; x3 3 [d0 w0 0, d1 w1 1, d2 w2 2, d3 w3 3]; x4 4 [e0 w0 0, e1 w1 1, e2 w2 2, e3 w3 3]; x5 5 [f0 w0 0, f1 w1 1, f2 w2 2, f3 w3 3]);

/// A set of kernels for all widths of panels. All sets give the same bits.
pub struct KernelSet {
    /// Its name.
    pub name: &'static str,
    /// For fewer than [`TALL`] rows, by the vectors in the panel less 1.
    few_rows: &'static [PanelKernel; MAX_VECTORS],
    /// For more rows.
    many_rows: &'static [PanelKernel; MAX_VECTORS],
}

impl KernelSet {
    /// The kernel for panels of so many vectors (1 to [`MAX_VECTORS`]) and so many rows.
    pub fn kernel(&self, vectors: usize, rows: usize) -> PanelKernel {
        (if rows < TALL { self.few_rows } else { self.many_rows })[vectors - 1]
    }
}

/// Rows of the tallest tile.
pub const TALL: usize = 6;

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

/// # Safety
/// As [`PanelKernel`].
unsafe fn narrow(args: &PanelArgs) {
    if args.panels > 1 {
        // SAFETY: the caller's promise.
        (0..args.panels).for_each(|p| unsafe { narrow(&args.only_panel(p)) });
        return;
    }
    let pairs = args.n & !1;
    // SAFETY: the caller's promise; tiles cover each row and vector once.
    unsafe {
        let mut column = 0;
        while column < args.vectors && pairs > 0 {
            let (width, tile): (usize, unsafe fn(&PanelArgs, usize, usize)) = match args.vectors - column {
                1 => (1, tile_2x1::<Lanes>),
                2 => (2, tile_2x2::<Lanes>),
                3 => (3, tile_2x3::<Lanes>),
                _ => (4, tile_2x4::<Lanes>),
            };
            let mut row = 0;
            while row < pairs {
                tile(args, row, column);
                row += 2;
            }
            column += width;
        }
        if pairs < args.n {
            one_row(args, pairs);
        }
    }
}

/// Six rows by two vectors, 8 loads for 12 multiply-adds where 1x12 has 13 (68 against 62 GFLOP/s on AMD Zen 5, the same on
/// an Intel Xeon), and the other rows one by one.
///
/// # Safety
/// As [`PanelKernel`].
unsafe fn tall(args: &PanelArgs) {
    let sixes = args.n - args.n % TALL;
    // SAFETY: the caller's promise; tiles cover each row and vector once.
    unsafe {
        let mut column = 0;
        while column < args.vectors {
            let (width, tile): (usize, unsafe fn(&PanelArgs, usize, usize)) =
                if args.vectors - column == 1 { (1, tile_6x1::<Lanes>) } else { (2, tile_6x2::<Lanes>) };
            let mut row = 0;
            while row < sixes {
                tile(args, row, column);
                row += TALL;
            }
            column += width;
        }
        if sixes < args.n {
            (WIDE[args.vectors - 1])(&args.rows_from(sixes));
        }
    }
}

/// One row in tiles of up to 6 vectors.
///
/// # Safety
/// As [`PanelKernel`].
unsafe fn one_row(args: &PanelArgs, row: usize) {
    let mut column = 0;
    while column < args.vectors {
        let (width, tile): (usize, unsafe fn(&PanelArgs, usize, usize)) = match args.vectors - column {
            1 => (1, tile_1x1::<Lanes>),
            2 => (2, tile_1x2::<Lanes>),
            3 => (3, tile_1x3::<Lanes>),
            4 => (4, tile_1x4::<Lanes>),
            5 => (5, tile_1x5::<Lanes>),
            _ => (6, tile_1x6::<Lanes>),
        };
        // SAFETY: the caller's promise.
        unsafe { tile(args, row, column) };
        column += width;
    }
}

/// # Safety
/// As [`PanelKernel`].
unsafe fn paired(args: &PanelArgs) {
    // SAFETY: the caller's promise.
    unsafe {
        let sixes = args.n - args.n % TALL;
        if sixes == 0 || !args.vectors.is_multiple_of(4) {
            return WIDE[args.vectors - 1](args);
        }
        let mut column = 0;
        while column < args.vectors {
            let mut row = 0;
            while row < sixes {
                tile_6x4::<Lanes>(args, row, column);
                row += TALL;
            }
            column += 4;
        }
        if sixes < args.n {
            (WIDE[args.vectors - 1])(&args.rows_from(sixes));
        }
    }
}

/// One row at a time, the whole panel.
static WIDE: [PanelKernel; MAX_VECTORS] = [
    panel_1x1::<Lanes>,
    panel_1x2::<Lanes>,
    panel_1x3::<Lanes>,
    panel_1x4::<Lanes>,
    panel_1x5::<Lanes>,
    panel_1x6::<Lanes>,
    panel_1x7::<Lanes>,
    panel_1x8::<Lanes>,
    panel_1x9::<Lanes>,
    panel_1x10::<Lanes>,
    panel_1x11::<Lanes>,
    panel_1x12::<Lanes>,
];
