//! Sums over the steps of each sequence, of rows times weights: one sum a weight of a row.

use super::params::Params;
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::buffer::product;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::kernels::rows::accumulate;
use crate::simd::Lanes;
use crate::tensor::Tensor;

struct WeightedSum {
    /// Weights a row.
    weights: usize,
    /// Numbers in a row of values.
    size: usize,
}

pub(crate) fn build(_: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let (weights, values) = (input_shape(inputs, 0, None)?, input_shape(inputs, 1, None)?);
    ensure(weights.axis.is_some() && weights.axis == values.axis)?;
    let layer = boxed(WeightedSum { weights: weights.size, size: values.size })?;
    Ok(Built { layer, ports: copied(&[Shape::vector(product(&[weights.size, values.size])?)])? })
}

impl Layer for WeightedSum {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let (layout, weights, values) = (io.layout, io.input(0), io.input(1));
        for (b, sums) in io.outputs.at_mut(0).rows_mut(self.weights * self.size).enumerate() {
            sums.fill(0.0);
            let steps = layout.steps(b);
            for row in (0..steps.count).map(|step| steps.row(step)) {
                let value = values.row(row, self.size);
                for (sum, &weight) in sums.rows_mut(self.size).zip(weights.row(row, self.weights)) {
                    accumulate::<Lanes>(sum, weight, value);
                }
            }
        }
        Ok(())
    }
}
