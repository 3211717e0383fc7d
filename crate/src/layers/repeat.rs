//! A row of each sequence at every step of the axis of a second input.

use super::params::Params;
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};

struct Repeat {
    size: usize,
}

pub(crate) fn build(_: &mut Params, inputs: &[Option<Shape>], _: &[Option<&[f32]>]) -> Result<Built> {
    let (shape, like) = (input_shape(inputs, 0, None)?, input_shape(inputs, 1, None)?);
    ensure(shape.axis.is_none() && like.axis.is_some())?;
    let layer = boxed(Repeat { size: shape.size })?;
    Ok(Built { layer, ports: copied(&[Shape { size: shape.size, ..like }])? })
}

impl Layer for Repeat {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        let y = io.outputs.at_mut(0);
        for (b, x) in x.rows(self.size).enumerate() {
            io.layout.rows_of(b).for_each(|row| y.row_mut(row, self.size).copy(x));
        }
        Ok(())
    }
}
