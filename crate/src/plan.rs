//! Which rows a recurrent layer reads and writes at each step.

use crate::buffer::product;
use crate::checked::Checked;
use crate::error::{EngineError, Result, ensure};
use crate::fallible::filled;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// How the rows of the sequences of a run lie in the buffers of a state.
pub struct Layout {
    /// Which sequences of the state take part.
    pub sequences: Vec<u32>,
    /// Steps of each of them.
    pub lengths: Vec<u32>,
    /// Row of each sequence's first step.
    starts: Vec<u32>,
    /// Distance between the rows of a sequence.
    stride: u32,
    /// Rows in all.
    pub rows: usize,
    /// Sequences from the longest to the shortest, [`GROUP`] by group.
    order: Vec<u32>,
    /// Steps of all groups together, a group being as long as its longest sequence.
    steps: usize,
}

/// Sequences that go through their steps side by side, so that what they share of the cache stays there: 10,000 sequences at
/// H = 64 took 1200 ns a step all at once and 1010 ns in groups.
pub const GROUP: usize = 64;

/// Rows that one pass of a matmul takes, so that a block of sums stays in L2.
pub const ROW_BLOCK: usize = 192;

impl Layout {
    /// Sequence after sequence, or step after step (`time_major`, for equal lengths only).
    pub fn new(sequences: Vec<u32>, lengths: Vec<u32>, time_major: bool) -> Result<Self> {
        let batch = lengths.len();
        ensure(sequences.len() == batch)?;
        product(&[batch])?;
        ensure(!time_major || lengths.iter().all(|&length| Some(&length) == lengths.first()))?;
        let mut starts = filled(batch, 0u32)?;
        let mut rows = 0u32;
        for (start, &length) in starts.iter_mut().zip(&lengths) {
            *start = rows;
            rows = rows.checked_add(length).ok_or(EngineError::OutOfMemory)?;
        }
        product(&[rows as usize])?;
        let mut stride = 1;
        if time_major {
            stride = batch as u32;
            (0..).zip(&mut starts).for_each(|(b, start)| *start = b);
        }
        let order = longest_first(&lengths)?;
        let steps = order.chunks(GROUP).map(|group| *lengths.at(*group.at(0) as usize) as usize).sum();
        Ok(Layout { sequences, lengths, starts, stride, rows: rows as usize, order, steps })
    }

    /// How many sequences take part.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Calls `f` with each row, of a value of steps or of sequences, and its sequence.
    pub fn each_row(&self, per_step: bool, f: &mut dyn FnMut(usize, usize)) {
        for (b, (&start, &length)) in self.starts.iter().zip(&self.lengths).enumerate() {
            if !per_step {
                f(b, b);
                continue;
            }
            (0..length).for_each(|step| f((start + step * self.stride) as usize, b));
        }
    }

    /// Where the rows of a sequence are.
    pub fn steps(&self, sequence: usize) -> Steps {
        let first = *self.starts.at(sequence) as usize;
        Steps { first, stride: self.stride as usize, count: *self.lengths.at(sequence) as usize }
    }

    /// Steps of the longest sequence.
    pub fn longest(&self) -> usize {
        self.order.first().map_or(0, |&b| *self.lengths.at(b as usize) as usize)
    }

    /// Rows of the steps of a sequence.
    pub fn rows_of(&self, sequence: usize) -> impl Iterator<Item = usize> + Clone {
        let steps = self.steps(sequence);
        (0..steps.count).map(move |step| steps.row(step))
    }

    /// Row of a step of a sequence.
    pub fn step(&self, sequence: usize, step: usize) -> usize {
        self.steps(sequence).row(step)
    }

    /// Whether rows of one sequence follow each other.
    pub fn contiguous(&self) -> bool {
        self.stride == 1
    }

    /// Row of the first or last step of a sequence; None for one without steps.
    pub fn row(&self, sequence: usize, last: bool) -> Option<usize> {
        let step = if last { self.lengths.at(sequence).checked_sub(1)? } else { 0 };
        (step < *self.lengths.at(sequence)).then(|| (self.starts.at(sequence) + step * self.stride) as usize)
    }
}

/// The rows of one sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Steps {
    /// That of the first step.
    pub first: usize,
    /// Distance between them.
    pub stride: usize,
    /// How many there are.
    pub count: usize,
}

impl Steps {
    /// The row of one step.
    pub fn row(&self, step: usize) -> usize {
        self.first + step * self.stride
    }
}

