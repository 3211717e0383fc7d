//! One step of each sequence: the first or the last; zeros for a sequence without steps.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a step layer.
    pub struct StepParams {
        /// The last step, not the first.
        last: bool = false,
    }
}

struct Step {
    last: bool,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    ensure(shape.axis.is_some())?;
    let layer = boxed(Step { last: StepParams::read(params)?.last, size: shape.size })?;
    Ok(Built { layer, ports: copied(&[Shape::vector(shape.size)])? })
}

impl Layer for Step {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        for (b, row) in io.outputs.at_mut(0).rows_mut(self.size).enumerate() {
            match io.layout.row(b, self.last) {
                Some(from) => row.copy(x.row(from, self.size)),
                None => row.fill(0.0),
            }
        }
        Ok(())
    }
}
