//! The steps of each sequence from its last to its first.

use super::params::Params;
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

struct Reverse {
    size: usize,
}

pub(crate) fn build(_: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    ensure(shape.axis.is_some())?;
    Ok(Built { layer: boxed(Reverse { size: shape.size })?, ports: copied(&[shape])? })
}

impl Layer for Reverse {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let (x, layout) = (io.input(0), io.layout);
        let y = io.outputs.at_mut(0);
        if y.is_empty() {
            return Ok(());
        }
        for b in 0..layout.batch() {
            let steps = layout.steps(b);
            for (step, row) in layout.rows_of(b).enumerate() {
                y.row_mut(row, self.size).copy(x.row(steps.row(steps.count - 1 - step), self.size));
            }
        }
        Ok(())
    }
}
