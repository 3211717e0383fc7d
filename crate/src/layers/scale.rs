//! scale x + shift, for each feature; of tables with a row for each step, for each step too.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape, row_or};
use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a scale layer.
    pub struct ScaleParams {
        /// Numbers in a row.
        input_size: usize = 1,
        /// Rows of the tables, one a step; 0: one for all steps.
        steps: u32 = 0,
    }
}

struct Scale {
    scale: Buffer,
    shift: Buffer,
    size: usize,
    steps: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let ScaleParams { input_size: size, steps } = ScaleParams::read(params)?;
    let shape = input_shape(inputs, 0, Some(size))?;
    ensure(steps == 0 || shape.axis.is_some())?;
    let steps = steps as usize;
    let length = product(&[size, steps.max(1)])?;
    let (scale, shift) = (row_or(tensors, 0, length, 1.0)?, row_or(tensors, 1, length, 0.0)?);
    Ok(Built { layer: boxed(Scale { scale, shift, size, steps })?, ports: copied(&[shape])? })
}

impl Scale {
    fn row(&self, x: &[f32], y: &mut [f32], step: usize) {
        let (scale, shift) = (self.scale.row(step, self.size), self.shift.row(step, self.size));
        // Two roundings in every build: the compiler does not fuse them.
        y.iter_mut().zip(x).zip(scale.iter().zip(shift)).for_each(|((y, x), (scale, shift))| *y = x * scale + shift);
    }
}

impl Layer for Scale {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        let y = &mut **io.outputs.at_mut(0);
        if y.is_empty() {
            return Ok(());
        }
        if self.steps == 0 {
            x.rows(self.size).zip(y.rows_mut(self.size)).for_each(|(x, y)| self.row(x, y, 0));
            return Ok(());
        }
        ensure(io.layout.lengths.iter().all(|&length| length as usize <= self.steps))?;
        for b in 0..io.layout.batch() {
            for (step, row) in io.layout.rows_of(b).enumerate() {
                self.row(x.row(row, self.size), y.row_mut(row, self.size), step);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.scale.bytes() + self.shift.bytes()
    }
}
