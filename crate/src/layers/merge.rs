//! Several values made one: side by side, or element by element.

use super::{Built, Combine, Io, Layer, Params, Shape, Workspace, input_shape};
use crate::error::{Result, ensure};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

struct Merge {
    combine: Combine,
    sizes: Vec<usize>,
}

pub fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<&[f32]>]) -> Result<Built> {
    let combine = Combine::read(params)?;
    let first = input_shape(inputs, 0, None)?;
    let mut sizes = Vec::new();
    for i in 0..inputs.len() {
        let shape = input_shape(inputs, i, None)?;
        ensure(shape.sequence == first.sequence && (combine == Combine::Concat || shape.size == first.size))?;
        sizes.push(shape.size);
    }
    let size = if combine == Combine::Concat { sizes.iter().sum() } else { first.size };
    Ok(Built { layer: Box::new(Merge { combine, sizes }), ports: vec![Shape { size, ..first }] })
}

impl Layer for Merge {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        if io.outputs[0].is_empty() {
            return Ok(());
        }
        if self.combine == Combine::Concat {
            let size: usize = self.sizes.iter().sum();
            let mut column = 0;
            for (i, &part) in self.sizes.iter().enumerate() {
                let x = io.input(i);
                for (row, x) in io.outputs[0].chunks_exact_mut(size).zip(x.chunks_exact(part)) {
                    row[column..column + part].copy_from_slice(x);
                }
                column += part;
            }
        } else {
            let first = io.input(0);
            io.outputs[0].copy_from_slice(first);
            for i in 1..self.sizes.len() {
                let x = io.input(i);
                self.combine.fold(&mut io.outputs[0], x);
            }
            self.combine.finish(&mut io.outputs[0], self.sizes.len());
        }
        Ok(())
    }
}
