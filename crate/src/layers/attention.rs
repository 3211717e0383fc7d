//! Attention: for each query a mean of values, weighted by softmax of what the query and the keys score.

use super::params::{Param, Params, params};
use super::{Built, Io, Layer, Layouts, Shape, Workspace, input_shape, mask_shape, optional_tensor};
use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::{EngineError, Result, ensure};
use crate::fallible::{boxed, copied, filled, filled_with};
use crate::kernels::activation::{Constants, map, tanh};
use crate::kernels::softmax::softmax_of_scores;
use crate::pack::{PackedMatrix, Rows};
use crate::plan::{Steps, ascending};
use crate::simd::{LANES, Lanes, Vector};
use crate::tensor::Tensor;
use alloc::vec::Vec;

params! {
    /// Parameters of an attention layer.
    pub struct AttentionParams {
        /// Numbers in a row of queries and of keys.
        input_size: usize = 1,
        /// Parts of rows that attend each by itself.
        heads: usize = 1,
        /// Scores are sums of tanh(query + key), not of query * key.
        additive: bool = false,
        /// Factor of the scores.
        scale: f32 = 1.0,
        /// A query has no part in keys of later steps.
        causal: bool = false,
        /// A query without keys gets the mean of all values, not zeros.
        average: bool = false,
    }
}

/// Queries of a block: as many as a score of 2000 keys each leaves in L2.
const QUERIES: usize = 48;

struct Attention {
    options: AttentionParams,
    /// Numbers in a row of values.
    size: usize,
    /// None: one query a sequence.
    query_axis: Option<usize>,
    key_axis: usize,
    /// Factors of tanh, if the scores are additive.
    factors: Option<Vec<f32>>,
    /// `0, 1, 2, ...`
    rows: Vec<u32>,
}

/// Inputs: queries (steps, or one a sequence), keys, values, mask of the keys, mask of the queries. Tensors: factors of tanh.
pub(crate) fn build(params: &mut Params, inputs: &[Option<Shape>], tensors: &[Option<Tensor>]) -> Result<Built> {
    let options = AttentionParams::read(params)?;
    let depth = options.input_size;
    let (query, key) = (input_shape(inputs, 0, Some(depth))?, input_shape(inputs, 1, Some(depth))?);
    let value = input_shape(inputs, 2, None)?;
    let key_axis = key.axis.ok_or(EngineError::InvalidArgument)?;
    ensure(key.axis == value.axis)?;
    mask_shape(inputs, 3, key.axis)?;
    mask_shape(inputs, 4, query.axis)?;
    ensure(depth.is_multiple_of(options.heads) && value.size.is_multiple_of(options.heads))?;
    ensure(query.axis.is_some() || !options.causal)?;
    let given = optional_tensor(tensors, 0, depth)?;
    ensure(given.is_none() || options.additive)?;
    let factors = match given {
        Some(given) => Some(copied(given)?),
        None if options.additive => Some(filled(depth, 1.0)?),
        None => None,
    };
    let (size, rows) = (value.size, ascending(QUERIES)?);
    let layer = boxed(Attention { options, size, query_axis: query.axis, key_axis, factors, rows })?;
    Ok(Built { layer, ports: copied(&[Shape { size, ..query }])? })
}

/// What the queries of a block are computed in.
struct Room<'a> {
    scores: &'a mut [f32],
    sums: &'a mut [f32],
    zeros: &'a [f32],
}

impl Attention {
    fn queries(&self, layouts: Layouts, sequence: usize) -> Steps {
        match self.query_axis {
            Some(axis) => layouts.of(axis).steps(sequence),
            None => Steps { first: sequence, stride: 1, count: 1 },
        }
    }

    /// Numbers in a head's part of a query and of a value.
    fn head(&self) -> (usize, usize) {
        (self.options.input_size / self.options.heads, self.size / self.options.heads)
    }

    /// Rows of `scores`: of the head that starts at number `at` of a query, of a block of queries.
    fn score(&self, query: &[f32], queries: Steps, at: usize, keys: &PackedMatrix, room: &mut Room) {
        let Steps { first, stride, count } = queries;
        let columns = keys.columns();
        let depth = self.head().0;
        match &self.factors {
            None => {
                let query = query.at(first * self.options.input_size + at..);
                let stride = stride * self.options.input_size;
                // The last of the rows, and the padding: what the product reads.
                let _ = query.at(..(count - 1) * stride + depth.next_multiple_of(LANES));
                let rows = Rows { base: query.as_ptr(), stride, rows: self.rows.at(..count) };
                // SAFETY: checked above.
                unsafe { keys.multiply(rows, room.zeros, room.scores.at_mut(..count * columns), columns) };
            }
            Some(factors) => {
                for (i, scores) in room.scores.rows_mut(columns).take(count).enumerate() {
                    let query = query.at((first + i * stride) * self.options.input_size + at..).at(..depth);
                    additive_scores::<Lanes>(query, factors.at(at..).at(..depth), keys, scores);
                }
            }
        }
    }
}

