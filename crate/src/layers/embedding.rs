//! Rows of a table by id. Ids are int32 in the bits of the input's f32.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape, matrix};
use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::{EngineError, Result};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of an embedding layer.
    pub struct EmbeddingParams {
        /// Ids.
        vocabulary_size: usize = 1,
        /// Numbers in a row of the table.
        output_size: usize = 1,
        /// Gives a mask that leaves out id 0.
        mask_zero: bool = false,
    }
}

struct Embedding {
    table: Buffer,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let EmbeddingParams { vocabulary_size: vocabulary, output_size: size, mask_zero } = EmbeddingParams::read(params)?;
    let shape = input_shape(inputs, 0, Some(1))?;
    let length = product(&[vocabulary, size])?;
    let rows = matrix(tensors, 0, vocabulary, size)?;
    let (mut table, mut room) = (Buffer::zeroed(length)?, Tensor::room(&[rows], size)?);
    for (id, row) in table.rows_mut(size).enumerate() {
        row.copy(rows.row(id, size, &mut room));
    }
    let ports = [Shape { size, ..shape }, Shape { size: 1, ..shape }];
    let ports = copied(if mask_zero { &ports } else { ports.at(..1) })?;
    Ok(Built { layer: boxed(Embedding { table, size })?, ports })
}

impl Layer for Embedding {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let ids = io.input(0);
        let table = self.table.rows(self.size);
        for (row, id) in io.outputs.at_mut(0).rows_mut(self.size).zip(ids) {
            row.copy(table.clone().nth(id.to_bits() as usize).ok_or(EngineError::IdOutOfRange)?);
        }
        if let Some(mask) = io.outputs.get_mut(1) {
            mask.iter_mut().zip(ids).for_each(|(m, id)| *m = f32::from(u8::from(id.to_bits() != 0)));
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.table.bytes()
    }
}
