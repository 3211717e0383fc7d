//! Any calls in any order.

use crate::{block, drawn, layer};
use gru_wasm::buffer::MAX_LENGTH;
use gru_wasm::engine::Engine;
use gru_wasm::error::EngineError::{IdOutOfRange, InvalidArgument, InvalidHandle, OutOfMemory};
use gru_wasm::error::Result;
use gru_wasm::layers::LAYERS;
use proptest::prelude::*;

/// A call of the engine, of handles and values that are mostly there.
#[derive(Clone, Debug)]
enum Call {
    BlockNew(f64),
    BlockFree(usize),
    ModelNew,
    /// Of an axis, 0 for none.
    Input(usize, f64, f64),
    /// Model, inputs, lengths of tensors, kind, parameters, the axis whose steps are its sequences plus 1.
    Layer(usize, Vec<u32>, Vec<u32>, u32, Vec<u32>, u32),
    /// Model, axis, the one that it is nested in, steps.
    Nest(usize, u32, u32, u32),
    Output(usize, usize),
    ModelFree(usize),
    StateNew(usize, f64),
    Lengths(usize, Vec<u32>, u32, bool),
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
    let inputs = proptest::collection::vec(prop_oneof![9 => 0..6u32, 1 => any::<u32>()], 1..4);
    let layer = (0..LAYERS.len(), inputs, 1..6usize, 1..6usize);
    // A word of the parameters that is another, or one too many.
    let odd = prop_oneof![5 => Just(None), 1 => any::<(usize, u32)>().prop_map(Some)];
    let per = prop_oneof![3 => Just(0), 2 => Just(1), 1 => 0..4u32];
    let layer = (which.clone(), layer, any::<[u32; 8]>(), odd, per).prop_map(
        |(model, (kind, inputs, i, h), drawn, odd, per)| {
            let (mut params, tensors) = drawn::layer(kind, i, h, drawn);
            if let Some((at, word)) = odd {
                match params.get_mut(at % 16) {
                    Some(param) => *param = word,
                    None => params.push(word),
                }
            }
            Call::Layer(model, inputs, tensors, kind as u32, params, per)
        },
    );
    let lengths = proptest::collection::vec(prop_oneof![20 => 0..7u32, 1 => any::<u32>()], 0..8);
    let axis = prop_oneof![20 => (0..4u32).prop_map(f64::from), 1 => (0..40u32).prop_map(f64::from), 1 => any::<f64>()];
    let sizes = size().prop_map(f64::from as fn(u32) -> f64);
    prop_oneof![
        1 => sizes.clone().prop_map(Call::BlockNew),
        1 => which.clone().prop_map(Call::BlockFree),
        2 => Just(Call::ModelNew),
        4 => (which.clone(), axis, sizes.clone()).prop_map(|(m, axis, n)| Call::Input(m, axis, n)),
        2 => (which.clone(), 0..3u32, 0..2u32, 0..5u32).prop_map(|(m, a, o, n)| Call::Nest(m, a, o, n)),
        8 => layer,
        3 => (which.clone(), 0..8usize).prop_map(|(m, v)| Call::Output(m, v)),
        1 => which.clone().prop_map(Call::ModelFree),
        4 => (which.clone(), sizes).prop_map(|(m, n)| Call::StateNew(m, n)),
        4 => (which.clone(), lengths, 0..8u32, any::<bool>()).prop_map(|(s, l, t, o)| Call::Lengths(s, l, t, o)),
        3 => (which.clone(), 0..8usize, any::<u32>()).prop_map(|(s, v, x)| Call::Write(s, v, x)),
        2 => (which.clone(), 0..5usize, prop_oneof![Just(-1.0), (0..4).prop_map(f64::from), any::<f64>()]).prop_map(|(s, h, b)| Call::HiddenWritten(s, h, b)),
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
        Call::Input(m, axis, n) => engine.model_add_input(pick(&handles.models, m), axis, n, n > 1.0).map(drop),
        Call::Nest(m, axis, of, each) => {
            engine.model_nest_axis(pick(&handles.models, m), axis.into(), of.into(), each.into())
        }
        Call::Layer(m, inputs, tensors, kind, params, per) => {
            let mut words = vec![kind, per, inputs.len() as u32];
            words.extend(inputs);
            words.push(tensors.len() as u32);
            let mut blocks = Vec::new();
            for size in tensors {
                blocks.push(block(engine, &vec![0.1f32.to_bits(); size as usize]));
                words.extend([blocks[blocks.len() - 1] as u32, 0, size, 0]);
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
