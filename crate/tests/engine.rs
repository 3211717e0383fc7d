//! The engine that JavaScript calls: sizes beyond memory, handles of nothing, and any calls in any order.

use gru_wasm::buffer::MAX_LENGTH;
use gru_wasm::engine::Engine;
use gru_wasm::error::EngineError::{self, IdOutOfRange, InvalidArgument, InvalidHandle, OutOfMemory};
use gru_wasm::error::Result;
use gru_wasm::layers::MAX_SIZE;
use gru_wasm::layers::params::words;
use gru_wasm::layers::recurrent::Sizes;
use gru_wasm::layers::recurrent::gru::GruParams;
use proptest::prelude::*;

const MERGE: u32 = 3;
const GRU: u32 = 5;
const CLIP: u32 = f32::INFINITY.to_bits();

fn block(engine: &mut Engine, words: &[u32]) -> f64 {
    let block = f64::from(engine.block_new(words.len() as f64).unwrap());
    engine.block(block).unwrap().iter_mut().zip(words).for_each(|(into, &word)| *into = f32::from_bits(word));
    block
}

fn layer(engine: &mut Engine, model: f64, words: &[u32]) -> Result<usize> {
    let words = block(engine, words);
    let added = engine.model_add_layer(model, words);
    engine.block_free(words).unwrap();
    added
}

/// A model of one GRU of 4 inputs and 4 units.
fn gru(engine: &mut Engine) -> f64 {
    let model = f64::from(engine.model_new().unwrap());
    engine.model_add_input(model, true, 4.0).unwrap();
    let weights = block(engine, &[0; 48]) as u32;
    let params =
        GruParams { sizes: Sizes { input_size: 4, hidden_size: 4 }, reset_after: true, ..GruParams::default() };
    let words = [vec![GRU, 1, 0, 3, weights, 48, weights, 48, 0, 0], words(&params)].concat();
    assert_eq!(layer(engine, model, &words), Ok(1));
    engine.model_add_output(model, 1.0).unwrap();
    model
}

#[test]
fn sizes_beyond_32_bits_are_refused() {
    let mut engine = Engine::new();
    let model = gru(&mut engine);
    for huge in [2f64.powi(30), 2f64.powi(32), 2f64.powi(32) + 1.0, 2f64.powi(64), f64::INFINITY] {
        assert_eq!(engine.state_new(model, huge), Err(OutOfMemory), "{huge}");
        assert_eq!(engine.block_new(huge), Err(OutOfMemory), "{huge}");
        let other = f64::from(engine.model_new().unwrap());
        assert_eq!(engine.model_add_input(other, true, huge), Err(OutOfMemory), "{huge}");
    }
    for odd in [-1.0, 0.5, 1e-300, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(engine.state_new(model, odd), Err(InvalidArgument), "{odd}");
        assert_eq!(engine.block_new(odd), Err(InvalidArgument), "{odd}");
    }
    assert!(engine.state_new(model, 0.0).is_ok());
}

/// 2^32 columns are none in 32 bits, 2^32 + 4 are 4.
#[test]
fn rows_are_bounded() {
    let mut engine = Engine::new();
    let model = f64::from(engine.model_new().unwrap());
    for size in [0.0, MAX_SIZE as f64 + 1.0, MAX_LENGTH as f64] {
        assert_eq!(engine.model_add_input(model, true, size), Err(InvalidArgument), "{size}");
    }
    engine.model_add_input(model, true, MAX_SIZE as f64).unwrap();
    for parts in [2, 255, 256, 257] {
        let words: Vec<u32> = [MERGE, parts].into_iter().chain((0..parts).map(|_| 0)).chain([0, 0]).collect();
        assert!(layer(&mut engine, model, &words).is_err());
    }
    // The model is as it was, and a value of more rows than fit is refused where it is laid out.
    assert_eq!(layer(&mut engine, model, &[MERGE, 1, 0, 0, 0]), Ok(1));
    engine.model_add_output(model, 1.0).unwrap();
    let state = f64::from(engine.state_new(model, 1.0).unwrap());
    let lengths = block(&mut engine, &[65536]);
    assert_eq!(engine.state_set_lengths(state, lengths, false, false), Err(OutOfMemory));
    assert_eq!(engine.state(state).unwrap().run(), Ok(()));
}