/// Indices of the lengths, the longest first, equal ones in their order. Shell's sort (gaps of Gonnet and Baeza-Yates), for
/// sort_unstable is 5 KB of code.
fn longest_first(lengths: &[u32]) -> Result<Vec<u32>> {
    let mut order = ascending(lengths.len())?;
    let key = |b: u32| (Reverse(*lengths.at(b as usize)), b);
    let mut gap = if lengths.is_sorted_by(|a, b| a >= b) { 0 } else { lengths.len() };
    while gap > 1 {
        gap = (gap * 5 / 11).max(1);
        for i in gap..order.len() {
            let moved = *order.at(i);
            let mut at = i;
            while at >= gap && key(*order.at(at - gap)) > key(moved) {
                *order.at_mut(at) = *order.at(at - gap);
                at -= gap;
            }
            *order.at_mut(at) = moved;
        }
    }
    Ok(order)
}

/// `0, 1, 2, ...`
pub fn ascending(count: usize) -> Result<Vec<u32>> {
    let mut numbers = filled(count, 0u32)?;
    (0..).zip(&mut numbers).for_each(|(i, number)| *number = i);
    Ok(numbers)
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

/// For each step in order of processing, group after group, the sequences that have one and the rows they read and write.
#[derive(Default)]
pub struct Plan {
    /// Entries of step s: `offsets[s] .. offsets[s + 1]`.
    pub offsets: Vec<u32>,
    /// Sequence of each entry, as the state counts them.
    pub batch: Vec<u32>,
    /// Row read.
    pub input: Vec<u32>,
    /// Row written.
    pub output: Vec<u32>,
}

impl Plan {
    /// Makes room for all steps of a layout. The plan never shrinks: a failure leaves the room for the former layout.
    pub fn reserve(&mut self, layout: &Layout) -> Result<()> {
        self.offsets.clear();
        self.offsets.try_reserve_exact(layout.steps + 1)?;
        self.reserve_entries(layout.rows)
    }

    /// Makes room for entries that are added one by one.
    pub fn reserve_entries(&mut self, count: usize) -> Result<()> {
        for entries in [&mut self.batch, &mut self.input, &mut self.output] {
            entries.clear();
            entries.try_reserve_exact(count)?;
        }
        Ok(())
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        for entries in [&mut self.offsets, &mut self.batch, &mut self.input, &mut self.output] {
            entries.clear();
        }
    }

    /// Adds an entry of no sequence; there must be room for it.
    pub fn push(&mut self, input: u32, output: u32) {
        self.input.push(input);
        self.output.push(output);
    }

    /// The plan for all steps.
    pub fn new(layout: &Layout, order: Order) -> Result<Self> {
        let mut plan = Plan::default();
        plan.reserve(layout)?;
        plan.fill(layout, order, None);
        Ok(plan)
    }

    /// Fills in the entries, those alone whose input row is not 0 in a mask. Allocates nothing after
    /// [`reserve`](Self::reserve).
    pub fn fill(&mut self, layout: &Layout, order: Order, mask: Option<&[f32]>) {
        self.clear();
        self.offsets.push(0);
        for group in layout.order.chunks(GROUP) {
            let mut active = group.len();
            for step in 0..*layout.lengths.at(*group.at(0) as usize) {
                while *layout.lengths.at(*group.at(active - 1) as usize) <= step {
                    active -= 1;
                }
                for &b in group.at(..active) {
                    let length = *layout.lengths.at(b as usize);
                    let row = |step| *layout.starts.at(b as usize) + step * layout.stride;
                    let read = row(if order == Order::Forward { step } else { length - 1 - step });
                    if mask.is_none_or(|mask| *mask.at(read as usize) != 0.0) {
                        let written = if order == Order::ReverseProcessed { row(step) } else { read };
                        self.batch.push(*layout.sequences.at(b as usize));
                        self.push(read, written);
                    }
                }
                self.offsets.push(self.batch.len() as u32);
            }
        }
    }

    /// Steps in order of processing.
    pub fn steps(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Entries of a step.
    pub fn entries(&self, step: usize) -> core::ops::Range<usize> {
        *self.offsets.at(step) as usize..*self.offsets.at(step + 1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::Random;
    use alloc::vec;

    #[test]
    fn the_longest_come_first() {
        let mut random = Random(3);
        for (count, most) in [(0, 1.0), (1, 1.0), (2, 1.0), (64, 4.0), (1000, 3.0), (1000, 1e6)] {
            let count = if cfg!(miri) { count.min(30) } else { count };
            let lengths: Vec<u32> = random.take(count, most).iter().map(|x| x.abs() as u32).collect();
            let mut wanted = ascending(count).unwrap();
            wanted.sort_by_key(|&b| Reverse(lengths[b as usize]));
            assert_eq!(longest_first(&lengths).unwrap(), wanted);
        }
    }

    fn plan(lengths: &[u32], time_major: bool, order: Order, mask: Option<&[f32]>) -> [Vec<u32>; 4] {
        let sequences = ascending(lengths.len()).unwrap().iter().map(|b| 2 * b + 4).collect();
        let layout = Layout::new(sequences, lengths.to_vec(), time_major).unwrap();
        let mut plan = Plan::new(&layout, order).unwrap();
        plan.fill(&layout, order, mask);
        assert_eq!(plan.steps(), layout.steps);
        assert_eq!((0..plan.steps()).map(|s| plan.entries(s).len()).sum::<usize>(), plan.batch.len());
        [plan.offsets, plan.batch, plan.input, plan.output]
    }

    #[test]
    fn a_plan_goes_through_the_steps_of_all_sequences() {
        let lengths = [2, 0, 3];
        let (offsets, batch) = (vec![0, 2, 4, 5], vec![8, 4, 8, 4, 8]);
        let (forward, reverse) = (vec![2, 0, 3, 1, 4], vec![4, 1, 3, 0, 2]);
        let of = |order| plan(&lengths, false, order, None);
        assert_eq!(of(Order::Forward), [offsets.clone(), batch.clone(), forward.clone(), forward.clone()]);
        assert_eq!(of(Order::Reverse), [offsets.clone(), batch.clone(), reverse.clone(), reverse.clone()]);
        assert_eq!(of(Order::ReverseProcessed), [offsets, batch, reverse, forward]);
        let equal = |order| plan(&[2, 2], true, order, None)[2].clone();
        assert_eq!([equal(Order::Forward), equal(Order::Reverse)], [[0, 1, 2, 3], [2, 3, 0, 1]]);
    }

    #[test]
    fn a_plan_leaves_out_what_is_masked() {
        let mask = [1.0, 0.0, 0.0, 0.5, -1.0];
        let of = |order| plan(&[2, 0, 3], false, order, Some(&mask));
        let (forward, reverse) = (vec![0, 3, 4], vec![4, 3, 0]);
        assert_eq!(of(Order::Forward), [vec![0, 1, 2, 3], vec![4, 8, 8], forward.clone(), forward]);
        let processed = vec![2, 3, 1];
        assert_eq!(of(Order::ReverseProcessed), [vec![0, 1, 3, 3], vec![8, 8, 4], reverse, processed]);
    }

    #[test]
    fn sequences_go_group_by_group() {
        let lengths: Vec<u32> = (0..GROUP as u32 + 6).map(|b| if b == 0 { 5 } else { 1 + b % 2 }).collect();
        let [offsets, batch, input, _] = plan(&lengths, false, Order::Forward, None);
        // The longest group takes 5 steps, the other 1: its sequences are the shortest.
        assert_eq!(offsets.len() - 1, 6);
        assert_eq!(offsets[1] - offsets[0], GROUP as u32);
        assert_eq!(offsets[6] - offsets[5], 6);
        let mut rows = input;
        rows.sort_unstable();
        assert_eq!(rows, ascending(lengths.iter().sum::<u32>() as usize).unwrap());
        assert_eq!(batch.len(), rows.len());
    }

    #[test]
    fn rows_of_the_first_and_the_last_step() {
        let layout = Layout::new(vec![0, 1, 2], vec![2, 0, 3], false).unwrap();
        let rows = |layout: &Layout, last| (0..layout.batch()).map(|b| layout.row(b, last)).collect::<Vec<_>>();
        assert_eq!(rows(&layout, false), [Some(0), None, Some(2)]);
        assert_eq!(rows(&layout, true), [Some(1), None, Some(4)]);
        assert_eq!((layout.rows, layout.batch(), layout.steps), (5, 3, 3));
        assert_eq!(layout.longest(), 3);
        assert_eq!(layout.steps(2), Steps { first: 2, stride: 1, count: 3 });
        let layout = Layout::new(vec![0, 1], vec![3, 3], true).unwrap();
        assert_eq!(rows(&layout, false), [Some(0), Some(1)]);
        assert_eq!(rows(&layout, true), [Some(4), Some(5)]);
        assert_eq!([0, 1, 2].map(|step| layout.steps(1).row(step)), [1, 3, 5]);
    }

    #[test]
    fn layouts_that_cannot_be_are_refused() {
        assert_eq!(Layout::new(vec![0], vec![1, 2], false).err(), Some(EngineError::InvalidArgument));
        assert_eq!(Layout::new(vec![0, 1], vec![1, 2], true).err(), Some(EngineError::InvalidArgument));
        assert_eq!(Layout::new(vec![0, 1], vec![u32::MAX, 1], false).err(), Some(EngineError::OutOfMemory));
        assert!(Layout::new(vec![], vec![], true).is_ok());
    }
}
