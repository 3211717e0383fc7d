//! Each kind of layer but the recurrent ones, by what it gives, and by what it refuses to be built of.

mod common;

use common::{Tensors, build, kind, refused};
use gru_wasm::error::{EngineError, Result};
use gru_wasm::kernels::reference::Random;
use gru_wasm::layers::attention::AttentionParams;
use gru_wasm::layers::conv1d::ConvParams;
use gru_wasm::layers::params::{self, Direction, words};
use gru_wasm::layers::pool::PoolParams;
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::windows::{Padding, WindowParams};
use gru_wasm::layers::{MAX_AXES, MAX_SIZE, Shape};
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;

/// The first `ports` values that a layer gives for sequences of these lengths.
fn run((mut model, first): (Model, usize), ports: usize, lengths: &[u32], values: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
    (first..first + ports).for_each(|value| model.add_output(value).unwrap());
    let mut state = State::new(&Shared::new(model)?, lengths.len())?;
    state.set_lengths(lengths, false)?;
    for (i, values) in values.iter().enumerate() {
        state.value(i)?.copy_from_slice(values);
    }
    state.run()?;
    (first..first + ports).map(|value| Ok(state.value(value)?.to_vec())).collect()
}

fn one(name: &str, inputs: &[Shape], params: &[u32], tensors: Tensors, values: &[&[f32]]) -> Vec<f32> {
    run(build(name, inputs, params, tensors).unwrap(), 1, &[2, 1], values).unwrap().remove(0)
}

#[test]
fn merge_takes_values_side_by_side_or_by_element() {
    let (a, b, c) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 3.0, 5.0, 7.0, 11.0, 13.0], [4.0, 0.5, 3.0, -1.0, 2.0, 1.0]);
    let of = |combine: u32| one("merge", &[Shape::sequence(2); 3], &[combine, 0, 0], &[], &[&a, &b, &c]);
    assert_eq!(of(0), [1.0, 2.0, 2.0, 3.0, 4.0, 0.5, 3.0, 4.0, 5.0, 7.0, 3.0, -1.0, 5.0, 6.0, 11.0, 13.0, 2.0, 1.0]);
    assert_eq!(of(1), [7.0, 5.5, 11.0, 10.0, 18.0, 20.0]);
    assert_eq!(of(2), [8.0, 3.0, 45.0, -28.0, 110.0, 78.0]);
    let third = 1.0 / 3.0f32;
    assert_eq!(of(3), [7.0, 5.5, 11.0, 10.0, 18.0, 20.0].map(|sum| sum * third));
    let uneven =
        one("merge", &[Shape::vector(1), Shape::vector(2)], &[0, 0, 0], &[], &[&[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0]]);
    assert_eq!(uneven, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    let steps = one("merge", &[Shape::sequence(2), Shape::vector(1)], &[4, 0, 0], &[], &[&a, &[1.0, 2.0]]);
    assert_eq!(steps, [0.0, 1.0, 2.0, 3.0, 3.0, 4.0]);
    let from_two = one("merge", &[Shape::sequence(2)], &[4, 1, 1], &[Some(&[2.0])], &[&a]);
    assert_eq!(from_two, [1.0, 0.0, -1.0, -2.0, -3.0, -4.0]);
    refused("merge", &[Shape::sequence(2), Shape::sequence(3)], &[1, 0, 0], &[]);
    refused("merge", &[Shape::sequence(2)], &[10, 0, 0], &[]);
    refused("merge", &[Shape::sequence(2)], &[1, 3, 0], &[Some(&[1.0, 2.0, 3.0])]);
    refused("merge", &[Shape::sequence(2)], &[1, 1, 0], &[]);
    refused("merge", &[], &[0, 0, 0], &[]);
}

#[test]
fn slice_takes_neighbouring_columns() {
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    assert_eq!(one("slice", &[Shape::sequence(3)], &[1, 2], &[], &[&rows]), [2.0, 3.0, 5.0, 6.0, 8.0, 9.0]);
    assert_eq!(one("slice", &[Shape::sequence(3)], &[2, 1], &[], &[&rows]), [3.0, 6.0, 9.0]);
    assert_eq!(one("slice", &[Shape::sequence(3)], &[0, 3], &[], &[&rows]), rows);
    for params in [[3, 1], [2, 2], [0, 4], [4, 1], [0, 0]] {
        refused("slice", &[Shape::sequence(3)], &params, &[]);
    }
}

#[test]
fn step_takes_the_first_or_the_last_row() {
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let of = |last| {
        let layer = build("step", &[Shape::sequence(2)], &[last], &[]).unwrap();
        run(layer, 1, &[1, 0, 3], &[&rows]).unwrap().remove(0)
    };
    assert_eq!(of(0), [1.0, 2.0, 0.0, 0.0, 3.0, 4.0]);
    assert_eq!(of(1), [1.0, 2.0, 0.0, 0.0, 7.0, 8.0]);
    refused("step", &[Shape::vector(2)], &[0], &[]);
    refused("step", &[Shape::sequence(2)], &[2], &[]);
}

