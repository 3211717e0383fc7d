//! Micro-kernels, each written once over [`crate::simd::Vector`].

use crate::error::{Result, ensure};
use crate::simd::LANES;
use core::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "full")]
use matmul::NARROW;
use matmul::{KERNELS, KernelSet, MAX_VECTORS, PanelArgs, TALL};

pub mod activation;
pub mod depthwise;
#[cfg(feature = "full")]
pub mod dot;
pub mod elementary;
pub mod elementwise;
pub mod gates;
#[cfg(feature = "full")]
pub mod integers;
pub mod matmul;
#[doc(hidden)]
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub mod reference;
pub mod rows;
pub mod softmax;

static SELECTED: AtomicUsize = AtomicUsize::new(0);

/// The set that models use.
pub fn selected() -> &'static KernelSet {
    &KERNELS[SELECTED.load(Ordering::Relaxed)]
}

/// Vectors of the widest tile of one row that the engine compiles well.
#[cfg(feature = "full")]
pub fn widest() -> usize {
    if SELECTED.load(Ordering::Relaxed) == NARROW { MAX_VECTORS / 2 } else { MAX_VECTORS }
}

/// Chooses the set that models use from now on, those that are there too. False where there is none of this number.
pub fn select(set: usize) -> bool {
    let known = set < KERNELS.len();
    if known {
        SELECTED.store(set, Ordering::Relaxed);
    }
    known
}

/// Depth and most rows of the product that [`probe`] computes.
const PROBE_K: usize = 64;
const PROBE_ROWS: usize = TALL;

/// Words that [`probe`] works on: a full panel, a row of activations, initial sums, and sums of all rows.
pub const PROBE_WORDS: usize = PROBE_K * (MAX_VECTORS * LANES + 1) + (1 + PROBE_ROWS) * MAX_VECTORS * LANES;

/// Most times in one call: four times what the choice of kernels asks for, and an end for a stray number.
const PROBE_TIMES: usize = 1 << 12;

/// Runs the kernel of a set for full panels on `rows` rows, `times` times.
pub fn probe(set: usize, operands: &mut [f32], rows: usize, times: usize) -> Result<()> {
    ensure(set < KERNELS.len() && operands.len() == PROBE_WORDS && rows <= PROBE_ROWS && times <= PROBE_TIMES)?;
    static ROWS: [u32; PROBE_ROWS] = [0; PROBE_ROWS];
    let width = MAX_VECTORS * LANES;
    let (panel, rest) = operands.split_at_mut(PROBE_K * width);
    let (a, rest) = rest.split_at_mut(PROBE_K);
    let (init, out) = rest.split_at_mut(width);
    let args = PanelArgs {
        a: a.as_ptr(),
        lda: PROBE_K,
        rows: ROWS.as_ptr(),
        k: PROBE_K,
        panel: panel.as_ptr(),
        vectors: MAX_VECTORS,
        panels: 1,
        init: init.as_ptr(),
        ld_init: 0,
        out: out.as_mut_ptr(),
        ld_out: width,
    };
    let kernel = KERNELS[set].kernel(MAX_VECTORS, rows);
    for _ in 0..times {
        // SAFETY: the parts are as long as a full panel, one row of activations and the sums of all rows need.
        unsafe { kernel(&args, 0, rows, 0) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_bounded() {
        let mut operands = [0.0; PROBE_WORDS];
        let refused = |set, operands: &mut [f32], rows, times| probe(set, operands, rows, times).is_err();
        assert!(refused(KERNELS.len(), &mut operands, 1, 1));
        assert!(refused(0, &mut operands[1..], 1, 1));
        for large in [PROBE_TIMES + 1, 1 << 31, usize::MAX] {
            assert!(refused(0, &mut operands, large, 1));
            assert!(refused(0, &mut operands, 1, large));
        }
        for rows in (0..=PROBE_ROWS).step_by(if cfg!(miri) { PROBE_ROWS } else { 1 }) {
            (0..KERNELS.len()).for_each(|set| probe(set, &mut operands, rows, 1).unwrap());
        }
    }
}
