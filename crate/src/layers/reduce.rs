//! All steps of each sequence as one row: their mean, greatest value, ...; zeros for a sequence without steps.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::simd::sqrt;
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// What becomes of the steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduction {
    /// Sum.
    Sum,
    /// Sum by the number of steps.
    Mean,
    /// The greatest; a NaN where there is one.
    Max,
    /// The least; a NaN where there is one.
    Min,
    /// Root of the sum of squares.
    L2,
    /// Root of the mean square distance from the mean.
    Std,
}

impl Param for Reduction {
    fn read(params: &mut Params) -> Result<Self> {
        use Reduction::{L2, Max, Mean, Min, Std, Sum};
        Ok([Sum, Mean, Max, Min, L2, Std][params.choice(6)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

params! {
    /// Parameters of a reduce layer.
    pub struct ReduceParams {
        /// What becomes of the steps.
        reduce: Reduction = Reduction::Mean,
        /// Std divides by one less than the number of steps.
        correction: bool = false,
    }
}

struct Reduce {
    reduction: Reduction,
    correction: bool,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let shape = input_shape(inputs, 0, None)?;
    ensure(shape.axis.is_some())?;
    if let Some(mask) = inputs.get(1).copied().flatten() {
        ensure(mask == Shape { size: 1, ..shape })?;
    }
    let ReduceParams { reduce: reduction, correction } = ReduceParams::read(params)?;
    let layer = boxed(Reduce { reduction, correction, size: shape.size })?;
    Ok(Built { layer, ports: copied(&[Shape::vector(shape.size)])? })
}

impl Layer for Reduce {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let (x, mask) = (io.input(0), io.optional(1));
        for (b, y) in io.outputs.at_mut(0).rows_mut(self.size).enumerate() {
            if *io.layout.lengths.at(b) == 0 {
                y.fill(0.0);
                continue;
            }
            let rows = io.layout.rows_of(b).filter(|&row| mask.is_none_or(|mask| *mask.at(row) != 0.0));
            self.reduce(x, rows, y);
        }
        Ok(())
    }
}

impl Reduce {
    fn reduce(&self, x: &[f32], rows: impl Iterator<Item = usize> + Clone, y: &mut [f32]) {
        let count = || rows.clone().count() as f32;
        match self.reduction {
            Reduction::Max => fold(x, rows, y, f32::NEG_INFINITY, |a, v| if v > a || v.is_nan() { v } else { a }),
            Reduction::Min => fold(x, rows, y, f32::INFINITY, |a, v| if v < a || v.is_nan() { v } else { a }),
            Reduction::Sum => fold(x, rows, y, 0.0, |a, v| a + v),
            Reduction::Mean => {
                fold(x, rows.clone(), y, 0.0, |a, v| a + v);
                let count = count();
                y.iter_mut().for_each(|y| *y /= count);
            }
            Reduction::L2 => {
                fold(x, rows, y, 0.0, |a, v| a + v * v);
                y.iter_mut().for_each(|y| *y = root(*y));
            }
            Reduction::Std => {
                let count = count();
                let divisor = if self.correction { count - 1.0 } else { count };
                for (j, y) in y.iter_mut().enumerate() {
                    let column = rows.clone().map(|row| *x.row(row, self.size).at(j));
                    let mean = column.clone().fold(0.0, |a, v| a + v) / count;
                    let squares = column.fold(0.0, |a, v| a + (v - mean) * (v - mean));
                    *y = root(squares / divisor);
                }
            }
        }
    }
}

/// `y[j] = f(y[j], x[j])` from `from` on, row after row.
fn fold(x: &[f32], rows: impl Iterator<Item = usize>, y: &mut [f32], from: f32, f: impl Fn(f32, f32) -> f32) {
    y.fill(from);
    for row in rows {
        let x = x.row(row, y.len());
        for (y, &v) in y.iter_mut().zip(x) {
            *y = f(*y, v);
        }
    }
}

/// Rounded twice, which gives what one rounding does: a double has more than twice a float's digits.
fn root(x: f32) -> f32 {
    sqrt(f64::from(x)) as f32
}
