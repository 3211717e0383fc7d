//! Sequence values of different lengths in one model: an encoder whose final states start a decoder.

use crate::common::kind;
use gru_wasm::error::EngineError::{self, InvalidArgument};
use gru_wasm::kernels::reference::Random;
use gru_wasm::layers::params::{Direction, words};
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::lstm::LstmParams;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::{MAX_AXES, Shape};
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;

const SOURCE: usize = 3;
const TARGET: usize = 2;
const UNITS: usize = 5;

/// An LSTM that reads `x` and the initial states; its first value.
fn lstm(model: &mut Model, x: i32, initial: [i32; 2], input_size: usize, direction: Direction, seed: u64) -> usize {
    let sizes = Sizes { input_size, hidden_size: UNITS };
    let options = Options { direction, ..Options::default() };
    let params = words(&LstmParams { sizes, options, ..LstmParams::default() });
    let mut random = Random(seed);
    let tensors = [4 * UNITS * input_size, 4 * UNITS * UNITS, 4 * UNITS].map(|n| random.take(n, 0.5));
    let tensors = [Some(&tensors[0][..]), Some(&tensors[1]), Some(&tensors[2]), None];
    let first = model.add_layer(kind("lstm"), &[x, -1, initial[0], initial[1]], &params, &tensors).unwrap();
    (first..first + 4).for_each(|value| model.add_output(value).unwrap());
    first
}

fn on(axis: usize, size: usize) -> Shape {
    Shape { axis: Some(axis), size }
}

/// Inputs 0 and 1 on an axis each; the encoder's values from 2 on, the reverse decoder's from 6 on.
fn pair() -> Model {
    let mut model = Model::new();
    model.add_input(on(0, SOURCE)).unwrap();
    model.add_input(on(1, TARGET)).unwrap();
    assert_eq!(lstm(&mut model, 0, [-1, -1], SOURCE, Direction::Forward, 1), 2);
    assert_eq!(lstm(&mut model, 1, [4, 5], TARGET, Direction::Reverse, 2), 6);
    model
}

/// The values of both layers, each in a model of its own.
fn alone(source: &[f32], target: &[f32], lengths: [&[u32]; 2], time_major: [bool; 2]) -> Vec<Vec<f32>> {
    let mut encoder = Model::new();
    encoder.add_input(Shape::sequence(SOURCE)).unwrap();
    lstm(&mut encoder, 0, [-1, -1], SOURCE, Direction::Forward, 1);
    let mut decoder = Model::new();
    decoder.add_input(Shape::sequence(TARGET)).unwrap();
    (1..3).for_each(|value| assert_eq!(decoder.add_input(Shape::vector(UNITS)), Ok(value)));
    lstm(&mut decoder, 0, [1, 2], TARGET, Direction::Reverse, 2);
    let run = |model: Model, inputs: &[&[f32]], axis: usize| -> Vec<Vec<f32>> {
        let mut state = State::new(&Shared::new(model).unwrap(), lengths[axis].len()).unwrap();
        state.set_lengths(lengths[axis], time_major[axis]).unwrap();
        inputs.iter().enumerate().for_each(|(i, input)| state.value(i).unwrap().copy_from_slice(input));
        state.run().unwrap();
        (0..4).map(|i| state.value(inputs.len() + i).unwrap().to_vec()).collect()
    };
    let encoded = run(encoder, &[source], 0);
    let decoded = run(decoder, &[target, &encoded[2], &encoded[3]], 1);
    [encoded, decoded].concat()
}

fn check(state: &mut State, sequences: Option<&[u32]>, lengths: [&[u32]; 2], time_major: [bool; 2]) {
    let both = lengths.concat();
    let bits = u32::from(time_major[0]) | u32::from(time_major[1]) << 1;
    match sequences {
        Some(sequences) => state.set_sequences(sequences, &both, bits).unwrap(),
        None => state.set_lengths(&both, bits).unwrap(),
    }
    let rows = lengths.map(|lengths| lengths.iter().sum::<u32>() as usize);
    let mut random = Random(3);
    let (source, target) = (random.take(rows[0] * SOURCE, 1.0), random.take(rows[1] * TARGET, 1.0));
    state.reset();
    state.value(0).unwrap().copy_from_slice(&source);
    state.value(1).unwrap().copy_from_slice(&target);
    state.run().unwrap();
    for (i, want) in alone(&source, &target, lengths, time_major).iter().enumerate() {
        assert_eq!(state.value(2 + i).unwrap()[..], want[..], "value {i} of {lengths:?}");
    }
}

#[test]
fn axes_have_lengths_and_layouts_of_their_own() {
    let mut state = State::new(&Shared::new(pair()).unwrap(), 3).unwrap();
    assert_eq!(state.axes(), 2);
    check(&mut state, None, [&[4, 0, 7], &[1, 3, 2]], [false, false]);
    check(&mut state, None, [&[4, 1, 7], &[2, 2, 2]], [false, true]);
    check(&mut state, None, [&[3, 3, 3], &[5, 0, 2]], [true, false]);
    check(&mut state, None, [&[2, 2, 2], &[3, 3, 3]], [true, true]);
    check(&mut state, None, [&[0, 0, 0], &[1, 0, 2]], [false, false]);
    check(&mut state, None, [&[1, 2, 3], &[0, 0, 0]], [false, true]);
}