#[test]
fn reduce_makes_one_row_of_all_steps() {
    let rows = [1.0, -2.0, 5.0, 0.5, 3.0, 1.5, 4.0, -3.0];
    let mask = [1.0, 0.0, 1.0, 1.0];
    let of = |reduction, correction, mask: Option<&[f32]>| {
        let shapes = [Shape::sequence(2), Shape::sequence(1)];
        let layer = build("reduce", &shapes[..1 + mask.map_or(0, |_| 1)], &[reduction, correction], &[]).unwrap();
        let values = [&rows[..], mask.unwrap_or_default()];
        run(layer, 1, &[3, 0, 1], &values[..1 + mask.map_or(0, |_| 1)]).unwrap().remove(0)
    };
    let root = |x: f32| x.sqrt();
    assert_eq!(of(0, 0, None), [9.0, 0.0, 0.0, 0.0, 4.0, -3.0]);
    assert_eq!(of(1, 0, None), [3.0, 0.0, 0.0, 0.0, 4.0, -3.0]);
    assert_eq!(of(2, 0, None), [5.0, 1.5, 0.0, 0.0, 4.0, -3.0]);
    assert_eq!(of(3, 0, None), [1.0, -2.0, 0.0, 0.0, 4.0, -3.0]);
    assert_eq!(of(4, 0, None), [root(35.0), root(6.5), 0.0, 0.0, 4.0, 3.0]);
    assert_eq!(of(5, 0, None), [root(8.0 / 3.0), root(6.5 / 3.0), 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(of(5, 1, None)[..4], [2.0, root(3.25), 0.0, 0.0]);
    assert!(of(5, 1, None)[4].is_nan(), "of one step");
    assert_eq!(of(0, 0, Some(&mask)), [4.0, -0.5, 0.0, 0.0, 4.0, -3.0]);
    assert_eq!(of(1, 0, Some(&mask)), [2.0, -0.25, 0.0, 0.0, 4.0, -3.0]);
    assert_eq!(of(2, 0, Some(&mask)), [3.0, 1.5, 0.0, 0.0, 4.0, -3.0]);
    let none = [0.0; 4];
    assert_eq!(of(0, 0, Some(&none)), [0.0; 6]);
    assert_eq!(of(3, 0, Some(&none)), [f32::INFINITY, f32::INFINITY, 0.0, 0.0, f32::INFINITY, f32::INFINITY]);
    assert!(of(1, 0, Some(&none))[0].is_nan() && of(1, 0, Some(&none))[2] == 0.0);
    for reduction in [2, 3] {
        for (at, rows) in [[f32::NAN, 1.0, 2.0], [1.0, f32::NAN, 2.0], [1.0, 2.0, f32::NAN]].iter().enumerate() {
            let layer = build("reduce", &[Shape::sequence(1)], &[reduction, 0], &[]).unwrap();
            assert!(run(layer, 1, &[3], &[rows]).unwrap()[0][0].is_nan(), "{reduction} {at}");
        }
    }
    refused("reduce", &[Shape::vector(2)], &[0, 0], &[]);
    refused("reduce", &[Shape::sequence(2), Shape::sequence(2)], &[0, 0], &[]);
    refused("reduce", &[Shape::sequence(2), Shape::vector(1)], &[0, 0], &[]);
    refused("reduce", &[Shape::sequence(2)], &[6, 0], &[]);
    refused("reduce", &[Shape::sequence(2)], &[0, 2], &[]);
}

#[test]
fn features_of_a_row_become_one_number() {
    let x = [1.0, -2.0, 2.0, 3.0, 0.5, -4.0, -1.0, -1.0, -7.0];
    let want = [
        [1.0, -0.5, -9.0],
        [1.0 / 3.0, -0.5 / 3.0, -3.0],
        [-4.0, -6.0, -7.0],
        [2.0, 3.0, -1.0],
        [-2.0, -4.0, -7.0],
        [3.0, 25.25f32.sqrt(), 51f32.sqrt()],
    ];
    for (reduction, want) in want.iter().enumerate() {
        let got = one("reduceFeatures", &[Shape::sequence(3)], &[reduction as u32], &[], &[&x]);
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6), "{reduction}: {got:?}");
        let holes = [1.0, f32::NAN, 2.0, f32::NAN, 1.0, 2.0, 1.0, 2.0, f32::NAN];
        assert!(
            one("reduceFeatures", &[Shape::sequence(3)], &[reduction as u32], &[], &[&holes])
                .iter()
                .all(|y| y.is_nan())
        );
    }
    refused("reduceFeatures", &[Shape::sequence(3)], &[6], &[]);
    refused("reduceFeatures", &[], &[0], &[]);
}

#[test]
fn flatten_puts_steps_side_by_side_and_unflatten_cuts_them_again() {
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let flat = build("flatten", &[Shape::sequence(2)], &[2], &[]).unwrap();
    let flat = run(flat, 1, &[1, 0, 3], &[&rows]).unwrap().remove(0);
    assert_eq!(flat, [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 5.0, 6.0]);
    let cut = |transposed| {
        let layer = build("unflatten", &[Shape::vector(4), Shape::sequence(1)], &[2, transposed, 0], &[]).unwrap();
        let x = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0, 8.0];
        run(layer, 1, &[1, 0, 3], &[&x, &[0.0; 4]]).unwrap().remove(0)
    };
    assert_eq!(cut(0), [1.0, 2.0, 5.0, 6.0, 7.0, 8.0, 0.0, 0.0]);
    assert_eq!(cut(1), [1.0, 3.0, 5.0, 7.0, 6.0, 8.0, 0.0, 0.0]);
    refused("flatten", &[Shape::vector(2)], &[2], &[]);
    refused("flatten", &[Shape::sequence(2)], &[0], &[]);
    let huge = build("flatten", &[Shape::sequence(MAX_SIZE)], &[MAX_SIZE as u32], &[]);
    assert_eq!(huge.err(), Some(EngineError::OutOfMemory));
    refused("flatten", &[Shape::sequence(MAX_SIZE / 2 + 1)], &[2], &[]);
    refused("unflatten", &[Shape::vector(4), Shape::sequence(1)], &[3, 0, 0], &[]);
    refused("unflatten", &[Shape::vector(4), Shape::sequence(1)], &[8, 0, 0], &[]);
    refused("unflatten", &[Shape::vector(4), Shape::vector(1)], &[2, 0, 0], &[]);
    refused("unflatten", &[Shape::sequence(4), Shape::sequence(1)], &[2, 0, 0], &[]);
    refused("unflatten", &[Shape::vector(4), Shape::sequence(1)], &[2, 0, 1], &[]);
    refused("unflatten", &[Shape::vector(4)], &[2, 0, 31], &[]);
}

