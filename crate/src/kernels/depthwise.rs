//! Sums of products channel by channel: `out[c] = bias[c] + sum over taps ascending of weights[tap][c] * x[tap][c]`.

use crate::checked::Checked;
use crate::simd::{LANES, Vector};

/// Vectors of sums at a time: as many chains hide that a multiply-add waits for the one before.
const TOGETHER: usize = 4;

/// The sums of one row of whole vectors: `x` and `weights` hold a row a tap, as wide as `bias` and `out`.
#[inline(always)]
pub fn sums<V: Vector>(x: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    let width = out.len();
    let mut column = 0;
    while column < width {
        let vectors = ((width - column) / LANES).min(TOGETHER);
        if vectors == TOGETHER {
            tile::<V, TOGETHER>(x, weights, bias, out, column);
            column += TOGETHER * LANES;
        } else {
            tile::<V, 1>(x, weights, bias, out, column);
            column += LANES;
        }
    }
}

#[inline(always)]
fn tile<V: Vector, const N: usize>(x: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32], column: usize) {
    let width = out.len();
    let load = |from: &[f32], j: usize| {
        let four = from.at(column + j * LANES..).at(..LANES);
        // SAFETY: the slice holds one vector.
        unsafe { V::load(four.as_ptr()) }
    };
    let mut sums: [V; N] = core::array::from_fn(|j| load(bias, j));
    for (x, weights) in x.rows(width).zip(weights.rows(width)) {
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = load(weights, j).madd(load(x, j), *sum);
        }
    }
    for (j, sum) in sums.iter().enumerate() {
        let four = out.at_mut(column + j * LANES..).at_mut(..LANES);
        // SAFETY: the slice holds one vector.
        unsafe { sum.store(four.as_mut_ptr()) };
    }
}
