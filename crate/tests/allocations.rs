//! Over models with a layer of every kind: running a state allocates nothing, and whichever other allocation fails is an error
//! that leaves model and state as they were.

use gru_wasm::error::{EngineError, Result};
use gru_wasm::layers::attention::AttentionParams;
use gru_wasm::layers::conv1d::ConvParams;
use gru_wasm::layers::params::{Direction, words};
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::lstm::LstmParams;
use gru_wasm::layers::recurrent::rnn::RnnParams;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::windows::WindowParams;
use gru_wasm::layers::{Combine, LAYERS, Shape};
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;
use gru_wasm::tensor::{Integers, Tensor};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Range;

struct Counting;

thread_local! {
    /// Of this thread alone: the test runner allocates on its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// Which of them fail.
    static FAILING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

// SAFETY: passes everything on to the system's allocator, or fails.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (number, (first, end)) = (COUNT.get(), FAILING.get());
        COUNT.set(number + 1);
        if (first..end).contains(&number) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result of `call` when the allocations of these numbers fail, and how many it asked for.
fn failing<T>(numbers: Range<usize>, call: impl FnOnce() -> T) -> (T, usize) {
    let before = COUNT.get();
    FAILING.set((before.saturating_add(numbers.start), before.saturating_add(numbers.end)));
    let result = call();
    FAILING.set((0, 0));
    (result, COUNT.get() - before)
}

/// Calls until nothing fails: each allocation alone, and each with all after it. `check` comes after each failure.
fn exhaust<S, A, T>(
    subject: &mut S,
    argument: impl Fn() -> A,
    call: impl Fn(&mut S, A) -> Result<T>,
    check: impl Fn(&mut S),
) -> T {
    for first in 0.. {
        for end in [usize::MAX, first + 1] {
            let given = argument();
            let (result, asked) = failing(first..end, || call(subject, given));
            match result {
                Ok(value) => {
                    assert!(asked <= first, "allocation {first} failed unnoticed");
                    return value;
                }
                Err(error) => assert_eq!(error, EngineError::OutOfMemory),
            }
            check(subject);
        }
    }
    unreachable!()
}

struct Call {
    kind: &'static str,
    inputs: Vec<i32>,
    params: Vec<u32>,
    tensors: Vec<Option<Vec<f32>>>,
    /// Values that it gives.
    ports: usize,
}

/// Ids, numbers of as many columns as an id has, and one row a sequence; then a layer of every kind, GRUs of every form.
fn calls(size: usize, units: usize) -> Vec<Call> {
    let numbers = |count: usize| Some((0..count).map(|i| ((i * 7 + 3) % 11) as f32 / 11.0 - 0.4).collect::<Vec<_>>());
    let (s, u) = (size as u32, units as u32);
    let (ids, rows, one) = (0, 1, 2);
    let mut next = 3;
    let mut calls = Vec::new();
    let mut add = |kind, inputs: &[i32], params: &[u32], tensors: Vec<Option<Vec<f32>>>, ports| {
        calls.push(Call { kind, inputs: inputs.to_vec(), params: params.to_vec(), tensors, ports });
        next += ports as i32;
        next - ports as i32
    };
    let embedded = add("embedding", &[ids], &[7, s, 1], vec![numbers(7 * size)], 2);
    let masked = add("masking", &[rows], &[0], vec![], 2);
    let sum = add("merge", &[embedded, masked, masked], &[3, 0, 0], vec![], 1);
    let scale = add("scale", &[sum], &[s, 0], vec![numbers(size), None], 1);
    add("scale", &[sum], &[s, 100], vec![None, numbers(100 * size)], 1);
    let norm = add("norm", &[scale], &[s, 0, 0, 1, 0], vec![numbers(size), numbers(size)], 1);
    add("norm", &[norm], &[s, 2, 0, 1, 1], vec![None, None], 1);
    let scaled = add("activation", &[sum], &[11, 1.5f32.to_bits(), 0], vec![], 1);
    for (groups, left) in [(1, 3), (size, 4)] {
        let params = ConvParams {
            input_size: size,
            output_size: 2 * size,
            groups,
            windows: WindowParams {
                taps: 3,
                dilation: 2,
                left,
                right: 4 - left,
                streams: left == 4,
                ..WindowParams::default()
            },
            ..ConvParams::default()
        };
        let tensors = vec![numbers(6 * size * size / groups), numbers(2 * size)];
        add("conv1d", &[scaled], &words(&params), tensors, 1);
    }
    for (reset_after, direction, combine, reversed) in [(1, 2, 0, 0), (0, 2, 3, 0), (1, 1, 0, 1), (0, 0, 0, 0)] {
        let params = words(&GruParams {
            sizes: Sizes { input_size: size, hidden_size: units },
            reset_after: reset_after == 1,
            options: Options {
                direction: [Direction::Forward, Direction::Reverse, Direction::Bidirectional][direction],
                merge: [Combine::Concat, Combine::Sum, Combine::Mul, Combine::Ave][combine],
                reversed_output: reversed == 1,
                ..Options::default()
            },
            ..GruParams::default()
        });
        let one_direction = [3 * units * size, 3 * units * units, 3 * units, units].map(numbers);
        let one_direction = one_direction[..if reset_after == 1 { 4 } else { 3 }].to_vec();
        let (tensors, initial) = match direction {
            2 => ([one_direction.clone(), one_direction].concat(), vec![one, -1]),
            _ => (one_direction, vec![one]),
        };
        let ports = 2 + initial.len();
        let y = add("gru", &[&[scaled, embedded + 1][..], &initial].concat(), &params, tensors, ports);
        if direction == 2 && combine == 0 {
            let part = add("slice", &[y], &[1, 2 * u - 1], vec![], 1);
            let dense = [numbers((2 * units - 1) * 3), numbers(3)].to_vec();
            let softmax = add("dense", &[part], &[2 * u - 1, 3, 12, 0, 0], dense, 1);
            let last = add("step", &[softmax], &[1], vec![], 1);
            let first = add("step", &[softmax], &[0], vec![], 1);
            add("merge", &[last, first], &[0, 0, 0], vec![], 1);
            for reduction in 0..6 {
                add("reduce", &[y, embedded + 1], &[reduction, 1], vec![], 1);
            }
            let flat = add("flatten", &[y], &[3], vec![], 1);
            add("unflatten", &[flat, rows], &[3, 1, 0], vec![], 1);
            add("repeat", &[last, rows], &[0], vec![], 1);
            add("pool", &[y], &[1, 1, 3, 1, 1, 1, 0, 0, 0, 0], vec![], 1);
            add("pool", &[y], &[0, 0, 3, 1, 1, 0, 2, 0, 1, 0], vec![], 1);
            add("upsample", &[y], &[2, 0, 0], vec![], 1);
            add("reverse", &[y], &[], vec![], 1);
            add("sine", &[y], &[1], vec![], 1);
            add("pad", &[y], &[1, 0, 1, 0, 0, 1, 0], vec![], 1);
        }
    }
    // The hidden state of the last GRU, and what is given; a cell state that is left out.
    let sizes = Sizes { input_size: size, hidden_size: units };
    let both = Options { direction: Direction::Bidirectional, ..Options::default() };
    let one_direction = [4 * units * size, 4 * units * units, 4 * units, 3 * units].map(numbers).to_vec();
    let lstm = words(&LstmParams { sizes, options: both, ..LstmParams::default() });
    let initial = [one, -1, one, -1];
    let tensors = [one_direction.clone(), one_direction].concat();
    add("lstm", &[&[scaled, embedded + 1][..], &initial].concat(), &lstm, tensors, 6);
    let rnn = words(&RnnParams { sizes, ..RnnParams::default() });
    let tensors = [units * size, units * units, units].map(numbers).to_vec();
    add("rnn", &[scaled, -1, -1], &rnn, tensors, 3);
    let weights = add("timeSoftmax", &[scaled, embedded + 1], &[], vec![], 1);
    add("weightedSum", &[weights, scaled], &[], vec![], 1);
    let attention = AttentionParams { input_size: size, causal: true, ..AttentionParams::default() };
    add("attention", &[scaled, masked, scaled, embedded + 1, -1], &words(&attention), vec![], 1);
    let last = add("step", &[masked], &[1], vec![], 1);
    let attention = AttentionParams { input_size: size, additive: true, ..AttentionParams::default() };
    add("attention", &[last, masked, scaled, -1, -1], &words(&attention), vec![numbers(size)], 1);
    calls
}

fn inputs(size: usize, units: usize) -> [Shape; 3] {
    [Shape::sequence(1), Shape::sequence(size), Shape::vector(units)]
}

fn add_layer(model: &mut Model, call: &Call, tensors: &[Option<Tensor>]) -> Result<usize> {
    let kind = LAYERS.iter().position(|kind| kind.name == call.kind).unwrap();
    model.add_layer_per(None, kind, &call.inputs, &call.params, tensors)
}

/// The tensors of a layer that products are made with, and how far behind each its bias is, which has a number a row.
fn matrices(call: &Call) -> impl Iterator<Item = (usize, usize)> {
    let (each, both): (usize, &[(usize, usize)]) = match call.kind {
        "gru" => (if call.tensors.len().is_multiple_of(4) { 4 } else { 3 }, &[(0, 2), (1, 1)]),
        "lstm" => (4, &[(0, 2), (1, 1)]),
        "rnn" => (3, &[(0, 2), (1, 1)]),
        "dense" | "conv1d" => (2, &[(0, 1)]),
        _ => (1, &[]),
    };
    let directions = call.tensors.len() / each;
    (0..directions).flat_map(move |d| both.iter().map(move |&(i, bias)| (d * each + i, bias)))
}

/// A model whose values are all outputs, made with every allocation failing in turn or none; and how many values it has.
fn model(size: usize, units: usize, short: bool, integers: bool) -> (Shared<Model>, usize) {
    let mut model = Model::new();
    let mut values = 0;
    for shape in inputs(size, units) {
        if short {
            exhaust(&mut model, || shape, |model, shape| model.add_input(shape), |_| ());
        } else {
            model.add_input(shape).unwrap();
        }
        values += 1;
    }
    for call in calls(size, units) {
        let rounded: Vec<Vec<i16>> =
            (call.tensors.iter().flatten()).map(|numbers| numbers.iter().map(|x| (x * 1e4) as i16).collect()).collect();
        let scales = vec![1e-4; 8 * (size + units)];
        let mut tensors: Vec<Option<Tensor>> = call.tensors.iter().map(|t| t.as_deref().map(Tensor::F32)).collect();
        for (i, bias) in matrices(&call).filter(|_| integers) {
            let rows = call.tensors[i + bias].as_ref().unwrap().len();
            tensors[i] = Some(Tensor::I16(Integers::new(&rounded[i], &scales[..rows])));
        }
        let first = if short {
            exhaust(&mut model, || (), |model, ()| add_layer(model, &call, &tensors), |_| ())
        } else {
            add_layer(&mut model, &call, &tensors).unwrap()
        };
        assert_eq!(first, values, "a layer that failed left values");
        values += call.ports;
    }
    (0..values).for_each(|value| model.add_output(value).unwrap());
    (Shared::new(model).unwrap(), values)
}

/// Fills the inputs, runs from zeros, and gives the bits of all values and hidden states.
fn bits(state: &mut State, values: usize) -> Vec<u32> {
    state.reset();
    for (i, id) in state.value(0).unwrap().iter_mut().enumerate() {
        *id = f32::from_bits(i as u32 % 7);
    }
    for value in [1, 2] {
        for (i, number) in state.value(value).unwrap().iter_mut().enumerate() {
            *number = (i * 5 % 13) as f32 / 13.0 - 0.5;
        }
    }
    assert_eq!(failing(0..0, || state.run()), (Ok(()), 0), "a run allocates");
    // Which bits a NaN has Miri draws.
    let of = |number: &f32| if number.is_nan() { f32::NAN.to_bits() } else { number.to_bits() };
    let mut bits = Vec::new();
    for value in 0..values {
        bits.extend(state.value(value).unwrap().iter().map(of));
    }
    for index in 0..7 {
        bits.extend(state.hidden(index).unwrap().0.iter().map(of));
    }
    bits
}

/// Layouts, each after the one before: sequences that take part, lengths, time-major.
type Steps<'a> = (&'a [u32], &'a [u32], bool);
const LAYOUTS: [Steps; 5] = [
    (&[0, 1, 2], &[2, 0, 1], false),
    (&[0, 1, 2], &[5, 9, 4], false),
    (&[0, 1, 2], &[7, 7, 7], true),
    (&[2, 0], &[1, 30], false),
    (&[], &[], false),
];

#[test]
#[cfg_attr(miri, ignore = "hundreds of runs: minutes")]
fn any_allocation_may_fail() {
    for integers in [false, true] {
        any_of_a_model_may_fail(integers);
    }
}

fn any_of_a_model_may_fail(integers: bool) {
    let (size, units) = (3, 5);
    let (plain, values) = model(size, units, false, integers);
    let expected = |layout: &[Steps]| {
        let mut state = State::new(&plain, 3).unwrap();
        for &(sequences, lengths, time_major) in layout {
            state.set_sequences(sequences, lengths, time_major).unwrap();
            bits(&mut state, values);
        }
        bits(&mut state, values)
    };
    let (short, _) = model(size, units, true, integers);
    let mut state = exhaust(&mut (), || (), |(), ()| State::new(&short, 3), |()| ());
    assert_eq!(bits(&mut state, values), expected(&[]));
    for (i, &(sequences, lengths, time_major)) in LAYOUTS.iter().enumerate() {
        let before = expected(&LAYOUTS[..i]);
        exhaust(
            &mut state,
            || (sequences.to_vec(), lengths.to_vec()),
            |state, (sequences, lengths)| state.set_sequences(&sequences, &lengths, time_major),
            |state| assert!(bits(state, values) == before, "a failure changed the state: layout {i}"),
        );
        assert!(bits(&mut state, values) == expected(&LAYOUTS[..=i]), "layout {i}");
    }
    let lengths = [1, 2, 3];
    exhaust(&mut state, || lengths.to_vec(), |state, lengths| state.set_lengths(&lengths, false), |_| ());
}

#[test]
fn running_allocates_nothing() {
    for (size, units) in [(3, 5), (1, 1), (2, 7)].into_iter().take(if cfg!(miri) { 1 } else { 3 }) {
        for integers in [false, true] {
            let (model, values) = model(size, units, false, integers);
            let mut state = State::new(&model, 3).unwrap();
            for (sequences, lengths, time_major) in LAYOUTS.into_iter().take(if cfg!(miri) { 1 } else { 5 }) {
                state.set_sequences(sequences, lengths, time_major).unwrap();
                assert!(bits(&mut state, values) == bits(&mut state, values));
            }
        }
    }
}