#[test]
fn repeat_gives_a_row_at_every_step() {
    let layer = build("repeat", &[Shape::vector(2), Shape::sequence(1)], &[0], &[]).unwrap();
    let y = run(layer, 1, &[2, 0, 1], &[&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.0; 3]]).unwrap().remove(0);
    assert_eq!(y, [1.0, 2.0, 1.0, 2.0, 5.0, 6.0]);
    // Of an axis that no input lies on.
    let (mut model, first) = build("repeat", &[Shape::vector(2)], &[1], &[]).unwrap();
    model.add_output(first).unwrap();
    let mut state = State::new(&Shared::new(model).unwrap(), 2).unwrap();
    state.set_lengths(&[0, 0, 1, 2], false).unwrap();
    state.value(0).unwrap().copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    state.run().unwrap();
    assert_eq!(state.value(first).unwrap()[..], [1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    refused("repeat", &[Shape::sequence(2), Shape::sequence(1)], &[0], &[]);
    refused("repeat", &[Shape::vector(2), Shape::vector(1)], &[0], &[]);
    refused("repeat", &[Shape::vector(2)], &[31], &[]);
}

/// What a layer gives on an axis of its own, for sequences of these lengths.
fn derived(name: &str, params: &[u32], x: &[f32], lengths: &[u32], given: &[u32]) -> Vec<f32> {
    derived_of(1, name, params, x, lengths, given)
}

fn derived_of(size: usize, name: &str, params: &[u32], x: &[f32], lengths: &[u32], given: &[u32]) -> Vec<f32> {
    let (mut model, first) = build(name, &[Shape::sequence(size)], params, &[]).unwrap();
    model.add_output(first).unwrap();
    let mut state = State::new(&Shared::new(model).unwrap(), lengths.len()).unwrap();
    state.set_lengths(&[lengths, given].concat(), false).unwrap();
    state.value(0).unwrap().copy_from_slice(x);
    state.run().unwrap();
    state.value(first).unwrap().to_vec()
}

#[test]
fn pool_makes_one_row_of_each_window() {
    let x = [1.0, 5.0, 2.0, -3.0, 4.0, -7.0];
    let of = |[mean, window, stride, dilation]: [u32; 4], [sides, left, right, count]: [u32; 4], given: &[u32]| {
        let params = [mean, count, window, stride, dilation, sides, left, right, 0, 1];
        derived("pool", &params, &x, &[5, 0, 1], given)
    };
    assert_eq!(of([0, 2, 2, 1], [0; 4], &[2, 0, 0]), [5.0, 2.0]);
    assert_eq!(of([0, 2, 1, 2], [0; 4], &[3, 0, 0]), [2.0, 5.0, 4.0]);
    assert_eq!(of([1, 2, 2, 1], [0; 4], &[2, 0, 0]), [3.0, -0.5]);
    assert_eq!(of([0, 3, 2, 1], [1, 0, 0, 0], &[3, 0, 1]), [5.0, 5.0, 4.0, -7.0]);
    assert_eq!(of([0, 4, 2, 1], [1, 0, 0, 0], &[3, 0, 1]), [5.0, 5.0, 4.0, -7.0]);
    assert_eq!(of([1, 4, 2, 1], [1, 0, 0, 0], &[3, 0, 1]), [8.0 / 3.0, 2.0, 0.5, -7.0]);
    assert_eq!(of([1, 4, 2, 1], [2, 0, 0, 0], &[3, 0, 1]), [3.0, 1.25, 1.0, -7.0]);
    assert_eq!(of([1, 3, 2, 1], [0, 1, 1, 1], &[3, 0, 1]), [2.0, 4.0 / 3.0, 1.0 / 3.0, -7.0 / 3.0]);
    assert_eq!(of([1, 3, 2, 1], [0, 1, 1, 0], &[3, 0, 1]), [3.0, 4.0 / 3.0, 0.5, -7.0]);
    // The last window reaches beyond the padding; one has no step.
    assert_eq!(of([1, 4, 2, 1], [0, 1, 1, 1], &[3, 1, 1]), [2.0, 2.0, 1.0 / 3.0, 0.0, -7.0 / 3.0]);
    assert_eq!(of([0, 3, 2, 1], [0, 1, 0, 0], &[1, 1, 0]), [5.0, 0.0]);
    for bad in [[2, 0, 1, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 3, 0, 0, 0, 0]] {
        refused("pool", &[Shape::sequence(1)], &bad, &[]);
    }
    let huge = MAX_SIZE as u32;
    refused("pool", &[Shape::sequence(1)], &[0, 0, 2, 1, huge, 0, 0, 0, 0, 0], &[]);
    refused("pool", &[Shape::sequence(1)], &[0, 0, 1, 1, 1, 0, huge + 1, 0, 0, 0], &[]);
    refused("pool", &[Shape::sequence(1)], &[0, 0, 1, 1, 1, 0, 0, 0, 0, 31], &[]);
    refused("pool", &[Shape::vector(1)], &[0, 0, 1, 1, 1, 0, 0, 0, 0, 0], &[]);
    assert_eq!(derived("pool", &[0, 0, 1, huge, 1, 1, 0, 0, 0, 1], &[3.0], &[1], &[3]), [3.0, 0.0, 0.0]);
    let nan = derived("pool", &[0, 0, 2, 1, 1, 0, 0, 0, 0, 1], &[f32::NAN, 1.0, f32::NAN], &[3], &[2]);
    assert!(nan.iter().all(|value| value.is_nan()));
}

#[test]
fn ids_are_whole_numbers_towards_zero() {
    let of = |x: [f32; 3]| {
        one("ids", &[Shape::sequence(1)], &[], &[], &[&x]).iter().map(|id| id.to_bits() as i32).collect::<Vec<_>>()
    };
    assert_eq!(of([2.0, -0.5, 1.9]), [2, 0, 1]);
    assert_eq!(of([3e9, -1.0, f32::NAN]), [-1, -1, -1]);
    refused("ids", &[Shape::sequence(2)], &[], &[]);
    refused("ids", &[Shape::sequence(1)], &[0], &[]);
}

#[test]
fn sine_is_that_of_each_number() {
    let x = [0.0, core::f32::consts::FRAC_PI_2, 3.0, -1.0, 40_000.0, -7.5];
    let of = |cosine| one("sine", &[Shape::sequence(2)], &[cosine], &[], &[&x]);
    let off = |got: &[f32], f: fn(f64) -> f64| {
        got.iter().zip(x).map(|(&y, x)| (f64::from(y) - f(f64::from(x))).abs()).fold(0.0, f64::max)
    };
    assert!(off(&of(0), f64::sin) < 2e-7 && off(&of(1), f64::cos) < 2e-7);
    refused("sine", &[Shape::vector(1)], &[2], &[]);
}

#[test]
fn reverse_gives_each_sequence_from_its_end() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(one("reverse", &[Shape::sequence(2)], &[], &[], &[&x]), [3.0, 4.0, 1.0, 2.0, 5.0, 6.0]);
    refused("reverse", &[Shape::vector(1)], &[], &[]);
    refused("reverse", &[Shape::sequence(1)], &[0], &[]);
}

