//! Models, states and blocks of numbers by handle: the functions that crate/bindings exports. Here, tests, Miri and the fuzzer
//! reach them on any target.
//!
//! Whatever is asked for, in whatever order, ends in a result or an error. Numbers come as JavaScript has them: 32 bits would make
//! 1 of 2^32 + 1 before anything could be checked.

use crate::buffer::{Buffer, MAX_LENGTH};
use crate::error::{EngineError, Result, ensure};
use crate::fallible::collected;
use crate::layers::Shape;
use crate::model::{Model, State};
use crate::shared::Shared;
use crate::table::Table;
use crate::tensor::{FLOAT32, Tensor};
use alloc::vec::Vec;

/// All that lives in an instance.
#[derive(Default)]
pub struct Engine {
    models: Table<Shared<Model>>,
    states: Table<State>,
    blocks: Table<Buffer>,
}

/// Words that describe a tensor of a layer.
const TENSOR_WORDS: usize = 4;

/// A size or a count. More than memory holds is `OutOfMemory`; no whole number from 0 on is `InvalidArgument`.
pub fn count(number: f64) -> Result<usize> {
    if number > MAX_LENGTH as f64 {
        return Err(EngineError::OutOfMemory);
    }
    let count = number as usize;
    ensure(count as f64 == number)?;
    Ok(count)
}

/// An index; one that nothing has for what is none.
pub fn index(number: f64) -> usize {
    let index = number as u32;
    if f64::from(index) == number { index as usize } else { usize::MAX }
}

impl Engine {
    /// An empty one.
    pub const fn new() -> Self {
        Engine { models: Table::new(), states: Table::new(), blocks: Table::new() }
    }

    /// Takes a zeroed block of `length` 4-byte words. Returns its handle.
    pub fn block_new(&mut self, length: f64) -> Result<u32> {
        self.blocks.insert(Buffer::zeroed(count(length)?)?)
    }

    /// A block, to be read and written.
    pub fn block(&mut self, block: f64) -> Result<&mut [f32]> {
        self.blocks.get_mut(block).map(|block| &mut **block)
    }

    /// Gives a block back.
    pub fn block_free(&mut self, block: f64) -> Result<()> {
        self.blocks.remove(block).map(drop)
    }

    /// An empty model, to be filled before its first state. Returns its handle.
    pub fn model_new(&mut self) -> Result<u32> {
        self.models.insert(Shared::new(Model::new())?)
    }

    /// Adds an input of `size` numbers a row: one row a sequence (`axis` 0), or one a step of axis number `axis` - 1; ids,
    /// where they are no `numbers`. Returns the number of its value.
    pub fn model_add_input(&mut self, model: f64, axis: impl Into<f64>, size: f64, numbers: bool) -> Result<usize> {
        let shape = Shape { axis: index(axis.into()).checked_sub(1), size: count(size)? };
        let model = self.models.get_mut(model)?.unshared()?;
        if numbers { model.add_numbers(shape) } else { model.add_input(shape) }
    }

    /// Makes `axis` one of `each` steps for each step of the axis `of`.
    pub fn model_nest_axis(&mut self, model: f64, axis: f64, of: f64, each: f64) -> Result<()> {
        self.models.get_mut(model)?.unshared()?.nest_axis(index(axis), index(of), index(each))
    }

