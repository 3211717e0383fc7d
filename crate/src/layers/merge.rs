//! Several values made one: side by side, or element by element.

use super::params::{Param, Params, params};
use super::{Built, Combine, Io, Layer, Shape, Workspace, input_shape};
use crate::buffer::sum;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use alloc::vec::Vec;

params! {
    /// Parameters of a merge layer.
    pub struct MergeParams {
        /// How values become one.
        merge: Combine = Combine::Concat,
    }
}

struct Merge {
    combine: Combine,
    sizes: Vec<usize>,
    /// Of the result.
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<&[f32]>]) -> Result<Built> {
    let combine = MergeParams::read(params)?.merge;
    let first = input_shape(inputs, 0, None)?;
    let mut sizes = Vec::new();
    sizes.try_reserve_exact(inputs.len())?;
    for i in 0..inputs.len() {
        let shape = input_shape(inputs, i, None)?;
        ensure(shape.axis == first.axis && (combine == Combine::Concat || shape.size == first.size))?;
        sizes.push(shape.size);
    }
    let size = if combine == Combine::Concat { sum(&sizes)? } else { first.size };
    Ok(Built { layer: boxed(Merge { combine, sizes, size })?, ports: copied(&[Shape { size, ..first }])? })
}

impl Layer for Merge {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let mut out = core::mem::take(io.outputs.at_mut(0));
        if !out.is_empty() {
            let mut column = 0;
            for (i, &part) in self.sizes.iter().enumerate() {
                let x = io.input(i);
                if self.combine == Combine::Concat {
                    for (row, x) in out.rows_mut(self.size).zip(x.rows(part)) {
                        row.at_mut(column..column + part).copy(x);
                    }
                    column += part;
                } else if i == 0 {
                    out.copy(x);
                } else {
                    self.combine.fold(&mut out, x);
                }
            }
            self.combine.finish(&mut out, self.sizes.len());
        }
        *io.outputs.at_mut(0) = out;
        Ok(())
    }
}
