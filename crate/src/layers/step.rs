//! One step of each sequence: the first or the last; zeros for a sequence without steps. The last one is kept from run to run, for a
//! stream may go on without a step: behind a convolution that strides, of which no window is complete.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied, filled_with};
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
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        let mut states = filled_with(1, Buffer::default)?;
        states.at_mut(0).grow(product(&[batch, self.size])?)?;
        Ok(Workspace { states, ..Default::default() })
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let (x, size) = (io.input(0), self.size);
        for (b, row) in io.outputs.at_mut(0).rows_mut(size).enumerate() {
            let kept = workspace.states.at_mut(0).row_mut(*io.layout.sequences.at(b) as usize, size);
            if let Some(from) = io.layout.row(b, self.last) {
                kept.copy(x.row(from, size));
            }
            row.copy(kept);
        }
        Ok(())
    }

    fn slots(&self) -> usize {
        usize::from(self.last)
    }

    fn flushes(&self) -> bool {
        false
    }
}
