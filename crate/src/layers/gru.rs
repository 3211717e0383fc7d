//! A GRU layer: forward, reverse or both, reset gate before or after the matmul.
//!
//! For each block of steps the input projection of all of them comes first (one pass over the input weights), then the
//! recurrent steps; the gates of a panel are computed while its sums are at hand.

use super::{Built, Combine, Io, Layer, Params, Shape, Workspace, input_shape, optional_tensor, tensor};
use crate::buffer::{Buffer, PADDING, product};
use crate::checked::{Checked, stop};
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied, filled, filled_with};
use crate::kernels::activation::{Constants, flush};
use crate::kernels::gates::{GateFunctions, GateRows, Sums, reset_after, reset_before, update};
use crate::kernels::matmul::MAX_VECTORS;
use crate::pack::{Init, PackedMatrix, Panel, Rows};
use crate::plan::{GROUP, Layout, Order, ROW_BLOCK, ascending};
use crate::simd::{LANES, Lanes, Vector};
use alloc::vec::Vec;

struct Gru {
    functions: GateFunctions,
    input_size: usize,
    hidden_size: usize,
    /// Rows of hidden values, padded to whole vectors.
    stride: usize,
    /// One a direction.
    orders: &'static [Order],
    directions: Vec<Direction>,
    combine: Combine,
    masked: bool,
    zero_masked: bool,
    /// `0, 1, 2, ...`: for kernels that take all rows.
    all_rows: Vec<u32>,
}

struct Direction {
    order: Order,
    /// With the reset gate after the matmul: gates z, r, n together. Before it: z, r first, then n, for r scales what n's reads.
    parts: Vec<Part>,
    /// Numbers in a row of the input projection.
    columns: usize,
}

struct Part {
    input: PackedMatrix,
    /// Starts the sums of the input projection.
    bias: Buffer,
    recurrent: PackedMatrix,
    /// With the reset gate after the matmul, starts the recurrent sums: 0, 0, the candidate's recurrent bias.
    init: Buffer,
}

/// Buffers of a workspace, by their place in `scratch`. The others, in the order of [`Gru::step`]: sums; two of rows as wide as
/// hidden.
const PROJECTED: usize = 0;

pub fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<&[f32]>]) -> Result<Built> {
    let (input_size, hidden_size, reset_after) = (params.size()?, params.size()?, params.flag()?);
    let direction = params.choice(3)?;
    let combine = Combine::read(params)?;
    let (reversed_output, zero_masked) = (params.flag()?, params.flag()?);
    let clip = params.float()?;
    let functions = GateFunctions::new(params.activation()?, params.activation()?, clip);
    ensure(input_shape(inputs, 0, Some(input_size))?.sequence)?;
    ensure(inputs.get(1).copied().flatten().is_none_or(|mask| mask.sequence && mask.size == 1))?;
    for state in inputs.iter().skip(2).flatten() {
        ensure(!state.sequence && state.size == hidden_size)?;
    }

    let orders: &'static [Order] = match (direction, reversed_output) {
        (0, _) => &[Order::Forward],
        (1, false) => &[Order::Reverse],
        (1, true) => &[Order::ReverseProcessed],
        _ => &[Order::Forward, Order::Reverse],
    };
    let count = if reset_after { 4 } else { 3 };
    let mut directions = Vec::new();
    directions.try_reserve_exact(orders.len())?;
    for (d, &order) in orders.iter().enumerate() {
        let tensors = tensors.get(d * count..).unwrap_or_default();
        directions.push(Direction::new(order, tensors, input_size, hidden_size, reset_after)?);
    }
    let size = if direction == 2 && combine == Combine::Concat { 2 * hidden_size } else { hidden_size };
    let state = Shape { sequence: false, size: hidden_size };
    let ports = [Shape { sequence: true, size }, Shape { sequence: false, size }, state, state];
    let ports = copied(ports.at(..2 + orders.len()))?;
    let stride = hidden_size.next_multiple_of(LANES);
    let masked = inputs.get(1).copied().flatten().is_some();
    let all_rows = ascending(GROUP)?;
    let layer = boxed(Gru {
        all_rows,
        functions,
        input_size,
        hidden_size,
        stride,
        orders,
        directions,
        combine,
        masked,
        zero_masked,
    })?;
    Ok(Built { layer, ports })
}

