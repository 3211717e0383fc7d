//! What a convolution multiplies windows by.

use super::ConvParams;
use crate::buffer::{Buffer, PADDING, product};
use crate::checked::{Checked, stop};
use crate::error::Result;
use crate::kernels::depthwise;
use crate::layers::windows::WindowParams;
use crate::layers::{matrix, optional_tensor};
use crate::pack::{Operands, PackedMatrix, Rows};
use crate::simd::{LANES, Lanes};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// The weights, packed.
pub enum Product {
    /// A matrix a group, and the bias that starts its sums.
    Grouped(Vec<(PackedMatrix, Buffer)>),
    /// Each output has one channel: (taps, outputs) weights and a bias a channel, padded to whole vectors.
    Depthwise {
        /// Row after row, a tap each.
        weights: Buffer,
        /// What the sums start from.
        bias: Buffer,
    },
}

/// The rows of one group, or of all where each output has one channel: those that a window reads lie one after another.
pub struct Gathered<'a> {
    /// Row after row.
    pub rows: &'a [f32],
    /// Numbers in a row.
    pub width: usize,
}

impl Product {
    /// Packs the tensors: kernel (outputs, taps, channels of a group) and bias (outputs).
    pub fn new(params: &ConvParams, tensors: &[Option<Tensor>]) -> Result<Self> {
        let ConvParams { output_size, groups, windows: WindowParams { taps: kernel_size, .. }, .. } = *params;
        let channels = params.input_size / groups;
        let kernel = matrix(tensors, 0, output_size, product(&[kernel_size, channels])?)?;
        let bias = optional_tensor(tensors, 1, output_size)?;
        if params.depthwise() {
            let width = output_size.next_multiple_of(LANES);
            let mut weights = Buffer::zeroed(product(&[kernel_size, width])?)?;
            let mut room = Tensor::room(&[kernel], kernel_size)?;
            for output in 0..output_size {
                for (tap, &weight) in kernel.row(output, kernel_size, &mut room).iter().enumerate() {
                    *weights.at_mut(tap * width + output) = weight;
                }
            }
            let mut padded = Buffer::zeroed(width)?;
            padded.at_mut(..output_size).iter_mut().zip(bias.unwrap_or_default()).for_each(|(to, &from)| *to = from);
            return Ok(Product::Depthwise { weights, bias: padded });
        }
        let (units, depth) = (output_size / groups, kernel_size * channels);
        let mut matrices = Vec::new();
        matrices.try_reserve_exact(groups)?;
        for group in 0..groups {
            let matrix = PackedMatrix::pack(&[kernel.rows(group * units..(group + 1) * units, depth)], units, depth)?;
            let bias = matrix.pack_row(&[bias.map(|bias| bias.row(group, units))])?;
            matrices.push((matrix, bias));
        }
        Ok(Product::Grouped(matrices))
    }

    /// How many parts rows are gathered in.
    pub fn parts(&self) -> usize {
        match self {
            Product::Grouped(matrices) => matrices.len(),
            Product::Depthwise { .. } => 1,
        }
    }

    /// Numbers in a row of sums of a part.
    pub fn columns(&self) -> usize {
        match self {
            Product::Grouped(matrices) => matrices.first().map_or(0, |(_, bias)| bias.len()),
            Product::Depthwise { bias, .. } => bias.len(),
        }
    }

    /// The sums of a part for windows that start at these rows.
    pub fn sums(
        &self,
        part: usize,
        x: &Gathered,
        taps: usize,
        windows: &[u32],
        operands: &mut Operands,
        sums: &mut [f32],
    ) {
        match self {
            Product::Grouped(matrices) => {
                let (matrix, bias) = matrices.at(part);
                let inside = |&row: &u32| (row as usize + taps) * x.width + PADDING <= x.rows.len();
                if !windows.iter().all(inside) || sums.len() < windows.len() * bias.len() {
                    stop();
                }
                let input = Rows { base: x.rows.as_ptr(), stride: x.width, rows: windows };
                // SAFETY: each window is `taps` rows of those gathered, and the padding; there is room for the sums of all.
                unsafe { matrix.multiply(matrix.operand(input, operands), bias, sums, bias.len()) };
            }
            Product::Depthwise { weights, bias } => {
                for (&row, sums) in windows.iter().zip(sums.rows_mut(x.width)) {
                    let window = x.rows.at(row as usize * x.width..).at(..taps * x.width);
                    depthwise::sums::<Lanes>(window, weights, bias, sums);
                }
            }
        }
    }

    /// Bytes of packed weights.
    pub fn bytes(&self) -> usize {
        match self {
            Product::Grouped(matrices) => matrices.iter().map(|(matrix, bias)| matrix.bytes() + bias.bytes()).sum(),
            Product::Depthwise { weights, bias } => weights.bytes() + bias.bytes(),
        }
    }
}