#[test]
fn some_sequences_take_part_on_all_axes() {
    let mut state = State::new(&Shared::new(pair()).unwrap(), 4).unwrap();
    check(&mut state, Some(&[3, 1]), [&[4, 2], &[1, 5]], [false, false]);
    check(&mut state, Some(&[0, 2, 1]), [&[4, 2, 1], &[3, 3, 3]], [false, true]);
    check(&mut state, Some(&[]), [&[], &[]], [false, false]);
    // What each sequence has is its own: those that take no part keep theirs.
    state.hidden(1).unwrap().0.fill(0.25);
    state.set_sequences(&[2], &[2, 3], 0u32).unwrap();
    state.run().unwrap();
    let (cells, stride) = state.hidden(1).unwrap();
    let kept: Vec<bool> = cells.chunks(stride).map(|row| row.iter().all(|&c| c == 0.25)).collect();
    assert_eq!(kept, [true, true, false, true]);
}

#[test]
fn lengths_are_those_of_all_axes() {
    let mut state = State::new(&Shared::new(pair()).unwrap(), 2).unwrap();
    state.set_lengths(&[1, 2, 3, 3], 0b10u32).unwrap();
    let refused = |state: &mut State, lengths: &[u32], time_major: u32, error: EngineError| {
        assert_eq!(state.set_lengths(lengths, time_major), Err(error), "{lengths:?}");
    };
    refused(&mut state, &[1, 2], 0, InvalidArgument);
    refused(&mut state, &[1, 2, 3], 0, InvalidArgument);
    refused(&mut state, &[1, 2, 3, 3, 1, 1], 0, InvalidArgument);
    refused(&mut state, &[1, 2, 3, 3], 0b01, InvalidArgument);
    refused(&mut state, &[3, 3, 1, 2], 0b10, InvalidArgument);
    refused(&mut state, &[1, 1, u32::MAX, 1], 0, EngineError::OutOfMemory);
    assert_eq!(state.set_sequences(&[1], &[1], 0u32), Err(InvalidArgument));
    assert_eq!(state.set_sequences(&[1], &[1, 2, 3], 0u32), Err(InvalidArgument));
    // The former layout stays.
    assert_eq!([0, 1].map(|value| state.value(value).unwrap().len()), [3 * SOURCE, 6 * TARGET]);
    state.run().unwrap();
}

#[test]
fn a_layer_reads_one_axis() {
    let mut model = pair();
    let gru = GruParams { sizes: Sizes { input_size: UNITS, hidden_size: 1 }, ..GruParams::default() };
    let mut add = |name, inputs: &[i32], params: &[u32]| {
        let zeros = [0.0; 3 * UNITS];
        let tensors = [Some(&zeros[..]), Some(&zeros[..3]), None];
        model.add_layer(kind(name), inputs, params, if name == "gru" { &tensors } else { &[] })
    };
    for merge in 0..4 {
        assert_eq!(add("merge", &[2, 6], &[merge, 0, 0]), Err(InvalidArgument));
    }
    assert_eq!(add("merge", &[2, 2], &[0, 0, 0]), Ok(10));
    assert_eq!(add("merge", &[5, 9], &[0, 0, 0]), Ok(11), "rows a sequence are on no axis");
    assert_eq!(add("slice", &[2], &[0, 1]), Ok(12));
    assert_eq!(add("slice", &[6], &[0, 1]), Ok(13));
    assert_eq!(add("gru", &[2, 13], &words(&gru)), Err(InvalidArgument), "a mask of another axis");
    assert_eq!(add("gru", &[2, 12], &words(&gru)), Ok(14));
}

#[test]
fn axes_are_numbered_below_31() {
    for axis in [MAX_AXES, 32, 1 << 30, usize::MAX - 1, usize::MAX] {
        assert_eq!(Model::new().add_input(on(axis, 1)), Err(InvalidArgument), "{axis}");
    }
    // Axes that nothing is on have lengths as well.
    let mut model = Model::new();
    model.add_input(on(MAX_AXES - 1, 2)).unwrap();
    let mut state = State::new(&Shared::new(model).unwrap(), 2).unwrap();
    assert_eq!(state.axes(), MAX_AXES);
    let lengths: Vec<u32> = (0..2 * MAX_AXES as u32).map(|i| i / 2).collect();
    assert_eq!(state.set_lengths(&lengths[2..], 0u32), Err(InvalidArgument));
    state.set_lengths(&lengths, 1u32 << (MAX_AXES - 1)).unwrap();
    assert_eq!(state.value(0).unwrap().len(), 2 * 2 * (MAX_AXES - 1));
}