#[test]
fn lengths_are_bounded() {
    let mut engine = Engine::new();
    let model = gru(&mut engine);
    let state = f64::from(engine.state_new(model, 2.0).unwrap());
    let mut lay_out = |words: &[u32], time_major, some| {
        let lengths = block(&mut engine, words);
        let done = engine.state_set_lengths(state, lengths, time_major, some);
        engine.block_free(lengths).unwrap();
        (done, engine.state(state).unwrap().run()).0
    };
    for huge in [[1 << 30, 1], [1 << 31, 1 << 31], [u32::MAX, 1], [u32::MAX, u32::MAX]] {
        assert_eq!(lay_out(&huge, false, false), Err(OutOfMemory), "{huge:?}");
    }
    assert_eq!(lay_out(&[1 << 31; 2], true, false), Err(OutOfMemory));
    assert_eq!(lay_out(&[1, 2], true, false), Err(InvalidArgument), "unequal lengths, time-major");
    assert_eq!(lay_out(&[1, 2, 3], false, false), Err(InvalidArgument), "another batch");
    assert_eq!(lay_out(&[0, 1, 2], false, true), Err(InvalidArgument), "a length too many");
    assert_eq!(lay_out(&[2, 1], false, true), Err(InvalidArgument), "an unknown sequence");
    assert_eq!(lay_out(&[1, 1, 3, 3], false, true), Err(InvalidArgument), "a sequence twice");
    assert_eq!(lay_out(&[1, 3], false, true), Ok(()));
    assert_eq!(lay_out(&[], false, true), Ok(()));
}

const WRAPS: f64 = 4294967296.0;

/// Each would be a number that something has if 32 bits of it were taken.
#[test]
fn handles_and_indices_do_not_wrap() {
    let mut engine = Engine::new();
    let model = gru(&mut engine);
    let state = f64::from(engine.state_new(model, 2.0).unwrap());
    let words = block(&mut engine, &[1, 1]);
    for off in [WRAPS, -WRAPS, 0.5, f64::NAN, f64::INFINITY] {
        let (model, state, words) = (model + off, state + off, words + off);
        assert_eq!(engine.block(words).err(), Some(InvalidHandle), "{off}");
        assert_eq!(engine.block_free(words), Err(InvalidHandle));
        assert_eq!(engine.model_add_input(model, true, 1.0), Err(InvalidHandle));
        assert_eq!(engine.model_bytes(model), Err(InvalidHandle));
        assert_eq!(engine.model_free(model), Err(InvalidHandle));
        assert_eq!(engine.state_new(model, 1.0), Err(InvalidHandle));
        assert_eq!(engine.state_free(state), Err(InvalidHandle));
        assert_eq!(engine.state(state).err(), Some(InvalidHandle));
    }
    for none in [-1.0, 0.5, 2.0, WRAPS, WRAPS + 1.0, 2f64.powi(53), f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(engine.state_value(state, none + 8.0).err(), Some(InvalidArgument), "{none}");
        assert_eq!(engine.state_hidden(state, none).err(), Some(InvalidArgument));
        assert_eq!(engine.state_hidden_written(state, none, 0.0), Err(InvalidArgument));
        let sequence = if none == -1.0 { -2.0 } else { none };
        assert_eq!(engine.state_hidden_written(state, 0.0, sequence), Err(InvalidArgument));
        assert_eq!(engine.kernels_select(none * 8.0), Err(InvalidArgument));
        assert_eq!(engine.kernels_run(0.0, words, none, none), Err(InvalidArgument));
        let other = f64::from(engine.model_new().unwrap());
        assert_eq!(engine.model_add_output(other, none), Err(InvalidArgument));
    }
    assert_eq!(engine.state_hidden_written(state, 0.0, 1.0), Ok(()));
    assert_eq!(engine.state_hidden_written(state, 0.0, -1.0), Ok(()));
}

