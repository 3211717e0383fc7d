//! Softmax over the steps of each sequence, for each number of a row by itself.

use super::params::Params;
use super::{Built, Io, Layer, Layouts, Shape, Workspace, input_shape, mask_shape};
use crate::buffer::Buffer;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied, filled_with};
use crate::kernels::softmax::softmax_of_scores;
use crate::simd::Lanes;
use crate::tensor::Tensor;

struct TimeSoftmax {
    size: usize,
}

pub(crate) fn build(_: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    ensure(shape.axis.is_some())?;
    mask_shape(inputs, 1, shape.axis)?;
    Ok(Built { layer: boxed(TimeSoftmax { size: shape.size })?, ports: copied(&[shape])? })
}

impl Layer for TimeSoftmax {
    fn workspace(&self, _batch: usize) -> Result<Workspace> {
        Ok(Workspace { scratch: filled_with(1, Buffer::default)?, ..Default::default() })
    }

    fn reserve(&self, workspace: &mut Workspace, layouts: &Layouts) -> Result<()> {
        workspace.scratch.at_mut(0).grow(layouts.own().longest())
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let (layout, x, mask) = (io.layout, io.input(0), io.optional(1));
        let y = &mut **io.outputs.at_mut(0);
        if y.is_empty() {
            return Ok(());
        }
        for b in 0..layout.batch() {
            let steps = layout.steps(b);
            let scores = workspace.scratch.at_mut(0).at_mut(..steps.count);
            for column in 0..self.size {
                for (step, score) in scores.iter_mut().enumerate() {
                    let row = steps.row(step);
                    let counts = mask.is_none_or(|mask| *mask.at(row) != 0.0);
                    *score = if counts { *x.at(row * self.size + column) } else { f32::NEG_INFINITY };
                }
                if !softmax_of_scores::<Lanes>(scores) {
                    scores.fill(0.0);
                }
                for (step, &weight) in scores.iter().enumerate() {
                    *y.at_mut(steps.row(step) * self.size + column) = weight;
                }
            }
        }
        Ok(())
    }
}
