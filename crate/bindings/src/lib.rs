//! The functions that JavaScript calls, as the binary exports them: they take and give numbers, so no glue is needed (and no
//! TextDecoder, which audio threads do not have).
//!
//! Models and states are named by handles above 0. A negative result is the negative of an
//! [`EngineError`](gru_wasm::error::EngineError)'s number. Every handle, index and length is checked here; pointers must come
//! from a function below.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use gru_wasm::buffer::{Buffer, boxed, copied};
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

impl<T> Single<Table<T>> {
    fn insert(&self, thing: Result<T>) -> i32 {
        let handle = thing.and_then(|thing| self.with_borrow_mut(|table| table.insert(thing)));
        handle.unwrap_or_else(|error| -(error as i32))
    }

    /// Calls `f` on a thing that is out of the table meanwhile: a trap leaves nothing borrowed, and loses this one alone.
    fn with(&self, handle: i32, f: impl FnOnce(&mut T) -> Result<usize>) -> i32 {
        let taken = self.with_borrow_mut(|table| table.slot(handle)?.1.take().ok_or(EngineError::InvalidHandle));
        code(taken.and_then(|mut thing| {
            let result = f(&mut thing);
            self.with_borrow_mut(|table| table.slot(handle).map(|slot| slot.1 = Some(thing)))?;
            result
        }))
    }

    fn free(&self, handle: i32) -> i32 {
        let thing = self.with_borrow_mut(|table| table.remove(handle));
        code(thing.map(|_| 0))
    }
}

static MODELS: Single<Table<Rc<Model>>> = Single(RefCell::new(Table::new()));
static STATES: Single<Table<Box<State>>> = Single(RefCell::new(Table::new()));
static BLOCKS: Single<Table<Buffer>> = Single(RefCell::new(Table::new()));

fn code(result: Result<usize>) -> i32 {
    result.map_or_else(|error| -(error as i32), |value| value as i32)
}

/// A size as JavaScript gives it: as an integer of 32 bits it would arrive modulo 2^32.
fn size(number: f64) -> Result<usize> {
    let size = number as usize;
    ensure(size as f64 == number)?;
    Ok(size)
}

fn with_model(handle: i32, f: impl FnOnce(&mut Model) -> Result<usize>) -> i32 {
    MODELS.with(handle, |model| f(Rc::get_mut(model).ok_or(EngineError::InvalidHandle)?))
}

fn with_state(handle: i32, f: impl FnOnce(&mut State) -> Result<usize>) -> i32 {
    STATES.with(handle, |state| f(state))
}

/// An address; 0 on failure. Above 2 GiB JavaScript sees it negative, and makes it unsigned (ts/backends/wasm/memory.ts).
fn pointer(result: Result<&mut [f32]>) -> *const f32 {
    result.map_or(core::ptr::null(), |values| values.as_ptr())
}

/// The words of a block.
///
/// # Safety
/// `T` is f32, i32 or u32. The block is neither written to nor freed while they are in use.
unsafe fn words<'a, T>(handle: i32) -> Result<&'a [T]> {
    BLOCKS.with_borrow_mut(|blocks| {
        let block = blocks.get(handle)?;
        // SAFETY: the block's own numbers, any bits of which are a `T`; they stay where they are when the table moves.
        Ok(unsafe { core::slice::from_raw_parts(block.as_ptr().cast(), block.len()) })
    })
}

/// Takes a zeroed block of `length` 4-byte words. Returns its handle.
#[wasm_bindgen]
pub fn block_new(length: f64) -> i32 {
    BLOCKS.insert(size(length).and_then(Buffer::zeroed))
}

/// Address of a block, 0 for an unknown one.
#[wasm_bindgen]
pub fn block_address(handle: i32) -> *const f32 {
    BLOCKS.with_borrow_mut(|blocks| pointer(blocks.get(handle).map(|block| &mut **block)))
}

/// Gives a block back.
#[wasm_bindgen]
pub fn block_free(handle: i32) -> i32 {
    BLOCKS.free(handle)
}

/// An empty model, to be filled before its first state. Returns its handle.
#[wasm_bindgen]
pub fn model_new() -> i32 {
    // An Rc aborts where it finds no memory. This one is smaller than the box, whose memory is free again when it is made.
    let room = boxed([0u8; 1 << 10]);
    MODELS.insert(room.map(drop).map(|()| Rc::new(Model::new())))
}

