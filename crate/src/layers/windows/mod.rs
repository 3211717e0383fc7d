//! Windows of steps, from which a convolution or a pool makes a row each, and what they keep of the steps before a run.

mod past;

use super::params::{Param, Params, params};
use crate::buffer::product;
use crate::error::{Result, ensure};
use crate::layers::MAX_SIZE;
use alloc::vec::Vec;
pub(crate) use past::Past;

/// Where the first window starts, and how many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding {
    /// As many steps around each sequence.
    Fixed,
    /// A window for each `stride` steps begun, half of the steps that this takes before the first; the odd one behind the last.
    Same,
    /// The same with the odd one before the first.
    SameLower,
}

impl Param for Padding {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Padding::Fixed, Padding::Same, Padding::SameLower][params.choice(3)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

params! {
    /// Parameters of windows.
    pub struct WindowParams {
        /// Taps of a window.
        taps: usize = 1,
        /// Steps from one window to the next.
        stride: usize = 1,
        /// Steps from one tap to the next.
        dilation: usize = 1,
        /// Where a window lies.
        padding: Padding = Padding::Fixed,
        /// Steps before the first, where padding is fixed.
        left: u32 = 0,
        /// Steps behind the last, where padding is fixed.
        right: u32 = 0,
        /// Whether the past is kept from one run to the next.
        streams: bool = false,
        /// Axis of the output.
        axis: u32 = 0,
    }
}

/// The windows of sequences.
pub(crate) struct Windows {
    padding: Padding,
    stride: usize,
    /// Steps from the first tap to the last.
    span: usize,
    left: usize,
    right: usize,
}

impl Windows {
    pub(crate) fn new(params: &WindowParams) -> Result<Self> {
        let WindowParams { padding, stride, taps, dilation, .. } = *params;
        let span = product(&[taps - 1, dilation])?;
        let [left, right] = [params.left, params.right].map(|steps| steps as usize);
        ensure([span, left, right].iter().all(|&steps| steps <= MAX_SIZE))?;
        ensure(padding == Padding::Fixed || (left, right, params.streams) == (0, 0, false))?;
        // The past is what windows need that end at a step.
        ensure(!params.streams || (right == 0 && left <= span))?;
        Ok(Windows { padding, stride, span, left, right })
    }

    /// What they keep of rows of `size` numbers. Whether all `span` steps have come is known, and which windows come next.
    pub(crate) fn past(&self, size: usize) -> Result<Past> {
        Past::new(self.span, self.span, product(&[self.span.max(1), self.stride])?, size)
    }

    /// The step at which the first window of `steps` starts, of those that end after `seen` steps have come, and how many there are.
    pub(crate) fn of(&self, steps: usize, seen: usize) -> (isize, usize) {
        let (left, all) = match self.padding {
            Padding::Fixed => (self.left, steps + self.left + self.right),
            same => {
                let outputs = steps.div_ceil(self.stride);
                let all = (outputs.saturating_sub(1) * self.stride + self.span + 1).max(steps);
                let zeros = all - steps;
                (if same == Padding::Same { zeros / 2 } else { zeros.div_ceil(2) }, if steps == 0 { 0 } else { all })
            }
        };
        // Steps before the first window is complete.
        let lag = self.span - self.left.min(self.span);
        // Windows that start at the steps `before + i * stride` of all.
        let before = seen.saturating_sub(lag).div_ceil(self.stride) * self.stride;
        let positions = (all + seen).saturating_sub(self.span + before);
        (before as isize - (seen + left) as isize, positions.div_ceil(self.stride))
    }
}
