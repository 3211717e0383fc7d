//! Rows of zeros with a one where the id says. Ids are int32 in the bits of the input's f32.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{EngineError, Result};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a one_hot layer.
    pub struct OneHotParams {
        /// Numbers in a row: how many ids there are.
        size: usize = 1,
    }
}

struct OneHot {
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let size = OneHotParams::read(params)?.size;
    let shape = input_shape(inputs, 0, Some(1))?;
    Ok(Built { layer: boxed(OneHot { size })?, ports: copied(&[Shape { size, ..shape }])? })
}

impl Layer for OneHot {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let ids = io.input(0);
        for (row, id) in io.outputs.at_mut(0).rows_mut(self.size).zip(ids) {
            row.fill(0.0);
            *row.get_mut(id.to_bits() as usize).ok_or(EngineError::IdOutOfRange)? = 1.0;
        }
        Ok(())
    }
}
