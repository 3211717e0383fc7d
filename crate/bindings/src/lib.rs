//! The functions that JavaScript calls, as the binary exports them: they take and give numbers, so no glue is needed (and no
//! TextDecoder, which audio threads do not have).
//!
//! Models and states are named by handles above 0. A negative result is the negative of an
//! [`EngineError`](gru_wasm::error::EngineError)'s number. Every handle, index and length is checked here; pointers must come
//! from a function below.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use gru_wasm::buffer::Buffer;
use gru_wasm::checked::{Checked, stop};
use gru_wasm::error::{EngineError, Result, ensure};
use gru_wasm::layers::Shape;
use gru_wasm::model::{Model, State};
use wasm_bindgen::prelude::wasm_bindgen;

// std would bring its panic messages and allocator: 20 KB.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Things by handle. A handle is `generation << INDEX_BITS | index + 1`: one that was freed is not mistaken for its heir.
struct Table<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

const INDEX_BITS: u32 = 20;

impl<T> Table<T> {
    const fn new() -> Self {
        Table { slots: Vec::new(), free: Vec::new() }
    }

    fn insert(&mut self, value: T) -> Result<i32> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                ensure(self.slots.len() + 1 < 1 << INDEX_BITS)?;
                self.slots.try_reserve(1)?;
                self.free.try_reserve(self.slots.len() + 1)?;
                self.slots.push((0, None));
                self.slots.len() as u32 - 1
            }
        };
        let slot = self.slots.at_mut(index as usize);
        slot.1 = Some(value);
        Ok((slot.0 << INDEX_BITS | (index + 1)) as i32)
    }

    fn slot(&mut self, handle: i32) -> Result<&mut (u32, Option<T>)> {
        let index = (handle as u32 & ((1 << INDEX_BITS) - 1)).wrapping_sub(1) as usize;
        let slot = self.slots.get_mut(index).ok_or(EngineError::InvalidHandle)?;
        if handle <= 0 || slot.0 != handle as u32 >> INDEX_BITS { Err(EngineError::InvalidHandle) } else { Ok(slot) }
    }

    fn get(&mut self, handle: i32) -> Result<&mut T> {
        self.slot(handle)?.1.as_mut().ok_or(EngineError::InvalidHandle)
    }

    fn remove(&mut self, handle: i32) -> Result<T> {
        let slot = self.slot(handle)?;
        let value = slot.1.take().ok_or(EngineError::InvalidHandle)?;
        slot.0 = (slot.0 + 1) & ((1 << (31 - INDEX_BITS)) - 1);
        self.free.push((handle as u32 & ((1 << INDEX_BITS) - 1)) - 1);
        Ok(value)
    }
}

/// A static of the one thread that an instance has.
struct Single<T>(RefCell<T>);

// SAFETY: without the atomics feature, an instance and its memory belong to one thread.
#[cfg(not(target_feature = "atomics"))]
unsafe impl<T> Sync for Single<T> {}

impl<T> Single<T> {
    fn with_borrow_mut<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.try_borrow_mut().unwrap_or_else(|_| stop()))
    }
}

static MODELS: Single<Table<Rc<Model>>> = Single(RefCell::new(Table::new()));
static STATES: Single<Table<State>> = Single(RefCell::new(Table::new()));
static BLOCKS: Single<Table<Buffer>> = Single(RefCell::new(Table::new()));

/// Small allocations (handles, lists of panels) abort when they fail. This makes sure beforehand that they will not: what a
/// call needs beyond its fallible buffers is well under the 64 KiB tried here.
fn headroom() -> Result<()> {
    Buffer::zeroed(1 << 14).map(|_| ())
}

fn code(result: Result<usize>) -> i32 {
    result.map_or_else(|error| -(error as i32), |value| value as i32)
}

fn with_model(handle: i32, f: impl FnOnce(&mut Model) -> Result<usize>) -> i32 {
    MODELS.with_borrow_mut(|models| {
        let model = match models.get(handle) {
            Ok(model) => headroom().and_then(|()| Rc::get_mut(model).ok_or(EngineError::InvalidHandle)),
            Err(error) => Err(error),
        };
        code(model.and_then(f))
    })
}

