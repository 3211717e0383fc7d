//! Memory that is aligned to cache lines and whose allocation may fail without harm.

use crate::checked::stop;
#[cfg(feature = "full")]
use crate::error::ensure;
use crate::error::{EngineError, Result};
use crate::simd::LANES;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// Weights misaligned by 4 bytes cost 16 % (PERFORMANCE record), and no line should be split.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Numbers that may be read after the last one, so that a whole vector can be loaded wherever one number can.
pub const PADDING: usize = LANES - 1;

/// `len` numbers and the padding, of which no numbers have none; more than there can be where that overflows.
fn with_padding(len: usize) -> usize {
    if len == 0 { 0 } else { len.saturating_add(PADDING) }
}

fn lines(len: usize) -> usize {
    with_padding(len).div_ceil(16)
}

/// A growable array of f32, 64-byte aligned. It never shrinks.
#[derive(Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Result<Self> {
        let mut buffer = Buffer::default();
        buffer.reserve(len)?;
        buffer.set_len(len);
        Ok(buffer)
    }

    /// Makes room for `len` values; contents and length stay, so that a failure changes nothing.
    pub fn reserve(&mut self, len: usize) -> Result<()> {
        let missing = lines(len).saturating_sub(self.lines.len());
        self.lines.try_reserve_exact(missing)?;
        Ok(())
    }

    /// Sets the length, within what was [`reserve`](Self::reserve)d. Values beyond the former length are zero where the buffer has
    /// never been so long, else what they were.
    pub fn set_len(&mut self, len: usize) {
        let lines = lines(len);
        if lines > self.lines.capacity() {
            stop();
        }
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; 16]));
        }
        self.len = len;
    }

    /// Makes the buffer `len` long if it is shorter.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        if len > self.len {
            self.reserve(len)?;
            self.set_len(len);
        }
        Ok(())
    }

    /// All numbers and, unless there are none, [`PADDING`] more of any value.
    pub fn padded(&self) -> &[f32] {
        // SAFETY: as in `deref`; there are lines for the padding.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), with_padding(self.len)) }
    }

    /// All numbers, and of the padding what fills the last vector.
    pub fn vectors(&mut self) -> &mut [f32] {
        // SAFETY: as in `padded`.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len.next_multiple_of(LANES)) }
    }

    /// All numbers and the padding, to be written.
    pub fn room(&mut self) -> *mut f32 {
        self.lines.as_mut_ptr().cast()
    }

    /// The bits of all numbers.
    pub fn words(&self) -> &[u32] {
        // SAFETY: as in `deref`; any bits are a u32, which is as large and as aligned as an f32.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// The first `length` integers that its words hold, of which the last word holds one at least.
    #[cfg(feature = "full")]
    pub fn integers<T: Integer>(&self, length: usize) -> Result<&[T]> {
        let each = size_of::<f32>() / size_of::<T>();
        ensure(length.div_ceil(each) == self.len)?;
        // SAFETY: as in `deref`, for so many words; any bits are a T, whose alignment is less than a word's.
        Ok(unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), length) })
    }

    /// All integers that its words hold, to be written.
    #[cfg(feature = "full")]
    pub fn integers_mut<T: Integer>(&mut self) -> &mut [T] {
        let length = self.len * (size_of::<f32>() / size_of::<T>());
        // SAFETY: as in `integers`, for all words.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), length) }
    }

    /// Bytes taken from the allocator.
    pub fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is 16 f32 without gaps, and set_len keeps `len <= 16 * lines.len()`.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Integers of which any bits are one, of less than 32 bits.
#[cfg(feature = "full")]
pub trait Integer: Copy {}
#[cfg(feature = "full")]
impl Integer for i16 {}
#[cfg(feature = "full")]
impl Integer for i8 {}

/// As many numbers as a 32-bit memory can hold; on every target, so that all refuse the same.
pub const MAX_LENGTH: usize = (u32::MAX / 4) as usize;

fn bounded(length: Option<usize>) -> Result<usize> {
    length.filter(|&n| n <= MAX_LENGTH).ok_or(EngineError::OutOfMemory)
}

/// The product of sizes, or an error where it exceeds [`MAX_LENGTH`].
pub fn product(sizes: &[usize]) -> Result<usize> {
    bounded(sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size)))
}

/// The sum of sizes, or an error where it exceeds [`MAX_LENGTH`].
pub fn sum(sizes: &[usize]) -> Result<usize> {
    bounded(sizes.iter().try_fold(0usize, |n, &size| n.checked_add(size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_beyond_memory_are_refused() {
        assert_eq!(sum(&[1 << 24, 1 << 24, 7]), Ok((1 << 25) + 7));
        assert_eq!(product(&[1 << 15, 1 << 14]), Ok(1 << 29));
        let half = usize::MAX / 2 + 1;
        for sizes in [&[half, half][..], &[half, half, 3], &[1 << 24; 256], &[usize::MAX]] {
            assert_eq!(sum(sizes), Err(EngineError::OutOfMemory));
            assert_eq!(product(sizes), Err(EngineError::OutOfMemory));
        }
    }

    #[test]
    fn values_of_a_buffer_that_grows_again_are_those_it_had() {
        let mut buffer = Buffer::zeroed(40).unwrap();
        buffer.fill(1.0);
        buffer.set_len(3);
        buffer.set_len(40);
        assert!(buffer.iter().all(|&value| value == 1.0));
        buffer.reserve(60).unwrap();
        buffer.set_len(60);
        assert!(buffer[48..].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn whole_vectors_can_be_read_from_every_number_on() {
        for len in [0, 1, 13, 14, 15, 16, 17, 32] {
            let buffer = Buffer::zeroed(len).unwrap();
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.padded().len(), if len == 0 { 0 } else { len + PADDING });
            assert!(size_of_val(buffer.padded()) <= buffer.bytes());
        }
    }

    #[test]
    fn lengths_beyond_memory_are_refused() {
        for len in [usize::MAX, usize::MAX - PADDING, usize::MAX / 4] {
            assert!(Buffer::zeroed(len).is_err());
        }
    }
}
