//! Sums of products over one weight panel: the inner loop of the input projection, the recurrent step and dense layers.
//!
//! `out[i] = init[i] + sum over k ascending of panel[k] * a[rows[i]][k]`, i being one of `n` rows and each `out[i]` the `4 N`
//! sums of a panel of N vectors. One order of accumulation for each element: see docs/arithmetic.md.

use crate::simd::{LANES, Vector};

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
    /// Initial sums of row 0.
    pub init: *const f32,
    /// Distance between rows of `init`; 0 for the same in all rows.
    pub ld_init: usize,
    /// Sums of row 0.
    pub out: *mut f32,
    /// Distance between rows of `out`.
    pub ld_out: usize,
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
            for i in 0..args.n {
                // SAFETY: the caller's promise, for row i.
                unsafe {
                    let mut a = args.a.add(*args.rows.add(i) as usize * args.lda);
                    let mut weights = args.panel;
                    let init = args.init.add(i * args.ld_init);
                    $(let mut $sum = V::load(init.add($j * LANES));)+
                    let end = a.add(args.k);
                    while a < end {
                        let x = V::load_splat(a);
                        $($sum = V::load(weights.add($j * LANES)).madd(x, $sum);)+
                        weights = weights.add(WIDTH);
                        a = a.add(1);
                    }
                    let out = args.out.add(i * args.ld_out);
                    $($sum.store(out.add($j * LANES));)+
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

/// The kernel for panels of `vectors` vectors (1 to [`MAX_VECTORS`]).
pub fn panel_kernel<V: Vector>(vectors: usize) -> PanelKernel {
    match vectors {
        1 => panel_1x1::<V>,
        2 => panel_1x2::<V>,
        3 => panel_1x3::<V>,
        4 => panel_1x4::<V>,
        5 => panel_1x5::<V>,
        6 => panel_1x6::<V>,
        7 => panel_1x7::<V>,
        8 => panel_1x8::<V>,
        9 => panel_1x9::<V>,
        10 => panel_1x10::<V>,
        11 => panel_1x11::<V>,
        _ => panel_1x12::<V>,
    }
}
