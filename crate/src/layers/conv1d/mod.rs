//! A convolution over the steps of a sequence.
//!
//! The rows that outputs read are gathered such that the taps of an output follow each other: a window is one row of `taps * channels`
//! numbers for the packed matmul. With a dilation of d, each d-th output comes first, then those after them, so that windows overlap
//! and a row is copied once, not once a tap. Steps outside of the sequence are rows of zeros, multiplied as others are.

mod product;

use super::params::{Param, Params, params};
use super::windows::{Past, WindowParams, Windows};
use super::{Built, Io, Layer, Layouts, Shape, Workspace, input_shape};
use crate::buffer::{Buffer, PADDING, product as product_of};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied, filled_with};
use crate::kernels::activation::Activation;
use crate::pack::{Operands, Quantized};
use crate::plan::{Layout, Plan, ROW_BLOCK};
use crate::simd::Lanes;
use crate::tensor::Tensor;
use product::{Gathered, Product};

params! {
    /// Parameters of a convolution.
    pub struct ConvParams {
        /// Channels of the input.
        input_size: usize = 1,
        /// Channels of the output.
        output_size: usize = 1,
        /// Groups of channels that do not mix.
        groups: usize = 1,
        /// What a row is made of.
        windows: WindowParams = WindowParams::default(),
        /// Of the output.
        activation: Activation = Activation::LINEAR,
    }
}

impl ConvParams {
    /// Each output reads one channel of several.
    fn depthwise(&self) -> bool {
        self.groups == self.input_size && self.groups > 1
    }
}

struct Conv {
    params: ConvParams,
    windows: Windows,
    past: Option<Past>,
    product: Product,
    quantized: Quantized,
    /// Windows of outputs that are so many apart have taps in common, as many rows apart as `advance` says.
    phases: usize,
    advance: usize,
    /// Numbers in a gathered row of a part, and how often each channel is in it.
    width: usize,
    repeat: usize,
}

/// Buffers of a workspace, by their place in `scratch`.
const GATHERED: usize = 0;
const SUMS: usize = 1;

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let params = ConvParams::read(params)?;
    ensure(params.input_size.is_multiple_of(params.groups) && params.output_size.is_multiple_of(params.groups))?;
    let windows = Windows::new(&params.windows)?;
    let past = if params.windows.streams { Some(windows.past(params.input_size)?) } else { None };
    let shape = input_shape(inputs, 0, Some(params.input_size))?;
    ensure(shape.axis.is_some())?;
    let product = Product::new(&params, tensors)?;
    let WindowParams { stride, dilation, axis, .. } = params.windows;
    let common = greatest_common_divisor(stride, dilation);
    let depthwise = params.depthwise();
    let layer = boxed(Conv {
        phases: dilation / common,
        advance: stride / common,
        width: if depthwise { product.columns() } else { params.input_size / params.groups },
        repeat: if depthwise { params.output_size / params.groups } else { 1 },
        windows,
        past,
        product,
        quantized: Quantized::of(tensors),
        params,
    })?;
    Ok(Built { layer, ports: copied(&[Shape { axis: Some(axis as usize), size: params.output_size }])? })
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The sequence that windows are gathered of.
struct Source<'a> {
    x: &'a [f32],
    layout: &'a Layout,
    sequence: usize,
    /// Its steps.
    steps: usize,
    /// What came before, and how many steps.
    past: &'a [f32],
    seen: usize,
}

