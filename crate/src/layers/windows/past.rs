//! What steps to come need of those seen: a row of state, of the last steps in a ring, and how many have come.

use crate::buffer::Buffer;
use crate::buffer::{product, sum};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::filled_with;
use crate::layers::{MAX_SIZE, Workspace};
use crate::plan::Layout;
use crate::simd::LANES;

/// How the past lies in a row of the state.
pub(crate) struct Past {
    /// Steps that are kept.
    pub steps: usize,
    /// Numbers in a step.
    size: usize,
    /// Distance between rows of the state.
    stride: usize,
    /// Counts from here on say the same again `period` steps later.
    lag: usize,
    period: usize,
}

impl Past {
    pub fn new(steps: usize, lag: usize, period: usize, size: usize) -> Result<Self> {
        // A count is a number of the state.
        ensure(sum(&[lag, period])? <= MAX_SIZE)?;
        let stride = sum(&[product(&[steps, size])?, 1])?;
        ensure(stride <= MAX_SIZE)?;
        Ok(Past { steps, size, stride: stride.next_multiple_of(LANES), lag, period })
    }

    /// A workspace whose one state it is.
    pub fn workspace(past: Option<&Self>, batch: usize) -> Result<Workspace> {
        let stride = past.map_or(0, |past| past.stride);
        let mut states = filled_with(usize::from(past.is_some()), Buffer::default)?;
        states.iter_mut().try_for_each(|state| state.grow(product(&[batch, stride])?))?;
        Ok(Workspace { states, ..Default::default() })
    }

    /// A sequence's row of the state, and how many steps it has seen, or as many as are alike.
    pub fn of<'a>(past: Option<&Self>, state: &'a [f32], layout: &Layout, sequence: usize) -> (&'a [f32], usize) {
        let Some(past) = past else { return (&[], 0) };
        let state = state.row(*layout.sequences.at(sequence) as usize, past.stride);
        (state, past.seen(state))
    }

    /// What is no count, which nobody here has written, is none.
    fn seen(&self, state: &[f32]) -> usize {
        let seen = *state.at(self.steps * self.size) as usize;
        if seen < self.lag + self.period { seen } else { 0 }
    }

    /// The row of the step that is `back` before the first to come: 1 for the last one seen.
    pub fn row<'a>(&self, state: &'a [f32], seen: usize, back: usize) -> &'a [f32] {
        state.row((seen + self.steps - back) % self.steps, self.size)
    }

    /// Goes on by the steps of all sequences.
    pub fn keep(&self, state: &mut [f32], layout: &Layout, x: &[f32]) {
        for b in 0..layout.batch() {
            let state = state.row_mut(*layout.sequences.at(b) as usize, self.stride);
            let (seen, steps) = (self.seen(state), *layout.lengths.at(b) as usize);
            for step in steps.saturating_sub(self.steps)..steps {
                let into = state.row_mut((seen + step) % self.steps, self.size);
                into.copy(x.row(layout.step(b, step), self.size));
            }
            let now = seen + steps;
            let now = if now < self.lag { now } else { self.lag + (now - self.lag) % self.period };
            *state.at_mut(self.steps * self.size) = now as f32;
        }
    }
}
