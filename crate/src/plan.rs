//! Which rows a recurrent layer reads and writes at each step.

use crate::buffer::filled;
use crate::error::{EngineError, Result, ensure};
use alloc::vec::Vec;

/// How the rows of `batch` sequences lie in the buffers of a state.
pub struct Layout {
    /// Steps of each sequence.
    pub lengths: Vec<u32>,
    /// Row of each sequence's first step.
    starts: Vec<u32>,
    /// Distance between the rows of a sequence.
    stride: u32,
    /// Rows in all.
    pub rows: usize,
    /// Steps of the longest sequence.
    pub steps: usize,
    /// `0, 1, 2, ...`, for kernels that take all rows; as long as a block of rows or the batch.
    pub iota: Vec<u32>,
}

/// Rows that one pass of a matmul takes, so that a block of sums stays in L2.
pub const ROW_BLOCK: usize = 192;

impl Layout {
    /// Sequence after sequence, or step after step (`time_major`, for equal lengths only).
    pub fn new(lengths: Vec<u32>, time_major: bool) -> Result<Self> {
        let batch = lengths.len();
        let steps = lengths.iter().copied().max().unwrap_or(0);
        ensure(!time_major || lengths.iter().all(|&l| l == steps))?;
        let mut starts = filled(batch, 0u32)?;
        let mut rows = 0u32;
        for (start, &length) in starts.iter_mut().zip(&lengths) {
            *start = rows;
            rows = rows.checked_add(length).ok_or(EngineError::OutOfMemory)?;
        }
        let mut stride = 1;
        if time_major {
            stride = batch as u32;
            (0..).zip(&mut starts).for_each(|(b, start)| *start = b);
        }
        let mut iota = filled(batch.max(ROW_BLOCK), 0u32)?;
        (0..).zip(&mut iota).for_each(|(i, row)| *row = i);
        Ok(Layout { lengths, starts, stride, rows: rows as usize, steps: steps as usize, iota })
    }

    /// Sequences.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Row of the first or last step of a sequence; None for one without steps.
    pub fn row(&self, sequence: usize, last: bool) -> Option<usize> {
        let step = if last { self.lengths[sequence].checked_sub(1)? } else { 0 };
        (step < self.lengths[sequence]).then(|| (self.starts[sequence] + step * self.stride) as usize)
    }
}

/// The order in which a layer takes the steps of a sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// First to last.
    Forward,
    /// Last to first; outputs stay with their inputs.
    Reverse,
    /// Last to first; outputs in the order of processing.
    ReverseProcessed,
}

/// For each step in order of processing, the sequences that have one and the rows they read and write.
#[derive(Default)]
pub struct Plan {
    /// Entries of step s: `offsets[s] .. offsets[s + 1]`.
    pub offsets: Vec<u32>,
    /// Sequence of each entry.
    pub batch: Vec<u32>,
    /// Row read.
    pub input: Vec<u32>,
    /// Row written.
    pub output: Vec<u32>,
}

impl Plan {
    /// An empty plan with room for all steps of a layout.
    pub fn with_room(layout: &Layout) -> Result<Self> {
        let mut plan = Plan::default();
        plan.offsets.try_reserve_exact(layout.steps + 1)?;
        for entries in [&mut plan.batch, &mut plan.input, &mut plan.output] {
            entries.try_reserve_exact(layout.rows)?;
        }
        Ok(plan)
    }

    /// The plan for all steps.
    pub fn new(layout: &Layout, order: Order) -> Result<Self> {
        let mut plan = Plan::with_room(layout)?;
        plan.fill(layout, order, |_| true);
        Ok(plan)
    }

    /// Fills in the entries whose input row `takes` accepts. Allocates nothing in a plan [`with_room`](Self::with_room).
    pub fn fill(&mut self, layout: &Layout, order: Order, takes: impl Fn(u32) -> bool) {
        self.offsets.clear();
        self.batch.clear();
        self.input.clear();
        self.output.clear();
        self.offsets.push(0);
        for step in 0..layout.steps as u32 {
            for (b, (&length, &start)) in (0..).zip(layout.lengths.iter().zip(&layout.starts)) {
                if step < length {
                    let row = |step| start + step * layout.stride;
                    let read = row(if order == Order::Forward { step } else { length - 1 - step });
                    if takes(read) {
                        self.batch.push(b);
                        self.input.push(read);
                        self.output.push(if order == Order::ReverseProcessed { row(step) } else { read });
                    }
                }
            }
            self.offsets.push(self.batch.len() as u32);
        }
    }

    /// Steps in order of processing.
    pub fn steps(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Entries of a step.
    pub fn entries(&self, step: usize) -> core::ops::Range<usize> {
        self.offsets[step] as usize..self.offsets[step + 1] as usize
    }
}