impl Direction {
    /// Tensors: input (3H, I), recurrent (3H, H), bias (3H), with `reset_after` recurrent bias (H).
    fn new(
        order: Order,
        tensors: &[Option<&[f32]>],
        input_size: usize,
        units: usize,
        reset_after: bool,
    ) -> Result<Self> {
        let input = thirds(tensor(tensors, 0, product(&[3, units, input_size])?)?);
        let recurrent = thirds(tensor(tensors, 1, product(&[3, units, units])?)?);
        let bias = optional_tensor(tensors, 2, 3 * units)?.map(thirds);
        let bias = bias.map_or([None; 3], |[z, r, n]| [Some(z), Some(r), Some(n)]);
        let ends: &[usize] = if reset_after { &[3] } else { &[2, 3] };
        let mut start = 0;
        let mut direction = Direction { order, parts: Vec::new(), columns: 0 };
        direction.parts.try_reserve_exact(ends.len())?;
        for &end in ends {
            let gates = core::mem::replace(&mut start, end)..end;
            let input = PackedMatrix::pack(input.at(gates.clone()), units, input_size)?;
            let bias = input.pack_row(bias.at(gates.clone()))?;
            let recurrent = PackedMatrix::pack(recurrent.at(gates.clone()), units, units)?;
            let init = if reset_after {
                recurrent.pack_row(&[None, None, optional_tensor(tensors, 3, units)?])?
            } else {
                Buffer::default()
            };
            direction.columns += bias.len();
            direction.parts.push(Part { input, bias, recurrent, init });
        }
        Ok(direction)
    }

    fn bytes(&self) -> usize {
        let bytes = |part: &Part| part.input.bytes() + part.bias.bytes() + part.recurrent.bytes() + part.init.bytes();
        self.parts.iter().map(bytes).sum()
    }

    /// The input projection, with biases, of the given rows of `x`.
    ///
    /// # Safety
    /// `x` holds each of `rows` as `input_size` numbers and the padding behind the last one; `out` holds `columns` numbers for each.
    unsafe fn project(&self, x: &[f32], input_size: usize, rows: &[u32], out: &mut [f32]) {
        debug_assert!(rows.iter().all(|&row| (row as usize + 1) * input_size + PADDING <= x.len()));
        debug_assert!(rows.len() * self.columns <= out.len());
        let x = Rows { base: x.as_ptr(), stride: input_size, rows };
        let mut column = 0;
        for part in &self.parts {
            // SAFETY: the caller's promise.
            unsafe { part.input.multiply(x, &part.bias, out.at_mut(column..), self.columns) };
            column += part.bias.len();
        }
    }
}

fn thirds(values: &[f32]) -> [&[f32]; 3] {
    let size = values.len() / 3;
    [values.row(0, size), values.row(1, size), values.row(2, size)]
}

/// Rows of panels whose sums come before the gates of any of them: those of one row and panel are 4 vectors, too few to hide
/// that each is a chain of 190 cycles, or to pay for a call. Against 1: H = 16 takes 13 % less time, H = 33 8 %, H = 64 5 %,
/// H = 256 4 % (one sequence, AMD Zen 5); 16 loses at H = 256, where loading weights from L2 has to go on meanwhile.
const TOGETHER: usize = 8;

/// One recurrent step: the sequences that take it and their buffers.
struct Step<'a> {
    batch: &'a [u32],
    /// Projected inputs, row after row.
    projected: &'a [f32],
    hidden: &'a mut [f32],
    /// Backwards through the panels on odd steps: the weights touched last are still in the cache.
    backwards: bool,
}

impl Step<'_> {
    /// How many panels a group has.
    fn together(&self) -> usize {
        (TOGETHER / self.batch.len()).max(1)
    }

    /// The panels of a matrix, group by group.
    fn panels<'a>(&self, matrix: &'a PackedMatrix) -> impl Iterator<Item = &'a [Panel]> + use<'a> {
        let (panels, together, backwards) = (&matrix.panels[..], self.together(), self.backwards);
        let (mut up, mut down) = (panels.chunks(together), panels.rchunks(together));
        core::iter::from_fn(move || if backwards { down.next() } else { up.next() })
    }
}

