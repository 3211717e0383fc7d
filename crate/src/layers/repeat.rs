//! A row of each sequence at every step of an axis of its own or that of a second input.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, given_axis, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a repeat layer.
    pub struct RepeatParams {
        /// The axis of the result.
        axis: u32 = 0,
    }
}

struct Repeat {
    size: usize,
    axis: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis: none, size } = input_shape(inputs, 0, None)?;
    ensure(none.is_none())?;
    let axis = given_axis(inputs, 1, RepeatParams::read(params)?.axis)?;
    let layer = boxed(Repeat { size, axis })?;
    Ok(Built { layer, ports: copied(&[Shape { axis: Some(axis), size }])? })
}

impl Layer for Repeat {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let (x, layout) = (io.input(0), io.layouts.of(self.axis));
        let y = io.outputs.at_mut(0);
        if y.is_empty() {
            return Ok(());
        }
        for (b, x) in x.rows(self.size).enumerate() {
            layout.rows_of(b).for_each(|row| y.row_mut(row, self.size).copy(x));
        }
        Ok(())
    }
}
