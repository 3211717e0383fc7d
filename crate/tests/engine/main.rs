//! The engine that JavaScript calls: sizes beyond memory, handles of nothing, and any calls in any order.

use gru_wasm::buffer::MAX_LENGTH;
use gru_wasm::engine::Engine;
use gru_wasm::error::EngineError::{self, IdOutOfRange, InvalidArgument, InvalidHandle, OutOfMemory};
use gru_wasm::error::Result;
use gru_wasm::layers::dense::DenseParams;
use gru_wasm::layers::params::words;
use gru_wasm::layers::recurrent::Sizes;
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::lstm::LstmParams;
use gru_wasm::layers::reduce::{ReduceParams, Reduction};
use gru_wasm::layers::{LAYERS, MAX_AXES, MAX_SIZE};

mod calls;
#[path = "../common/drawn.rs"]
mod drawn;

fn kind(name: &str) -> u32 {
    LAYERS.iter().position(|kind| kind.name == name).unwrap() as u32
}

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
    engine.model_add_input(model, true, 4.0, false).unwrap();
    let weights = block(engine, &[0; 48]) as u32;
    let params =
        GruParams { sizes: Sizes { input_size: 4, hidden_size: 4 }, reset_after: true, ..GruParams::default() };
    let words =
        [vec![kind("gru"), 0, 1, 0, 3, weights, 0, 48, 0, weights, 0, 48, 0, 0, 0, 0, 0], words(&params)].concat();
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
        assert_eq!(engine.model_add_input(other, true, huge, false), Err(OutOfMemory), "{huge}");
    }
    for odd in [-1.0, 0.5, 1e-300, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(engine.state_new(model, odd), Err(InvalidArgument), "{odd}");
        assert_eq!(engine.block_new(odd), Err(InvalidArgument), "{odd}");
    }
    assert!(engine.state_new(model, 0.0).is_ok());
}

#[test]
fn tensors_are_of_a_dtype() {
    let mut engine = Engine::new();
    let model = f64::from(engine.model_new().unwrap());
    engine.model_add_input(model, 0.0, 3.0, false).unwrap();
    let params = words(&DenseParams { input_size: 3, output_size: 2, ..DenseParams::default() });
    // Rows 1, -2, 3 by 0.5 and -4, 5, -6 by 2.
    let wide = block(&mut engine, &[0xfffe_0001, 0xfffc_0003, 0xfffa_0005]) as u32;
    let narrow = block(&mut engine, &[0xfc03_fe01, 0x0000_fa05]) as u32;
    let scales = block(&mut engine, &[0.5f32.to_bits(), 2f32.to_bits()]) as u32;
    let bias = block(&mut engine, &[0x3f80_0000, 0]) as u32;
    let mut dense = |kernel: [u32; 4], bias: [u32; 4]| {
        layer(&mut engine, model, &[&[kind("dense"), 0, 1, 0, 2][..], &kernel, &bias, &params].concat())
    };
    let none = [0; 4];
    for kernel in [
        [wide, 0, 6, 0],
        [wide, 1, 6, 0],
        [wide, 1, 6, wide],
        [wide, 1, 4, scales],
        [wide, 2, 6, scales],
        [wide, 3, 6, scales],
        [wide, 0, 6, scales],
        [narrow, 1, 6, scales],
        none,
    ] {
        assert!(dense(kernel, none).is_err(), "{kernel:?}");
    }
    assert!(dense([wide, 1, 6, scales], [bias, 1, 2, scales]).is_err(), "a bias is numbers");
    assert_eq!(dense([wide, 1, 6, scales], [bias, 0, 2, 0]), Ok(1));
    assert_eq!(dense([narrow, 2, 6, scales], [bias, 0, 2, 0]), Ok(2));
    for value in [1.0, 2.0] {
        engine.model_add_output(model, value).unwrap();
    }
    let state = f64::from(engine.state_new(model, 1.0).unwrap());
    let lengths = block(&mut engine, &[1]);
    engine.state_set_lengths(state, lengths, 0u32, false).unwrap();
    engine.state_value(state, 0.0).unwrap().copy_from_slice(&[1.0, 2.0, 4.0]);
    engine.state(state).unwrap().run().unwrap();
    for value in [1.0, 2.0] {
        // 1 + (1 - 4 + 12) / 2 and 2 * (-4 + 10 - 24), of a row that is rounded to 15 bits, and to 7.
        let most = if value == 1.0 { 2e-3 } else { 0.3 };
        let near = |got: &[f32]| got.len() == 2 && (got[0] - 5.5).abs() < most / 2.0 && (got[1] + 36.0).abs() < most;
        let got = engine.state_value(state, value).unwrap();
        assert!(near(got), "{got:?}");
    }
}