#[test]
fn upsample_gives_each_step_several_times() {
    let of = |factor, given| derived("upsample", &[factor, 0, 1], &[1.0, 2.0, 3.0], &[2, 1], given);
    assert_eq!(of(2, &[4, 2]), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    assert_eq!(of(3, &[6, 4]), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 0.0]);
    refused("upsample", &[Shape::sequence(1)], &[0, 0, 0], &[]);
    refused("upsample", &[Shape::vector(1)], &[1, 0, 0], &[]);
}

#[test]
fn upsample_cuts_each_step_into_several() {
    let x: Vec<f32> = (1..=12).map(|i| i as f32).collect();
    let of = |factor, given| derived_of(4, "upsample", &[factor, 1, 1], &x, &[2, 1], given);
    assert_eq!(of(2, &[4, 2]), x);
    assert_eq!(of(4, &[7, 5]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0, 10.0, 11.0, 12.0, 0.0]);
    refused("upsample", &[Shape::sequence(4)], &[3, 1, 0], &[]);
    refused("upsample", &[Shape::sequence(4)], &[0, 1, 0], &[]);
}

#[test]
fn pad_puts_steps_around_a_sequence_or_takes_them_away() {
    let of = |before, skipped, outside, given: &[u32]| {
        let params = [before, skipped, 0, outside, 9f32.to_bits(), 0, 1];
        derived("pad", &params, &[1.0, 2.0, 3.0, 4.0, 5.0], &[3, 0, 1, 1], &[given, &[0]].concat())
    };
    assert_eq!(of(1, 0, 0, &[5, 2, 2]), [9.0, 1.0, 2.0, 3.0, 9.0, 9.0, 9.0, 9.0, 4.0]);
    assert_eq!(of(2, 0, 1, &[6, 1, 4]), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 0.0, 4.0, 4.0, 4.0, 4.0]);
    assert_eq!(of(3, 0, 2, &[8, 1, 4]), [2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 4.0, 4.0, 4.0, 4.0]);
    assert_eq!(of(0, 1, 0, &[2, 0, 0]), [2.0, 3.0]);
    assert_eq!(of(0, 2, 0, &[2, 0, 0]), [3.0, 9.0]);
    refused("pad", &[Shape::sequence(1)], &[MAX_SIZE as u32 + 1, 0, 0, 0, 0, 0, 0], &[]);
    refused("pad", &[Shape::sequence(1)], &[0, 0, MAX_SIZE as u32, 0, 0, 1, 0], &[]);
    refused("pad", &[Shape::sequence(1)], &[0, 0, 0, 3, 0, 0, 0], &[]);
    refused("pad", &[Shape::vector(1)], &[0, 0, 0, 0, 0, 0, 0], &[]);
}

/// What was put before a sequence, or is still to be taken away, is known to the next run; of each sequence.
#[test]
fn pad_goes_on_where_the_last_run_ended() {
    for (before, skipped, given) in [(2, 0, [[3, 0], [1, 4]]), (0, 2, [[0, 0], [0, 0]])] {
        let params = [before, skipped, 0, 0, 9f32.to_bits(), 1, 1];
        let (mut model, first) = build("pad", &[Shape::sequence(1)], &params, &[]).unwrap();
        model.add_output(first).unwrap();
        let mut state = State::new(&Shared::new(model).unwrap(), 2).unwrap();
        let mut all = Vec::new();
        for (lengths, given) in [[1, 0], [1, 2]].iter().zip(given) {
            state.set_lengths(&[*lengths, given].concat(), false).unwrap();
            let rows = lengths.iter().sum::<u32>();
            let x: Vec<f32> = (0..rows).map(|i| i as f32 + 1.0).collect();
            state.value(0).unwrap().copy_from_slice(&x);
            state.run().unwrap();
            all.push(state.value(first).unwrap().to_vec());
        }
        if before > 0 {
            assert_eq!(all, [vec![9.0, 9.0, 1.0], vec![1.0, 9.0, 9.0, 2.0, 3.0]]);
        }
        let count = |state: &mut State| {
            let (values, stride) = state.hidden(0).unwrap();
            [values[0], values[stride]]
        };
        assert_eq!(count(&mut state), if before > 0 { [1.0, 1.0] } else { [2.0, 2.0] });
        state.reset();
        assert_eq!(count(&mut state), [0.0, 0.0]);
    }
}

#[test]
fn masking_marks_rows_in_which_some_value_differs() {
    let rows = [2.0, 2.0, 2.0, 1.0, 1.0, 2.0];
    let layer = build("masking", &[Shape::sequence(2)], &[2f32.to_bits()], &[]).unwrap();
    let values = run(layer, 2, &[2, 1], &[&rows]).unwrap();
    assert_eq!(values, [rows.to_vec(), vec![0.0, 1.0, 1.0]]);
    refused("masking", &[Shape::sequence(2)], &[], &[]);
    // Of two ports, one that nobody reads.
    let (mut model, first) = build("masking", &[Shape::sequence(2)], &[0], &[]).unwrap();
    model.add_output(first + 1).unwrap();
    let mut state = State::new(&Shared::new(model).unwrap(), 1).unwrap();
    state.set_lengths(&[3], false).unwrap();
    state.value(0).unwrap().copy_from_slice(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    state.run().unwrap();
    assert_eq!(state.value(first).unwrap().len(), 0);
    assert_eq!(state.value(first + 1).unwrap()[..], [0.0, 1.0, 0.0]);
}

#[test]
fn embedding_looks_rows_up_and_marks_those_of_other_ids_than_0() {
    let table = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0];
    let ids = [2u32, 0, 1].map(f32::from_bits);
    let params = |mask| [3, 2, mask];
    let layer = build("embedding", &[Shape::sequence(1)], &params(1), &[Some(&table)]).unwrap();
    assert_eq!(layer.0.bytes(), 64);
    let values = run(layer, 2, &[2, 1], &[&ids]).unwrap();
    assert_eq!(values, [vec![2.5, 3.0, 0.5, 1.0, 1.5, 2.0], vec![1.0, 0.0, 1.0]]);
    let (mut plain, first) = build("embedding", &[Shape::sequence(1)], &params(0), &[Some(&table)]).unwrap();
    assert_eq!(plain.add_output(first + 1), Err(EngineError::InvalidArgument), "a mask not asked for");
    refused("embedding", &[Shape::sequence(2)], &params(0), &[Some(&table)]);
    refused("embedding", &[Shape::sequence(1)], &params(0), &[Some(&table[1..])]);
    refused("embedding", &[Shape::sequence(1)], &params(0), &[]);
    refused("embedding", &[Shape::sequence(1)], &params(2), &[Some(&table)]);
    refused("embedding", &[Shape::sequence(1)], &[MAX_SIZE as u32 + 1, 1, 0], &[Some(&table)]);
}

