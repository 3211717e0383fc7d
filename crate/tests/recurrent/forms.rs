//! Layers of every form by the equations, and what they refuse to be built of.

use crate::common::{build, kind, refused};
use crate::layer::{Cell, Form, Layer};
use gru_wasm::kernels::activation::{Activation, Function};
use gru_wasm::kernels::reference::Random;
use gru_wasm::layers::params::Direction;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::{Combine, LAYERS, MAX_SIZE, Shape};
use gru_wasm::model::State;

const fn function(function: Function, alpha: f32, beta: f32) -> Activation {
    Activation { function, alpha, beta }
}

const HARD: Activation = function(Function::HardSigmoid, 0.2, 0.5);
const SOFTSIGN: Activation = function(Function::Softsign, 0.0, 0.0);
const SCALED: Activation = function(Function::ScaledTanh, 1.2, 0.6);
const RELU: Activation = function(Function::Relu, 0.0, 0.0);

const SIGMOID: Activation = Activation::SIGMOID;
const TANH: Activation = Activation::TANH;
const USUAL: [Activation; 3] = [SIGMOID, TANH, TANH];

/// Each cell in every form of its own, and with the bound of what activations take.
fn cells() -> Vec<(Cell, f32)> {
    let gru = |reset_after, functions| Cell::Gru { reset_after, functions };
    let lstm = |input_forget, peepholes, functions| Cell::Lstm { input_forget, peepholes, functions };
    let mut cells = Vec::new();
    for reset_after in [false, true] {
        cells.extend([
            (gru(reset_after, [SIGMOID, TANH]), f32::INFINITY),
            (gru(reset_after, [SIGMOID, TANH]), 0.3),
            (gru(reset_after, [HARD, SOFTSIGN]), f32::INFINITY),
        ]);
    }
    cells.extend([
        (lstm(false, false, USUAL), f32::INFINITY),
        (lstm(false, false, USUAL), 0.3),
        (lstm(true, false, USUAL), f32::INFINITY),
        (lstm(false, true, USUAL), f32::INFINITY),
        (lstm(true, true, USUAL), 0.4),
        (lstm(false, false, [HARD, TANH, TANH]), f32::INFINITY),
        (lstm(false, false, [SIGMOID, RELU, TANH]), f32::INFINITY),
        (lstm(false, false, [SIGMOID, TANH, SOFTSIGN]), f32::INFINITY),
        (lstm(false, true, [HARD, SOFTSIGN, SCALED]), 0.5),
    ]);
    cells.extend([TANH, RELU, SCALED, SIGMOID].map(|activation| (Cell::Rnn { activation }, f32::INFINITY)));
    cells.extend([TANH, RELU].map(|activation| (Cell::Rnn { activation }, 0.3)));
    cells
}

fn options() -> Vec<Options> {
    let direction = |direction| Options { direction, ..Options::default() };
    let mut all = vec![
        direction(Direction::Forward),
        direction(Direction::Reverse),
        Options { reversed_output: true, ..direction(Direction::Reverse) },
    ];
    let merges = [Combine::Concat, Combine::Sum, Combine::Mul, Combine::Ave];
    all.extend(merges.map(|merge| Options { merge, ..direction(Direction::Bidirectional) }));
    all
}

fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for (cell, clip) in cells() {
        for options in options() {
            for (masked, zero_masked) in [(false, false), (true, false), (true, true)] {
                for initial in [[false, false], [true, true], [true, false], [false, true]] {
                    let options = Options { clip, zero_masked, ..options };
                    if cell.slots() == 2 || initial[0] == initial[1] {
                        forms.push(Form { options, masked, initial, ..Form::of(cell) });
                    }
                }
            }
        }
    }
    forms
}

#[test]
fn a_layer_of_every_form_follows_the_equations() {
    let mut random = Random(21);
    for form in forms().into_iter().step_by(if cfg!(miri) { 631 } else { 1 }) {
        let layer = Layer::random(form, &mut random);
        let given = layer.given(&mut random, &[4, 0, 1, 8, 2]);
        let mut state = State::new(&layer.model(), given.lengths.len()).unwrap();
        state.set_lengths(&given.lengths, false).unwrap();
        // A second run is of new sequences, where the first has been forgotten.
        for _ in 0..2 {
            layer.check(&mut state, &given);
            state.reset();
        }
    }
}