/// 2^32 columns are none in 32 bits, 2^32 + 4 are 4.
#[test]
fn rows_are_bounded() {
    let mut engine = Engine::new();
    let model = f64::from(engine.model_new().unwrap());
    for size in [0.0, MAX_SIZE as f64 + 1.0, MAX_LENGTH as f64] {
        assert_eq!(engine.model_add_input(model, true, size, false), Err(InvalidArgument), "{size}");
    }
    engine.model_add_input(model, true, MAX_SIZE as f64, false).unwrap();
    let merge = kind("merge");
    for parts in [2, 255, 256, 257] {
        let words: Vec<u32> = [merge, 0, parts].into_iter().chain((0..parts).map(|_| 0)).chain([0; 4]).collect();
        assert!(layer(&mut engine, model, &words).is_err());
    }
    // The model is as it was, and a value of more rows than fit is refused where it is laid out.
    assert_eq!(layer(&mut engine, model, &[merge, 0, 1, 0, 0, 0, 0, 0]), Ok(1));
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

/// Of inputs, number 0 is none, and those from 1 on are axes; a block of lengths holds those of all axes in turn.
#[test]
fn axes_are_bounded_and_have_lengths_each() {
    let mut engine = Engine::new();
    let model = gru(&mut engine);
    for axis in [MAX_AXES as f64 + 1.0, 33.0, WRAPS, WRAPS + 1.0, f64::INFINITY] {
        let other = f64::from(engine.model_new().unwrap());
        assert_eq!(engine.model_add_input(other, axis, 1.0, false), Err(InvalidArgument), "{axis}");
    }
    engine.model_free(model).unwrap();
    let model = f64::from(engine.model_new().unwrap());
    assert_eq!(engine.model_add_input(model, 1.0, 4.0, false), Ok(0));
    assert_eq!(engine.model_add_input(model, 2.0, 4.0, false), Ok(1));
    assert_eq!(engine.model_add_input(model, 0.0, 4.0, false), Ok(2));
    let weights = block(&mut engine, &[0; 64]) as u32;
    let params = words(&LstmParams { sizes: Sizes { input_size: 4, hidden_size: 4 }, ..LstmParams::default() });
    let words = [
        vec![kind("lstm"), 0, 3, 1, u32::MAX, 2, 4, weights, 0, 64, 0, weights, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        params,
    ]
    .concat();
    assert_eq!(layer(&mut engine, model, &words), Ok(3));
    let state = f64::from(engine.state_new(model, 2.0).unwrap());
    let mut lay_out = |words: &[u32], time_major: u32, some| {
        let lengths = block(&mut engine, words);
        let done = engine.state_set_lengths(state, lengths, time_major, some);
        let values = [0.0, 1.0].map(|value| engine.state_value(state, value).unwrap().len() / 4);
        (done, engine.state(state).unwrap().run(), values)
    };
    assert_eq!(lay_out(&[1, 2, 3, 3], 0b10, false), (Ok(()), Ok(()), [3, 6]));
    assert_eq!(lay_out(&[1, 2, 3, 3], 0b01, false), (Err(InvalidArgument), Ok(()), [3, 6]));
    assert_eq!(lay_out(&[1, 2], 0, false), (Err(InvalidArgument), Ok(()), [3, 6]));
    assert_eq!(lay_out(&[1, 2, 7], 0, true), (Ok(()), Ok(()), [2, 7]));
    assert_eq!(lay_out(&[1, 0, 2, 3, 4, 5], 0, true), (Ok(()), Ok(()), [5, 9]));
    for odd in [&[1, 2][..], &[1, 0, 2, 3, 4], &[2, 1, 1]] {
        assert_eq!(lay_out(odd, 0, true), (Err(InvalidArgument), Ok(()), [5, 9]), "{odd:?}");
    }
    assert_eq!(engine.state_hidden(state, 1.0).map(|(cells, stride)| (cells.len(), stride)), Ok((8, 4)));
    assert_eq!(engine.state_hidden(state, 2.0).err(), Some(InvalidArgument));
}

/// Of each step of the first axis, three steps of its own.
#[test]
fn steps_are_sequences_to_layers_of_a_nested_axis() {
    let mut engine = Engine::new();
    let model = f64::from(engine.model_new().unwrap());
    engine.model_add_input(model, 1.0, 3.0, false).unwrap();
    for (axis, of, each) in [(0.0, 0.0, 3.0), (1.0, 1.0, 3.0), (31.0, 0.0, 3.0), (1.0, 0.0, 0.0), (1.0, 0.0, 1e9)] {
        assert_eq!(engine.model_nest_axis(model, axis, of, each), Err(InvalidArgument), "{axis} {of} {each}");
    }
    engine.model_nest_axis(model, 1.0, 0.0, 3.0).unwrap();
    assert_eq!(engine.model_nest_axis(model, 1.0, 0.0, 3.0), Err(InvalidArgument));
    assert_eq!(engine.model_nest_axis(model, 2.0, 1.0, 3.0), Err(InvalidArgument));
    let (unflatten, reduce, merge) = (kind("unflatten"), kind("reduce"), kind("merge"));
    // Steps, not transposed, axis.
    assert_eq!(layer(&mut engine, model, &[unflatten, 0, 2, 0, u32::MAX, 0, 3, 0, 1]), Err(InvalidArgument));
    assert_eq!(layer(&mut engine, model, &[unflatten, 1, 2, 0, u32::MAX, 0, 3, 0, 0]), Err(InvalidArgument));
    assert_eq!(layer(&mut engine, model, &[unflatten, 1, 2, 0, u32::MAX, 0, 3, 0, 1]), Ok(1));
    let total = words(&ReduceParams { reduce: Reduction::Sum, ..ReduceParams::default() });
    assert_eq!(
        layer(&mut engine, model, &[vec![reduce, 0, 2, 1, u32::MAX, 0], total.clone()].concat()),
        Err(InvalidArgument)
    );
    assert_eq!(layer(&mut engine, model, &[vec![reduce, 1, 2, 1, u32::MAX, 0], total].concat()), Ok(2));
    // The steps and their sums: a row of the one counts for all steps of the other.
    assert_eq!(layer(&mut engine, model, &[merge, 1, 2, 1, 2, 0, 1, 0, 0]), Ok(3));
    engine.model_add_output(model, 2.0).unwrap();
    engine.model_add_output(model, 3.0).unwrap();
    let state = f64::from(engine.state_new(model, 1.0).unwrap());
    for steps in [1, 2, 1] {
        let lengths = block(&mut engine, &[steps, 3 * steps]);
        engine.state_set_lengths(state, lengths, 0u32, false).unwrap();
        let x: Vec<f32> = (0..3 * steps).map(|i| i as f32).collect();
        engine.state_value(state, 0.0).unwrap().copy_from_slice(&x);
        engine.state(state).unwrap().run().unwrap();
        assert_eq!(engine.state_value(state, 2.0).unwrap(), &[3.0, 12.0][..steps as usize]);
        assert_eq!(engine.state_value(state, 3.0).unwrap(), &[3.0, 4.0, 5.0, 15.0, 16.0, 17.0][..3 * steps as usize]);
    }
}

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
        assert_eq!(engine.model_add_input(model, true, 1.0, false), Err(InvalidHandle));
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

#[test]
fn errors_have_stable_numbers() {
    let errors: [EngineError; 4] = [OutOfMemory, InvalidArgument, IdOutOfRange, InvalidHandle];
    assert_eq!(errors.map(|error| error as i32), [1, 2, 3, 4]);
}
