//! Windows of steps, each as one row: the greatest value of each feature, or the mean. Steps outside of the sequence are never the
//! greatest, and count for the mean where that is said; a window without any step is zeros.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, MAX_SIZE, Shape, Workspace, input_shape};
use crate::buffer::product;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Where the padding of a window lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sides {
    /// So many steps before and behind every sequence.
    Fixed,
    /// As a sequence's length needs, half of it before it, an odd step behind it.
    Same,
    /// An odd step before it.
    SameLower,
}

impl Param for Sides {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Sides::Fixed, Sides::Same, Sides::SameLower][params.choice(3)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

params! {
    /// Parameters of a pool layer.
    pub struct PoolParams {
        /// The mean, not the maximum.
        mean: bool = false,
        /// Taps of a window.
        window: usize = 1,
        /// Steps from one window to the next.
        stride: usize = 1,
        /// Steps from one tap to the next.
        dilation: usize = 1,
        /// Where padding lies.
        sides: Sides = Sides::Fixed,
        /// Steps of padding before a sequence.
        left: u32 = 0,
        /// Steps of padding behind it.
        right: u32 = 0,
        /// Padding counts for the mean.
        count_padding: bool = false,
        /// The axis of the result.
        axis: u32 = 0,
    }
}

struct Pool {
    params: PoolParams,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis, size } = input_shape(inputs, 0, None)?;
    let params = PoolParams::read(params)?;
    ensure(axis.is_some() && product(&[params.window, params.dilation])? <= MAX_SIZE)?;
    ensure(params.left as usize <= MAX_SIZE && params.right as usize <= MAX_SIZE)?;
    let ports = copied(&[Shape { axis: Some(params.axis as usize), size }])?;
    Ok(Built { layer: boxed(Pool { params, size })?, ports })
}

impl Layer for Pool {
    fn run(&self, io: &mut Io, _: &mut Workspace) -> Result<()> {
        let (x, from, to) = (io.input(0), io.layout, io.layouts.of(self.params.axis as usize));
        let y = io.outputs.at_mut(0);
        for b in 0..to.batch() {
            let steps = *from.lengths.at(b) as usize;
            let outputs = *to.lengths.at(b) as usize;
            let (left, right) = self.padding(steps, outputs);
            for (output, row) in to.rows_of(b).enumerate() {
                let taps = (0..self.params.window)
                    .map(|tap| output as u64 * self.params.stride as u64 + (tap * self.params.dilation) as u64);
                let inside = taps.clone().filter_map(|tap| {
                    let step = usize::try_from(tap).ok()?.checked_sub(left)?;
                    (step < steps).then(|| x.row(from.step(b, step), self.size))
                });
                let counted = || match self.params.count_padding {
                    true => taps.clone().take_while(|&tap| tap < (left + steps + right) as u64).count(),
                    false => inside.clone().count(),
                };
                self.pool(inside.clone(), counted, y.row_mut(row, self.size));
            }
        }
        Ok(())
    }
}

impl Pool {
    /// Steps before and behind a sequence.
    fn padding(&self, steps: usize, outputs: usize) -> (usize, usize) {
        let PoolParams { window, stride, dilation, sides, left, right, .. } = self.params;
        let span = outputs.saturating_sub(1).saturating_mul(stride).saturating_add((window - 1) * dilation + 1);
        let all = span.saturating_sub(steps);
        match sides {
            Sides::Fixed => (left as usize, right as usize),
            Sides::Same => (all / 2, all - all / 2),
            Sides::SameLower => (all - all / 2, all / 2),
        }
    }

    fn pool<'a>(&self, rows: impl Iterator<Item = &'a [f32]> + Clone, counted: impl Fn() -> usize, y: &mut [f32]) {
        if rows.clone().next().is_none() {
            y.fill(0.0);
        } else if self.params.mean {
            y.fill(0.0);
            rows.for_each(|x| y.iter_mut().zip(x).for_each(|(y, &x)| *y += x));
            let count = counted() as f32;
            y.iter_mut().for_each(|y| *y /= count);
        } else {
            y.fill(f32::NEG_INFINITY);
            rows.for_each(|x| y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x > *y || x.is_nan() { x } else { *y }));
        }
    }
}
