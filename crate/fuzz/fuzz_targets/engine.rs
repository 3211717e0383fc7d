//! Any calls of the engine in any order, of handles that are mostly there: each ends in a result or an error.
//!
//! crate/tests/engine/calls.rs draws such calls at random; here coverage leads to them, under the address sanitizer.

#![no_main]

use arbitrary::{Arbitrary, Result as Drawn, Unstructured};
use gru_wasm::engine::Engine;
use gru_wasm::error::Result;
use gru_wasm::kernels::PROBE_WORDS;
use gru_wasm::layers::LAYERS;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/common/drawn.rs"]
mod drawn;

/// A size or count: mostly few, for speed, now and then beyond 32 bits or no count at all. None fills memory.
#[derive(Clone, Copy, Debug)]
struct Size(f64);

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(from: &mut Unstructured<'a>) -> Drawn<Self> {
        const ODD: [f64; 8] =
            [-1.0, 0.5, f64::NAN, f64::INFINITY, 1073741824.0, 4294967296.0, 4294967297.0, 18446744073709551616.0];
        let byte = u8::arbitrary(from)?;
        Ok(Size(if byte < 240 { f64::from(byte % 12) } else { ODD[usize::from(byte % 8)] }))
    }
}

/// A word of a layer or a length: few, or at an edge of 32 bits.
#[derive(Clone, Copy, Debug)]
struct Word(u32);

impl<'a> Arbitrary<'a> for Word {
    fn arbitrary(from: &mut Unstructured<'a>) -> Drawn<Self> {
        const EDGES: [u32; 8] =
            [1 << 30, 1 << 31, u32::MAX, i32::MAX as u32, 0x7f80_0000, 0x3e99_999a, 65537, u32::MAX - 1];
        let byte = u8::arbitrary(from)?;
        Ok(Word(if byte < 240 { u32::from(byte % 14) } else { EDGES[usize::from(byte % 8)] }))
    }
}

/// One of the handles that were given out, or (from 240 on) what may be none.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Handle(u8);

