//! Room for rows of activations as integers.

#[cfg(feature = "full")]
use crate::buffer::{Buffer, product};
use crate::error::Result;
#[cfg(feature = "full")]
use crate::kernels::integers::row_words;
use crate::tensor::Tensor;

/// What rows of activations become integers in; nothing where all weights are numbers.
#[derive(Default)]
pub struct Operands(#[cfg(feature = "full")] Buffer);

#[cfg(feature = "full")]
impl core::ops::Deref for Operands {
    type Target = Buffer;
    fn deref(&self) -> &Buffer {
        &self.0
    }
}

#[cfg(feature = "full")]
impl core::ops::DerefMut for Operands {
    fn deref_mut(&mut self) -> &mut Buffer {
        &mut self.0
    }
}

/// Whether some weights of a layer are integers, which rows have to be made into.
#[derive(Clone, Copy)]
pub struct Quantized(#[cfg(feature = "full")] bool);

impl Quantized {
    /// Those of a layer of these tensors.
    #[cfg_attr(not(feature = "full"), allow(unused_variables))]
    pub fn of(tensors: &[Option<Tensor>]) -> Self {
        Quantized(
            #[cfg(feature = "full")]
            tensors.iter().flatten().any(|tensor| tensor.levels().is_some()),
        )
    }
}

impl Operands {
    /// Makes room for `rows` rows of `k`.
    #[cfg_attr(not(feature = "full"), allow(unused_variables))]
    #[inline(always)]
    pub fn grow(&mut self, quantized: Quantized, rows: usize, k: usize) -> Result<()> {
        #[cfg(feature = "full")]
        if quantized.0 {
            self.0.grow(product(&[rows, row_words(k)])?)?;
        }
        Ok(())
    }
}
