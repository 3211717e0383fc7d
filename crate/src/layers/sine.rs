//! sin x, or cos x, of each number.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::{boxed, copied};
use crate::kernels::activation::map;
use crate::kernels::elementary::sine;
use crate::simd::{Lanes, Vector};
use crate::tensor::Tensor;

params! {
    /// Parameters of a sine layer.
    pub struct SineParams {
        /// The cosine.
        cosine: bool = false,
    }
}

struct Sine {
    shift: f32,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let shift = if SineParams::read(params)?.cosine { 0.5 } else { 0.0 };
    Ok(Built { layer: boxed(Sine { shift })?, ports: copied(&[shape])? })
}

impl Layer for Sine {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        let y = &mut **io.outputs.at_mut(0);
        if !y.is_empty() {
            y.copy(x);
            let shift = Lanes::splat(self.shift);
            map::<Lanes>(y, |x| sine(x, shift));
        }
        Ok(())
    }
}
