//! The tensors that a layer is made of, as the caller has them: numbers of one dtype.

use crate::buffer::Buffer;
use crate::checked::Checked;
use crate::error::{EngineError, Result, ensure};
#[cfg(feature = "full")]
use crate::kernels::integers::{Weight, levels_of};
use core::ops::Range;

/// The number of the dtype of 32-bit numbers (ts/base/weights.ts).
pub const FLOAT32: u32 = 0;

/// A tensor and its dtype. Integers stand for numbers by a scale a row: value `i` of row `r` is `scales[r] * data[r][i]`.
#[derive(Clone, Copy, Debug)]
pub enum Tensor<'a> {
    /// Numbers.
    F32(&'a [f32]),
    /// Rows of 16 bits, and their scales.
    #[cfg(feature = "full")]
    I16(Integers<'a, i16>),
    /// Rows of 8 bits, and their scales.
    #[cfg(feature = "full")]
    I8(Integers<'a, i8>),
}

/// Rows of integers, and what each row stands for.
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug)]
pub struct Integers<'a, T> {
    /// Row after row.
    pub data: &'a [T],
    /// Of each row.
    pub scales: &'a [f32],
    /// Of what the rows of the tensor, of which these are some, are multiplied by: all parts of a tensor take the same integers, or none
    /// does.
    pub levels: Option<u32>,
}

#[cfg(feature = "full")]
impl<'a, T: Weight + Into<f32>> Integers<'a, T> {
    /// A whole tensor.
    pub fn new(data: &'a [T], scales: &'a [f32]) -> Self {
        let k = data.len() / scales.len().max(1);
        let sum = |row: &[T]| row.iter().map(|&q| u64::from(Into::<i32>::into(q).unsigned_abs())).sum();
        let greatest = data.chunks(k.max(1)).map(sum).max();
        Integers { data, scales, levels: levels_of::<T>(greatest.unwrap_or(0)) }
    }

    fn has(&self, rows: usize, length: Option<usize>) -> bool {
        Some(self.data.len()) == length && self.scales.len() == rows
    }

    fn rows(self, rows: Range<usize>, values: Range<usize>) -> Self {
        Integers { data: self.data.at(values), scales: self.scales.at(rows), ..self }
    }

    fn row<'b>(&self, r: usize, k: usize, room: &'b mut [f32]) -> &'b [f32] {
        let (data, scale) = (self.data.row(r, k), *self.scales.at(r));
        let row = room.at_mut(..data.len());
        row.iter_mut().zip(data).for_each(|(into, &q)| *into = scale * Into::<f32>::into(q));
        row
    }
}

impl<'a> Tensor<'a> {
    /// `length` values of the dtype number `dtype` (ts/base/weights.ts) at the start of a block, and a block of scales.
    pub fn of_blocks(dtype: u32, length: usize, data: &'a Buffer, scales: Option<&'a Buffer>) -> Result<Self> {
        match (dtype, scales) {
            (FLOAT32, None) => {
                ensure(data.len() == length)?;
                Ok(Tensor::F32(data))
            }
            #[cfg(feature = "full")]
            (1, Some(scales)) => Ok(Tensor::I16(Integers::new(data.integers(length)?, scales))),
            #[cfg(feature = "full")]
            (2, Some(scales)) => Ok(Tensor::I8(Integers::new(data.integers(length)?, scales))),
            _ => Err(EngineError::InvalidArgument),
        }
    }