#[test]
fn a_model_with_states_stays_as_it_is() {
    let mut engine = Engine::new();
    let model = gru(&mut engine);
    let state = f64::from(engine.state_new(model, 1.0).unwrap());
    assert_eq!(engine.model_add_output(model, 0.0), Err(InvalidHandle));
    engine.model_free(model).unwrap();
    assert_eq!(engine.model_bytes(model), Err(InvalidHandle));
    assert_eq!(engine.state_new(model, 1.0), Err(InvalidHandle));
    assert_eq!(engine.state(state).unwrap().run(), Ok(()));
    engine.state_free(state).unwrap();
    assert_eq!(engine.state_free(state), Err(InvalidHandle));
}

/// A call of the engine, of handles and values that are mostly there.
#[derive(Clone, Debug)]
enum Call {
    BlockNew(f64),
    BlockFree(usize),
    ModelNew,
    Input(usize, bool, f64),
    Layer(usize, Vec<u32>, Vec<(usize, u32)>, u32, Vec<u32>),
    Output(usize, usize),
    ModelFree(usize),
    StateNew(usize, f64),
    Lengths(usize, Vec<u32>, bool, bool),
    Write(usize, usize, u32),
    HiddenWritten(usize, usize, f64),
    Run(usize),
    Reset(usize),
    StateFree(usize),
}

fn size() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![20 => 1..6u32, 1 => Just(0), 1 => Just(1 << 16), 1 => Just(1 << 24), 1 => Just(1 << 30), 1 => any::<u32>()]
}

fn call() -> impl Strategy<Value = Call> {
    let which = 0..4usize;
    let layer =
        (0..9u32, proptest::collection::vec(prop_oneof![9 => 0..6u32, 1 => any::<u32>()], 1..4), 1..6u32, 1..6u32);
    let layer = (which.clone(), layer, any::<[bool; 8]>(), any::<[u32; 3]>()).prop_map(
        |(model, (kind, inputs, i, h), flags, odd)| {
            let number = |flag: bool| u32::from(flag);
            let activation = [odd[0] % 14, 0.3f32.to_bits(), 0.2f32.to_bits()];
            let mut params = match kind {
                0 => vec![i, h, number(flags[0])],
                1 => vec![i, h],
                2 => vec![],
                3 => vec![odd[1] % 5],
                4 => vec![0],
                5 => vec![i, h, number(flags[0]), odd[1] % 4, odd[2] % 4, number(flags[1]), number(flags[2]), CLIP],
                6 => vec![number(flags[0])],
                _ => vec![i - 1, h],
            };
            match kind {
                1 | 2 => params.extend(activation),
                5 => params.extend(activation.iter().chain(&[2, 0, 0])),
                _ => {}
            }
            if flags[3] && flags[4] && flags[5] {
                params.push(odd[2]);
            }
            let sizes = match kind {
                0 => vec![i * h],
                1 => vec![i * h, h],
                5 if flags[0] => [3 * h * i, 3 * h * h, 3 * h, h].repeat(2),
                5 => [3 * h * i, 3 * h * h, 3 * h].repeat(2),
                _ => vec![],
            };
            let tensors = sizes.into_iter().map(|size| (0, size)).collect();
            Call::Layer(model, inputs, tensors, kind, params)
        },
    );
    let lengths = proptest::collection::vec(prop_oneof![20 => 0..7u32, 1 => any::<u32>()], 0..8);
    let sizes = size().prop_map(f64::from as fn(u32) -> f64);
    prop_oneof![
        1 => sizes.clone().prop_map(Call::BlockNew),
        1 => which.clone().prop_map(Call::BlockFree),
        2 => Just(Call::ModelNew),
        4 => (which.clone(), any::<bool>(), sizes.clone()).prop_map(|(m, s, n)| Call::Input(m, s, n)),
        8 => layer,
        3 => (which.clone(), 0..8usize).prop_map(|(m, v)| Call::Output(m, v)),
        1 => which.clone().prop_map(Call::ModelFree),
        4 => (which.clone(), sizes).prop_map(|(m, n)| Call::StateNew(m, n)),
        4 => (which.clone(), lengths, any::<bool>(), any::<bool>()).prop_map(|(s, l, t, o)| Call::Lengths(s, l, t, o)),
        3 => (which.clone(), 0..8usize, any::<u32>()).prop_map(|(s, v, x)| Call::Write(s, v, x)),
        2 => (which.clone(), 0..3usize, prop_oneof![Just(-1.0), (0..4).prop_map(f64::from), any::<f64>()]).prop_map(|(s, h, b)| Call::HiddenWritten(s, h, b)),
        6 => which.clone().prop_map(Call::Run),
        1 => which.clone().prop_map(Call::Reset),
        1 => which.prop_map(Call::StateFree),
    ]
}