impl Gru {
    /// Computes new hidden values of `step.batch`.
    fn step(&self, direction: &Direction, step: Step, scratch: &mut [Buffer]) {
        let n = step.batch.len();
        let [_, sums, wide, z] = scratch else { stop() };
        let sums = sums.as_mut_ptr();
        let columns = direction.columns;
        let values = step.hidden.as_mut_ptr();
        let hidden = Rows { base: values, stride: self.stride, rows: step.batch };
        let rows = |panels| GateRows { panels, batch: step.batch, sums, hidden: values, ld: self.stride };
        let f = &self.functions;
        // SAFETY: `hidden` holds a row for each sequence of the batch; `projected`, `wide` and `z` one for each entry;
        // `sums` a full panel for each entry, or for TOGETHER of them.
        unsafe {
            match &direction.parts[..] {
                [Part { recurrent, init, .. }] => {
                    let init = Init { base: init.as_ptr(), stride: 0 };
                    // A later group of panels reads the old values: the new ones wait elsewhere.
                    let next = (step.together() < recurrent.panels.len()).then_some(wide.as_mut_ptr());
                    for panels in step.panels(recurrent) {
                        recurrent.sums(panels, hidden, init, sums);
                        reset_after::<Lanes>(f, &rows(panels), step.projected.as_ptr(), columns);
                        update::<Lanes>(f, &rows(panels), Sums::After, next);
                    }
                    if next.is_some() {
                        for (row, &b) in wide.rows(self.stride).zip(step.batch) {
                            step.hidden.row_mut(b as usize, self.stride).copy(row);
                        }
                    }
                }
                [Part { recurrent: first, bias, .. }, Part { recurrent: second, .. }] => {
                    let init = Init { base: step.projected.as_ptr(), stride: columns };
                    for panels in step.panels(first) {
                        first.sums(panels, hidden, init, sums);
                        reset_before::<Lanes>(f, &rows(panels), wide.as_mut_ptr(), z.as_mut_ptr());
                    }
                    let product = Rows { base: wide.as_ptr(), stride: self.stride, rows: self.all_rows.at(..n) };
                    let init = Init { base: step.projected.at(bias.len()..).as_ptr(), stride: columns };
                    for panels in step.panels(second) {
                        second.sums(panels, product, init, sums);
                        update::<Lanes>(f, &rows(panels), Sums::Before(z.as_ptr()), None);
                    }
                }
                _ => stop(),
            }
        }
    }

    /// All steps of direction `d`. `sequence` is the output, empty if nobody reads it.
    fn run_direction(&self, d: usize, io: &Io, sequence: &mut [f32], workspace: &mut Workspace) -> Result<()> {
        let direction = self.directions.at(d);
        let full = io.plans.get(direction.order);
        let mask = io.optional(1);
        let Workspace { hidden, scratch, unmasked, started, .. } = workspace;
        let (hidden, started) = (hidden.at_mut(d), started.at_mut(d));
        if let Some(initial) = io.optional(2 + d) {
            self.set_hidden(hidden, &io.layout.sequences, initial);
        }
        let plan = match mask {
            Some(mask) => {
                unmasked.fill(io.layout, direction.order, Some(mask));
                if direction.order != Order::Forward || io.optional(2 + d).is_some() {
                    started.fill(false);
                }
                &*unmasked
            }
            None => full,
        };
        let columns = direction.columns;
        let mut output = Output { sequence, size: self.hidden_size, row: self.hidden_size, column: 0, combine: None };
        if self.directions.len() == 2 && self.combine == Combine::Concat {
            output.row = 2 * self.hidden_size;
            output.column = d * self.hidden_size;
        } else if d == 1 {
            output.combine = Some(self.combine);
        }

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
                let (x, out) = (io.padded(0), scratch.at_mut(PROJECTED));
                // SAFETY: a plan names rows of its layout only, for all of which the state keeps room in the value. A block has
                // ROW_BLOCK entries at most, or the GROUP of one step, for which `reserve` made room.
                unsafe { direction.project(x, self.input_size, plan.input.at(entries), out) };
            }
            let entries = plan.entries(s);
            if !entries.is_empty() {
                let projected = core::mem::take(scratch.at_mut(PROJECTED));
                let step = Step {
                    batch: plan.batch.at(entries.clone()),
                    projected: projected.at((entries.start - block_start) * columns..),
                    hidden,
                    backwards: s % 2 == 1,
                };
                self.step(direction, step, scratch);
                *scratch.at_mut(PROJECTED) = projected;
                for e in entries {
                    output.write(*plan.output.at(e), hidden.row(*plan.batch.at(e) as usize, self.stride));
                }
            }
            if let Some(mask) = mask {
                for e in full.entries(s) {
                    let b = *full.batch.at(e) as usize;
                    let (row, started) = (*full.output.at(e), started.at_mut(b));
                    if *mask.at(*full.input.at(e) as usize) != 0.0 {
                        *started = true;
                    } else if self.zero_masked || !*started {
                        output.write_zeros(row);
                    } else {
                        output.write(row, hidden.row(b, self.stride));
                    }
                }
            }
        }
        Ok(())
    }

    fn set_hidden(&self, hidden: &mut [f32], sequences: &[u32], values: &[f32]) {
        for (&b, values) in sequences.iter().zip(values.rows(self.hidden_size)) {
            let row = hidden.row_mut(b as usize, self.stride);
            row.at_mut(..self.hidden_size).copy(values);
            flush_all(row);
        }
    }
}