    /// Numbers in 32 bits; an error for another dtype.
    pub fn floats(self) -> Result<&'a [f32]> {
        match self {
            Tensor::F32(data) => Ok(data),
            #[cfg(feature = "full")]
            _ => Err(EngineError::InvalidArgument),
        }
    }

    /// Whether it is `rows` rows of `k` values, with their scales.
    pub fn has(&self, rows: usize, k: usize) -> bool {
        let length = rows.checked_mul(k);
        match *self {
            Tensor::F32(data) => Some(data.len()) == length,
            #[cfg(feature = "full")]
            Tensor::I16(integers) => integers.has(rows, length),
            #[cfg(feature = "full")]
            Tensor::I8(integers) => integers.has(rows, length),
        }
    }

    /// Some rows, of `k` values each.
    pub fn rows(self, rows: Range<usize>, k: usize) -> Tensor<'a> {
        let values = rows.start * k..rows.end * k;
        match self {
            Tensor::F32(data) => Tensor::F32(data.at(values)),
            #[cfg(feature = "full")]
            Tensor::I16(integers) => Tensor::I16(integers.rows(rows, values)),
            #[cfg(feature = "full")]
            Tensor::I8(integers) => Tensor::I8(integers.rows(rows, values)),
        }
    }

    /// How many levels, on either side of zero, what it is multiplied by has; none where products are of numbers.
    #[cfg(feature = "full")]
    pub fn levels(&self) -> Option<u32> {
        match self {
            Tensor::F32(_) => None,
            Tensor::I16(integers) => integers.levels,
            Tensor::I8(integers) => integers.levels,
        }
    }

    /// Room for a row of `k` values of some of these.
    pub fn room(tensors: &[Tensor], k: usize) -> Result<Buffer> {
        let floats = tensors.iter().all(|tensor| matches!(tensor, Tensor::F32(_)));
        Buffer::zeroed(if floats { 0 } else { k })
    }

    /// The numbers of row `r`, of `k` values, each rounded once; those of integers in `room`.
    #[cfg_attr(not(feature = "full"), allow(unused_variables))]
    pub fn row<'b>(&self, r: usize, k: usize, room: &'b mut [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        match *self {
            Tensor::F32(data) => data.row(r, k),
            #[cfg(feature = "full")]
            Tensor::I16(integers) => integers.row(r, k, room),
            #[cfg(feature = "full")]
            Tensor::I8(integers) => integers.row(r, k, room),
        }
    }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;

    fn block(words: &[u32]) -> Buffer {
        let mut block = Buffer::zeroed(words.len()).unwrap();
        block.iter_mut().zip(words).for_each(|(into, &word)| *into = f32::from_bits(word));
        block
    }

    fn values(tensor: Tensor, rows: usize, k: usize) -> alloc::vec::Vec<f32> {
        let mut room = Tensor::room(&[tensor], k).unwrap();
        (0..rows).flat_map(|r| tensor.row(r, k, &mut room).to_vec()).collect()
    }

    #[test]
    fn integers_are_numbers_by_the_scale_of_their_row() {
        let scales = block(&[0.5f32.to_bits(), 3f32.to_bits()]);
        let data = block(&[0xffff_0001, 0x0003_8000]);
        let wide = Tensor::of_blocks(1, 4, &data, Some(&scales)).unwrap();
        assert_eq!(values(wide, 2, 2), [0.5, -0.5, -98304.0, 9.0]);
        assert_eq!(values(wide.rows(1..2, 2), 1, 2), [-98304.0, 9.0]);
        let data = block(&[0x0003_ff80, 0xaaaa_aa7f]);
        let narrow = Tensor::of_blocks(2, 5, &data, Some(&scales)).unwrap();
        assert_eq!(values(narrow.rows(0..1, 5), 1, 5), [-64.0, -0.5, 1.5, 0.0, 63.5]);
        assert!(wide.has(2, 2) && !wide.has(1, 4) && !wide.has(2, 3) && !narrow.has(2, usize::MAX));
        assert!(wide.floats().is_err());
    }

    #[test]
    fn what_is_no_tensor_is_refused() {
        let (data, scales) = (block(&[0; 3]), block(&[0; 1]));
        assert!(Tensor::of_blocks(0, 3, &data, None).is_ok());
        for (dtype, length, scaled) in
            [(0, 2, false), (0, 3, true), (1, 6, false), (2, 12, false), (3, 3, true), (3, 3, false)]
        {
            assert!(Tensor::of_blocks(dtype, length, &data, scaled.then_some(&scales)).is_err(), "{dtype} {length}");
        }
        for (dtype, most) in [(1, 6), (2, 12)] {
            for length in [most - 1, most, 0, most + 1, usize::MAX] {
                let made = Tensor::of_blocks(dtype, length, &data, Some(&scales));
                assert_eq!(made.is_ok(), length > 0 && length <= most, "{dtype} {length}");
            }
        }
    }
}