    /// Adds a layer. The block `words` holds: kind, 0 or the axis whose steps are sequences to it plus 1, number of inputs, inputs, number of tensors, of each
    /// (block or 0, dtype, values, block of its scales or 0),
    /// parameters; all int32. Denormals in blocks of float32 become 0. Returns the number of its first value.
    pub fn model_add_layer(&mut self, model: f64, words: f64) -> Result<usize> {
        let words = collected(self.blocks.get(words)?.words().iter().copied())?;
        let parsed = (|| {
            let (&kind, rest) = words.split_first()?;
            let (&per, rest) = rest.split_first()?;
            let (&inputs, rest) = rest.split_first()?;
            let (inputs, rest) = rest.split_at_checked(inputs as usize)?;
            let (&count, rest) = rest.split_first()?;
            let (tensors, params) = rest.split_at_checked((count as usize).checked_mul(TENSOR_WORDS)?)?;
            Some((kind as usize, (per as usize).checked_sub(1), inputs, tensors, params))
        })();
        let (kind, per, inputs, tensors, params) = parsed.ok_or(EngineError::InvalidArgument)?;
        let inputs = collected(inputs.iter().map(|&value| value as i32))?;
        for words in tensors.chunks_exact(TENSOR_WORDS) {
            if let &[data @ (1..), FLOAT32, ..] = words {
                for weight in self.blocks.get_mut(f64::from(data))?.iter_mut().filter(|weight| weight.is_subnormal()) {
                    *weight = 0.0;
                }
            }
        }
        let mut given = Vec::new();
        given.try_reserve_exact(tensors.len() / TENSOR_WORDS)?;
        let block = |handle: u32| if handle == 0 { Ok(None) } else { self.blocks.get(f64::from(handle)).map(Some) };
        for words in tensors.chunks_exact(TENSOR_WORDS) {
            let &[data, dtype, length, scales] = words else { continue };
            let (data, scales) = (block(data)?, block(scales)?);
            let tensor = data.map(|data| Tensor::of_blocks(dtype, length as usize, data, scales));
            given.push(tensor.transpose()?);
        }
        self.models.get_mut(model)?.unshared()?.add_layer_per(per, kind, &inputs, params, &given)
    }

    /// Marks a value as an output.
    pub fn model_add_output(&mut self, model: f64, value: f64) -> Result<()> {
        self.models.get_mut(model)?.unshared()?.add_output(index(value))
    }

    /// Bytes of packed weights.
    pub fn model_bytes(&self, model: f64) -> Result<usize> {
        self.models.get(model).map(|model| model.bytes())
    }

    /// Frees a model; its states stay.
    pub fn model_free(&mut self, model: f64) -> Result<()> {
        self.models.remove(model).map(drop)
    }

    /// A state for `batch` sequences. Returns its handle.
    pub fn state_new(&mut self, model: f64, batch: f64) -> Result<u32> {
        let state = State::new(self.models.get(model)?, count(batch)?)?;
        self.states.insert(state)
    }

    /// A state.
    #[inline]
    pub fn state(&mut self, state: f64) -> Result<&mut State> {
        self.states.get_mut(state)
    }

    /// Lays out the buffers for the lengths in a block, axis after axis; with `some`, the block holds the sequences first that take
    /// part. `time_major`: a bit an axis.
    pub fn state_set_lengths(
        &mut self,
        state: f64,
        lengths: f64,
        time_major: impl Into<u32>,
        some: bool,
    ) -> Result<()> {
        let state = self.states.get_mut(state)?;
        let words = self.blocks.get(lengths)?.words();
        if some {
            let (sequences, lengths) = words.split_at(words.len() / (1 + state.axes()));
            state.set_sequences(sequences, lengths, time_major)
        } else {
            state.set_lengths(words, time_major)
        }
    }

    /// The numbers of a value.
    pub fn state_value(&mut self, state: f64, value: f64) -> Result<&mut [f32]> {
        self.states.get_mut(state)?.value(index(value))
    }

    /// State slot `number`, (batch, stride), and the stride.
    pub fn state_hidden(&mut self, state: f64, number: f64) -> Result<(&mut [f32], usize)> {
        self.states.get_mut(state)?.hidden(index(number))
    }

    /// To be called when a hidden state has been written to: of one sequence, or (-1) of all.
    pub fn state_hidden_written(&mut self, state: f64, number: f64, sequence: f64) -> Result<()> {
        let sequence = if sequence == -1.0 { None } else { Some(index(sequence)) };
        self.states.get_mut(state)?.hidden_written(index(number), sequence)
    }

    /// Frees a state.
    pub fn state_free(&mut self, state: f64) -> Result<()> {
        self.states.remove(state).map(drop)
    }

    /// Chooses the kernels that models use: an index of `KERNELS`.
    pub fn kernels_select(&mut self, set: f64) -> Result<()> {
        ensure(crate::kernels::select(index(set)))
    }

    /// Runs a kernel of a set on `rows` rows, `times` times, for timing. The block is its operands, `PROBE_WORDS` of kernels.
    pub fn kernels_run(&mut self, set: f64, block: f64, rows: f64, times: f64) -> Result<()> {
        crate::kernels::probe(index(set), self.blocks.get_mut(block)?, index(rows), index(times))
    }
}
