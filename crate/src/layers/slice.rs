//! Neighbouring columns of each row.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a slice layer.
    pub struct SliceParams {
        /// First number of a row.
        start: u32 = 0,
        /// How many.
        size: usize = 1,
    }
}

struct Slice {
    start: usize,
    size: usize,
    input_size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let SliceParams { start, size } = SliceParams::read(params)?;
    let start = start as usize;
    ensure(start < shape.size && size <= shape.size - start)?;
    let layer = boxed(Slice { start, size, input_size: shape.size })?;
    Ok(Built { layer, ports: copied(&[Shape { size, ..shape }])? })
}

impl Layer for Slice {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let rows = io.input(0).rows(self.input_size);
        for (y, x) in io.outputs.at_mut(0).rows_mut(self.size).zip(rows) {
            y.copy(x.at(self.start..self.start + self.size));
        }
        Ok(())
    }
}