/// relu of activation.rs.
const RELU: [u32; 3] = [3, 0, 0];

#[test]
fn activation_is_a_function_of_each_value() {
    let x = [-1.0, 2.0, 0.0, -3.0, 4.0, 5.0];
    assert_eq!(one("activation", &[Shape::sequence(2)], &RELU, &[], &[&x]), [0.0, 2.0, 0.0, 0.0, 4.0, 5.0]);
    refused("activation", &[], &RELU, &[]);
}

#[test]
fn softmax_and_its_logarithm_are_of_a_row() {
    let x = [-1.0f32, 2.0, 0.0, -3.0, 4.0, 5.0];
    let want = |log: bool| -> Vec<f64> {
        let of = |row: &[f32]| {
            let sum: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
            row.iter().map(|&v| f64::from(v).exp() / sum).map(|p| if log { p.ln() } else { p }).collect::<Vec<_>>()
        };
        x.chunks(2).flat_map(of).collect()
    };
    for (code, log) in [(12, false), (13, true)] {
        let got = one("activation", &[Shape::sequence(2)], &[code, 0, 0], &[], &[&x]);
        assert!(got.iter().zip(want(log)).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-6), "{code}: {got:?}");
    }
}

#[test]
fn dense_multiplies_any_number_of_rows() {
    let mut random = Random(5);
    for (rows, inputs, outputs) in [(1, 1, 1), (3, 7, 5), (192, 3, 2), (193, 2, 9), (400, 5, 4)] {
        if cfg!(miri) && rows > 3 {
            continue;
        }
        let [x, kernel, bias] = [rows * inputs, outputs * inputs, outputs].map(|n| random.take(n, 1.0));
        for bias in [Some(&bias[..]), None] {
            for shape in [Shape::sequence(inputs), Shape::vector(inputs)] {
                let params = [&[inputs as u32, outputs as u32][..], &RELU].concat();
                let layer = build("dense", &[shape], &params, &[Some(&kernel), bias]).unwrap();
                let lengths = if shape.axis.is_some() { vec![rows as u32] } else { vec![0; rows] };
                let y = run(layer, 1, &lengths, &[&x]).unwrap().remove(0);
                assert_eq!(y.len(), rows * outputs);
                for (i, y) in y.iter().enumerate() {
                    let (row, column) = (i / outputs, i % outputs);
                    let start = bias.map_or(0.0, |bias| bias[column]);
                    let sum = (0..inputs).fold(start, |sum, k| sum + x[row * inputs + k] * kernel[column * inputs + k]);
                    assert!((y - sum.max(0.0)).abs() < 1e-5, "{y} {sum}");
                }
            }
        }
    }
    refused("dense", &[Shape::sequence(2)], &[2, 1, 0, 0, 0], &[Some(&[1.0, 2.0]), Some(&[0.0, 0.0])]);
}

/// Against sums in f64 over all forms: groups, depthwise with several outputs a channel, dilation, every split of the padding.
#[test]
fn convolutions_multiply_windows_of_steps() {
    let mut random = Random(6);
    let forms = [
        (1, 1, 1, 1, 1),
        (3, 5, 1, 4, 1),
        (3, 5, 1, 4, 3),
        (6, 4, 2, 3, 2),
        (4, 4, 4, 5, 1),
        (3, 18, 3, 2, 7),
        (5, 3, 1, 1, 1),
        (2, 3, 1, 250, 1),
    ];
    for (inputs, outputs, groups, taps, dilation) in forms {
        let span = (taps - 1) * dilation;
        let (group, own) = (outputs / groups, inputs / groups);
        let [kernel, bias] = [outputs * taps * own, outputs].map(|n| random.take(n, 1.0));
        for (left, lengths) in [(span, &[1, 0, 4][..]), (0, &[9]), (span / 2, &[30, 2, 400])] {
            if cfg!(miri) && lengths.len() + taps > 5 {
                continue;
            }
            let x = random.take(lengths.iter().sum::<u32>() as usize * inputs, 1.0);
            let params = ConvParams {
                input_size: inputs,
                output_size: outputs,
                groups,
                windows: WindowParams {
                    taps,
                    dilation,
                    left: left as u32,
                    right: (span - left) as u32,
                    ..WindowParams::default()
                },
                ..ConvParams::default()
            };
            let tensors = [Some(&kernel[..]), Some(&bias[..])];
            let layer = build("conv1d", &[Shape::sequence(inputs)], &params::words(&params), &tensors).unwrap();
            let y = run(layer, 1, lengths, &[&x]).unwrap().remove(0);
            let mut start = 0;
            for &steps in lengths {
                for (step, output) in (0..steps as usize).flat_map(|t| (0..outputs).map(move |o| (t, o))) {
                    let mut sum = f64::from(bias[output]);
                    for (tap, channel) in (0..taps).flat_map(|j| (0..own).map(move |c| (j, c))) {
                        let Some(from) = (step + tap * dilation).checked_sub(left) else { continue };
                        if from < steps as usize {
                            let x = x[(start + from) * inputs + output / group * own + channel];
                            sum += f64::from(x) * f64::from(kernel[(output * taps + tap) * own + channel]);
                        }
                    }
                    let got = f64::from(y[(start + step) * outputs + output]);
                    assert!((got - sum).abs() < 1e-5 * taps as f64, "{params:?} {lengths:?} {step} {got} {sum}");
                }
                start += steps as usize;
            }
        }
    }
}

