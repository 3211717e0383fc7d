//! (x - m) / s * scale + shift, m and s being those of the row, of parts of it, or of all steps of a sequence. In float64, rounded
//! once: a sum over time may have millions of terms, and the relaxed build gives the same bits.

use super::params::{Norm, Param, Params, params};
use super::{Built, Io, Layer, Shape, Workspace, input_shape, row_or};
use crate::buffer::Buffer;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::simd::sqrt;
use crate::tensor::Tensor;

params! {
    /// Parameters of a norm layer.
    pub struct NormParams {
        /// Numbers in a row.
        input_size: usize = 1,
        /// What m and s are.
        norm: Norm = Norm::Standard,
        /// Added to a mean of squares; of [`Norm::Unit`] the least s.
        epsilon: f32 = 0.0,
        /// Parts of a row.
        groups: usize = 1,
        /// Of all steps of a sequence together.
        over_time: bool = false,
    }
}

struct Normalization {
    scale: Buffer,
    shift: Buffer,
    norm: Norm,
    epsilon: f64,
    size: usize,
    /// Features of a group.
    width: usize,
    over_time: bool,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let NormParams { input_size: size, norm, epsilon, groups, over_time } = NormParams::read(params)?;
    let shape = input_shape(inputs, 0, Some(size))?;
    ensure(size.is_multiple_of(groups))?;
    let layer = boxed(Normalization {
        scale: row_or(tensors, 0, size, 1.0)?,
        shift: row_or(tensors, 1, size, 0.0)?,
        norm,
        epsilon: f64::from(epsilon),
        size,
        width: size / groups,
        over_time: over_time && shape.axis.is_some(),
    })?;
    Ok(Built { layer, ports: copied(&[shape])? })
}

impl Normalization {
    /// Normalizes these rows together.
    fn rows(&self, x: &[f32], y: &mut [f32], rows: impl Iterator<Item = usize> + Clone) {
        for from in (0..self.size).step_by(self.width) {
            let columns = from..from + self.width;
            let values =
                || rows.clone().flat_map(|row| x.row(row, self.size).at(columns.clone())).map(|&x| f64::from(x));
            let count = (rows.clone().count() * self.width) as f64;
            let mean = match self.norm {
                Norm::Standard | Norm::Variance => values().fold(0.0, |sum, x| sum + x) / count,
                Norm::Rms | Norm::Unit => 0.0,
            };
            let squares = values().fold(0.0, |sum, x| sum + (x - mean) * (x - mean));
            let factor = 1.0
                / match self.norm {
                    Norm::Unit if sqrt(squares) < self.epsilon => self.epsilon,
                    Norm::Unit => sqrt(squares),
                    _ => sqrt(squares / count + self.epsilon),
                };
            let middle = if self.norm == Norm::Standard { mean } else { 0.0 };
            for row in rows.clone() {
                let y = y.row_mut(row, self.size).at_mut(columns.clone()).iter_mut();
                let x = x.row(row, self.size).at(columns.clone());
                let affine = self.scale.at(columns.clone()).iter().zip(self.shift.at(columns.clone()));
                y.zip(x).zip(affine).for_each(|((y, &x), (&scale, &shift))| {
                    *y = ((f64::from(x) - middle) * factor * f64::from(scale) + f64::from(shift)) as f32;
                });
            }
        }
    }
}

impl Layer for Normalization {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let x = io.input(0);
        let y = &mut **io.outputs.at_mut(0);
        if y.is_empty() || self.size == 0 {
            return Ok(());
        }
        if self.over_time {
            (0..io.layout.batch()).for_each(|b| self.rows(x, y, io.layout.rows_of(b)));
        } else {
            (0..y.len() / self.size).for_each(|row| self.rows(x, y, core::iter::once(row)));
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.scale.bytes() + self.shift.bytes()
    }
}
