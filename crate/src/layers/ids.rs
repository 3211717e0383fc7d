//! Whole numbers as int32 ids, in the bits of an f32.

use super::params::Params;
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

struct Ids {
    /// Ids are below.
    end: f32,
}

pub(crate) fn build(_: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, Some(1))?;
    Ok(Built { layer: boxed(Ids { end: 2_147_483_648.0 })?, ports: copied(&[shape])? })
}

impl Layer for Ids {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        for (y, &x) in io.outputs.at_mut(0).iter_mut().zip(x) {
            // -1 is no id: whoever reads it refuses it
            let id = if x > -1.0 && x < self.end { x as i32 } else { -1 };
            *y = f32::from_bits(id as u32);
        }
        Ok(())
    }
}
