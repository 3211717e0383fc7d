//! Passes its input on; the second port is 0 for rows in which every value equals the mask value, else 1.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a masking layer.
    pub struct MaskingParams {
        /// A row of such values alone is masked.
        mask_value: f32 = 0.0,
    }
}

struct Masking {
    value: f32,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let layer = boxed(Masking { value: MaskingParams::read(params)?.mask_value, size: shape.size })?;
    Ok(Built { layer, ports: copied(&[shape, Shape { size: 1, ..shape }])? })
}

impl Layer for Masking {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        let passed = io.outputs.at_mut(0);
        if !passed.is_empty() {
            passed.copy(x);
        }
        for (m, row) in io.outputs.at_mut(1).iter_mut().zip(x.rows(self.size)) {
            *m = f32::from(u8::from(row.iter().any(|&v| v != self.value)));
        }
        Ok(())
    }
}
