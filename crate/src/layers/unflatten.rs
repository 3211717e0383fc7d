//! A row of each sequence cut into steps, on an axis of its own or that of a second input: zeros where it has more.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, given_axis, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of an unflatten layer.
    pub struct UnflattenParams {
        /// How many steps a row holds.
        steps: usize = 1,
        /// It holds the steps of a feature side by side, not the features of a step.
        transposed: bool = false,
        /// The axis of the result.
        axis: u32 = 0,
    }
}

struct Unflatten {
    steps: usize,
    size: usize,
    transposed: bool,
    axis: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let UnflattenParams { steps, transposed, axis } = UnflattenParams::read(params)?;
    let axis = given_axis(inputs, 1, axis)?;
    ensure(shape.axis.is_none() && shape.size.is_multiple_of(steps))?;
    let size = shape.size / steps;
    ensure(size > 0)?;
    let layer = boxed(Unflatten { steps, size, transposed, axis })?;
    Ok(Built { layer, ports: copied(&[Shape { axis: Some(axis), size }])? })
}

impl Layer for Unflatten {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let Unflatten { steps, size, transposed, axis } = *self;
        let (x, layout) = (io.input(0), io.layouts.of(axis));
        let y = io.outputs.at_mut(0);
        if y.is_empty() {
            return Ok(());
        }
        for (b, x) in x.rows(steps * size).enumerate() {
            for (step, row) in layout.rows_of(b).enumerate() {
                let y = y.row_mut(row, size);
                if step >= steps {
                    y.fill(0.0);
                } else if transposed {
                    (y.iter_mut().zip(x.at(step..).iter().step_by(steps))).for_each(|(y, &x)| *y = x);
                } else {
                    y.copy(x.row(step, size));
                }
            }
        }
        Ok(())
    }
}
