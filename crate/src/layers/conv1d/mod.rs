//! A convolution over the steps of a sequence.
//!
//! The rows that outputs read are gathered such that the taps of an output follow each other: a window is one row of `taps * channels`
//! numbers for the packed matmul. With a dilation of d, each d-th output comes first, then those after them, so that windows overlap
//! and a row is copied once, not once a tap. Steps outside of the sequence are rows of zeros, multiplied as others are.

mod product;

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, MAX_SIZE, Shape, Workspace, input_shape};
use crate::buffer::{Buffer, PADDING, product as product_of};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::fallible::{boxed, copied, filled_with};
use crate::kernels::activation::Activation;
use crate::plan::{Layout, Plan, ROW_BLOCK};
use crate::simd::Lanes;
use product::{Gathered, Product};

params! {
    /// Parameters of a convolution.
    pub struct ConvParams {
        /// Channels of the input.
        input_size: usize = 1,
        /// Channels of the output.
        output_size: usize = 1,
        /// Taps.
        kernel_size: usize = 1,
        /// Steps from one window to the next.
        stride: usize = 1,
        /// Steps from one tap to the next.
        dilation: usize = 1,
        /// Groups of channels that do not mix.
        groups: usize = 1,
        /// Steps of zeros before the first.
        left: u32 = 0,
        /// Steps of zeros behind the last.
        right: u32 = 0,
        /// Of the output.
        activation: Activation = Activation::LINEAR,
    }
}

impl ConvParams {
    /// Each output reads one channel of several.
    fn depthwise(&self) -> bool {
        self.groups == self.input_size && self.groups > 1
    }

    /// Steps from the first tap to the last.
    fn span(&self) -> Result<usize> {
        product_of(&[self.kernel_size - 1, self.dilation])
    }

    fn check(&self) -> Result<()> {
        let span = self.span()?;
        let [left, right] = [self.left, self.right].map(|steps| steps as usize);
        ensure(span <= MAX_SIZE && left <= MAX_SIZE && right <= MAX_SIZE)?;
        ensure(self.input_size.is_multiple_of(self.groups) && self.output_size.is_multiple_of(self.groups))?;
        // The output has the steps of the input.
        ensure(self.stride == 1 && left + right == span)
    }
}

