//! Each step several times; zeros where there is none.

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
        /// The axis of the result.
        axis: u32 = 0,
    }
}

struct Upsample {
    params: UpsampleParams,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis, size } = input_shape(inputs, 0, None)?;
    ensure(axis.is_some())?;
    let params = UpsampleParams::read(params)?;
    let ports = copied(&[Shape { axis: Some(params.axis as usize), size }])?;
    Ok(Built { layer: boxed(Upsample { params, size })?, ports })
}

impl Layer for Upsample {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let (x, from, to) = (io.input(0), io.layout, io.layouts.of(self.params.axis as usize));
        let y = io.outputs.at_mut(0);
        for b in 0..to.batch() {
            let steps = *from.lengths.at(b) as usize;
            for (output, row) in to.rows_of(b).enumerate() {
                let step = output / self.params.factor;
                let y = y.row_mut(row, self.size);
                if step < steps {
                    y.copy(x.row(from.step(b, step), self.size));
                } else {
                    y.fill(0.0);
                }
            }
        }
        Ok(())
    }
}
