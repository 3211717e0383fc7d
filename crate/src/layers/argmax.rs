//! Where the greatest number of each row stands: an int32 id, in the bits of an f32.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of an argmax layer.
    pub struct ArgmaxParams {
        /// The last of equal ones, not the first.
        last: bool = false,
    }
}

struct Argmax {
    last: bool,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let layer = boxed(Argmax { last: ArgmaxParams::read(params)?.last, size: shape.size })?;
    Ok(Built { layer, ports: copied(&[Shape { size: 1, ..shape }])? })
}

impl Layer for Argmax {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let rows = io.input(0).rows(self.size);
        for (y, row) in io.outputs.at_mut(0).iter_mut().zip(rows) {
            let (mut id, mut most) = (0, f32::NEG_INFINITY);
            for (i, &x) in (0..).zip(row) {
                if x > most || (self.last && x == most) {
                    (id, most) = (i, x);
                }
            }
            *y = f32::from_bits(id);
        }
        Ok(())
    }
}