#[test]
fn convolutions_that_cannot_be_are_refused() {
    let refuse = |params: ConvParams, inputs: &[Shape], tensors: Tensors| {
        refused("conv1d", inputs, &params::words(&params), tensors);
    };
    let windows = WindowParams { taps: 3, left: 1, right: 1, ..WindowParams::default() };
    let valid = ConvParams { input_size: 4, output_size: 2, windows, ..ConvParams::default() };
    let of = |windows| ConvParams { windows, ..valid };
    let (kernel, bias) = ([0.0; 24], [0.0; 2]);
    let tensors: Tensors = &[Some(&kernel), Some(&bias)];
    build("conv1d", &[Shape::sequence(4)], &params::words(&valid), tensors).unwrap();
    refuse(valid, &[Shape::vector(4)], tensors);
    refuse(valid, &[Shape::sequence(3)], tensors);
    refuse(valid, &[Shape::sequence(4)], &[Some(&kernel[1..]), Some(&bias)]);
    refuse(valid, &[Shape::sequence(4)], &[Some(&kernel), Some(&bias[1..])]);
    refuse(valid, &[Shape::sequence(4)], &[None, Some(&bias)]);
    refuse(ConvParams { groups: 3, ..valid }, &[Shape::sequence(4)], tensors);
    refuse(ConvParams { groups: 4, ..valid }, &[Shape::sequence(4)], &[Some(&kernel[..6]), None]);
    refuse(of(WindowParams { left: MAX_SIZE as u32 + 1, ..windows }), &[Shape::sequence(4)], tensors);
    refuse(of(WindowParams { axis: MAX_AXES as u32, ..windows }), &[Shape::sequence(4)], tensors);
    // Windows by length have no zeros of their own; those that look ahead, or start before the first step, no past.
    refuse(of(WindowParams { padding: Padding::Same, ..windows }), &[Shape::sequence(4)], tensors);
    let past = WindowParams { left: 2, right: 0, streams: true, ..windows };
    build("conv1d", &[Shape::sequence(4)], &params::words(&of(past)), tensors).unwrap();
    let pool = PoolParams { windows: past, ..PoolParams::default() };
    build("pool", &[Shape::sequence(4)], &params::words(&pool), &[]).unwrap();
    for wrong in [
        WindowParams { right: 1, ..past },
        WindowParams { left: 3, ..past },
        WindowParams { stride: MAX_SIZE, ..past },
        WindowParams { dilation: MAX_SIZE / 8, ..past },
    ] {
        refuse(of(wrong), &[Shape::sequence(4)], tensors);
        let pool = PoolParams { windows: wrong, ..pool };
        refused("pool", &[Shape::sequence(4)], &params::words(&pool), &[]);
    }
    // Rows that nobody can know of.
    let strided = of(WindowParams { axis: 1, stride: 2, ..windows });
    let (model, _) = build("conv1d", &[Shape::sequence(4)], &params::words(&strided), tensors).unwrap();
    let mut state = State::new(&Shared::new(model).unwrap(), 1).unwrap();
    for (rows, made) in [(2, true), (3, false), (1, false), (0, false)] {
        state.set_lengths(&[4, rows], false).unwrap();
        assert_eq!(state.run().is_ok(), made, "{rows} of 4 steps");
    }
    refuse(of(WindowParams { dilation: MAX_SIZE, ..windows }), &[Shape::sequence(4)], tensors);
}

#[test]
fn bytes_are_those_of_the_packed_weights() {
    let of = |name: &str, params: &[u32], tensors: Tensors, size| {
        build(name, &[Shape::sequence(size)], params, tensors).unwrap().0.bytes()
    };
    let n = 64;
    let zeros = vec![0.0; 3 * n * n];
    let words = |reset_after, direction| {
        let sizes = Sizes { input_size: n, hidden_size: n };
        let options = Options { direction, ..Options::default() };
        words(&GruParams { sizes, reset_after, options, ..GruParams::default() })
    };
    let (matrix, row) = (Some(&zeros[..]), Some(&zeros[..3 * n]));
    let after = of("gru", &words(true, Direction::Forward), &[matrix, matrix, row, Some(&zeros[..n])], n);
    let weights = 4 * (6 * n * n + 6 * n);
    assert!((weights..weights + weights / 20).contains(&after), "{after} {weights}");
    let both = [matrix, matrix, row, Some(&zeros[..n]), matrix, matrix, row, Some(&zeros[..n])];
    assert_eq!(of("gru", &words(true, Direction::Bidirectional), &both, n), 2 * after);
    let before = of("gru", &words(false, Direction::Forward), &[matrix, matrix, row], n);
    let weights = 4 * (6 * n * n + 3 * n);
    assert!((weights..weights + weights / 20).contains(&before), "{before} {weights}");
    let dense = of("dense", &[n as u32, n as u32, 0, 0, 0], &[Some(&zeros[..n * n]), None], n);
    let weights = 4 * (n * n + n);
    assert!((weights..weights + weights / 20).contains(&dense), "{dense} {weights}");
    let conv = |groups: usize| {
        let params = ConvParams { input_size: n, output_size: n, groups, ..ConvParams::default() };
        of("conv1d", &params::words(&params), &[Some(&zeros[..n * n / groups]), None], n)
    };
    assert_eq!([conv(1), conv(n)], [dense, 4 * 2 * 80]);
    assert_eq!(of("masking", &[0], &[], n), 0);
    assert_eq!(of("scale", &[n as u32, 0], &[Some(&zeros[..n]), None], n), 4 * 2 * 80);
    assert_eq!(of("merge", &[1, n as u32, 0], &[Some(&zeros[..n])], n), 4 * 80);
    assert_eq!(of("norm", &[n as u32, 0, 0, 1, 0], &[None, None], n), 4 * 2 * 80);
}

#[test]
fn softmax_over_time_is_by_column_and_leaves_out_masked_steps() {
    let e = std::f32::consts::E;
    let rows = [1.0, 5.0, 2.0, 5.0, 7.0, 8.0];
    let weights = one("timeSoftmax", &[Shape::sequence(2)], &[], &[], &[&rows]);
    let want = [1.0 / (1.0 + e), 0.5, e / (1.0 + e), 0.5, 1.0, 1.0];
    assert!(weights.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6), "{weights:?}");
    let inputs = [Shape::sequence(2), Shape::sequence(1)];
    assert_eq!(one("timeSoftmax", &inputs, &[], &[], &[&rows, &[0.0, 2.0, 0.0]]), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    refused("timeSoftmax", &[Shape::vector(2)], &[], &[]);
    refused("timeSoftmax", &[Shape::sequence(2), Shape::sequence(2)], &[], &[]);
    refused("timeSoftmax", &[Shape::sequence(2), Shape::vector(1)], &[], &[]);
    refused("timeSoftmax", &[Shape::sequence(2)], &[1], &[]);
}

