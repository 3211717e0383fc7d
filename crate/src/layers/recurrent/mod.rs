//! Recurrent layers: one driver, and cells.
//!
//! The driver goes through the steps of a direction, forward or reverse. For each block of steps the input projection of all of them
//! comes first (one pass over the input weights), then the recurrent steps, which are the cell's.

pub mod gru;
pub mod lstm;
mod output;
mod projection;
pub mod rnn;
mod step;

use super::params::{Direction, params};
use super::{Built, Combine, Io, Layer, Layouts, Shape, Workspace, input_shape, matrix, optional_tensor};
use crate::buffer::{Buffer, product};
use crate::checked::{Checked, stop};
use crate::error::{Result, ensure};
use crate::fallible::{boxed, filled, filled_with};
use crate::kernels::activation::flush_all;
use crate::kernels::gates::alone::Alone;
use crate::kernels::matmul::MAX_VECTORS;
use crate::pack::{Operands, PackedMatrix, Quantized};
use crate::plan::{GROUP, Order, ROW_BLOCK, ascending};
use crate::simd::LANES;
use crate::tensor::Tensor;
use alloc::boxed::Box;
use alloc::vec::Vec;
use output::Output;
use projection::{Form, Projection, pack};
use step::{Step, TOGETHER};

params! {
    /// Sizes of a recurrent layer.
    pub struct Sizes {
        /// Numbers in a row of the input.
        input_size: usize = 1,
        /// Units.
        hidden_size: usize = 1,
    }
}

params! {
    /// What the driver does.
    pub struct Options {
        /// Which ends of a sequence it starts from.
        direction: Direction = Direction::Forward,
        /// How two directions become one value.
        merge: Combine = Combine::Concat,
        /// Leaves the output of a reverse layer in the order of processing.
        reversed_output: bool = false,
        /// Gives zeros at masked steps, instead of the output before.
        zero_masked: bool = false,
        /// Bounds what activations take.
        clip: f32 = f32::INFINITY,
    }
}

/// The recurrent part of one direction.
trait Cell {
    /// Computes new values of `step.batch`, in place.
    fn step(&self, step: &mut Step, scratch: &mut [Buffer]);
    /// The product of hidden values, where steps of one sequence are for [`alone`](Self::alone).
    fn alone_by(&self) -> Option<&PackedMatrix> {
        None
    }
    /// Takes steps of one sequence, and writes them to the output.
    ///
    /// # Safety
    /// As [`Alone`] says, of the product by [`alone_by`](Self::alone_by).
    unsafe fn alone(&self, _run: &mut Alone, _scratch: &mut [Buffer], _operands: &mut Operands) {}
    /// Bytes of packed weights.
    fn bytes(&self) -> usize;
}

struct Recurrent {
    sizes: Sizes,
    /// Rows of a state, padded to whole vectors.
    stride: usize,
    slots: usize,
    /// Whether a stream goes on with what it repeats at masked steps: it keeps which sequences have had an output.
    holds: bool,
    /// Rows of scratch as wide, for each sequence of a step.
    rows: usize,
    /// One a direction.
    orders: &'static [Order],
    directions: Vec<OneWay>,
    quantized: Quantized,
    combine: Combine,
    masked: bool,
    zero_masked: bool,
    /// `0, 1, 2, ...`: for kernels that take all rows.
    all_rows: Vec<u32>,
}

/// One direction.
struct OneWay {
    order: Order,
    projection: Projection,
    cell: Box<dyn Cell>,
}

/// Buffers of a workspace, by their place in `scratch`; the cell's own follow.
const PROJECTED: usize = 0;

/// Makes a cell of the tensors of a direction. (A function by address: the builder is in a binary once, not once a cell.)
type MakeCell<'a> = dyn FnMut(&[Option<Tensor>]) -> Result<Box<dyn Cell>> + 'a;

