//! Windows of steps, each as one row: the greatest value of each feature, or the mean. Steps outside of the sequence are never the
//! greatest, and count for the mean where that is said; a window without any step is zeros.

use super::params::{Param, Params, params};
use super::windows::{Past, WindowParams, Windows};
use super::{Built, Io, Layer, MAX_SIZE, Shape, Workspace, input_shape};
use crate::buffer::product;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
use crate::tensor::Tensor;

params! {
    /// Parameters of a pool layer.
    pub struct PoolParams {
        /// The mean, not the maximum.
        mean: bool = false,
        /// Padding counts for the mean.
        count_padding: bool = false,
        /// What a row is made of.
        windows: WindowParams = WindowParams::default(),
    }
}

struct Pool {
    params: PoolParams,
    windows: Windows,
    past: Option<Past>,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis, size } = input_shape(inputs, 0, None)?;
    let params = PoolParams::read(params)?;
    ensure(axis.is_some() && product(&[params.windows.taps, params.windows.dilation])? <= MAX_SIZE)?;
    let windows = Windows::new(&params.windows)?;
    let past = if params.windows.streams { Some(windows.past(size)?) } else { None };
    let ports = copied(&[Shape { axis: Some(params.windows.axis as usize), size }])?;
    Ok(Built { layer: boxed(Pool { params, windows, past, size })?, ports })
}

impl Layer for Pool {
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        Past::workspace(self.past.as_ref(), batch)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let WindowParams { taps, stride, dilation, right, axis, .. } = self.params.windows;
        let (x, from, to) = (io.input(0), io.layout, io.layouts.of(axis as usize));
        let y = io.outputs.at_mut(0);
        for b in 0..to.batch() {
            if y.is_empty() {
                break;
            }
            let steps = *from.lengths.at(b) as usize;
            let state = workspace.states.first().map(|state| &**state).unwrap_or_default();
            let (past, seen) = Past::of(self.past.as_ref(), state, from, b);
            let (start, _) = self.windows.of(steps, seen);
            for (output, row) in to.rows_of(b).enumerate() {
                let first = start as i64 + output as i64 * stride as i64;
                let window = (0..taps).map(|tap| first + (tap * dilation) as i64);
                let inside = window.clone().filter_map(|step| match &self.past {
                    _ if step >= 0 => (step < steps as i64).then(|| x.row(from.step(b, step as usize), self.size)),
                    Some(kept) => (step + seen as i64 >= 0).then(|| kept.row(past, seen, -step as usize)),
                    None => None,
                });
                let counted = || match self.params.count_padding {
                    true => window.clone().take_while(|&step| step < steps as i64 + i64::from(right)).count(),
                    false => inside.clone().count(),
                };
                self.pool(inside.clone(), counted, y.row_mut(row, self.size));
            }
        }
        if let (Some(past), Some(state)) = (&self.past, workspace.states.first_mut()) {
            past.keep(state, from, x);
        }
        Ok(())
    }

    fn slots(&self) -> usize {
        usize::from(self.past.is_some())
    }

    fn flushes(&self) -> bool {
        false
    }
}

impl Pool {
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