fn with_state(handle: i32, f: impl FnOnce(&mut State) -> Result<usize>) -> i32 {
    STATES.with_borrow_mut(|states| code(states.get(handle).and_then(f)))
}

/// An address; 0 on failure. Above 2 GiB JavaScript sees it negative, and makes it unsigned (ts/backends/wasm/memory.ts).
fn pointer(result: Result<&mut Buffer>) -> *const f32 {
    result.map_or(core::ptr::null(), |buffer| buffer.as_ptr())
}

/// Takes a zeroed block of `length` 4-byte words. Returns its handle.
#[wasm_bindgen]
pub fn block_new(length: usize) -> i32 {
    let block = Buffer::zeroed(length);
    BLOCKS.with_borrow_mut(|blocks| block.and_then(|block| blocks.insert(block)).unwrap_or_else(|e| -(e as i32)))
}

/// Address of a block, 0 for an unknown one.
#[wasm_bindgen]
pub fn block_address(handle: i32) -> *const f32 {
    BLOCKS.with_borrow_mut(|blocks| pointer(blocks.get(handle)))
}

/// Gives a block back.
#[wasm_bindgen]
pub fn block_free(handle: i32) -> i32 {
    BLOCKS.with_borrow_mut(|blocks| code(blocks.remove(handle).map(|_| 0)))
}

/// An empty model, to be filled before its first state. Returns its handle.
#[wasm_bindgen]
pub fn model_new() -> i32 {
    let model = headroom().map(|()| Rc::new(Model::new()));
    MODELS.with_borrow_mut(|models| model.and_then(|model| models.insert(model)).unwrap_or_else(|e| -(e as i32)))
}

/// Adds an input of `size` numbers a row. Returns the number of its value.
#[wasm_bindgen]
pub fn model_add_input(model: i32, sequence: bool, size: usize) -> i32 {
    with_model(model, |model| model.add_input(Shape { sequence, size }))
}

/// Adds a layer. The block `words` holds: kind, number of inputs, inputs, number of tensors, (block or 0, length) of each,
/// parameters; all int32. Returns the number of its first value.
#[wasm_bindgen]
pub fn model_add_layer(model: i32, words: i32) -> i32 {
    BLOCKS.with_borrow_mut(|blocks| {
        let words: Vec<u32> = match blocks.get(words) {
            Ok(block) => block.iter().map(|word| word.to_bits()).collect(),
            Err(error) => return -(error as i32),
        };
        let parsed = (|| {
            let (&kind, rest) = words.split_first()?;
            let (&inputs, rest) = rest.split_first()?;
            let (inputs, rest) = rest.split_at_checked(inputs as usize)?;
            let (&count, rest) = rest.split_first()?;
            let (tensors, params) = rest.split_at_checked((count as usize).checked_mul(2)?)?;
            Some((kind as usize, inputs, tensors, params))
        })();
        let Some((kind, inputs, tensors, params)) = parsed else { return -(EngineError::InvalidArgument as i32) };
        let inputs: Vec<i32> = inputs.iter().map(|&value| value as i32).collect();
        let mut given = Vec::new();
        for pair in tensors.chunks_exact(2) {
            given.push(match *pair {
                [0, _] => None,
                [handle, length] => match blocks.get(handle as i32) {
                    Ok(block) if block.len() == length as usize => {
                        // SAFETY: the block lives in `blocks`, which stays borrowed to the end of this function and from
                        // which nothing is removed here; two slices of one block are both shared.
                        Some(unsafe { core::slice::from_raw_parts(block.as_ptr(), block.len()) })
                    }
                    Ok(_) => return -(EngineError::InvalidArgument as i32),
                    Err(error) => return -(error as i32),
                },
                _ => stop(),
            });
        }
        with_model(model, |model| model.add_layer(kind, &inputs, params, &given))
    })
}

/// Marks a value as an output.
#[wasm_bindgen]
pub fn model_add_output(model: i32, value: usize) -> i32 {
    with_model(model, |model| model.add_output(value).map(|()| 0))
}

