//! The GRU's gates.

use super::alone::Alone;
use super::{GateRows, Row, clipped};
use crate::kernels::activation::{Activation, Constants, Function, blend, flush, gate_exp, sigmoid};
use crate::pack::Ready;
use crate::simd::{LANES, Vector};

/// What the gates compute with.
#[derive(Clone, Copy, Debug)]
pub struct GateFunctions {
    recurrent: Activation,
    candidate: Activation,
    clip: f32,
    /// sigmoid and tanh without clip: the fused form.
    pub standard: bool,
}

impl GateFunctions {
    /// `clip` is infinite where none is wanted.
    pub fn new(recurrent: Activation, candidate: Activation, clip: f32) -> Self {
        let standard = recurrent.is(Function::Sigmoid) && candidate.is(Function::Tanh) && clip == f32::INFINITY;
        GateFunctions { recurrent, candidate, clip, standard }
    }

    #[inline(always)]
    fn reset<V: Vector, const STANDARD: bool>(&self, c: Constants<V>, r: V) -> V {
        if STANDARD { sigmoid(c, r) } else { self.recurrent.apply(clipped(r, self.clip)) }
    }

    #[inline(always)]
    fn update<V: Vector, const STANDARD: bool>(&self, c: Constants<V>, z: V, n: V, h: V) -> V {
        let new = if STANDARD {
            blend(c, gate_exp(c, z), n, h)
        } else {
            let z = self.recurrent.apply(clipped(z, self.clip));
            let n = self.candidate.apply(clipped(n, self.clip));
            z.madd(h.sub(n), n)
        };
        flush(c, new)
    }
}

/// Reset gate after the matmul; gates z, r, n in the sums. Adds what is projected, so that the sums of z and n become what
/// [`update`] takes.
///
/// # Safety
/// All rows of all panels are readable, sums writable.
#[inline(always)]
pub unsafe fn reset_after<V: Vector>(f: &GateFunctions, rows: &GateRows, projected: *const f32, ld_projected: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            after::<V, true>(f, rows, projected, ld_projected);
        } else {
            after::<V, false>(f, rows, projected, ld_projected);
        }
    }
}

#[inline(always)]
unsafe fn after<V: Vector, const STANDARD: bool>(
    f: &GateFunctions,
    rows: &GateRows,
    projected: *const f32,
    ld_projected: usize,
) {
    let c = Constants::get();
    // SAFETY: the caller's promise.
    unsafe {
        rows.each(3, |Row { i, column, units, sums: z, .. }| {
            let (r, n) = (z.add(units), z.add(2 * units));
            let x = projected.add(i * ld_projected + column);
            let mut j = 0;
            while j < units {
                let reset = f.reset::<V, STANDARD>(c, V::load(r.add(j)).add(V::load(x.add(units + j))));
                reset.madd(V::load(n.add(j)), V::load(x.add(2 * units + j))).store(n.add(j));
                V::load(z.add(j)).add(V::load(x.add(j))).store(z.add(j));
                j += LANES;
            }
        });
    }
}

/// Reset gate before the matmul; gates z, r in the sums. Writes `r * h` to `product` and z's sums to `z`.
///
/// # Safety
/// All rows of all panels are readable, `product` and `z` writable; none of the two overlaps anything.
#[inline(always)]
pub unsafe fn reset_before<V: Vector>(f: &GateFunctions, rows: &GateRows, product: *mut f32, z: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            before::<V, true>(f, rows, product, z);
        } else {
            before::<V, false>(f, rows, product, z);
        }
    }
}

#[inline(always)]
unsafe fn before<V: Vector, const STANDARD: bool>(f: &GateFunctions, rows: &GateRows, product: *mut f32, z: *mut f32) {
    let c = Constants::get();
    // SAFETY: the caller's promise.
    unsafe {
        rows.each(2, |Row { i, sequence, unit, units, sums, .. }| {
            let hidden = rows.hidden.add(sequence * rows.ld + unit);
            let (product, z) = (product.add(i * rows.ld + unit), z.add(i * rows.ld + unit));
            let mut j = 0;
            while j < units {
                let r = f.reset::<V, STANDARD>(c, V::load(sums.add(units + j)));
                flush(c, r.mul(V::load(hidden.add(j)))).store(product.add(j));
                V::load(sums.add(j)).store(z.add(j));
                j += LANES;
            }
        });
    }
}

/// Where [`update`] finds the sums of the update gate and of the candidate.
#[derive(Clone, Copy)]
pub enum Sums {
    /// Both where [`reset_after`] left them.
    After,
    /// The candidate's in the sums, z's in the rows that [`reset_before`] wrote.
    Before(*const f32),
}