/// Flushes hidden values given from outside. The length is a multiple of the vector's.
pub fn flush_all(hidden: &mut [f32]) {
    let c = Constants::get();
    for chunk in hidden.chunks_exact_mut(LANES) {
        // SAFETY: the chunk holds one vector.
        unsafe { flush(c, Lanes::load(chunk.as_ptr())).store(chunk.as_mut_ptr()) }
    }
}

/// Where a direction's rows go.
struct Output<'a> {
    sequence: &'a mut [f32],
    /// Numbers written a row.
    size: usize,
    /// Distance between rows.
    row: usize,
    column: usize,
    /// How the second direction joins the first.
    combine: Option<Combine>,
}

impl Output<'_> {
    #[inline(always)]
    fn row(&mut self, row: u32) -> Option<&mut [f32]> {
        self.sequence.get_mut(row as usize * self.row + self.column..)?.get_mut(..self.size)
    }

    fn write(&mut self, row: u32, values: &[f32]) {
        let (combine, size) = (self.combine, self.size);
        let Some(into) = self.row(row) else { return };
        match combine {
            None => into.copy(values.at(..size)),
            Some(combine) => {
                combine.fold(into, values.at(..size));
                combine.finish(into, 2);
            }
        }
    }

    fn write_zeros(&mut self, row: u32) {
        let combine = self.combine;
        let Some(into) = self.row(row) else { return };
        match combine {
            None | Some(Combine::Mul) => into.fill(0.0),
            Some(combine) => combine.finish(into, 2),
        }
    }
}

impl Layer for Gru {
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        let count = self.directions.len();
        let mut hidden = filled_with(count, Buffer::default)?;
        let mut started = filled_with(count, Vec::new)?;
        for (hidden, started) in hidden.iter_mut().zip(&mut started) {
            hidden.grow(product(&[batch, self.stride])?)?;
            *started = filled(batch, false)?;
        }
        let before = self.directions.iter().any(|d| d.parts.len() > 1);
        let rows = batch.min(GROUP);
        let row = product(&[rows, self.stride])?;
        let sizes = [0, rows.max(TOGETHER) * MAX_VECTORS * LANES, row, if before { row } else { 0 }];
        let mut scratch = filled_with(sizes.len(), Buffer::default)?;
        scratch.iter_mut().zip(sizes).try_for_each(|(buffer, size)| buffer.grow(size))?;
        Ok(Workspace { hidden, started, scratch, hidden_stride: self.stride, ..Default::default() })
    }

    fn reserve(&self, workspace: &mut Workspace, layout: &Layout) -> Result<()> {
        let rows = layout.rows.min(ROW_BLOCK);
        let columns = self.directions.iter().map(|direction| direction.columns).max().unwrap_or(0);
        let size = product(&[rows, columns])?;
        if self.masked {
            workspace.unmasked.reserve(layout)?;
        }
        workspace.scratch.at_mut(PROJECTED).grow(size)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let mut sequence = core::mem::take(io.outputs.at_mut(0));
        let done = (0..self.directions.len()).try_for_each(|d| self.run_direction(d, io, &mut sequence, workspace));
        *io.outputs.at_mut(0) = sequence;
        done?;
        let concat = self.combine == Combine::Concat;
        let size = if concat { self.directions.len() * self.hidden_size } else { self.hidden_size };
        for (d, hidden) in workspace.hidden.iter().enumerate() {
            let mut last = Output {
                sequence: io.outputs.at_mut(1),
                size: self.hidden_size,
                row: size,
                column: if concat { d * self.hidden_size } else { 0 },
                combine: (d == 1 && !concat).then_some(self.combine),
            };
            let rows = io.layout.sequences.iter().map(|&b| hidden.row(b as usize, self.stride));
            for (i, row) in (0..).zip(rows.clone()) {
                last.write(i, row);
            }
            for (state, row) in io.outputs.at_mut(2 + d).rows_mut(self.hidden_size).zip(rows) {
                state.copy(row.at(..self.hidden_size));
            }
        }
        Ok(())
    }

    fn orders(&self) -> &'static [Order] {
        self.orders
    }

    fn bytes(&self) -> usize {
        self.directions.iter().map(Direction::bytes).sum()
    }
}
