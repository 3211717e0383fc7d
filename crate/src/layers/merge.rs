//! Several values made one: side by side, or element by element from the first to the last. A vector counts for every step of its
//! sequence, a row of one number for all features; a constant may stand among them.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape, tensor};
use crate::buffer::{Buffer, sum};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::kernels::elementwise::{Operation, combine};
use crate::simd::Lanes;
use crate::tensor::Tensor;
use alloc::vec::Vec;

params! {
    /// Parameters of a merge layer.
    pub struct MergeParams {
        /// How values become one.
        merge: Operation = Operation::Concat,
        /// Numbers in a row of the constant, if there is one.
        constant_size: u32 = 0,
        /// The constant comes before the inputs, not after them.
        constant_first: bool = false,
    }
}

struct Merge {
    operation: Operation,
    operands: Vec<Operand>,
    constant: Buffer,
    /// The result, whose row is `size` wide.
    per_step: bool,
    size: usize,
}

/// What is merged: an input, or the constant.
#[derive(Clone, Copy)]
struct Operand {
    input: Option<usize>,
    size: usize,
    per_step: bool,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let MergeParams { merge: operation, constant_size, constant_first } = MergeParams::read(params)?;
    let (mut operands, mut sizes) = (Vec::new(), Vec::new());
    operands.try_reserve_exact(inputs.len() + 1)?;
    sizes.try_reserve_exact(inputs.len() + 1)?;
    let mut axis = None;
    for i in 0..inputs.len() {
        let shape = input_shape(inputs, i, None)?;
        axis = axis.or(shape.axis);
        operands.push(Operand { input: Some(i), size: shape.size, per_step: shape.axis.is_some() });
    }
    ensure(!operands.is_empty())?;
    let mut constant = Buffer::default();
    let length = constant_size as usize;
    if length > 0 {
        constant = Buffer::zeroed(length)?;
        constant.copy(tensor(tensors, 0, length)?);
        let at = if constant_first { 0 } else { operands.len() };
        operands.insert(at, Operand { input: None, size: length, per_step: false });
    }
    sizes.extend(operands.iter().map(|operand| operand.size));
    let widest = sizes.iter().copied().max().unwrap_or_default();
    let size = if operation == Operation::Concat { sum(&sizes)? } else { widest };
    ensure(operation == Operation::Concat || sizes.iter().all(|&part| part == 1 || part == size))?;
    let layer = boxed(Merge { operation, operands, constant, per_step: axis.is_some(), size })?;
    Ok(Built { layer, ports: copied(&[Shape { axis, size }])? })
}

impl Layer for Merge {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let mut out = core::mem::take(io.outputs.at_mut(0));
        if !out.is_empty() {
            let mut column = 0;
            for (i, operand) in self.operands.iter().enumerate() {
                let x = operand.input.map_or(&*self.constant, |input| io.input(input));
                let alike = operand.input.is_some() && operand.per_step == self.per_step;
                // Rows of one width, one to one, are one long row.
                let long = alike && operand.size == self.size;
                let size = if long { out.len() } else { self.size };
                let mut one = |row: usize, sequence: usize| {
                    let from = if alike { row } else { sequence };
                    let into = out.row_mut(row, size);
                    let x = if long { x } else { x.row(if operand.input.is_some() { from } else { 0 }, operand.size) };
                    match (self.operation, i, x) {
                        (Operation::Concat, ..) => into.at_mut(column..column + x.len()).copy(x),
                        (_, 0, &[x]) => into.fill(x),
                        (_, 0, x) => into.copy(x),
                        (operation, _, x) => combine::<Lanes>(operation, into, x),
                    }
                };
                if long {
                    one(0, 0);
                } else {
                    io.layout.each_row(self.per_step, &mut one);
                }
                column += operand.size;
            }
            self.operation.finish(&mut out, self.operands.len());
        }
        *io.outputs.at_mut(0) = out;
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.constant.bytes()
    }
}
