//! Each step several times, or cut into several; zeros where there is none.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of an upsample layer.
    pub struct UpsampleParams {
        /// How many times.
        factor: usize = 1,
        /// Each time another part of the row.
        split: bool = false,
        /// The axis of the result.
        axis: u32 = 0,
    }
}

struct Upsample {
    factor: usize,
    /// Parts of a row, and the size of one.
    parts: usize,
    size: usize,
    axis: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    ensure(shape.axis.is_some())?;
    let UpsampleParams { factor, split, axis } = UpsampleParams::read(params)?;
    let parts = if split { factor } else { 1 };
    ensure(shape.size.is_multiple_of(parts))?;
    let size = shape.size / parts;
    ensure(size > 0)?;
    let axis = axis as usize;
    let ports = copied(&[Shape { axis: Some(axis), size }])?;
    Ok(Built { layer: boxed(Upsample { factor, parts, size, axis })?, ports })
}

impl Layer for Upsample {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let Upsample { factor, parts, size, axis } = *self;
        let (x, from, to) = (io.input(0), io.layout, io.layouts.of(axis));
        let y = io.outputs.at_mut(0);
        if y.is_empty() {
            return Ok(());
        }
        for b in 0..to.batch() {
            let steps = *from.lengths.at(b) as usize;
            for (output, row) in to.rows_of(b).enumerate() {
                let step = output / factor;
                let y = y.row_mut(row, size);
                if step < steps {
                    y.copy(x.row(from.step(b, step) * parts + output % parts, size));
                } else {
                    y.fill(0.0);
                }
            }
        }
        Ok(())
    }
}