impl Conv {
    /// A sequence of the run, with its row of the state.
    fn source<'a>(&self, x: &'a [f32], layout: &'a Layout, state: &'a [f32], sequence: usize) -> Source<'a> {
        let steps = *layout.lengths.at(sequence) as usize;
        let (past, seen) = Past::of(self.past.as_ref(), state, layout, sequence);
        Source { x, layout, sequence, steps, past, seen }
    }

    /// The step before which the first window of a sequence starts, and how many windows it has.
    fn windows(&self, source: &Source) -> (isize, usize) {
        self.windows.of(source.steps, source.seen)
    }

    /// All outputs of the run, block by block.
    fn sums(&self, x: &[f32], layout: &Layout, to: &Layout, workspace: &mut Workspace, y: &mut [f32]) {
        let Workspace { states, scratch, operands, block, .. } = workspace;
        let state = states.first().map(|state| &**state).unwrap_or_default();
        let (gathered, sums) = scratch.split_at_mut(SUMS);
        let (gathered, sums) = (gathered.at_mut(GATHERED), sums.at_mut(0));
        let WindowParams { taps, stride, .. } = self.params.windows;
        let room = gathered.len().saturating_sub(PADDING) / (self.width * self.product.parts());
        // Windows that have no row in common are gathered one by one, without what lies between them.
        let most = if self.advance < taps { ROW_BLOCK } else { 1 };
        block.clear();
        let mut used = 0;
        for b in 0..layout.batch() {
            let source = self.source(x, layout, state, b);
            let (start, outputs) = self.windows(&source);
            for phase in 0..self.phases.min(outputs) {
                let mut output = phase;
                while output < outputs {
                    if used + taps > room || block.input.len() == ROW_BLOCK {
                        self.flush(gathered, room, operands, sums, block, y);
                        used = 0;
                    }
                    let count = ((room - used - taps) / self.advance + 1)
                        .min(ROW_BLOCK - block.input.len())
                        .min((outputs - output).div_ceil(self.phases))
                        .min(most);
                    let rows = (count - 1) * self.advance + taps;
                    let first = start + (output * stride) as isize;
                    self.gather(&source, first, gathered, room, used..used + rows);
                    for i in 0..count {
                        let target = to.step(b, output + i * self.phases);
                        block.push((used + i * self.advance) as u32, target as u32);
                    }
                    used += rows;
                    output += count * self.phases;
                }
            }
        }
        self.flush(gathered, room, operands, sums, block, y);
    }

    /// Copies the rows of a sequence from step `first` on, each `dilation`-th, to the rows `to` of all parts.
    fn gather(&self, source: &Source, first: isize, gathered: &mut [f32], room: usize, to: core::ops::Range<usize>) {
        let &Source { x, layout, sequence, steps, past, seen } = source;
        let (size, dilation) = (self.params.input_size, self.params.windows.dilation);
        let parts = self.product.parts();
        let runs = parts == 1 && self.width == size && dilation == 1 && layout.contiguous();
        let mut step = first;
        let mut row = to.start;
        while row < to.end {
            let inside = usize::try_from(step).ok().filter(|&step| step < steps);
            if let (true, Some(inside)) = (runs, inside) {
                let count = (to.end - row).min(steps - inside);
                let from = x.at(layout.step(sequence, inside) * size..).at(..count * size);
                gathered.at_mut(row * size..).at_mut(..count * size).copy(from);
                row += count;
                step += count as isize;
                continue;
            }
            let from = match (inside, &self.past) {
                (Some(step), _) => Some(x.row(layout.step(sequence, step), size)),
                (None, Some(kept)) if step < 0 => Some(kept.row(past, seen, step.unsigned_abs())),
                _ => None,
            };
            for part in 0..parts {
                let into = gathered.row_mut(part * room + row, self.width);
                let Some(from) = from else {
                    into.fill(0.0);
                    continue;
                };
                if self.repeat == 1 {
                    let channels = size / parts;
                    into.at_mut(..channels).copy(from.row(part, channels));
                } else {
                    for (into, &channel) in into.chunks_mut(self.repeat).zip(from) {
                        into.fill(channel);
                    }
                }
            }
            row += 1;
            step += dilation as isize;
        }
    }

    /// Computes the outputs of the block, and begins a new one.
    fn flush(
        &self,
        gathered: &Buffer,
        room: usize,
        operands: &mut Operands,
        sums: &mut [f32],
        block: &mut Plan,
        y: &mut [f32],
    ) {
        let (outputs, parts, columns) = (self.params.output_size, self.product.parts(), self.product.columns());
        let size = outputs / parts;
        for part in 0..parts {
            let x = Gathered { rows: gathered.padded().at(part * room * self.width..), width: self.width };
            self.product.sums(part, &x, self.params.windows.taps, &block.input, operands, sums);
            for (sums, &row) in sums.rows(columns).zip(&block.output) {
                y.at_mut(row as usize * outputs + part * size..).at_mut(..size).copy(sums.at(..size));
            }
        }
        block.clear();
    }
}

impl Layer for Conv {
    fn workspace(&self, batch: usize) -> Result<Workspace> {
        let workspace = Past::workspace(self.past.as_ref(), batch)?;
        Ok(Workspace { scratch: filled_with(2, Buffer::default)?, ..workspace })
    }

    fn reserve(&self, workspace: &mut Workspace, layouts: &Layouts) -> Result<()> {
        let rows = layouts.of(self.params.windows.axis as usize).rows.min(ROW_BLOCK);
        let taps = self.params.windows.taps;
        let room = product_of(&[rows, taps])?.min(ROW_BLOCK + taps);
        let size = product_of(&[room, self.width, self.product.parts()])?;
        workspace.scratch.at_mut(GATHERED).grow(size + PADDING)?;
        workspace.scratch.at_mut(SUMS).grow(product_of(&[rows, self.product.columns()])?)?;
        workspace.operands.grow(self.quantized, rows, product_of(&[taps, self.width])?)?;
        workspace.block.reserve_entries(rows)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let (x, layout, to) = (io.input(0), io.layout, io.layouts.of(self.params.windows.axis as usize));
        let state = workspace.states.first().map(|state| &**state).unwrap_or_default();
        for b in 0..layout.batch() {
            let (_, outputs) = self.windows(&self.source(x, layout, state, b));
            ensure(outputs == *to.lengths.at(b) as usize)?;
        }
        let y = io.outputs.at_mut(0);
        if !y.is_empty() {
            self.sums(x, layout, to, workspace, y);
            self.params.activation.apply_rows::<Lanes>(y, self.params.output_size);
        }
        if let (Some(past), Some(state)) = (&self.past, workspace.states.first_mut()) {
            past.keep(state, layout, x);
        }
        Ok(())
    }

    fn slots(&self) -> usize {
        usize::from(self.past.is_some())
    }

    fn flushes(&self) -> bool {
        false
    }

    fn bytes(&self) -> usize {
        self.product.bytes()
    }
}
