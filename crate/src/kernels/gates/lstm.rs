//! The LSTM's gates i, f, g, o, in two passes as the GRU's: the cell state, the hidden state.

use super::alone::Alone;
use super::{GateRows, Row, clipped};
use crate::kernels::activation::{Activation, Constants, Function, divide_by_gate, flush, sigmoid_tanh};
use crate::simd::{LANES, Vector};

/// What the gates compute with.
#[derive(Clone, Copy, Debug)]
pub struct LstmFunctions {
    recurrent: Activation,
    candidate: Activation,
    output: Activation,
    clip: f32,
    input_forget: bool,
    peepholes: bool,
    /// sigmoid, tanh and tanh with nothing else: the fused form.
    pub standard: bool,
}

impl LstmFunctions {
    /// Of the gates, of the candidate, of the output. `clip` is infinite where none is wanted.
    pub fn new(
        [recurrent, candidate, output]: [Activation; 3],
        clip: f32,
        input_forget: bool,
        peepholes: bool,
    ) -> Self {
        let standard = recurrent.is(Function::Sigmoid)
            && candidate.is(Function::Tanh)
            && output.is(Function::Tanh)
            && clip == f32::INFINITY
            && !input_forget
            && !peepholes;
        LstmFunctions { recurrent, candidate, output, clip, input_forget, peepholes, standard }
    }

    #[inline(always)]
    fn gate<V: Vector>(&self, sum: V) -> V {
        self.recurrent.apply(clipped(sum, self.clip))
    }
}

/// New values of the cell state, in place, and of the hidden state, in place of the old ones or where `next` says.
///
/// # Safety
/// All rows of all panels are readable and `cells`, as wide as hidden, writable, `hidden` or `next` too; `next` overlaps nothing.
/// `peepholes` holds those of i, f and o, `rows.ld` each, where there are such.
#[inline(always)]
pub unsafe fn advance<V: Vector>(
    f: &LstmFunctions,
    rows: &GateRows,
    cells: *mut f32,
    peepholes: *const f32,
    next: Option<*mut f32>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if f.standard {
            both::<V, true>(f, rows, cells, peepholes, next);
        } else {
            both::<V, false>(f, rows, cells, peepholes, next);
        }
    }
}

#[inline(always)]
unsafe fn both<V: Vector, const STANDARD: bool>(
    f: &LstmFunctions,
    rows: &GateRows,
    cells: *mut f32,
    peepholes: *const f32,
    next: Option<*mut f32>,
) {
    let c = Constants::get();
    // SAFETY: the caller's promise.
    unsafe {
        rows.each(4, |Row { sequence, unit, units, sums, .. }| {
            let cells = cells.add(sequence * rows.ld + unit);
            let peephole = |gate: usize, j: usize| V::load(peepholes.add(gate * rows.ld + unit + j));
            let mut j = 0;
            while j < units {
                let [i, forget, g] = [0, 1, 2].map(|gate| V::load(sums.add(gate * units + j)));
                let cell = V::load(cells.add(j));
                let new = if STANDARD {
                    divide_by_gate(c, forget, cell).add(sigmoid_tanh(c, i, g))
                } else {
                    let [mut i, mut forget] = [i, forget];
                    if f.peepholes {
                        i = peephole(0, j).madd(cell, i);
                        forget = peephole(1, j).madd(cell, forget);
                    }
                    let i = f.gate(i);
                    let forget = if f.input_forget { c.one().sub(i) } else { f.gate(forget) };
                    forget.madd(cell, i.mul(f.candidate.apply(clipped(g, f.clip))))
                };
                flush(c, new).store(cells.add(j));
                j += LANES;
            }
        });
        rows.each(4, |Row { i, sequence, unit, units, sums, .. }| {
            let cells = cells.add(sequence * rows.ld + unit);
            let next = match next {
                Some(next) => next.add(i * rows.ld + unit),
                None => rows.hidden.add(sequence * rows.ld + unit),
            };
            let mut j = 0;
            while j < units {
                let o = V::load(sums.add(3 * units + j));
                let cell = V::load(cells.add(j));
                let new = if STANDARD {
                    sigmoid_tanh(c, o, cell)
                } else {
                    let o = if f.peepholes { V::load(peepholes.add(2 * rows.ld + unit + j)).madd(cell, o) } else { o };
                    flush(c, f.gate(o).mul(f.output.apply(cell)))
                };
                new.store(next.add(j));
                j += LANES;
            }
        });
    }
}

/// All steps of one sequence, of the fused form.
///
/// # Safety
/// The promise of [`Alone`].
pub unsafe fn alone<V: Vector>(run: &mut Alone) {
    // SAFETY: the caller's promise.
    run.steps(|run, projected, out| unsafe {
        run.ready.sums(projected);
        let c = Constants::<V>::get();
        run.each(|unit, column, units| {
            let (sums, cells) = (run.sums.add(column), run.cells.add(unit));
            let mut j = 0;
            while j < units {
                let [i, forget, g] = [0, 1, 2].map(|gate| V::load(sums.add(gate * units + j)));
                let new = divide_by_gate(c, forget, V::load(cells.add(j))).add(sigmoid_tanh(c, i, g));
                flush(c, new).store(cells.add(j));
                j += LANES;
            }
        });
        let c = Constants::<V>::get();
        run.each(|unit, column, units| {
            let (o, cells) = (run.sums.add(column + 3 * units), run.cells.add(unit));
            let (hidden, out) = (run.hidden.add(unit), out.add(unit));
            let mut j = 0;
            while j < units {
                let h = sigmoid_tanh(c, V::load(o.add(j)), V::load(cells.add(j)));
                h.store(hidden.add(j));
                h.store(out.add(j));
                j += LANES;
            }
        });
    });
}
