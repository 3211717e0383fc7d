//! What the driver packs for every cell: the weights of the input, by group of gates.

use super::Sizes;
use crate::buffer::{Buffer, PADDING, product};
use crate::checked::Checked;
use crate::error::Result;
use crate::layers::{matrix, optional_tensor};
use crate::pack::{Operands, PackedMatrix, Rows};
use crate::tensor::Tensor;
use alloc::vec::Vec;
use core::ops::Range;

/// What the driver has to know of a cell.
pub struct Form {
    /// Gates, in the order of their rows in the tensors.
    pub gates: usize,
    /// Where each group of gates ends whose sums are computed together.
    pub groups: &'static [usize],
    /// Slots of its state in each direction: the hidden values, then others as wide.
    pub slots: usize,
    /// Tensors of a direction: input, recurrent, bias, then what is the cell's own.
    pub tensors: usize,
    /// Rows as wide as hidden that a step needs for each sequence.
    pub rows: usize,
}

/// Most gates of a cell.
const MAX_GATES: usize = 4;

impl Form {
    /// The groups of gates.
    fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let mut start = 0;
        self.groups.iter().map(move |&end| core::mem::replace(&mut start, end)..end)
    }
}

/// Packs a group of gates of a tensor of `units` rows a gate.
pub fn pack(tensor: Tensor, group: Range<usize>, units: usize, k: usize) -> Result<PackedMatrix> {
    let mut gates = [Tensor::F32(&[]); MAX_GATES];
    for (into, gate) in gates.iter_mut().zip(group.clone()) {
        *into = tensor.rows(gate * units..(gate + 1) * units, k);
    }
    PackedMatrix::pack(gates.at(..group.len()), units, k)
}

/// The weights of the input, and the bias that starts its sums, by group of gates.
pub struct Projection {
    parts: Vec<(PackedMatrix, Buffer)>,
    /// Numbers in a row of the input projection.
    pub columns: usize,
}

impl Projection {
    /// Packs the tensors of a direction: input (gates * H, I) and bias (gates * H), the first and the third.
    pub fn new(tensors: &[Option<Tensor>], sizes: &Sizes, form: &Form) -> Result<Self> {
        let (k, units) = (sizes.input_size, sizes.hidden_size);
        let input = matrix(tensors, 0, product(&[form.gates, units])?, k)?;
        let bias = optional_tensor(tensors, 2, form.gates * units)?;
        let mut projection = Projection { parts: Vec::new(), columns: 0 };
        projection.parts.try_reserve_exact(form.groups.len())?;
        for group in form.groups() {
            let matrix = pack(input, group.clone(), units, k)?;
            let mut gates = [None; MAX_GATES];
            for (into, gate) in gates.iter_mut().zip(group.clone()) {
                *into = bias.map(|bias| bias.row(gate, units));
            }
            let bias = matrix.pack_row(gates.at(..group.len()))?;
            projection.columns += bias.len();
            projection.parts.push((matrix, bias));
        }
        Ok(projection)
    }

    /// Bytes of packed weights.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|(matrix, bias)| matrix.bytes() + bias.bytes()).sum()
    }

    /// The input projection, with biases, of the given rows of `x`.
    ///
    /// # Safety
    /// `x` holds each of `rows` as `input_size` numbers and the padding behind the last one; `out` holds `columns` numbers for each.
    pub unsafe fn project(&self, x: &[f32], input_size: usize, rows: &[u32], operands: &mut Operands, out: &mut [f32]) {
        debug_assert!(rows.iter().all(|&row| (row as usize + 1) * input_size + PADDING <= x.len()));
        debug_assert!(rows.len() * self.columns <= out.len());
        let mut x = Rows { base: x.as_ptr(), stride: input_size, rows };
        if let [(matrix, _), ..] = &self.parts[..] {
            // SAFETY: the caller's promise.
            x = unsafe { matrix.operand(x, operands) };
        }
        let mut column = 0;
        for (matrix, bias) in &self.parts {
            // SAFETY: the caller's promise.
            unsafe { matrix.multiply(x, bias, out.at_mut(column..), self.columns) };
            column += bias.len();
        }
    }
}