/// Builds a layer of a cell that `cell` makes of the tensors of a direction. Inputs: a sequence; a mask; initial states, each slot of
/// all directions before the next one. Ports: the sequence of hidden values; the last ones; final states in the same order.
fn build(
    sizes: Sizes,
    options: Options,
    form: &Form,
    inputs: &[Option<Shape>],
    tensors: &[Option<Tensor>],
    cell: &mut MakeCell,
) -> Result<Built> {
    let Options { direction, merge: combine, reversed_output, zero_masked, .. } = options;
    let units = sizes.hidden_size;
    let input = input_shape(inputs, 0, Some(sizes.input_size))?;
    ensure(input.axis.is_some())?;
    let mask = inputs.get(1).copied().flatten();
    ensure(mask.is_none_or(|mask| mask.axis.is_some() && mask.size == 1))?;
    let mut given = false;
    for state in inputs.iter().skip(2).flatten() {
        ensure(*state == Shape::vector(units))?;
        given = true;
    }

    let orders: &'static [Order] = match (direction, reversed_output) {
        (Direction::Forward, _) => &[Order::Forward],
        (Direction::Reverse, false) => &[Order::Reverse],
        (Direction::Reverse, true) => &[Order::ReverseProcessed],
        (Direction::Bidirectional, _) => &[Order::Forward, Order::Reverse],
    };
    let mut directions = Vec::new();
    directions.try_reserve_exact(orders.len())?;
    for (d, &order) in orders.iter().enumerate() {
        let tensors = tensors.get(d * form.tensors..).unwrap_or_default();
        directions.push(OneWay { order, projection: Projection::new(tensors, &sizes, form)?, cell: cell(tensors)? });
    }
    let size = if orders.len() == 2 && combine == Combine::Concat { 2 * units } else { units };
    let mut ports = filled(2 + form.slots * orders.len(), Shape::vector(units))?;
    *ports.at_mut(0) = Shape { size, ..input };
    ports.at_mut(1).size = size;
    let layer = boxed(Recurrent {
        sizes,
        stride: units.next_multiple_of(LANES),
        slots: form.slots,
        holds: mask.is_some() && !zero_masked && matches!(direction, Direction::Forward) && !given,
        rows: form.rows,
        orders,
        directions,
        quantized: Quantized::of(tensors),
        combine,
        masked: mask.is_some(),
        zero_masked,
        all_rows: ascending(GROUP)?,
    })?;
    Ok(Built { layer, ports })
}

impl Recurrent {
    /// All steps of direction `d`. `sequence` is the output, empty if nobody reads it.
    fn run_direction(&self, d: usize, io: &Io, sequence: &mut Buffer, workspace: &mut Workspace) -> Result<()> {
        let OneWay { order, projection, cell } = self.directions.at(d);
        let (order, count, size) = (*order, self.directions.len(), self.sizes.hidden_size);
        let full = io.plans.get(order);
        let mask = io.optional(1);
        let Workspace { states, scratch, operands, unmasked, .. } = workspace;
        let mut given = false;
        for slot in 0..self.slots {
            let index = slot * count + d;
            let Some(initial) = io.optional(2 + index) else { continue };
            self.set_state(states.at_mut(index), &io.layout.sequences, initial);
            given = true;
        }
        let (states, started) = states.split_at_mut(self.slots * count);
        let started = started.at_mut(d);
        let (hidden, others) = states.split_at_mut(count);
        let hidden = hidden.at_mut(d);
        let mut nothing = Buffer::default();
        let cells = others.get_mut(d).unwrap_or(&mut nothing);
        let plan = match mask {
            Some(mask) => {
                unmasked.fill(io.layout, order, Some(mask));
                if order != Order::Forward || given {
                    started.fill(0.0);
                }
                &*unmasked
            }
            None => full,
        };
        let columns = projection.columns;
        let mut output = Output { sequence, size, row: size, column: 0, combine: None };
        if count == 2 && self.combine == Combine::Concat {
            output.row = 2 * size;
            output.column = d * size;
        } else if d == 1 {
            output.combine = Some(self.combine);
        }

        let (projected, scratch) = scratch.split_first_mut().unwrap_or_else(|| stop());
        if let (&[b], None, 1, true) = (&io.layout.sequences[..], mask, count, order != Order::Reverse)
            && let Some(matrix) = cell.alone_by()
        {
            let hidden = hidden.row_mut(b as usize, self.stride).as_mut_ptr();
            let sums = scratch.at_mut(0).as_mut_ptr();
            let is_read = !sequence.is_empty();
            let mut run = Alone {
                panels: &matrix.panels,
                ready: matrix.ready(hidden, sums, operands),
                count: 0,
                projected: core::ptr::null(),
                columns,
                sums,
                hidden,
                cells: cells.as_mut_ptr().wrapping_add(b as usize * self.stride),
                stride: self.stride,
                // Its rows are those of the steps, in their order. Where nobody reads it: over sums that have been read.
                out: if is_read { sequence.room() } else { sums },
                size: if is_read { size } else { 0 },
            };
            for rows in plan.input.chunks(ROW_BLOCK) {
                // SAFETY: as below.
                unsafe { projection.project(io.padded(0), self.sizes.input_size, rows, operands, projected) };
                run.projected = projected.as_ptr();
                run.count = rows.len();
                // SAFETY: `projected` and the output hold a row for each step, the output its padding behind the last one; hidden, cells and
                // sums what the matrix has.
                unsafe { cell.alone(&mut run, scratch, operands) };
            }
            return Ok(());
        }
        // Made once: a step of 16 units takes as long as 20 stores.
        let mut step = Step {
            batch: &[],
            projected: core::ptr::null(),
            columns,
            hidden,
            cells,
            stride: self.stride,
            backwards: false,
            all_rows: &self.all_rows,
            operands,
        };
        let mut block_end = 0;
        let mut block_start = 0;
        for s in 0..plan.steps() {
            if s == block_end {
                block_start = plan.entries(s).start;
                while block_end < plan.steps()
                    && (block_end == s || plan.entries(block_end).end - block_start <= ROW_BLOCK)
                {
                    block_end += 1;
                }
                let entries = block_start..plan.entries(block_end - 1).end;
                let x = io.padded(0);
                // SAFETY: a plan names rows of its layout only, for all of which the state keeps room in the value. A block has
                // ROW_BLOCK entries at most, or the GROUP of one step, for which `reserve` made room.
                unsafe {
                    projection.project(x, self.sizes.input_size, plan.input.at(entries), step.operands, projected)
                };
            }
            let entries = plan.entries(s);
            if !entries.is_empty() {
                step.batch = plan.batch.at(entries.clone());
                step.projected = projected.at((entries.start - block_start) * columns..).as_ptr();
                step.backwards = s % 2 == 1;
                cell.step(&mut step, scratch);
                for e in entries {
                    output.write(*plan.output.at(e), step.hidden.row(*plan.batch.at(e) as usize, self.stride));
                }
            }
            if let Some(mask) = mask {
                for e in full.entries(s) {
                    let b = *full.batch.at(e) as usize;
                    let (row, started) = (*full.output.at(e), started.at_mut(b * LANES));
                    if *mask.at(*full.input.at(e) as usize) != 0.0 {
                        *started = 1.0;
                    } else if self.zero_masked || *started == 0.0 {
                        output.write_zeros(row);
                    } else {
                        output.write(row, step.hidden.row(b, self.stride));
                    }
                }
            }
        }
        Ok(())
    }