struct Conv {
    params: ConvParams,
    product: Product,
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

pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<&[f32]>]) -> Result<Built> {
    let params = ConvParams::read(params)?;
    params.check()?;
    let shape = input_shape(inputs, 0, Some(params.input_size))?;
    ensure(shape.axis.is_some())?;
    let product = Product::new(&params, tensors)?;
    let common = greatest_common_divisor(params.stride, params.dilation);
    let depthwise = params.depthwise();
    let layer = boxed(Conv {
        phases: params.dilation / common,
        advance: params.stride / common,
        width: if depthwise { product.columns() } else { params.input_size / params.groups },
        repeat: if depthwise { params.output_size / params.groups } else { 1 },
        product,
        params,
    })?;
    Ok(Built { layer, ports: copied(&[Shape { size: params.output_size, ..shape }])? })
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Conv {
    /// Rows that windows of `count` outputs of a phase take.
    fn rows_of(&self, count: usize) -> usize {
        (count - 1) * self.advance + self.params.kernel_size
    }

    /// All outputs of the run, block by block.
    fn sums(&self, io: &mut Io, gathered: &mut Buffer, sums: &mut [f32], block: &mut Plan) {
        let ConvParams { kernel_size: taps, stride, .. } = self.params;
        let layout = io.layout;
        let x = io.input(0);
        let y = &mut **io.outputs.at_mut(0);
        let room = gathered.len().saturating_sub(PADDING) / (self.width * self.product.parts());
        // Windows that have no row in common are gathered one by one, without what lies between them.
        let most = if self.advance < taps { ROW_BLOCK } else { 1 };
        block.clear();
        let mut used = 0;
        for b in 0..layout.batch() {
            let steps = *layout.lengths.at(b) as usize;
            for phase in 0..self.phases.min(steps) {
                let mut output = phase;
                while output < steps {
                    if used + taps > room || block.input.len() == ROW_BLOCK {
                        self.flush(gathered, room, sums, block, y);
                        used = 0;
                    }
                    let count = ((room - used - taps) / self.advance + 1)
                        .min(ROW_BLOCK - block.input.len())
                        .min((steps - output).div_ceil(self.phases))
                        .min(most);
                    let first = (output * stride) as isize - self.params.left as isize;
                    let rows = self.rows_of(count);
                    self.gather(x, layout, b, first, gathered, room, used..used + rows);
                    for i in 0..count {
                        let target = layout.step(b, output + i * self.phases);
                        block.push(b as u32, (used + i * self.advance) as u32, target as u32);
                    }
                    used += rows;
                    output += count * self.phases;
                }
            }
        }
        self.flush(gathered, room, sums, block, y);
    }

    /// Copies the rows of a sequence from step `first` on, each `dilation`-th, to the rows `to` of all parts.
    #[allow(clippy::too_many_arguments)]
    fn gather(
        &self,
        x: &[f32],
        layout: &Layout,
        sequence: usize,
        first: isize,
        gathered: &mut [f32],
        room: usize,
        to: core::ops::Range<usize>,
    ) {
        let (size, dilation) = (self.params.input_size, self.params.dilation as isize);
        let steps = *layout.lengths.at(sequence) as isize;
        let parts = self.product.parts();
        let whole = parts == 1 && self.width == size;
        let mut step = first;
        let mut row = to.start;
        while row < to.end {
            let inside = (0..steps).contains(&step);
            if whole && inside && dilation == 1 && layout.contiguous() {
                let count = (to.end - row).min((steps - step) as usize);
                let from = x.at(layout.step(sequence, step as usize) * size..).at(..count * size);
                gathered.at_mut(row * size..).at_mut(..count * size).copy(from);
                row += count;
                step += count as isize;
                continue;
            }
            for part in 0..parts {
                let into = gathered.row_mut(part * room + row, self.width);
                if inside {
                    let from = x.row(layout.step(sequence, step as usize), size);
                    if self.repeat == 1 {
                        let channels = size / parts;
                        into.at_mut(..channels).copy(from.row(part, channels));
                    } else {
                        for (into, &channel) in into.chunks_mut(self.repeat).zip(from) {
                            into.fill(channel);
                        }
                    }
                } else {
                    into.fill(0.0);
                }
            }
            row += 1;
            step += dilation;
        }
    }

    /// Computes the outputs of the block, and begins a new one.
    fn flush(&self, gathered: &Buffer, room: usize, sums: &mut [f32], block: &mut Plan, y: &mut [f32]) {
        let (outputs, parts, columns) = (self.params.output_size, self.product.parts(), self.product.columns());
        let size = outputs / parts;
        for part in 0..parts {
            let x = Gathered { rows: gathered.padded().at(part * room * self.width..), width: self.width };
            self.product.sums(part, &x, self.params.kernel_size, &block.input, sums);
            for (sums, &row) in sums.rows(columns).zip(&block.output) {
                y.at_mut(row as usize * outputs + part * size..).at_mut(..size).copy(sums.at(..size));
            }
        }
        block.clear();
    }
}

impl Layer for Conv {
    fn workspace(&self, _batch: usize) -> Result<Workspace> {
        Ok(Workspace { scratch: filled_with(2, Buffer::default)?, ..Default::default() })
    }

    fn reserve(&self, workspace: &mut Workspace, layout: &Layout) -> Result<()> {
        let rows = layout.rows.min(ROW_BLOCK);
        let taps = self.params.kernel_size;
        let room = product_of(&[rows, taps])?.min(ROW_BLOCK + taps);
        let size = product_of(&[room, self.width, self.product.parts()])?;
        workspace.scratch.at_mut(GATHERED).grow(size + PADDING)?;
        workspace.scratch.at_mut(SUMS).grow(product_of(&[rows, self.product.columns()])?)?;
        workspace.block.reserve_entries(rows)
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        if !io.outputs.at(0).is_empty() {
            let Workspace { scratch, block, .. } = workspace;
            let (gathered, sums) = scratch.split_at_mut(SUMS);
            self.sums(io, gathered.at_mut(GATHERED), sums.at_mut(0), block);
            self.params.activation.apply_rows::<Lanes>(io.outputs.at_mut(0), self.params.output_size);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.product.bytes()
    }
}
