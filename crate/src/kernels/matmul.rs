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
/// # Safety
/// As [`PanelKernel`].
unsafe fn panel_1xn<V: Vector, const N: usize>(args: &PanelArgs) {
    for i in 0..args.n {
        // SAFETY: the caller's promise, for row i.
        unsafe {
            let mut a = args.a.add(*args.rows.add(i) as usize * args.lda);
            let init = args.init.add(i * args.ld_init);
            let mut sums: [V; N] = core::array::from_fn(|j| V::load(init.add(j * LANES)));
            let mut weights = args.panel;
            let end = a.add(args.k);
            while a < end {
                let x = V::load_splat(a);
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(weights.add(j * LANES)).madd(x, *sum);
                }
                weights = weights.add(N * LANES);
                a = a.add(1);
            }
            let out = args.out.add(i * args.ld_out);
            for (j, sum) in sums.into_iter().enumerate() {
                sum.store(out.add(j * LANES));
            }
        }
    }
}

/// The kernel for panels of `vectors` vectors (1 to [`MAX_VECTORS`]).
pub fn panel_kernel<V: Vector>(vectors: usize) -> PanelKernel {
    match vectors {
        1 => panel_1xn::<V, 1>,
        2 => panel_1xn::<V, 2>,
        3 => panel_1xn::<V, 3>,
        4 => panel_1xn::<V, 4>,
        5 => panel_1xn::<V, 5>,
        6 => panel_1xn::<V, 6>,
        7 => panel_1xn::<V, 7>,
        8 => panel_1xn::<V, 8>,
        9 => panel_1xn::<V, 9>,
        10 => panel_1xn::<V, 10>,
        11 => panel_1xn::<V, 11>,
        _ => panel_1xn::<V, 12>,
    }
}