const _: () = assert!(size_of::<Model>() < 1 << 9);

/// Adds an input of `size` numbers a row. Returns the number of its value.
#[wasm_bindgen]
pub fn model_add_input(model: i32, sequence: bool, size: f64) -> i32 {
    with_model(model, |model| model.add_input(Shape { sequence, size: self::size(size)? }))
}

/// Adds a layer. The block `words` holds: kind, number of inputs, inputs, number of tensors, (block or 0, length) of each,
/// parameters; all int32. Returns the number of its first value.
#[wasm_bindgen]
pub fn model_add_layer(model: i32, words: i32) -> i32 {
    with_model(model, |model| add_layer(model, words))
}

fn add_layer(model: &mut Model, block: i32) -> Result<usize> {
    // SAFETY: nothing here writes to a block or frees one, and a model keeps copies.
    let (unsigned, signed) = unsafe { (words::<u32>(block)?, words::<i32>(block)?) };
    let parsed = (|| {
        let (&kind, rest) = unsigned.split_first()?;
        let (&inputs, rest) = rest.split_first()?;
        let (inputs, rest) = rest.split_at_checked(inputs as usize)?;
        let (&count, rest) = rest.split_first()?;
        let (tensors, params) = rest.split_at_checked((count as usize).checked_mul(2)?)?;
        Some((kind as usize, signed.get(2..2 + inputs.len())?, tensors, params))
    })();
    let (kind, inputs, tensors, params) = parsed.ok_or(EngineError::InvalidArgument)?;
    let mut given = Vec::new();
    given.try_reserve_exact(tensors.len() / 2)?;
    for pair in tensors.chunks_exact(2) {
        given.push(match *pair {
            [0, _] => None,
            [handle, length] => {
                // SAFETY: as above.
                let tensor = unsafe { words::<f32>(handle as i32)? };
                ensure(tensor.len() == length as usize)?;
                Some(tensor)
            }
            _ => stop(),
        });
    }
    model.add_layer(kind, inputs, params, &given)
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
    MODELS.free(model)
}

/// A state for `batch` sequences. Returns its handle.
#[wasm_bindgen]
pub fn state_new(model: i32, batch: f64) -> i32 {
    let model = MODELS.with_borrow_mut(|models| models.get(model).map(|model| Rc::clone(model)));
    STATES.insert(model.and_then(|model| boxed(State::new(&model, size(batch)?)?)))
}

/// Lays out the buffers for the lengths in a block; with `some`, the block holds the sequences first that take part.
#[wasm_bindgen]
pub fn state_set_lengths(state: i32, lengths: i32, time_major: bool, some: bool) -> i32 {
    with_state(state, |state| {
        // SAFETY: copied at once.
        let words = unsafe { words::<u32>(lengths)? };
        if some {
            let (sequences, lengths) = words.split_at(words.len() / 2);
            state.set_sequences(copied(sequences)?, copied(lengths)?, time_major)?;
        } else {
            state.set_lengths(copied(words)?, time_major)?;
        }
        Ok(0)
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

/// To be called when JavaScript has written to a hidden state: of one sequence, or (-1) of all.
#[wasm_bindgen]
pub fn state_hidden_written(state: i32, index: usize, sequence: f64) -> i32 {
    with_state(state, |state| {
        let sequence = if sequence == -1.0 { None } else { Some(size(sequence)?) };
        state.hidden_written(index, sequence).map(|()| 0)
    })
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
    STATES.free(state)
}

/// Chooses the kernels that models use: an index of `KERNELS`.
#[wasm_bindgen]
pub fn kernels_select(set: usize) -> i32 {
    code(ensure(gru_wasm::kernels::select(set)).map(|()| 0))
}

/// Runs a kernel of a set on `rows` rows, `times` times, for timing. The block is its operands, `PROBE_WORDS` of kernels.
#[wasm_bindgen]
pub fn kernels_run(set: usize, block: i32, rows: f64, times: f64) -> i32 {
    BLOCKS.with(block, |block| gru_wasm::kernels::probe(set, block, size(rows)?, size(times)?).map(|()| 0))
}