impl Handle {
    fn of(self, given: &[f64]) -> f64 {
        match given.len() {
            0 => f64::from(self.0),
            _ if self.0 >= 240 => f64::from(self.0 - 240),
            len => given[usize::from(self.0) % len],
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Layer {
    kind: u8,
    /// The axis whose steps are sequences to it plus 1, or 0.
    per: u8,
    inputs: [Word; 4],
    input_count: u8,
    size: u8,
    units: u8,
    options: [Word; 8],
    /// A word of the parameters that is another.
    odd: Option<(u8, Word)>,
    tail: Option<Word>,
    /// A tensor that is left out.
    missing: Option<u8>,
    weight: f32,
}

impl Layer {
    fn kind(&self) -> usize {
        usize::from(self.kind) % LAYERS.len()
    }

    /// Parameters, and lengths of tensors.
    fn words(&self) -> (Vec<u32>, Vec<u32>) {
        // Mostly 4, or few rows would be as wide as what reads them.
        let size = |byte: u8| if byte < 160 { 4 } else { usize::from(byte % 11) + 1 };
        let (i, h) = (size(self.size), size(self.units));
        let (mut params, tensors) = drawn::layer(self.kind(), i, h, self.options.map(|word| word.0));
        if let Some((at, word)) = self.odd {
            let at = usize::from(at) % params.len();
            params[at] = word.0;
        }
        params.extend(self.tail.map(|word| word.0));
        (params, tensors)
    }
}

/// A whole model of an input or two and one recurrent layer on the last one's axis, and its state: chance seldom makes one.
#[derive(Arbitrary, Debug)]
struct Whole {
    kind: u8,
    options: [Word; 8],
    two_axes: bool,
    time_major: u8,
    batch: u8,
    weight: f32,
}

#[derive(Arbitrary, Debug)]
enum Call {
    BlockNew(Size),
    /// Of the one length that `KernelsRun` takes.
    BlockOfProbe,
    BlockWrite(Handle, Vec<Word>),
    BlockFree(Handle),
    ModelNew,
    /// Of four numbers a row, as most layers read, or of any.
    Input(Handle, u8, Size, bool),
    Nest(Handle, u8, u8, u8),
    Layer(Handle, Layer),
    Whole(Whole),
    LayerOfBlock(Handle, Handle),
    Output(Handle, Size),
    Bytes(Handle),
    ModelFree(Handle),
    StateNew(Handle, Size),
    Lengths(Handle, Vec<Word>, u8, bool),
    Write(Handle, Size, f32),
    Hidden(Handle, Size, f32),
    HiddenWritten(Handle, Size, Size),
    Run(Handle),
    Reset(Handle),
    StateFree(Handle),
    KernelsSelect(Size),
    KernelsRun(Size, Handle, Size, Size),
}

#[derive(Default)]
struct Handles {
    blocks: Vec<f64>,
    models: Vec<f64>,
    states: Vec<f64>,
}

fn block(engine: &mut Engine, words: &[u32]) -> Result<f64> {
    let block = f64::from(engine.block_new(words.len() as f64)?);
    engine.block(block)?.iter_mut().zip(words).for_each(|(into, &word)| *into = f32::from_bits(word));
    Ok(block)
}

/// Adds a layer with all numbers of all tensors the same, but for the tensor `missing`. Returns its first value.
fn add_layer(
    engine: &mut Engine,
    model: f64,
    (kind, per): (usize, u32),
    inputs: &[u32],
    (params, tensors): (Vec<u32>, Vec<u32>),
    weight: f32,
    missing: Option<u8>,
) -> Result<usize> {
    let mut words = vec![kind as u32, per, inputs.len() as u32];
    words.extend(inputs);
    words.push(tensors.len() as u32);
    let mut blocks = Vec::new();
    for (i, &size) in tensors.iter().enumerate() {
        blocks.push(block(engine, &vec![weight.to_bits(); size as usize])?);
        words.extend([if missing == Some(i as u8) { 0 } else { blocks[i] as u32 }, 0, size, 0]);
    }
    words.extend(params);
    blocks.push(block(engine, &words)?);
    let added = engine.model_add_layer(model, blocks[blocks.len() - 1]);
    blocks.into_iter().try_for_each(|block| engine.block_free(block))?;
    added
}

fn layer(engine: &mut Engine, model: f64, layer: &Layer) -> Result<()> {
    let inputs = &layer.inputs[..if layer.input_count < 160 { 1 } else { usize::from(layer.input_count % 5) }];
    let inputs: Vec<u32> = inputs.iter().map(|word| word.0).collect();
    add_layer(engine, model, (layer.kind(), u32::from(layer.per % 3)), &inputs, layer.words(), layer.weight, layer.missing).map(drop)
}

fn whole(engine: &mut Engine, given: &mut Handles, whole: &Whole) -> Result<()> {
    let recurrent = ["gru", "lstm", "rnn"][usize::from(whole.kind % 3)];
    let kind = LAYERS.iter().position(|kind| kind.name == recurrent).expect("a kind of layer");
    let model = f64::from(engine.model_new()?);
    given.models.push(model);
    let axes = 1 + u32::from(whole.two_axes);
    for axis in 1..=axes {
        engine.model_add_input(model, axis, 4.0, true)?;
    }
    let words = drawn::layer(kind, 4, 4, whole.options.map(|word| word.0));
    let value = add_layer(engine, model, (kind, 0), &[axes - 1], words, whole.weight, None)?;
    engine.model_add_output(model, value as f64)?;
    let batch = usize::from(whole.batch % 24);
    let state = f64::from(engine.state_new(model, batch as f64)?);
    given.states.push(state);
    let lengths = block(engine, &vec![3; batch * axes as usize])?;
    engine.state_set_lengths(state, lengths, whole.time_major, false)?;
    engine.block_free(lengths)
}

fn make(engine: &mut Engine, given: &mut Handles, call: Call) -> Result<()> {
    match call {
        Call::BlockNew(n) => engine.block_new(n.0).map(|block| given.blocks.push(block.into())),
        Call::BlockOfProbe => engine.block_new(PROBE_WORDS as f64).map(|block| given.blocks.push(block.into())),
        Call::BlockWrite(b, words) => {
            let into = engine.block(b.of(&given.blocks))?;
            into.iter_mut().zip(words).for_each(|(into, word)| *into = f32::from_bits(word.0));
            Ok(())
        }
        Call::BlockFree(b) => engine.block_free(b.of(&given.blocks)),
        Call::ModelNew => engine.model_new().map(|model| given.models.push(model.into())),
        Call::Input(m, axis, n, four) => {
            // Mostly none or one of three.
            let axis = if axis < 240 { axis % 4 } else { axis - 212 };
            engine.model_add_input(m.of(&given.models), axis, if four { 4.0 } else { n.0 }, four).map(drop)
        }
        Call::Nest(m, axis, of, each) => {
            let [axis, of, each] = [axis % 4, of % 3, each % 6].map(f64::from);
            engine.model_nest_axis(m.of(&given.models), axis, of, each)
        }
        Call::Layer(m, drawn) => layer(engine, m.of(&given.models), &drawn),
        Call::Whole(drawn) => whole(engine, given, &drawn),
        Call::LayerOfBlock(m, b) => engine.model_add_layer(m.of(&given.models), b.of(&given.blocks)).map(drop),
        Call::Output(m, value) => engine.model_add_output(m.of(&given.models), value.0),
        Call::Bytes(m) => engine.model_bytes(m.of(&given.models)).map(drop),
        Call::ModelFree(m) => engine.model_free(m.of(&given.models)),
        Call::StateNew(m, n) => engine.state_new(m.of(&given.models), n.0).map(|state| given.states.push(state.into())),
        Call::Lengths(s, words, time_major, some) => {
            // As many as a batch has, or few more: a block of thousands is only slow. So are 65537 steps, and 2^30 of them, which
            // memory of 32 bits has no room for, take minutes in one of 64.
            let steps = words.iter().take(26).map(|word| word.0);
            let words: Vec<u32> = steps.filter(|steps| !(65537..1 << 31).contains(steps)).collect();
            let lengths = block(engine, &words)?;
            let done = engine.state_set_lengths(s.of(&given.states), lengths, time_major, some);
            engine.block_free(lengths)?;
            done
        }
        Call::Write(s, value, number) => {
            engine.state_value(s.of(&given.states), value.0)?.fill(number);
            Ok(())
        }
        Call::Hidden(s, index, number) => {
            engine.state_hidden(s.of(&given.states), index.0)?.0.fill(number);
            Ok(())
        }
        Call::HiddenWritten(s, index, sequence) => {
            engine.state_hidden_written(s.of(&given.states), index.0, sequence.0)
        }
        Call::Run(s) => engine.state(s.of(&given.states))?.run(),
        Call::Reset(s) => engine.state(s.of(&given.states)).map(|state| state.reset()),
        Call::StateFree(s) => engine.state_free(s.of(&given.states)),
        Call::KernelsSelect(set) => engine.kernels_select(set.0),
        Call::KernelsRun(set, b, rows, times) => {
            engine.kernels_run(set.0, b.of(&given.blocks), rows.0, times.0.min(12.0))
        }
    }
}

fuzz_target!(|calls: Vec<Call>| {
    let mut engine = Engine::new();
    let mut given = Handles::default();
    // Chosen for all engines: an input is to do the same every time.
    engine.kernels_select(0.0).expect("the first set of kernels");
    for call in calls.into_iter().take(64) {
        let _ = make(&mut engine, &mut given, call);
    }
});
