//! The simple RNN's cell. Equation: ts/layers/rnn.ts.

use super::super::params::{Param, Params, params};
use super::{Built, Cell, Form, Options, Shape, Sizes, Step, build as build_recurrent, matrix, pack};
use crate::buffer::Buffer;
use crate::error::Result;
use crate::fallible::boxed;
use crate::kernels::activation::Activation;
use crate::kernels::gates::rnn::advance;
use crate::pack::PackedMatrix;
use crate::simd::Lanes;
use crate::tensor::Tensor;

params! {
    /// Parameters of an rnn layer.
    pub struct RnnParams {
        /// Sizes.
        sizes: Sizes = Sizes::default(),
        /// What the driver does.
        options: Options = Options::default(),
        /// Of the sums.
        activation: Activation = Activation::TANH,
    }
}

const FORM: Form = Form { gates: 1, groups: &[1], slots: 1, tensors: 3, rows: 1 };

struct Rnn {
    activation: Activation,
    clip: f32,
    recurrent: PackedMatrix,
}

/// Tensors of a direction: input (H, I), recurrent (H, H), bias (H).
pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let RnnParams { sizes, options, activation } = RnnParams::read(params)?;
    let units = sizes.hidden_size;
    build_recurrent(sizes, options, &FORM, inputs, tensors, &mut |tensors| {
        let recurrent = pack(matrix(tensors, 1, units, units)?, 0..1, units, units)?;
        Ok(boxed(Rnn { activation, clip: options.clip, recurrent })?)
    })
}

impl Cell for Rnn {
    fn step(&self, step: &mut Step, scratch: &mut [Buffer]) {
        let init = step.projected_init(0);
        // SAFETY: `init` holds a row for each entry of the batch; the rest is the promise of `advance`.
        unsafe {
            step.advance(&self.recurrent, init, scratch, |rows, next, _| {
                advance::<Lanes>(&self.activation, self.clip, rows, next);
            });
        }
    }

    fn bytes(&self) -> usize {
        self.recurrent.bytes()
    }
}