/// New hidden values, in place of the old ones or where `next` says.
///
/// # Safety
/// All rows of all panels are readable, `hidden` or `next` writable; `next` overlaps nothing.
#[inline(always)]
pub unsafe fn update<V: Vector>(f: &GateFunctions, rows: &GateRows, from: Sums, next: Option<*mut f32>) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            new_hidden::<V, true>(f, rows, from, next);
        } else {
            new_hidden::<V, false>(f, rows, from, next);
        }
    }
}

#[inline(always)]
unsafe fn new_hidden<V: Vector, const STANDARD: bool>(
    f: &GateFunctions,
    rows: &GateRows,
    from: Sums,
    next: Option<*mut f32>,
) {
    let c = Constants::get();
    let gates = if matches!(from, Sums::After) { 3 } else { 1 };
    // SAFETY: the caller's promise.
    unsafe {
        rows.each(gates, |Row { i, sequence, unit, units, sums, .. }| {
            let (z, n) = match from {
                Sums::After => (sums.cast_const(), sums.add(2 * units)),
                Sums::Before(z) => (z.add(i * rows.ld + unit), sums),
            };
            let hidden = rows.hidden.add(sequence * rows.ld + unit);
            let next = next.map_or(hidden, |next| next.add(i * rows.ld + unit));
            let mut j = 0;
            while j < units {
                let h = V::load(hidden.add(j));
                f.update::<V, STANDARD>(c, V::load(z.add(j)), V::load(n.add(j)), h).store(next.add(j));
                j += LANES;
            }
        });
    }
}

/// All steps of one sequence, of the fused form; reset gate after the matmul. `init` starts the sums, `z` takes a row.
///
/// # Safety
/// The promise of [`Alone`]; `init` is readable for all columns.
pub unsafe fn alone_after<V: Vector>(run: &mut Alone, init: *const f32, z: *mut f32) {
    // SAFETY: the caller's promise.
    run.steps(|run, projected, out| unsafe {
        run.ready.sums(init);
        let c = Constants::<V>::get();
        run.each(|unit, column, units| {
            let (sums, x) = (run.sums.add(column), projected.add(column));
            // The candidate's come to lie unit by unit, over sums that have been read: all up to `column + j`.
            let (n, z) = (run.sums.add(unit), z.add(unit));
            let mut j = 0;
            while j < units {
                let gate = |gate: usize| V::load(sums.add(gate * units + j));
                let x = |gate: usize| V::load(x.add(gate * units + j));
                let reset = sigmoid(c, gate(1).add(x(1)));
                gate_exp(c, gate(0).add(x(0))).store(z.add(j));
                reset.madd(gate(2), x(2)).store(n.add(j));
                j += LANES;
            }
        });
        new_row::<V>(run, z, out);
    });
}

/// The same with the reset gate before the matmul: `candidate` is the product of the row that `product` gets, which starts from the
/// projected column `from`.
///
/// # Safety
/// The promise of [`Alone`], for the candidate's product too.
pub unsafe fn alone_before<V: Vector>(
    run: &mut Alone,
    candidate: &mut Ready,
    from: usize,
    product: *mut f32,
    z: *mut f32,
) {
    // SAFETY: the caller's promise.
    run.steps(|run, projected, out| unsafe {
        run.ready.sums(projected);
        let c = Constants::<V>::get();
        run.each(|unit, column, units| {
            let sums = run.sums.add(column);
            let (hidden, product, z) = (run.hidden.add(unit), product.add(unit), z.add(unit));
            let mut j = 0;
            while j < units {
                let r = sigmoid(c, V::load(sums.add(units + j)));
                flush(c, r.mul(V::load(hidden.add(j)))).store(product.add(j));
                gate_exp(c, V::load(sums.add(j))).store(z.add(j));
                j += LANES;
            }
        });
        candidate.sums(projected.add(from));
        new_row::<V>(run, z, out);
    });
}

/// New hidden values, and a copy of them; the candidate's sums lie unit by unit.
#[inline(never)]
unsafe fn new_row<V: Vector>(run: &Alone, z: *const f32, out: *mut f32) {
    let c = Constants::get();
    let (n, hidden) = (run.sums, run.hidden);
    let mut j = 0;
    while j < run.stride {
        // SAFETY: the caller's promise.
        unsafe {
            let h = flush(c, blend::<V>(c, V::load(z.add(j)), V::load(n.add(j)), V::load(hidden.add(j))));
            h.store(hidden.add(j));
            h.store(out.add(j));
        }
        j += LANES;
    }
}
