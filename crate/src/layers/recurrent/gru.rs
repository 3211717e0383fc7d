//! The GRU's cell: reset gate before or after the matmul. Equations: ts/layers/gru.ts.

use super::super::params::{Param, Params, params};
use super::{Built, Cell, Form, Options, Shape, Sizes, Step, build as build_recurrent, matrix, optional_tensor, pack};
use crate::buffer::{Buffer, product};
use crate::checked::{Checked, stop};
use crate::error::Result;
use crate::fallible::boxed;
use crate::kernels::activation::Activation;
use crate::kernels::gates::GateRows;
use crate::kernels::gates::alone::Alone;
use crate::kernels::gates::gru::{GateFunctions, Sums, alone_after, alone_before, reset_after, reset_before, update};
use crate::pack::{Init, Operands, PackedMatrix, Rows};
use crate::simd::Lanes;
use crate::tensor::Tensor;

params! {
    /// Parameters of a gru layer.
    pub struct GruParams {
        /// Sizes.
        sizes: Sizes = Sizes::default(),
        /// The reset gate is applied after the matmul.
        reset_after: bool = false,
        /// What the driver does.
        options: Options = Options::default(),
        /// Of the update and the reset gate.
        recurrent_activation: Activation = Activation::SIGMOID,
        /// Of the candidate.
        activation: Activation = Activation::TANH,
    }
}

/// Gates z, r, n together.
const AFTER: Form = Form { gates: 3, groups: &[3], slots: 1, tensors: 4, rows: 1 };
/// z and r first, then n, for r scales what n's reads.
const BEFORE: Form = Form { gates: 3, groups: &[2, 3], slots: 1, tensors: 3, rows: 2 };

struct After {
    functions: GateFunctions,
    recurrent: PackedMatrix,
    /// Starts the recurrent sums: 0, 0, the candidate's recurrent bias.
    init: Buffer,
}

struct Before {
    functions: GateFunctions,
    /// z, r.
    gates: PackedMatrix,
    candidate: PackedMatrix,
}

/// Tensors of a direction: input (3H, I), recurrent (3H, H), bias (3H), with `reset_after` recurrent bias (H).
pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let params = GruParams::read(params)?;
    let units = params.sizes.hidden_size;
    let functions = GateFunctions::new(params.recurrent_activation, params.activation, params.options.clip);
    let form = if params.reset_after { AFTER } else { BEFORE };
    build_recurrent(params.sizes, params.options, &form, inputs, tensors, &mut |tensors| {
        let recurrent = matrix(tensors, 1, product(&[3, units])?, units)?;
        let packed = |group| pack(recurrent, group, units, units);
        if params.reset_after {
            let recurrent = packed(0..3)?;
            let init = recurrent.pack_row(&[None, None, optional_tensor(tensors, 3, units)?])?;
            Ok(boxed(After { functions, recurrent, init })?)
        } else {
            Ok(boxed(Before { functions, gates: packed(0..2)?, candidate: packed(2..3)? })?)
        }
    })
}

impl Cell for After {
    fn alone_by(&self) -> Option<&PackedMatrix> {
        (self.functions.standard && self.recurrent.is_small()).then_some(&self.recurrent)
    }

    unsafe fn alone(&self, run: &mut Alone, scratch: &mut [Buffer], _operands: &mut Operands) {
        // SAFETY: `init` is as long as the matrix has columns, and a row of scratch as hidden; the rest is the driver's promise.
        unsafe { alone_after::<Lanes>(run, self.init.as_ptr(), scratch.at_mut(1).as_mut_ptr()) }
    }

    fn step(&self, step: &mut Step, scratch: &mut [Buffer]) {
        let f = &self.functions;
        let (projected, columns) = (step.projected, step.columns);
        let init = Init { base: self.init.as_ptr(), stride: 0 };
        // SAFETY: `projected` holds `columns` numbers for each entry of the batch; the rest is the promise of `advance`.
        unsafe {
            step.advance(&self.recurrent, init, scratch, |rows, next, _| {
                reset_after::<Lanes>(f, rows, projected, columns);
                update::<Lanes>(f, rows, Sums::After, next);
            });
        }
    }

    fn bytes(&self) -> usize {
        self.recurrent.bytes() + self.init.bytes()
    }
}

impl Cell for Before {
    fn alone_by(&self) -> Option<&PackedMatrix> {
        (self.functions.standard && self.gates.is_small()).then_some(&self.gates)
    }

    unsafe fn alone(&self, run: &mut Alone, scratch: &mut [Buffer], operands: &mut Operands) {
        let [_, wide, z] = scratch else { stop() };
        let (wide, z) = (wide.as_mut_ptr(), z.as_mut_ptr());
        // The candidate's sums are half as many.
        let mut ready = self.candidate.ready(wide, run.sums, operands);
        // SAFETY: `wide` and `z` hold a row each; the rest is the driver's promise.
        unsafe { alone_before::<Lanes>(run, &mut ready, self.gates.columns(), wide, z) }
    }

    fn step(&self, step: &mut Step, scratch: &mut [Buffer]) {
        let f = &self.functions;
        let Step { batch, stride, .. } = *step;
        let [sums, wide, z] = scratch else { stop() };
        let (sums, wide, z) = (sums.as_mut_ptr(), wide.as_mut_ptr(), z.as_mut_ptr());
        let values = step.hidden.as_mut_ptr();
        let hidden = Rows { base: values, stride, rows: batch };
        let product = Rows { base: wide, stride, rows: step.all_rows.at(..batch.len()) };
        let (init, candidate_init) = (step.projected_init(0), step.projected_init(self.gates.columns()));
        let rows = |panels| GateRows { panels, batch, sums, hidden: values, ld: stride };
        // SAFETY: `hidden` holds a row for each sequence of the batch; `projected`, `wide` and `z` one for each entry;
        // `sums` a full panel for each entry, or for TOGETHER of them.
        unsafe {
            let hidden = self.gates.operand(hidden, step.operands);
            for panels in step.panels(&self.gates) {
                self.gates.sums(panels, hidden, init, sums);
                reset_before::<Lanes>(f, &rows(panels), wide, z);
            }
            let product = self.candidate.operand(product, step.operands);
            for panels in step.panels(&self.candidate) {
                self.candidate.sums(panels, product, candidate_init, sums);
                update::<Lanes>(f, &rows(panels), Sums::Before(z), None);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.gates.bytes() + self.candidate.bytes()
    }
}
