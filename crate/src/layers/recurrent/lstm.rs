//! The LSTM's cell. Equations: ts/layers/lstm.ts.

use super::super::params::{Param, Params, params};
use super::{Built, Cell, Form, Options, Shape, Sizes, Step, build as build_recurrent, matrix, optional_tensor, pack};
use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::boxed;
use crate::kernels::activation::Activation;
use crate::kernels::gates::alone::Alone;
use crate::kernels::gates::lstm::{self, LstmFunctions, advance};
use crate::pack::{Operands, PackedMatrix};
use crate::simd::{LANES, Lanes};
use crate::tensor::Tensor;

params! {
    /// Parameters of an lstm layer.
    pub struct LstmParams {
        /// Sizes.
        sizes: Sizes = Sizes::default(),
        /// The forget gate is 1 - the input gate.
        input_forget: bool = false,
        /// What the driver does.
        options: Options = Options::default(),
        /// Of the gates i, f, o.
        recurrent_activation: Activation = Activation::SIGMOID,
        /// Of the candidate.
        activation: Activation = Activation::TANH,
        /// Of the cell state, where the hidden state is made of it.
        output_activation: Activation = Activation::TANH,
    }
}

/// Gates i, f, g, o together.
const FORM: Form = Form { gates: 4, groups: &[4], slots: 2, tensors: 4, rows: 1 };

struct Lstm {
    functions: LstmFunctions,
    recurrent: PackedMatrix,
    /// Of i, f, o, each padded to whole vectors; empty where there are none.
    peepholes: Buffer,
}

/// Tensors of a direction: input (4H, I), recurrent (4H, H), bias (4H), peepholes (3H).
pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let params = LstmParams::read(params)?;
    let units = params.sizes.hidden_size;
    let stride = units.next_multiple_of(LANES);
    build_recurrent(params.sizes, params.options, &FORM, inputs, tensors, &mut |tensors| {
        let recurrent = matrix(tensors, 1, product(&[4, units])?, units)?;
        let mut peepholes = Buffer::default();
        if let Some(given) = optional_tensor(tensors, 3, product(&[3, units])?)? {
            peepholes = Buffer::zeroed(product(&[3, stride])?)?;
            for (into, values) in peepholes.rows_mut(stride).zip(given.rows(units)) {
                into.at_mut(..units).copy(values);
            }
        }
        let functions = LstmFunctions::new(
            [params.recurrent_activation, params.activation, params.output_activation],
            params.options.clip,
            params.input_forget,
            !peepholes.is_empty(),
        );
        Ok(boxed(Lstm { functions, recurrent: pack(recurrent, 0..4, units, units)?, peepholes })?)
    })
}

impl Cell for Lstm {
    fn alone_by(&self) -> Option<&PackedMatrix> {
        (self.functions.standard && self.recurrent.is_small()).then_some(&self.recurrent)
    }

    unsafe fn alone(&self, run: &mut Alone, _scratch: &mut [Buffer], _operands: &mut Operands) {
        // SAFETY: the driver's promise.
        unsafe { lstm::alone::<Lanes>(run) }
    }

    fn step(&self, step: &mut Step, scratch: &mut [Buffer]) {
        let init = step.projected_init(0);
        let peepholes = self.peepholes.as_ptr();
        // SAFETY: `init` holds a row for each entry of the batch, the cell state one for each sequence; peepholes are there where the
        // functions say so; the rest is the promise of `advance`.
        unsafe {
            step.advance(&self.recurrent, init, scratch, |rows, next, cells| {
                advance::<Lanes>(&self.functions, rows, cells, peepholes, next);
            });
        }
    }

    fn bytes(&self) -> usize {
        self.recurrent.bytes() + self.peepholes.bytes()
    }
}
