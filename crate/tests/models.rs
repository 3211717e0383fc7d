//! What models and states refuse.

mod common;

use common::{Tensors, build, kind, refused};
use gru_wasm::layers::Shape;
use gru_wasm::layers::params::words;
use gru_wasm::layers::recurrent::Sizes;
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;

fn gru() -> Shared<Model> {
    let params = words(&GruParams { sizes: Sizes { input_size: 2, hidden_size: 4 }, ..GruParams::default() });
    let tensors: Tensors = &[Some(&[0.1; 24]), Some(&[0.1; 48]), None];
    let (mut model, first) = build("gru", &[Shape::sequence(2)], &params, tensors).unwrap();
    model.add_output(first).unwrap();
    Shared::new(model).unwrap()
}

/// Each would wrap in 32 bits, where it is a size that fits.
#[test]
fn sizes_are_bounded() {
    let size = 1 << 24;
    for size in [0, size + 1, 1 << 31, u32::MAX as usize, usize::MAX] {
        assert!(Model::new().add_input(Shape::vector(size)).is_err(), "{size}");
    }
    let mut model = Model::new();
    model.add_input(Shape::vector(size)).unwrap();
    for count in [2, 3, 128, 255, 256, 257] {
        assert!(
            model.add_layer(kind("merge"), &vec![0; count], &[0, 0, 0], &[]).is_err(),
            "{count} values side by side"
        );
    }
    for (start, size) in [(u32::MAX, 2), (size as u32, 1), (1, size as u32), (0, 1 << 31)] {
        assert!(model.add_layer(kind("slice"), &[0], &[start, size], &[]).is_err(), "{start} {size}");
    }
    model.add_layer(kind("merge"), &[0, 0], &[1, 0, 0], &[]).unwrap();
    let model = Shared::new(model).unwrap();
    for batch in [64, 1 << 8, 1 << 30, usize::MAX / 4, usize::MAX] {
        assert!(State::new(&model, batch).is_err(), "{batch}");
    }
    let mut state = State::new(&gru(), 2).unwrap();
    for sequence in [2, 1 << 30, usize::MAX / 4, usize::MAX] {
        assert!(state.hidden_written(0, Some(sequence)).is_err());
    }
    state.hidden_written(0, Some(1)).unwrap();
}

#[test]
fn bad_models_are_refused() {
    let dense = |params: &[u32], kernel: &[f32]| refused("dense", &[Shape::sequence(3)], params, &[Some(kernel), None]);
    // A short kernel, another input size, an unknown activation, a missing word, a stray word, no inputs.
    dense(&[3, 2, 0, 0, 0], &[0.0; 5]);
    dense(&[4, 2, 0, 0, 0], &[0.0; 8]);
    dense(&[3, 2, 99, 0, 0], &[0.0; 6]);
    dense(&[3, 2, 0, 0], &[0.0; 6]);
    dense(&[3, 2, 0, 0, 0, 0], &[0.0; 6]);
    dense(&[0, 2, 0, 0, 0], &[]);
    let (mut model, _) = build("dense", &[Shape::sequence(3)], &[3, 2, 0, 0, 0], &[Some(&[0.0; 6]), None]).unwrap();
    assert!(model.add_layer(99, &[0], &[], &[]).is_err(), "an unknown kind");
    assert!(model.add_layer(kind("activation"), &[7], &[1, 0, 0], &[]).is_err(), "an unknown value");
}

#[test]
fn states_that_cannot_be_allocated_are_refused() {
    let mut state = State::new(&gru(), 2).unwrap();
    assert!(state.set_lengths(&[u32::MAX, 7], false).is_err());
    assert!(state.set_lengths(&[1, 2, 3], false).is_err(), "another batch");
    assert!(state.set_lengths(&[1, 2], true).is_err(), "unequal lengths, time-major");
    state.run().unwrap();
}

#[test]
fn ids_outside_the_table_are_refused() {
    let mut model = Model::new();
    model.add_input(Shape::sequence(1)).unwrap();
    let out = model.add_layer(kind("embedding"), &[0], &[3, 2, 0], &[Some(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])]).unwrap();
    model.add_output(out).unwrap();
    let mut state = State::new(&Shared::new(model).unwrap(), 1).unwrap();
    state.set_lengths(&[1], false).unwrap();
    state.value(0).unwrap()[0] = f32::from_bits(2);
    state.run().unwrap();
    assert_eq!(state.value(out).unwrap()[..], [4.0, 5.0]);
    // Times 2 and modulo 2^32, the last is the start of row 1.
    for id in [3u32, u32::MAX, (1 << 31) + 1] {
        state.value(0).unwrap()[0] = f32::from_bits(id);
        assert!(state.run().is_err());
    }
}
