//! An elementwise function, or softmax over the row.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::{boxed, copied};
use crate::kernels::activation::Activation;
use crate::simd::Lanes;
use crate::tensor::Tensor;

params! {
    /// Parameters of an activation layer.
    pub struct ActivationParams {
        /// The function.
        activation: Activation = Activation::LINEAR,
    }
}

struct Function {
    activation: Activation,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let layer = boxed(Function { activation: ActivationParams::read(params)?.activation, size: shape.size })?;
    Ok(Built { layer, ports: copied(&[shape])? })
}

impl Layer for Function {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        let y = &mut **io.outputs.at_mut(0);
        if !y.is_empty() {
            y.copy(x);
            self.activation.apply_rows::<Lanes>(y, self.size);
        }
        Ok(())
    }
}
