//! The features of each row made one number.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::Result;
use crate::fallible::{boxed, copied};
use crate::simd::{LANES, Lanes, Vector};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Ways to make one number of several, numbered as in ts/layers/reduce-features.ts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Reduction {
    Sum,
    Mean,
    Prod,
    Max,
    Min,
    /// The square root of the sum of squares.
    L2,
}

impl Param for Reduction {
    fn read(params: &mut Params) -> Result<Self> {
        let all = [Reduction::Sum, Reduction::Mean, Reduction::Prod, Reduction::Max, Reduction::Min, Reduction::L2];
        Ok(*all.at(params.choice(6)? as usize))
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

params! {
    /// Parameters of a layer that reduces features.
    pub struct ReduceFeaturesParams {
        /// What of each row.
        reduce: Reduction = Reduction::Sum,
    }
}

struct ReduceFeatures {
    reduction: Reduction,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    let layer = boxed(ReduceFeatures { reduction: ReduceFeaturesParams::read(params)?.reduce, size: shape.size })?;
    Ok(Built { layer, ports: copied(&[Shape { size: 1, ..shape }])? })
}

impl Layer for ReduceFeatures {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let rows = io.input(0).rows(self.size);
        for (y, row) in io.outputs.at_mut(0).iter_mut().zip(rows) {
            let fold = |first: f32, f: fn(f32, f32) -> f32| row.iter().fold(first, |a, &x| f(a, x));
            *y = match self.reduction {
                Reduction::Sum => fold(0.0, |a, x| a + x),
                Reduction::Mean => fold(0.0, |a, x| a + x) / self.size as f32,
                Reduction::Prod => fold(1.0, |a, x| a * x),
                // A NaN is the greatest and the least.
                Reduction::Max => fold(f32::NEG_INFINITY, |a, x| if a < x || x.is_nan() { x } else { a }),
                Reduction::Min => fold(f32::INFINITY, |a, x| if x < a || x.is_nan() { x } else { a }),
                Reduction::L2 => root(fold(0.0, |a, x| a + x * x)),
            };
        }
        Ok(())
    }
}

fn root(x: f32) -> f32 {
    let mut roots = [0.0; LANES];
    // SAFETY: `roots` holds LANES values.
    unsafe { Lanes::splat(x).sqrt().store(roots.as_mut_ptr()) };
    roots[0]
}
