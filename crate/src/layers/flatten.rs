//! A number of steps side by side as one row: steps beyond it are left out, those that are missing are zeros.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::buffer::product;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a flatten layer.
    pub struct FlattenParams {
        /// How many steps.
        steps: usize = 1,
    }
}

struct Flatten {
    steps: usize,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis, size } = input_shape(inputs, 0, None)?;
    ensure(axis.is_some())?;
    let steps = FlattenParams::read(params)?.steps;
    let ports = copied(&[Shape::vector(product(&[steps, size])?)])?;
    Ok(Built { layer: boxed(Flatten { steps, size })?, ports })
}

impl Layer for Flatten {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        for (b, y) in io.outputs.at_mut(0).rows_mut(self.steps * self.size).enumerate() {
            let mut rows = io.layout.rows_of(b);
            for part in y.rows_mut(self.size) {
                match rows.next() {
                    Some(row) => part.copy(x.row(row, self.size)),
                    None => part.fill(0.0),
                }
            }
        }
        Ok(())
    }
}