/// Largest size that is made: memory of a host that has more than 4 GB is not to be filled.
const MOST: f64 = 1e5;

#[derive(Default)]
struct Handles {
    blocks: Vec<f64>,
    models: Vec<f64>,
    states: Vec<f64>,
}

fn make(engine: &mut Engine, handles: &mut Handles, call: Call) -> Result<()> {
    let pick = |list: &[f64], i: usize| list.get(i % list.len().max(1)).copied().unwrap_or(i as f64);
    match call {
        Call::BlockNew(n) | Call::Input(_, _, n) | Call::StateNew(_, n) if n > MOST && n <= MAX_LENGTH as f64 => Ok(()),
        Call::BlockNew(n) => engine.block_new(n).map(|block| handles.blocks.push(block.into())),
        Call::BlockFree(b) => engine.block_free(pick(&handles.blocks, b)),
        Call::ModelNew => engine.model_new().map(|model| handles.models.push(model.into())),
        Call::Input(m, sequence, n) => engine.model_add_input(pick(&handles.models, m), sequence, n).map(drop),
        Call::Layer(m, inputs, tensors, kind, params) => {
            let mut words = vec![kind, inputs.len() as u32];
            words.extend(inputs);
            words.push(tensors.len() as u32);
            let mut blocks = Vec::new();
            for (_, size) in tensors {
                blocks.push(block(engine, &vec![0.1f32.to_bits(); size as usize]));
                words.extend([blocks[blocks.len() - 1] as u32, size]);
            }
            words.extend(params);
            let added = layer(engine, pick(&handles.models, m), &words);
            blocks.into_iter().for_each(|block| engine.block_free(block).unwrap());
            added.map(drop)
        }
        Call::Output(m, value) => engine.model_add_output(pick(&handles.models, m), value as f64),
        Call::ModelFree(m) => engine.model_free(pick(&handles.models, m)),
        Call::StateNew(m, n) => {
            engine.state_new(pick(&handles.models, m), n).map(|state| handles.states.push(state.into()))
        }
        Call::Lengths(_, lengths, ..)
            if lengths.iter().any(|&n| f64::from(n) > MOST / 100.0 && (n as usize) < MAX_LENGTH) =>
        {
            Ok(())
        }
        Call::Lengths(s, lengths, time_major, some) => {
            let lengths = block(engine, &lengths);
            engine.state_set_lengths(pick(&handles.states, s), lengths, time_major, some)
        }
        Call::Write(s, value, word) => {
            engine.state_value(pick(&handles.states, s), value as f64)?.fill(f32::from_bits(word));
            Ok(())
        }
        Call::HiddenWritten(s, index, sequence) => {
            engine.state_hidden_written(pick(&handles.states, s), index as f64, sequence)
        }
        Call::Run(s) => engine.state(pick(&handles.states, s))?.run(),
        Call::Reset(s) => engine.state(pick(&handles.states, s)).map(|state| state.reset()),
        Call::StateFree(s) => engine.state_free(pick(&handles.states, s)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    #[cfg_attr(miri, ignore = "proptest itself takes minutes there")]
    fn any_calls_end_in_a_result(calls in proptest::collection::vec(call(), 1..80)) {
        let mut engine = Engine::new();
        let mut handles = Handles::default();
        for call in calls {
            if let Err(error) = make(&mut engine, &mut handles, call) {
                prop_assert!(matches!(error, OutOfMemory | InvalidArgument | IdOutOfRange | InvalidHandle));
            }
        }
    }
}

#[test]
fn errors_have_stable_numbers() {
    let errors: [EngineError; 4] = [OutOfMemory, InvalidArgument, IdOutOfRange, InvalidHandle];
    assert_eq!(errors.map(|error| error as i32), [1, 2, 3, 4]);
}