/// Sizes below, at and above the edges of vectors and panels.
#[test]
#[cfg_attr(miri, ignore = "minutes")]
fn layers_of_any_size_follow_the_equations() {
    let mut random = Random(7);
    let general = Cell::Lstm { input_forget: false, peepholes: true, functions: USUAL };
    for hidden_size in [5, 1, 3, 4, 16, 17, 33, 64].into_iter().take(if cfg!(miri) { 1 } else { 8 }) {
        for cell in Cell::ALL.into_iter().chain([general]) {
            for input_size in if cfg!(miri) { &[3][..] } else { &[1, 3, 4, 20] } {
                let sizes = Sizes { input_size: *input_size, hidden_size };
                let layer = Layer::random(Form { sizes, ..Form::of(cell).bidirectional() }, &mut random);
                let given = layer.given(&mut random, &[5, 0, 1, 9]);
                let mut state = State::new(&layer.model(), 4).unwrap();
                state.set_lengths(&given.lengths, false).unwrap();
                layer.check(&mut state, &given);
            }
        }
    }
}

/// Blocks of rows, groups of sequences and panels are boundaries inside; 64 sequences are one group, 192 rows one block.
#[test]
#[cfg_attr(miri, ignore = "minutes")]
fn many_sequences_and_steps_follow_the_equations() {
    let mut random = Random(22);
    for lengths in [vec![64; 3], vec![1; 130], (0..70).map(|i| i % 7).collect(), vec![193, 1], vec![2; 97]] {
        for (cell, masked) in Cell::ALL.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
            let form = Form { masked, initial: [true; 2], ..Form::of(cell).bidirectional() };
            let layer = Layer::random(form, &mut random);
            let given = layer.given(&mut random, &lengths);
            let mut state = State::new(&layer.model(), lengths.len()).unwrap();
            state.set_lengths(&lengths, false).unwrap();
            layer.check(&mut state, &given);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "builds a hundred layers: minutes")]
fn layers_are_built_of_what_fits_only() {
    let peephole = Cell::Lstm { input_forget: false, peepholes: true, functions: USUAL };
    for cell in [Cell::AFTER, Cell::BEFORE, peephole, Cell::RNN] {
        let sizes = Sizes { input_size: 3, hidden_size: 5 };
        let name = cell.name();
        let plain = cell.words(sizes, Options::default());
        let zeros: Vec<Vec<f32>> = cell.tensors(sizes).into_iter().map(|n| vec![0.0; n]).collect();
        let tensors: Vec<Option<&[f32]>> = zeros.iter().map(|tensor| Some(&tensor[..])).collect();
        let (x, mask, h) = (Shape::sequence(3), Shape::sequence(1), Shape::vector(5));
        assert!(build(name, &[x], &plain, &tensors).is_ok());
        assert!(build(name, &[x, mask, h], &plain, &tensors).is_ok());
        refused(name, &[], &plain, &tensors);
        refused(name, &[Shape::vector(3)], &plain, &tensors);
        refused(name, &[Shape::sequence(4)], &plain, &tensors);
        refused(name, &[x, Shape::vector(1)], &plain, &tensors);
        refused(name, &[x, Shape::sequence(2)], &plain, &tensors);
        refused(name, &[x, mask, Shape::sequence(5)], &plain, &tensors);
        refused(name, &[x, mask, Shape::vector(6)], &plain, &tensors);
        refused(name, &[x, mask, h, Shape::vector(6)], &plain, &tensors);
        let numbers = [
            ("input_size", 0),
            ("hidden_size", 0),
            ("hidden_size", MAX_SIZE as u32 + 1),
            ("reset_after", 2),
            ("input_forget", 2),
            ("direction", 3),
            ("merge", 4),
            ("reversed_output", 2),
            ("zero_masked", 2),
            ("recurrent_activation", 99),
            ("activation", 99),
            ("output_activation", 99),
        ];
        let mut at = 0;
        for (param, count) in (LAYERS[kind(name)].params)() {
            for (_, number) in numbers.iter().filter(|(name, _)| *name == param) {
                let mut words = plain.clone();
                words[at] = *number;
                refused(name, &[x], &words, &tensors);
            }
            at += count;
        }
        refused(name, &[x], &plain[..plain.len() - 1], &tensors);
        refused(name, &[x], &[&plain[..], &[0]].concat(), &tensors);
        for i in 0..tensors.len() {
            let mut short = tensors.clone();
            short[i] = Some(&zeros[i][1..]);
            refused(name, &[x], &plain, &short);
            let mut missing = tensors.clone();
            missing[i] = None;
            assert_eq!(build(name, &[x], &plain, &missing).is_ok(), i > 1, "{name}: tensor {i} missing");
        }
    }
}