/// `scores[j] = sum over k of factors[k] * tanh(query[k] + keys[j][k])`
fn additive_scores<V: Vector>(query: &[f32], factors: &[f32], keys: &PackedMatrix, scores: &mut [f32]) {
    let c = Constants::get();
    for panel in &keys.panels {
        let width = panel.vectors * LANES;
        let scores = scores.at_mut(panel.column..).at_mut(..width);
        scores.fill(0.0);
        let rows = keys.weights(panel).rows(width);
        for ((keys, &query), &factor) in rows.zip(query).zip(factors) {
            let (query, factor) = (V::splat(query), V::splat(factor));
            for (sum, key) in scores.rows_mut(LANES).zip(keys.rows(LANES)) {
                let sum = sum.as_mut_ptr();
                // SAFETY: both hold LANES numbers.
                unsafe { factor.madd(tanh(c, query.add(V::load(key.as_ptr()))), V::load(sum)).store(sum) }
            }
        }
    }
}

impl Layer for Attention {
    fn workspace(&self, _batch: usize) -> Result<Workspace> {
        let mut packed = Vec::new();
        packed.try_reserve_exact(2)?;
        packed.push(PackedMatrix::room(0, 0)?);
        packed.push(PackedMatrix::room(0, 0)?);
        Ok(Workspace { scratch: filled_with(3, Buffer::default)?, packed, ..Default::default() })
    }

    fn reserve(&self, workspace: &mut Workspace, layouts: &Layouts) -> Result<()> {
        let keys = layouts.of(self.key_axis).longest();
        let queries = self.query_axis.map_or(1, |axis| layouts.of(axis).longest()).min(QUERIES);
        let (depth, width) = self.head();
        let (keys_across, values_across) = (keys.next_multiple_of(LANES), width.next_multiple_of(LANES));
        workspace.packed.at_mut(0).reserve(keys, depth)?;
        workspace.packed.at_mut(1).reserve(width, keys)?;
        workspace.scratch.at_mut(0).grow(product(&[queries, keys_across])?)?;
        workspace.scratch.at_mut(1).grow(product(&[queries, values_across])?)?;
        workspace.scratch.at_mut(2).grow(keys_across.max(values_across))
    }

    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()> {
        let (layouts, layout) = (io.layouts, io.layouts.of(self.key_axis));
        let (query, key, value) = (io.padded(0), io.input(1), io.input(2));
        let (key_mask, query_mask) = (io.optional(3), io.optional(4));
        let counts = |mask: Option<&[f32]>, row: usize| mask.is_none_or(|mask| *mask.at(row) != 0.0);
        let y = &mut **io.outputs.at_mut(0);
        let (depth, width) = self.head();
        let [scores, sums, zeros] = &mut workspace.scratch[..] else { return Ok(()) };
        let [packed_keys, packed_values] = &mut workspace.packed[..] else { return Ok(()) };
        let mut room = Room { scores, sums, zeros };
        for b in 0..if y.is_empty() { 0 } else { layout.batch() } {
            let (queries, keys) = (self.queries(layouts, b), layout.steps(b));
            if keys.count == 0 {
                for i in 0..queries.count {
                    y.row_mut(queries.row(i), self.size).fill(0.0);
                }
                continue;
            }
            for head in 0..self.options.heads {
                let (stride, at) =
                    (keys.stride * self.options.input_size, keys.first * self.options.input_size + head * depth);
                packed_keys.fill(keys.count, depth, key.at(at..), stride, 1);
                let (stride, at) = (keys.stride * self.size, keys.first * self.size + head * width);
                packed_values.fill(width, keys.count, value.at(at..), 1, stride);
                let (across, values_across) = (packed_keys.columns(), packed_values.columns());
                for first in (0..queries.count).step_by(QUERIES) {
                    let count = (queries.count - first).min(QUERIES);
                    let block = Steps { first: queries.row(first), count, ..queries };
                    self.score(query, block, head * depth, packed_keys, &mut room);
                    for i in 0..count {
                        let scores = room.scores.row_mut(i, across).at_mut(..keys.count);
                        let asks = counts(query_mask, queries.row(first + i));
                        map::<Lanes>(scores, |score| score.mul(Lanes::splat(self.options.scale)));
                        for (j, score) in scores.iter_mut().enumerate() {
                            let later = self.options.causal && j > first + i;
                            if later || !asks || !counts(key_mask, keys.row(j)) {
                                *score = f32::NEG_INFINITY;
                            }
                        }
                        if !softmax_of_scores::<Lanes>(scores) {
                            scores.fill(if self.options.average { 1.0 / keys.count as f32 } else { 0.0 });
                        }
                    }
                    let weights = Rows { base: room.scores.as_ptr(), stride: across, rows: self.rows.at(..count) };
                    let sums = room.sums.at_mut(..count * values_across);
                    // SAFETY: `scores` holds a row of `across` numbers, a multiple of LANES, for each query.
                    unsafe { packed_values.multiply(weights, room.zeros, sums, values_across) };
                    for i in 0..count {
                        let y = y.row_mut(queries.row(first + i), self.size).at_mut(head * width..).at_mut(..width);
                        y.copy(room.sums.row(i, values_across).at(..width));
                    }
                }
            }
        }
        Ok(())
    }

    fn crosses_axes(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        self.factors.as_ref().map_or(0, |factors| size_of_val(&factors[..]))
    }
}
