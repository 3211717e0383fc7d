//! The functions that JavaScript calls, as the binary exports them: they take and give numbers, so no glue is needed (and no
//! TextDecoder, which audio threads do not have). What they do, and what their numbers mean, is in [`gru_wasm::engine`].
//!
//! Models and states are named by handles above 0. A negative result is the negative of an
//! [`EngineError`](gru_wasm::error::EngineError)'s number.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

mod memory;

use core::cell::UnsafeCell;
use gru_wasm::engine::Engine;
use gru_wasm::error::Result;
use wasm_bindgen::prelude::wasm_bindgen;

// std would bring its panic messages and allocator: 20 KB.
#[global_allocator]
static MEMORY: memory::Memory = memory::new();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// The engine of an instance. A cell that counts borrows would stay borrowed after a trap, to trap again; JavaScript knows an
/// instance that trapped, and calls it no more (ts/backends/wasm/instance.ts).
struct Single(UnsafeCell<Engine>);

// SAFETY: without the atomics feature, an instance and its memory belong to one thread.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Single {}

static ENGINE: Single = Single(UnsafeCell::new(Engine::new()));

#[inline(always)]
fn with<R>(call: impl FnOnce(&mut Engine) -> R) -> R {
    // SAFETY: each function below calls this once; the module imports nothing, so that no call comes inside another.
    call(unsafe { &mut *ENGINE.0.get() })
}

/// A result that is not negative, or an error's number.
trait Number {
    fn number(self) -> i32;
}
impl Number for () {
    fn number(self) -> i32 {
        0
    }
}
impl Number for u32 {
    fn number(self) -> i32 {
        self as i32
    }
}
impl Number for usize {
    fn number(self) -> i32 {
        self as i32
    }
}

#[inline(always)]
fn code<T: Number>(call: impl FnOnce(&mut Engine) -> Result<T>) -> i32 {
    with(call).map_or_else(|error| -(error as i32), Number::number)
}

/// An address; 0 on failure. Above 2 GiB JavaScript sees it negative, and makes it unsigned (ts/backends/wasm/memory.ts).
#[inline(always)]
fn pointer(numbers: Result<&mut [f32]>) -> *const f32 {
    numbers.map_or(core::ptr::null(), |numbers| numbers.as_ptr())
}

/// Takes a zeroed block of `length` 4-byte words. Returns its handle.
#[wasm_bindgen]
pub fn block_new(length: f64) -> i32 {
    code(|engine| engine.block_new(length))
}

/// Address of a block, 0 for an unknown one.
#[wasm_bindgen]
pub fn block_address(block: f64) -> *const f32 {
    with(|engine| pointer(engine.block(block)))
}

/// Gives a block back.
#[wasm_bindgen]
pub fn block_free(block: f64) -> i32 {
    code(|engine| engine.block_free(block))
}

/// An empty model, to be filled before its first state. Returns its handle.
#[wasm_bindgen]
pub fn model_new() -> i32 {
    code(Engine::model_new)
}

/// Adds an input of `size` numbers a row: one row a sequence (`axis` 0), or one a step of axis number `axis` - 1; ids, where they are no
/// `numbers`. Returns the number of its value.
#[wasm_bindgen]
pub fn model_add_input(model: f64, axis: f64, size: f64, numbers: bool) -> i32 {
    code(|engine| engine.model_add_input(model, axis, size, numbers))
}

/// Makes `axis` one of `each` steps for each step of the axis `of`. After the inputs, before the layers.
#[cfg(feature = "full")]
#[wasm_bindgen]
pub fn model_nest_axis(model: f64, axis: f64, of: f64, each: f64) -> i32 {
    code(|engine| engine.model_nest_axis(model, axis, of, each))
}

/// Adds a layer, described by the block `words`. Returns the number of its first value.
#[wasm_bindgen]
pub fn model_add_layer(model: f64, words: f64) -> i32 {
    code(|engine| engine.model_add_layer(model, words))
}

/// Marks a value as an output.
#[wasm_bindgen]
pub fn model_add_output(model: f64, value: f64) -> i32 {
    code(|engine| engine.model_add_output(model, value))
}

/// Bytes of packed weights; negative: an error.
#[wasm_bindgen]
pub fn model_bytes(model: f64) -> f64 {
    with(|engine| engine.model_bytes(model).map_or_else(|error| -f64::from(error as i32), |bytes| bytes as f64))
}

/// Frees a model; its states stay.
#[wasm_bindgen]
pub fn model_free(model: f64) -> i32 {
    code(|engine| engine.model_free(model))
}

/// A state for `batch` sequences. Returns its handle.
#[wasm_bindgen]
pub fn state_new(model: f64, batch: f64) -> i32 {
    code(|engine| engine.state_new(model, batch))
}

/// Lays out the buffers for the lengths in a block, axis after axis; with `some`, the block holds the sequences first that take part.
/// `time_major`: a bit for each axis on which rows of one step follow each other.
#[wasm_bindgen]
pub fn state_set_lengths(state: f64, lengths: f64, time_major: u32, some: bool) -> i32 {
    code(|engine| engine.state_set_lengths(state, lengths, time_major, some))
}

/// Address of a value's buffer, 0 for an unknown one.
#[wasm_bindgen]
pub fn state_value(state: f64, value: f64) -> *const f32 {
    with(|engine| pointer(engine.state_value(state, value)))
}

/// Address of a hidden state, 0 for an unknown one.
#[wasm_bindgen]
pub fn state_hidden(state: f64, number: f64) -> *const f32 {
    with(|engine| pointer(engine.state_hidden(state, number).map(|(hidden, _)| hidden)))
}

/// Distance between the rows of a hidden state.
#[wasm_bindgen]
pub fn state_hidden_stride(state: f64, number: f64) -> i32 {
    code(|engine| engine.state_hidden(state, number).map(|(_, stride)| stride))
}

/// To be called when JavaScript has written to a hidden state: of one sequence, or (-1) of all.
#[wasm_bindgen]
pub fn state_hidden_written(state: f64, number: f64, sequence: f64) -> i32 {
    code(|engine| engine.state_hidden_written(state, number, sequence))
}

/// Runs all steps of the layout.
#[wasm_bindgen]
pub fn state_run(state: f64) -> i32 {
    code(|engine| engine.state(state)?.run())
}

/// Sets all hidden values to zero.
#[wasm_bindgen]
pub fn state_reset(state: f64) -> i32 {
    code(|engine| engine.state(state).map(|state| state.reset()))
}

/// Frees a state.
#[wasm_bindgen]
pub fn state_free(state: f64) -> i32 {
    code(|engine| engine.state_free(state))
}

/// Chooses the kernels that models use: an index of `KERNELS`.
#[wasm_bindgen]
pub fn kernels_select(set: f64) -> i32 {
    code(|engine| engine.kernels_select(set))
}

/// Runs a kernel of a set on `rows` rows, `times` times, for timing. The block is its operands, `PROBE_WORDS` of kernels.
#[wasm_bindgen]
pub fn kernels_run(set: f64, block: f64, rows: f64, times: f64) -> i32 {
    code(|engine| engine.kernels_run(set, block, rows, times))
}

/// How the products of weights of 8 bits are made: 1 as those of 16; by the engine's relaxed dot product of 2 signed or 3 unsigned bytes.
#[cfg(feature = "full")]
#[wasm_bindgen]
pub fn dot_of_bytes() -> i32 {
    gru_wasm::kernels::dot::dot() as i32
}