    fn set_state(&self, state: &mut [f32], sequences: &[u32], values: &[f32]) {
        let size = self.sizes.hidden_size;
        for (&b, values) in sequences.iter().zip(values.rows(size)) {
            let row = state.row_mut(b as usize, self.stride);
            row.at_mut(..size).copy(values);
            flush_all(row);
        }
    }
}

impl Layer for Recurrent {
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        let count = self.directions.len();
        // Behind the states which sequences have had an output since theirs was set, by direction.
        let mut states = filled_with((self.slots + 1) * count, Buffer::default)?;
        for (i, state) in states.iter_mut().enumerate() {
            let stride = if i < self.slots * count { self.stride } else { LANES * usize::from(self.masked) };
            state.grow(product(&[batch, stride])?)?;
        }
        let rows = batch.min(GROUP);
        let mut scratch = filled_with(2 + self.rows, Buffer::default)?;
        let alone = self.directions.iter().filter_map(|way| way.cell.alone_by()).map(PackedMatrix::columns);
        let together = rows.max(TOGETHER) * MAX_VECTORS * LANES;
        scratch.at_mut(1).grow(alone.fold(together, usize::max))?;
        scratch.at_mut(2..).iter_mut().try_for_each(|buffer| buffer.grow(product(&[rows, self.stride])?))?;
        let mut operands = Operands::default();
        operands.grow(self.quantized, rows, self.sizes.hidden_size)?;
        Ok(Workspace { states, scratch, operands, ..Default::default() })
    }

    fn reserve(&self, workspace: &mut Workspace, layouts: &Layouts) -> Result<()> {
        let layout = layouts.own();
        let rows = layout.rows.min(ROW_BLOCK);
        let columns = self.directions.iter().map(|direction| direction.projection.columns).max().unwrap_or(0);
        let size = product(&[rows, columns])?;
        workspace.operands.grow(self.quantized, rows, self.sizes.input_size)?;
        if self.masked {
            workspace.unmasked.reserve(layout)?;
        }
        workspace.scratch.at_mut(PROJECTED).grow(size)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let mut sequence = core::mem::take(io.outputs.at_mut(0));
        let count = self.directions.len();
        let done = (0..count).try_for_each(|d| self.run_direction(d, io, &mut sequence, workspace));
        *io.outputs.at_mut(0) = sequence;
        done?;
        let concat = self.combine == Combine::Concat;
        let size = self.sizes.hidden_size;
        for (i, state) in workspace.states.iter().take(self.slots * count).enumerate() {
            let rows = io.layout.sequences.iter().map(|&b| state.row(b as usize, self.stride));
            // Of a step few are asked for, and each costs it 5 %.
            if i < count && !io.outputs.at(1).is_empty() {
                let mut last = Output {
                    sequence: io.outputs.at_mut(1),
                    size,
                    row: if concat { count * size } else { size },
                    column: if concat { i * size } else { 0 },
                    combine: (i == 1 && !concat).then_some(self.combine),
                };
                for (b, row) in (0..).zip(rows.clone()) {
                    last.write(b, row);
                }
            }
            let into = io.outputs.at_mut(2 + i);
            if !into.is_empty() {
                for (into, row) in into.rows_mut(size).zip(rows) {
                    into.copy(row.at(..size));
                }
            }
        }
        Ok(())
    }

    fn orders(&self) -> &'static [Order] {
        self.orders
    }

    fn slots(&self) -> usize {
        self.slots * self.orders.len() + usize::from(self.holds)
    }

    fn bytes(&self) -> usize {
        self.directions.iter().map(|direction| direction.projection.bytes() + direction.cell.bytes()).sum()
    }
}
