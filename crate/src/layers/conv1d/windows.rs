//! Where windows lie.

use super::ConvParams;
use crate::buffer::product;
use crate::error::{Result, ensure};
use crate::layers::MAX_SIZE;
use crate::layers::params::{Param, Params};
use alloc::vec::Vec;

/// Where the first window starts, and how many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding {
    /// As many steps of zeros around each sequence.
    Fixed,
    /// A row for each `stride` steps begun, half of the zeros that this takes before the first; the odd one behind the last.
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

/// The windows of sequences.
pub struct Windows {
    padding: Padding,
    pub(super) stride: usize,
    /// Steps from the first tap to the last.
    pub(super) span: usize,
    left: usize,
    right: usize,
}

impl Windows {
    pub(super) fn new(params: &ConvParams) -> Result<Self> {
        let ConvParams { padding, stride, kernel_size, dilation, .. } = *params;
        let span = product(&[kernel_size - 1, dilation])?;
        let [left, right] = [params.left, params.right].map(|steps| steps as usize);
        ensure([span, left, right].iter().all(|&steps| steps <= MAX_SIZE))?;
        ensure(padding == Padding::Fixed || (left, right, params.streams) == (0, 0, false))?;
        // The past is what windows need that end at a step.
        ensure(!params.streams || (right == 0 && left <= span))?;
        Ok(Windows { padding, stride, span, left, right })
    }

    /// Steps before the first window is complete.
    pub(super) fn lag(&self) -> usize {
        self.span - self.left.min(self.span)
    }

    /// The step at which the first window of `steps` starts, of those that end after `seen` steps have come, and how many there are.
    pub(super) fn of(&self, steps: usize, seen: usize) -> (isize, usize) {
        let (left, all) = match self.padding {
            Padding::Fixed => (self.left, steps + self.left + self.right),
            same => {
                let outputs = steps.div_ceil(self.stride);
                let all = (outputs.saturating_sub(1) * self.stride + self.span + 1).max(steps);
                let zeros = all - steps;
                (if same == Padding::Same { zeros / 2 } else { zeros.div_ceil(2) }, if steps == 0 { 0 } else { all })
            }
        };
        // Windows that start at the steps `skipped + i * stride` of all.
        let before = seen.saturating_sub(self.lag()).div_ceil(self.stride) * self.stride;
        let positions = (all + seen).saturating_sub(self.span + before);
        (before as isize - (seen + left) as isize, positions.div_ceil(self.stride))
    }
}
