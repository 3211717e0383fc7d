//! The fused epilogue of a recurrent step: from the sums of a panel to new hidden values.

use super::activation::{Activation, Constants, Function, blend, flush, sigmoid};
use crate::simd::{LANES, Vector};

/// What the gates compute with.
#[derive(Clone, Copy, Debug)]
pub struct GateFunctions {
    recurrent: Activation,
    candidate: Activation,
    clip: f32,
    /// sigmoid and tanh without clip: the fused form.
    standard: bool,
}

impl GateFunctions {
    /// `clip` is infinite where none is wanted.
    pub fn new(recurrent: Activation, candidate: Activation, clip: f32) -> Self {
        let standard = recurrent.is(Function::Sigmoid) && candidate.is(Function::Tanh) && clip == f32::INFINITY;
        GateFunctions { recurrent, candidate, clip, standard }
    }

    #[inline(always)]
    fn clip<V: Vector>(&self, x: V) -> V {
        let clip = V::splat(self.clip);
        x.clamp(clip.neg(), clip)
    }

    #[inline(always)]
    fn reset<V: Vector, const STANDARD: bool>(&self, c: Constants, r: V) -> V {
        if STANDARD { sigmoid(c, r) } else { self.recurrent.apply(self.clip(r)) }
    }

    #[inline(always)]
    fn update<V: Vector, const STANDARD: bool>(&self, c: Constants, z: V, n: V, h: V) -> V {
        let new = if STANDARD {
            blend(c, z, n, h)
        } else {
            let z = self.recurrent.apply(self.clip(z));
            let n = self.candidate.apply(self.clip(n));
            z.madd(h.sub(n), n)
        };
        flush(c, new)
    }
}

/// Rows of one panel: pointers at its first unit of row 0, and distances between rows. Unit j of a gate is 4 `vectors` after
/// the gate before it.
pub struct GateRows {
    /// Vectors of units in the panel.
    pub vectors: usize,
    /// Sums of the recurrent product, `[n][gates * 4 vectors]`.
    pub sums: *const f32,
    /// Distance between rows of sums.
    pub ld_sums: usize,
    /// Hidden values; row i belongs to sequence `batch[i]`.
    pub hidden: *const f32,
    /// Distance between rows of hidden, and of all rows below.
    pub ld: usize,
}

/// Reset gate after the matmul; gates z, r, n in the sums.
///
/// # Safety
/// All rows are readable for `vectors` (`projected`, `ld_projected` apart: 3 times that), `next` writable; `next` and
/// `hidden` do not overlap.
pub unsafe fn gates_after<V: Vector>(
    f: &GateFunctions,
    rows: &GateRows,
    batch: &[u32],
    projected: *const f32,
    ld_projected: usize,
    next: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            after::<V, true>(f, rows, batch, projected, ld_projected, next);
        } else {
            after::<V, false>(f, rows, batch, projected, ld_projected, next);
        }
    }
}

#[inline(always)]
unsafe fn after<V: Vector, const STANDARD: bool>(
    f: &GateFunctions,
    rows: &GateRows,
    batch: &[u32],
    projected: *const f32,
    ld_projected: usize,
    next: *mut f32,
) {
    let c = Constants::get();
    let gate = rows.vectors * LANES;
    for (i, &b) in batch.iter().enumerate() {
        // SAFETY: the caller's promise, for row i and sequence b.
        unsafe {
            let sums = rows.sums.add(i * rows.ld_sums);
            let x = projected.add(i * ld_projected);
            let hidden = rows.hidden.add(b as usize * rows.ld);
            let next = next.add(i * rows.ld);
            let mut j = 0;
            while j < gate {
                let z = V::load(sums.add(j)).add(V::load(x.add(j)));
                let r = V::load(sums.add(gate + j)).add(V::load(x.add(gate + j)));
                let r = f.reset::<V, STANDARD>(c, r);
                let n = r.madd(V::load(sums.add(2 * gate + j)), V::load(x.add(2 * gate + j)));
                f.update::<V, STANDARD>(c, z, n, V::load(hidden.add(j))).store(next.add(j));
                j += LANES;
            }
        }
    }
}

/// Reset gate before the matmul, first half: gates z, r in the sums. Writes `r * h` to `product` and z's sums to `update`.
///
/// # Safety
/// All rows are readable for `vectors`, `product` and `update` writable; none of the two overlaps anything.
pub unsafe fn reset_before<V: Vector>(
    f: &GateFunctions,
    rows: &GateRows,
    batch: &[u32],
    product: *mut f32,
    update: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            before_reset::<V, true>(f, rows, batch, product, update);
        } else {
            before_reset::<V, false>(f, rows, batch, product, update);
        }
    }
}

#[inline(always)]
unsafe fn before_reset<V: Vector, const STANDARD: bool>(
    f: &GateFunctions,
    rows: &GateRows,
    batch: &[u32],
    product: *mut f32,
    update: *mut f32,
) {
    let c = Constants::get();
    let gate = rows.vectors * LANES;
    for (i, &b) in batch.iter().enumerate() {
        // SAFETY: the caller's promise, for row i and sequence b.
        unsafe {
            let sums = rows.sums.add(i * rows.ld_sums);
            let hidden = rows.hidden.add(b as usize * rows.ld);
            let mut j = 0;
            while j < gate {
                let r = f.reset::<V, STANDARD>(c, V::load(sums.add(gate + j)));
                flush(c, r.mul(V::load(hidden.add(j)))).store(product.add(i * rows.ld + j));
                V::load(sums.add(j)).store(update.add(i * rows.ld + j));
                j += LANES;
            }
        }
    }
}

/// Reset gate before the matmul, second half: the candidate in the sums, z's sums in `update`.
///
/// # Safety
/// All rows are readable for `vectors`, `next` writable; `next` overlaps nothing.
pub unsafe fn update_before<V: Vector>(
    f: &GateFunctions,
    rows: &GateRows,
    batch: &[u32],
    update: *const f32,
    next: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            before_update::<V, true>(f, rows, batch, update, next);
        } else {
            before_update::<V, false>(f, rows, batch, update, next);
        }
    }
}

#[inline(always)]
unsafe fn before_update<V: Vector, const STANDARD: bool>(
    f: &GateFunctions,
    rows: &GateRows,
    batch: &[u32],
    update: *const f32,
    next: *mut f32,
) {
    let c = Constants::get();
    let gate = rows.vectors * LANES;
    for (i, &b) in batch.iter().enumerate() {
        // SAFETY: the caller's promise, for row i and sequence b.
        unsafe {
            let sums = rows.sums.add(i * rows.ld_sums);
            let hidden = rows.hidden.add(b as usize * rows.ld);
            let mut j = 0;
            while j < gate {
                let z = V::load(update.add(i * rows.ld + j));
                let n = V::load(sums.add(j));
                f.update::<V, STANDARD>(c, z, n, V::load(hidden.add(j))).store(next.add(i * rows.ld + j));
                j += LANES;
            }
        }
    }
}
