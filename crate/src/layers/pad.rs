//! Steps put before and behind each sequence, or taken away there. What was put before it, or is still to be taken away, is kept from
//! run to run.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, MAX_SIZE, Shape, Workspace, input_shape};
use crate::buffer::Buffer;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied, filled_with};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// What steps outside of a sequence hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// One value.
    Constant,
    /// The nearest step.
    Edge,
    /// The step as far inside, the sequence's ends being mirrors.
    Reflect,
}

impl Param for Outside {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Outside::Constant, Outside::Edge, Outside::Reflect][params.choice(3)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

params! {
    /// Parameters of a pad layer.
    pub struct PadParams {
        /// Steps put before a sequence.
        before: u32 = 0,
        /// Steps taken away there.
        skipped: u32 = 0,
        /// What steps outside hold.
        outside: Outside = Outside::Constant,
        /// The value, where that is one.
        value: f32 = 0.0,
        /// Runs are parts of one sequence.
        streams: bool = false,
        /// The axis of the result.
        axis: u32 = 0,
    }
}

struct Pad {
    params: PadParams,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis, size } = input_shape(inputs, 0, None)?;
    let params = PadParams::read(params)?;
    ensure(axis.is_some() && params.before as usize <= MAX_SIZE && params.skipped as usize <= MAX_SIZE)?;
    let ports = copied(&[Shape { axis: Some(params.axis as usize), size }])?;
    Ok(Built { layer: boxed(Pad { params, size })?, ports })
}

impl Layer for Pad {
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        let mut states = filled_with(self.slots(), Buffer::default)?;
        states.iter_mut().try_for_each(|state| state.grow(batch))?;
        Ok(Workspace { states, stride: 1, ..Default::default() })
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let PadParams { before, skipped, outside, value, axis, .. } = self.params;
        let (x, from, to) = (io.input(0), io.layout, io.layouts.of(axis as usize));
        let y = io.outputs.at_mut(0);
        for b in 0..to.batch() {
            let steps = *from.lengths.at(b) as usize;
            let mut seen = 0;
            if let Some(state) = workspace.states.first_mut() {
                let state = state.at_mut(*from.sequences.at(b) as usize);
                // As many as matter: whether there was a first step, and how many are still to be skipped.
                let most = skipped.max(1) as usize;
                seen = (*state as usize).min(most);
                *state = (seen + steps).min(most) as f32;
            }
            let first = if seen == 0 { before as usize } else { 0 };
            let skipped = (skipped as usize).saturating_sub(seen);
            if y.is_empty() {
                continue;
            }
            for (output, row) in to.rows_of(b).enumerate() {
                let y = y.row_mut(row, self.size);
                match self.step(output + skipped, first, steps) {
                    Some(step) => y.copy(x.row(from.step(b, step), self.size)),
                    None => y.fill(if outside == Outside::Constant { value } else { 0.0 }),
                }
            }
        }
        Ok(())
    }

    fn slots(&self) -> usize {
        usize::from(self.params.streams)
    }
}

impl Pad {
    /// The step that lies at `position` when `first` steps were put before; None: none does.
    fn step(&self, position: usize, first: usize, steps: usize) -> Option<usize> {
        let last = steps.checked_sub(1)?;
        let inside = position.checked_sub(first).filter(|&step| step < steps);
        match self.params.outside {
            _ if inside.is_some() => inside,
            Outside::Constant => None,
            Outside::Edge => Some(position.saturating_sub(first).min(last)),
            Outside::Reflect if last == 0 => Some(0),
            Outside::Reflect => {
                let distance = position.abs_diff(first) % (2 * last);
                Some(distance.min(2 * last - distance))
            }
        }
    }
}