#[test]
fn weighted_sums_are_one_a_weight() {
    let (weights, values) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 10.0, 100.0, 2.0, 20.0, 200.0, 3.0, 30.0, 300.0]);
    let sums = one("weightedSum", &[Shape::sequence(2), Shape::sequence(3)], &[], &[], &[&weights, &values]);
    assert_eq!(sums, [7.0, 70.0, 700.0, 10.0, 100.0, 1000.0, 15.0, 150.0, 1500.0, 18.0, 180.0, 1800.0]);
    refused("weightedSum", &[Shape::sequence(2), Shape::vector(3)], &[], &[]);
    refused("weightedSum", &[Shape::sequence(2)], &[], &[]);
    refused("weightedSum", &[Shape::sequence(MAX_SIZE), Shape::sequence(2)], &[], &[]);
}

/// Attention in f64, naively: rows of values for each query of a sequence.
fn attention(
    options: &AttentionParams,
    factors: Option<&[f32]>,
    [query, key, value]: [&[f32]; 3],
    width: usize,
    [key_mask, query_mask]: [&[f32]; 2],
) -> Vec<f64> {
    let (depth, part) = (options.input_size / options.heads, width / options.heads);
    let (queries, keys) = (query.len() / options.input_size, key.len() / options.input_size);
    let mut result = vec![0.0; queries * width];
    for i in 0..queries {
        for head in 0..options.heads {
            let at = head * depth;
            let (q, k) = (&query[i * options.input_size + at..], |j: usize| &key[j * options.input_size + at..]);
            let score = |j: usize| -> f64 {
                let term = |n: usize| match factors {
                    Some(factors) => f64::from(factors[at + n]) * f64::from(q[n] + k(j)[n]).tanh(),
                    None if options.additive => f64::from(q[n] + k(j)[n]).tanh(),
                    None => f64::from(q[n]) * f64::from(k(j)[n]),
                };
                f64::from(options.scale) * (0..depth).map(term).sum::<f64>()
            };
            let takes = |j: usize| query_mask[i] != 0.0 && key_mask[j] != 0.0 && !(options.causal && j > i);
            let total: f64 = (0..keys).filter(|&j| takes(j)).map(|j| score(j).exp()).sum();
            let none = (0..keys).all(|j| !takes(j));
            for j in 0..keys {
                let weight = match (none, takes(j)) {
                    (true, _) => {
                        if options.average {
                            1.0 / keys as f64
                        } else {
                            0.0
                        }
                    }
                    (false, true) => score(j).exp() / total,
                    (false, false) => 0.0,
                };
                for n in head * part..(head + 1) * part {
                    result[i * width + n] += weight * f64::from(value[j * width + n]);
                }
            }
        }
    }
    result
}

#[test]
fn attention_weighs_values_by_the_keys_that_fit_their_query() {
    let mut random = Random(11);
    // Heads and sizes below, at and above a vector; more queries than a block holds.
    for (size, heads, width, lengths) in
        [(4, 2, 6, [3, 1]), (6, 1, 5, [2, 5]), (12, 3, 3, [1, 4]), (2, 1, 2, [50, 97]), (8, 2, 8, [4, 0])]
    {
        if cfg!(miri) && lengths[1] > 5 {
            continue;
        }
        let rows = lengths.iter().sum::<u32>() as usize;
        let [query, key, value, factors] = [rows * size, rows * size, rows * width, size].map(|n| random.take(n, 1.0));
        let [mut key_mask, mut query_mask] = [rows, rows].map(|n| vec![1.0f32; n]);
        key_mask.iter_mut().step_by(3).for_each(|keep| *keep = 0.0);
        query_mask.iter_mut().skip(1).step_by(4).for_each(|keep| *keep = 0.0);
        let ones = vec![1.0; rows];
        for bits in 0..32 {
            let set = |bit: u32| bits >> bit & 1 == 1;
            let (additive, causal, average, masked, given) = (set(0), set(1), set(2), set(3), set(4));
            if given && !additive {
                continue;
            }
            let options = AttentionParams { input_size: size, heads, additive, scale: 0.75, causal, average };
            let [keys, asks] = if masked { [&key_mask[..], &query_mask] } else { [&ones[..]; 2] };
            let tensor = given.then_some(&factors[..]);
            let shapes = [
                Shape::sequence(size),
                Shape::sequence(size),
                Shape::sequence(width),
                Shape::sequence(1),
                Shape::sequence(1),
            ];
            let layer = build("attention", &shapes, &words(&options), &[tensor]).unwrap();
            let got = run(layer, 1, &lengths, &[&query, &key, &value, keys, asks]).unwrap().remove(0);
            let mut first = 0;
            let mut want = vec![];
            for steps in lengths.map(|steps| steps as usize) {
                let of = |values: &'_ [f32], n: usize| values[first * n..(first + steps) * n].to_vec();
                let (q, k, v) = (of(&query, size), of(&key, size), of(&value, width));
                want.extend(attention(&options, tensor, [&q, &k, &v], width, [&of(keys, 1), &of(asks, 1)]));
                first += steps;
            }
            assert_eq!(got.len(), want.len());
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                assert!((f64::from(*got) - want).abs() < 2e-5, "{options:?} {masked} {given}: {i}: {got} {want}");
            }
        }
    }
}

#[test]
fn attention_is_refused_where_rows_do_not_fit() {
    let params = |input_size, heads, additive, causal| {
        words(&AttentionParams { input_size, heads, additive, causal, ..AttentionParams::default() })
    };
    let (rows, vector, mask) = (Shape::sequence(4), Shape::vector(4), Shape::sequence(1));
    build("attention", &[rows, rows, Shape::sequence(6), mask, mask], &params(4, 2, false, true), &[]).unwrap();
    build("attention", &[vector, rows, rows, mask, Shape::vector(1)], &params(4, 1, true, false), &[Some(&[1.0; 4])])
        .unwrap();
    for (inputs, params) in [
        (&[rows, rows][..], params(4, 1, false, false)),
        (&[rows, vector, rows], params(4, 1, false, false)),
        (&[rows, rows, vector], params(4, 1, false, false)),
        (&[rows, rows, rows], params(3, 1, false, false)),
        (&[rows, Shape::sequence(3), rows], params(4, 1, false, false)),
        (&[rows, rows, rows], params(4, 3, false, false)),
        (&[rows, rows, Shape::sequence(5)], params(4, 2, false, false)),
        (&[rows, rows, rows, rows], params(4, 1, false, false)),
        (&[vector, rows, rows, mask, mask], params(4, 1, false, false)),
        (&[vector, rows, rows], params(4, 1, false, true)),
    ] {
        refused("attention", inputs, &params, &[]);
    }
    refused("attention", &[rows; 3], &params(4, 1, false, false), &[Some(&[1.0; 4])]);
    refused("attention", &[rows; 3], &params(4, 1, true, false), &[Some(&[1.0; 3])]);
}

