//! activation(kernel x + bias)

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Layouts, Shape, Workspace, input_shape, matrix, optional_tensor};
use crate::buffer::{Buffer, PADDING, product};
use crate::checked::{Checked, stop};
use crate::error::Result;
use crate::fallible::{boxed, copied, filled_with};
use crate::kernels::activation::Activation;
use crate::kernels::rows::narrow;
use crate::pack::{PackedMatrix, Quantized, Rows};
use crate::plan::{ROW_BLOCK, ascending};
use crate::simd::Lanes;
use crate::tensor::Tensor;
use alloc::vec::Vec;

params! {
    /// Parameters of a dense layer.
    pub struct DenseParams {
        /// Numbers in a row of the input.
        input_size: usize = 1,
        /// Numbers in a row of the output.
        output_size: usize = 1,
        /// Of the output.
        activation: Activation = Activation::LINEAR,
    }
}

struct Dense {
    matrix: PackedMatrix,
    quantized: Quantized,
    bias: Buffer,
    activation: Activation,
    input_size: usize,
    output_size: usize,
    /// `0, 1, 2, ...`: for kernels that take all rows.
    all_rows: Vec<u32>,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let DenseParams { input_size, output_size, activation } = DenseParams::read(params)?;
    let shape = input_shape(inputs, 0, Some(input_size))?;
    let kernel = matrix(tensors, 0, output_size, input_size)?;
    let matrix = PackedMatrix::pack(&[kernel], output_size, input_size)?;
    let bias = matrix.pack_row(&[optional_tensor(tensors, 1, output_size)?])?;
    let quantized = Quantized::of(tensors);
    let layer =
        boxed(Dense { matrix, quantized, bias, activation, input_size, output_size, all_rows: ascending(ROW_BLOCK)? })?;
    Ok(Built { layer, ports: copied(&[Shape { size: output_size, ..shape }])? })
}

impl Layer for Dense {
    fn workspace(&self, _batch: usize) -> Result<Workspace> {
        Ok(Workspace { scratch: filled_with(1, Buffer::default)?, ..Default::default() })
    }

    fn reserve(&self, workspace: &mut Workspace, layouts: &Layouts) -> Result<()> {
        let layout = layouts.own();
        let rows = layout.rows.max(layout.batch()).clamp(1, ROW_BLOCK);
        workspace.operands.grow(self.quantized, rows, self.input_size)?;
        workspace.scratch.at_mut(0).grow(product(&[rows, self.matrix.columns()])?)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let x = io.padded(0);
        let columns = self.matrix.columns();
        let sums = workspace.scratch.at_mut(0);
        let y = io.outputs.at_mut(0);
        if self.output_size == 0 {
            stop();
        }
        for (i, y) in y.chunks_mut(ROW_BLOCK * self.output_size).enumerate() {
            let rows = self.all_rows.at(..y.len() / self.output_size);
            let x = x.at(i * ROW_BLOCK * self.input_size..).at(..rows.len() * self.input_size + PADDING);
            // SAFETY: `x` holds `rows.len()` rows of `input_size`, and the padding.
            unsafe {
                let x = Rows { base: x.as_ptr(), stride: self.input_size, rows };
                let x = self.matrix.operand(x, &mut workspace.operands);
                self.matrix.multiply(x, &self.bias, sums, columns);
            }
            narrow::<Lanes>(y, self.output_size, sums, columns);
            self.activation.apply_rows::<Lanes>(y, self.output_size);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.matrix.bytes() + self.bias.bytes()
    }
}
