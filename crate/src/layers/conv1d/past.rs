//! What windows of steps to come need of those seen: a row of state, of the last `span` steps in a ring, and how many have come.

use super::windows::Windows;
use crate::buffer::{product, sum};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::layers::MAX_SIZE;
use crate::simd::LANES;

/// How the past lies in a row of the state.
pub struct Past {
    /// Steps that are kept.
    steps: usize,
    /// Numbers in a step.
    pub(super) size: usize,
    /// Distance between rows of the state.
    pub(super) stride: usize,
    /// Counts from here on say the same again `period` steps later.
    lag: usize,
    period: usize,
}

impl Past {
    pub(super) fn new(windows: &Windows, size: usize) -> Result<Self> {
        let (steps, lag) = (windows.span, windows.lag());
        let period = product(&[steps.max(1), windows.stride])?;
        // A count is a number of the state.
        ensure(sum(&[lag, period])? <= MAX_SIZE)?;
        let stride = sum(&[product(&[steps, size])?, 1])?;
        ensure(stride <= MAX_SIZE)?;
        Ok(Past { steps, size, stride: stride.next_multiple_of(LANES), lag, period })
    }

    /// How many steps have come, or as many as are alike. What is no count, which nobody here has written, is none.
    pub(super) fn seen(&self, state: &[f32]) -> usize {
        let seen = *state.at(self.steps * self.size) as usize;
        if seen < self.lag + self.period { seen } else { 0 }
    }

    /// The row of the step that is `back` before the first to come: 1 for the last one seen.
    pub(super) fn row<'a>(&self, state: &'a [f32], seen: usize, back: usize) -> &'a [f32] {
        state.row((seen + self.steps - back) % self.steps, self.size)
    }

    /// Goes on by as many steps, whose rows `row` gives.
    pub(super) fn keep<'a>(&self, state: &mut [f32], steps: usize, row: impl Fn(usize) -> &'a [f32]) {
        let seen = self.seen(state);
        for step in steps.saturating_sub(self.steps)..steps {
            state.row_mut((seen + step) % self.steps, self.size).copy(row(step));
        }
        let now = seen + steps;
        let now = if now < self.lag { now } else { self.lag + (now - self.lag) % self.period };
        *state.at_mut(self.steps * self.size) = now as f32;
    }
}