/// Bytes of packed weights; negative: an error.
#[wasm_bindgen]
pub fn model_bytes(model: i32) -> f64 {
    MODELS.with_borrow_mut(|models| models.get(model).map_or_else(|e| -f64::from(e as i32), |m| m.bytes() as f64))
}

/// Frees a model; its states stay.
#[wasm_bindgen]
pub fn model_free(model: i32) -> i32 {
    MODELS.with_borrow_mut(|models| code(models.remove(model).map(|_| 0)))
}

/// A state for `batch` sequences. Returns its handle.
#[wasm_bindgen]
pub fn state_new(model: i32, batch: usize) -> i32 {
    let model = MODELS.with_borrow_mut(|models| models.get(model).map(|model| Rc::clone(model)));
    let state = model.and_then(|model| headroom().and_then(|()| State::new(&model, batch)));
    STATES.with_borrow_mut(|states| state.and_then(|state| states.insert(state)).unwrap_or_else(|e| -(e as i32)))
}

/// Lays out the buffers for the lengths in a block; with `some`, the block holds the sequences first that take part.
#[wasm_bindgen]
pub fn state_set_lengths(state: i32, lengths: i32, time_major: bool, some: bool) -> i32 {
    BLOCKS.with_borrow_mut(|blocks| match blocks.get(lengths) {
        Ok(block) => {
            let mut words: Vec<u32> = block.iter().map(|word| word.to_bits()).collect();
            with_state(state, |state| {
                if some {
                    let lengths = words.split_off(words.len() / 2);
                    state.set_sequences(words, lengths, time_major)
                } else {
                    state.set_lengths(words, time_major)
                }
                .map(|()| 0)
            })
        }
        Err(error) => -(error as i32),
    })
}

/// Address of a value's buffer, 0 for an unknown one.
#[wasm_bindgen]
pub fn state_value(state: i32, value: usize) -> *const f32 {
    STATES.with_borrow_mut(|states| pointer(states.get(state).and_then(|state| state.value(value))))
}

/// Address of a hidden state, 0 for an unknown one.
#[wasm_bindgen]
pub fn state_hidden(state: i32, index: usize) -> *const f32 {
    STATES.with_borrow_mut(|states| {
        pointer(states.get(state).and_then(|state| state.hidden(index).map(|(hidden, _)| hidden)))
    })
}

/// Distance between the rows of a hidden state.
#[wasm_bindgen]
pub fn state_hidden_stride(state: i32, index: usize) -> i32 {
    with_state(state, |state| state.hidden(index).map(|(_, stride)| stride))
}

/// To be called when JavaScript has written to a hidden state: of one sequence, or (negative) of all.
#[wasm_bindgen]
pub fn state_hidden_written(state: i32, index: usize, sequence: i32) -> i32 {
    with_state(state, |state| state.hidden_written(index, usize::try_from(sequence).ok()).map(|()| 0))
}

/// Runs all steps of the layout.
#[wasm_bindgen]
pub fn state_run(state: i32) -> i32 {
    with_state(state, |state| state.run().map(|()| 0))
}

/// Sets all hidden values to zero.
#[wasm_bindgen]
pub fn state_reset(state: i32) -> i32 {
    with_state(state, |state| {
        state.reset();
        Ok(0)
    })
}

/// Frees a state.
#[wasm_bindgen]
pub fn state_free(state: i32) -> i32 {
    STATES.with_borrow_mut(|states| code(states.remove(state).map(|_| 0)))
}

/// Chooses the kernels that models use: an index of `KERNELS`.
#[wasm_bindgen]
pub fn kernels_select(set: usize) -> i32 {
    code(ensure(gru_wasm::kernels::select(set)).map(|()| 0))
}

/// Runs a kernel of a set on `rows` rows, `times` times, for timing. The block is its operands, `PROBE_WORDS` of kernels.
#[wasm_bindgen]
pub fn kernels_run(set: usize, block: i32, rows: usize, times: usize) -> i32 {
    BLOCKS.with_borrow_mut(|blocks| {
        code(blocks.get(block).and_then(|block| gru_wasm::kernels::probe(set, block, rows, times)).map(|()| 0))
    })
}
