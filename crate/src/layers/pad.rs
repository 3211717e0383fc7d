//! Steps put before and behind each sequence, or taken away there. From run to run is kept how many have come, as far as that matters to
//! what is put or taken away before them, and the last ones, which steps to come take away no more.

use super::params::{Param, Params, params};
use super::windows::Past;
use super::{Built, Io, Layer, MAX_SIZE, Shape, Workspace, input_shape};
use crate::buffer::sum;
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied};
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
        /// Steps taken away at the end.
        held: u32 = 0,
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
    past: Option<Past>,
    size: usize,
}

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    let Shape { axis, size } = input_shape(inputs, 0, None)?;
    let params = PadParams::read(params)?;
    let PadParams { before, skipped, held, streams, .. } = params;
    ensure(axis.is_some() && [before, skipped, held].iter().all(|&steps| steps as usize <= MAX_SIZE))?;
    let (skipped, held) = (skipped as usize, held as usize);
    let lag = sum(&[skipped, held])?.max(1);
    let past = if streams { Some(Past::new(held, lag, held.max(1), size)?) } else { None };
    let ports = copied(&[Shape { axis: Some(params.axis as usize), size }])?;
    Ok(Built { layer: boxed(Pad { params, past, size })?, ports })
}

impl Layer for Pad {
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        Past::workspace(self.past.as_ref(), batch)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let PadParams { outside, value, axis, .. } = self.params;
        let (x, from, to) = (io.input(0), io.layout, io.layouts.of(axis as usize));
        let y = io.outputs.at_mut(0);
        for b in 0..to.batch() {
            if y.is_empty() {
                break;
            }
            let steps = *from.lengths.at(b) as usize;
            let state = workspace.states.first().map(|state| &**state).unwrap_or_default();
            let (past, seen) = Past::of(self.past.as_ref(), state, from, b);
            let given = self.given(seen);
            for (output, row) in to.rows_of(b).enumerate() {
                let y = y.row_mut(row, self.size);
                match (self.step(given + output, seen + steps), &self.past) {
                    (Some(step), _) if step >= seen => y.copy(x.row(from.step(b, step - seen), self.size)),
                    (Some(step), Some(kept)) if seen - step <= kept.steps => y.copy(kept.row(past, seen, seen - step)),
                    _ => y.fill(if outside == Outside::Constant { value } else { 0.0 }),
                }
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

impl Pad {
    /// Rows that a stream has given when it has seen so many steps.
    fn given(&self, seen: usize) -> usize {
        let PadParams { before, skipped, held, .. } = self.params;
        if seen == 0 { 0 } else { (seen + before as usize).saturating_sub(skipped as usize + held as usize) }
    }

    /// The step, of so many since the start, that lies at `position`; None: none does.
    fn step(&self, position: usize, steps: usize) -> Option<usize> {
        let last = steps.checked_sub(1)?;
        let (position, first) = (position + self.params.skipped as usize, self.params.before as usize);
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