#[test]
fn values_are_numbered_in_turn_and_kept_where_they_are_read() {
    let mut model = Model::new();
    assert_eq!(model.add_input(Shape::sequence(2)), Ok(0));
    assert_eq!(model.add_input(Shape::vector(3)), Ok(1));
    assert_eq!(model.add_layer(kind("masking"), &[0], &[0], &[]), Ok(2));
    assert_eq!(model.add_layer(kind("step"), &[2], &[0], &[]), Ok(4));
    assert_eq!(model.add_input(Shape::sequence(1)), Err(EngineError::InvalidArgument), "an input after a layer");
    assert_eq!(model.add_layer(kind("step"), &[5], &[0], &[]), Err(EngineError::InvalidArgument));
    assert_eq!(model.add_output(5), Err(EngineError::InvalidArgument));
    let mut state = State::new(&Shared::new(model).unwrap(), 2).unwrap();
    state.set_lengths(&[3, 2], false).unwrap();
    let sizes: Vec<usize> = (0..5).map(|value| state.value(value).unwrap().len()).collect();
    assert_eq!(sizes, [10, 6, 10, 0, 0]);
    assert_eq!(state.value(5).err(), Some(EngineError::InvalidArgument));
}

#[test]
fn scale_multiplies_and_adds_by_feature_and_by_step() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let (scale, shift) = ([2.0, -1.0], [0.5, 10.0]);
    let of = |scale, shift| one("scale", &[Shape::sequence(2)], &[2, 0], &[scale, shift], &[&x]);
    assert_eq!(of(Some(&scale), Some(&shift)), [2.5, 8.0, 6.5, 6.0, 10.5, 4.0]);
    assert_eq!(of(None, Some(&shift)), [1.5, 12.0, 3.5, 14.0, 5.5, 16.0]);
    assert_eq!(of(Some(&scale), None), [2.0, -2.0, 6.0, -4.0, 10.0, -6.0]);
    // Sequences of two steps and of one.
    let steps = [1.0, 10.0, 100.0, 1000.0];
    let by_step = || build("scale", &[Shape::sequence(2)], &[2, 2], &[Some(&steps), None]).unwrap();
    assert_eq!(run(by_step(), 1, &[2, 1], &[&x]).unwrap()[0], [1.0, 20.0, 300.0, 4000.0, 5.0, 60.0]);
    assert_eq!(run(by_step(), 1, &[3], &[&x]).err(), Some(EngineError::InvalidArgument), "a step without weights");
    refused("scale", &[Shape::vector(2)], &[2, 2], &[Some(&steps), None]);
    refused("scale", &[Shape::sequence(3)], &[2, 0], &[Some(&scale), None]);
    refused("scale", &[Shape::sequence(2)], &[2, 0], &[Some(&steps), None]);
}

#[test]
fn norm_takes_rows_their_groups_or_all_steps_together() {
    let x = [1.0, 2.0, 3.0, 6.0, 3.0, -4.0, 5.0, 2.0];
    let of = |norm: u32, epsilon: f32, groups: u32, over_time: u32, lengths: &[u32], affine: Tensors| {
        let params = [4, norm, epsilon.to_bits(), groups, over_time];
        run(build("norm", &[Shape::sequence(4)], &params, affine).unwrap(), 1, lengths, &[&x]).unwrap().remove(0)
    };
    let near = |got: Vec<f32>, want: [f64; 8]| {
        for (got, want) in got.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() <= 1e-7 * want.abs(), "{got} {want}");
        }
    };
    let none: Tensors = &[None, None];
    let [a, b] = [3.5f64.sqrt(), 11.25f64.sqrt()];
    let standard = [-2.0 / a, -1.0 / a, 0.0, 3.0 / a, 1.5 / b, -5.5 / b, 3.5 / b, 0.5 / b];
    near(of(0, 0.0, 1, 0, &[2], none), standard);
    near(of(0, 0.0, 1, 0, &[1, 1], none), standard);
    let (scale, shift) = ([1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 0.0, -1.0]);
    let affine = core::array::from_fn(|i| standard[i] * f64::from(scale[i % 4]) + f64::from(shift[i % 4]));
    near(of(0, 0.0, 1, 0, &[2], &[Some(&scale), Some(&shift)]), affine);
    let [a, b] = [(3.5 + 0.5f64).sqrt(), (11.25 + 0.5f64).sqrt()];
    let variance = core::array::from_fn(|i| f64::from(x[i]) / if i < 4 { a } else { b });
    near(of(1, 0.5, 1, 0, &[2], none), variance);
    let [a, b] = [(12.5 + 0.5f64).sqrt(), (13.5 + 0.5f64).sqrt()];
    near(of(2, 0.5, 1, 0, &[2], none), core::array::from_fn(|i| f64::from(x[i]) / if i < 4 { a } else { b }));
    let roots = [5.0f64, 45.0, 25.0, 29.0].map(f64::sqrt);
    near(of(3, 0.0, 2, 0, &[2], none), core::array::from_fn(|i| f64::from(x[i]) / roots[i / 2]));
    near(of(3, 10.0, 1, 0, &[2], none), core::array::from_fn(|i| f64::from(x[i]) / 10.0));
    // Of each feature over both steps.
    let ends = [-1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0];
    near(of(0, 0.0, 4, 1, &[2], none), ends);
    near(of(0, 1.0, 4, 1, &[1, 1], none), [0.0; 8]);
    // A vector is one row alone.
    let vector = build("norm", &[Shape::vector(4)], &[4, 0, 0, 1, 1], none).unwrap();
    near(run(vector, 1, &[0, 0], &[&x]).unwrap().remove(0), standard);
    refused("norm", &[Shape::sequence(4)], &[4, 0, 0, 3, 0], none);
    refused("norm", &[Shape::sequence(4)], &[4, 4, 0, 1, 0], none);
    refused("norm", &[Shape::sequence(2)], &[4, 0, 0, 1, 0], none);
    refused("norm", &[Shape::sequence(4)], &[4, 0, 0, 1, 0], &[Some(&scale[1..]), None]);
}
