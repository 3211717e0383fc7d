//! A recurrent layer of random weights, and what it gives by the equations.

use crate::common::kind;
use gru_wasm::kernels::activation::Activation;
use gru_wasm::kernels::reference::{self, Random, gru_step, lstm_step, rnn_step};
use gru_wasm::layers::params::{Direction, words};
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::lstm::LstmParams;
use gru_wasm::layers::recurrent::rnn::RnnParams;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::{Combine, Shape};
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;

#[derive(Clone, Copy, Debug)]
pub enum Cell {
    Gru { reset_after: bool, functions: [Activation; 2] },
    Lstm { input_forget: bool, peepholes: bool, functions: [Activation; 3] },
    Rnn { activation: Activation },
}

use Activation as A;

impl Cell {
    pub const AFTER: Cell = Cell::Gru { reset_after: true, functions: [A::SIGMOID, A::TANH] };
    pub const BEFORE: Cell = Cell::Gru { reset_after: false, functions: [A::SIGMOID, A::TANH] };
    pub const LSTM: Cell =
        Cell::Lstm { input_forget: false, peepholes: false, functions: [A::SIGMOID, A::TANH, A::TANH] };
    pub const RNN: Cell = Cell::Rnn { activation: A::TANH };
    /// Each in its usual form.
    pub const ALL: [Cell; 4] = [Self::AFTER, Self::BEFORE, Self::LSTM, Self::RNN];

    pub fn name(&self) -> &'static str {
        match self {
            Cell::Gru { .. } => "gru",
            Cell::Lstm { .. } => "lstm",
            Cell::Rnn { .. } => "rnn",
        }
    }

    /// Slots of its state in each direction.
    pub fn slots(&self) -> usize {
        if matches!(self, Cell::Lstm { .. }) { 2 } else { 1 }
    }

    pub fn words(&self, sizes: Sizes, options: Options) -> Vec<u32> {
        match *self {
            Cell::Gru { reset_after, functions: [recurrent_activation, activation] } => {
                words(&GruParams { sizes, options, reset_after, recurrent_activation, activation })
            }
            Cell::Lstm { input_forget, functions: [recurrent_activation, activation, output_activation], .. } => {
                words(&LstmParams { sizes, options, input_forget, recurrent_activation, activation, output_activation })
            }
            Cell::Rnn { activation } => words(&RnnParams { sizes, options, activation }),
        }
    }

    /// How long the tensors of a direction are; 0: left out.
    pub fn tensors(&self, Sizes { input_size: i, hidden_size: h }: Sizes) -> Vec<usize> {
        match *self {
            Cell::Gru { reset_after: true, .. } => vec![3 * h * i, 3 * h * h, 3 * h, h],
            Cell::Gru { .. } => vec![3 * h * i, 3 * h * h, 3 * h],
            Cell::Lstm { peepholes, .. } => vec![4 * h * i, 4 * h * h, 4 * h, if peepholes { 3 * h } else { 0 }],
            Cell::Rnn { .. } => vec![h * i, h * h, h],
        }
    }

    /// The slots after a step.
    fn step(&self, tensors: &[Vec<f32>], clip: f32, x: &[f64], state: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let [input, recurrent, bias] = [0, 1, 2].map(|i| &tensors[i][..]);
        match *self {
            Cell::Gru { reset_after, functions } => {
                let recurrent_bias = reset_after.then(|| &tensors[3][..]);
                let gru = reference::Gru { input, recurrent, bias, recurrent_bias, clip, functions };
                vec![gru_step(&gru, x, &state[0])]
            }
            Cell::Lstm { input_forget, peepholes, functions } => {
                let peepholes = peepholes.then(|| &tensors[3][..]);
                let lstm = reference::Lstm { input, recurrent, bias, peepholes, input_forget, clip, functions };
                let (hidden, cell) = lstm_step(&lstm, x, &state[0], &state[1]);
                vec![hidden, cell]
            }
            Cell::Rnn { activation } => {
                vec![rnn_step(&reference::Rnn { input, recurrent, bias, clip, activation }, x, &state[0])]
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub cell: Cell,
    pub sizes: Sizes,
    pub options: Options,
    pub masked: bool,
    /// Which slots are given.
    pub initial: [bool; 2],
}

impl Form {
    /// A cell of 3 inputs and 5 units, with nothing else.
    pub fn of(cell: Cell) -> Form {
        let sizes = Sizes { input_size: 3, hidden_size: 5 };
        Form { cell, sizes, options: Options::default(), masked: false, initial: [false; 2] }
    }

    pub fn bidirectional(self) -> Form {
        Form { options: Options { direction: Direction::Bidirectional, ..self.options }, ..self }
    }

    pub fn reverses(&self) -> &'static [bool] {
        match self.options.direction {
            Direction::Forward => &[false],
            Direction::Reverse => &[true],
            Direction::Bidirectional => &[false, true],
        }
    }

    /// State slots of all directions.
    pub fn states(&self) -> usize {
        self.cell.slots() * self.reverses().len()
    }

    /// The layer's first value: the sequence; then the last output and the final states.
    pub fn first(&self) -> usize {
        2 + self.states()
    }

    fn combine(&self, parts: &[Vec<f64>]) -> Vec<f64> {
        let [first, second] = parts else { return parts.concat() };
        let pairs = first.iter().zip(second);
        match self.options.merge {
            Combine::Concat => parts.concat(),
            Combine::Sum => pairs.map(|(a, b)| a + b).collect(),
            Combine::Mul => pairs.map(|(a, b)| a * b).collect(),
            Combine::Ave => pairs.map(|(a, b)| (a + b) / 2.0).collect(),
        }
    }
}

/// The values that the layer may read: x, the mask, initial states slot by slot.
pub struct Given {
    pub lengths: Vec<u32>,
    pub values: Vec<Vec<f32>>,
}

pub struct Layer {
    pub form: Form,
    /// Of each direction.
    pub tensors: Vec<Vec<Vec<f32>>>,
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

impl Layer {
    pub fn random(form: Form, random: &mut Random) -> Layer {
        let scale = 1.3 / (form.sizes.hidden_size as f32).sqrt();
        let sizes = form.cell.tensors(form.sizes);
        let mut direction = || sizes.iter().map(|&n| random.take(n, scale)).collect();
        Layer { form, tensors: form.reverses().iter().map(|_| direction()).collect() }
    }

    pub fn model(&self) -> Shared<Model> {
        self.model_read_from(0)
    }

    /// One whose ports before `port` nobody reads.
    pub fn model_read_from(&self, port: usize) -> Shared<Model> {
        let Form { sizes, options, cell, masked, initial, .. } = self.form;
        let (units, states) = (sizes.hidden_size, self.form.states());
        let mut model = Model::new();
        model.add_input(Shape::sequence(sizes.input_size)).unwrap();
        model.add_input(Shape::sequence(1)).unwrap();
        (0..states).for_each(|i| assert_eq!(model.add_input(Shape::vector(units)), Ok(2 + i)));
        let mut inputs = vec![0, if masked { 1 } else { -1 }];
        let count = self.form.reverses().len();
        inputs.extend((0..states).map(|i| if initial[i / count] { 2 + i as i32 } else { -1 }));
        let tensors = self.tensors.iter().flatten().map(|tensor| (!tensor.is_empty()).then_some(&tensor[..]));
        let tensors: Vec<_> = tensors.collect();
        let first = model.add_layer(kind(cell.name()), &inputs, &cell.words(sizes, options), &tensors).unwrap();
        assert_eq!(first, self.form.first());
        (first + port..first + 2 + states).for_each(|value| model.add_output(value).unwrap());
        Shared::new(model).unwrap()
    }

    pub fn given(&self, random: &mut Random, lengths: &[u32]) -> Given {
        let Sizes { input_size, hidden_size } = self.form.sizes;
        let rows = lengths.iter().sum::<u32>() as usize;
        let masked = |i: usize| [0, 1, 4, 6, 7, 12].contains(&(i % 13));
        let mask = (0..rows).map(|i| if masked(i) { 0.0 } else { 1.0 }).collect();
        let mut values = vec![random.take(rows * input_size, 1.0), mask];
        values.extend((0..self.form.states()).map(|_| random.take(lengths.len() * hidden_size, 0.8)));
        Given { lengths: lengths.to_vec(), values }
    }

    /// All values of the layer for sequences one after the other.
    pub fn oracle(&self, given: &Given) -> Vec<Vec<f64>> {
        let Form { sizes, options, cell, masked, initial, .. } = self.form;
        let Sizes { input_size, hidden_size: units } = sizes;
        let count = self.tensors.len();
        let mut values = vec![Vec::new(); 2 + self.form.states()];
        let mut row = 0;
        for (b, &length) in given.lengths.iter().enumerate() {
            let length = length as usize;
            let mut outputs = vec![vec![Vec::new(); count]; length];
            let mut lasts = Vec::new();
            for (d, (&reverse, tensors)) in self.form.reverses().iter().zip(&self.tensors).enumerate() {
                let start = |slot: usize| match initial[slot] {
                    true => wide(&given.values[2 + slot * count + d][b * units..][..units]),
                    false => vec![0.0; units],
                };
                let mut state: Vec<_> = (0..cell.slots()).map(start).collect();
                let mut started = false;
                for s in 0..length {
                    let t = if reverse { length - 1 - s } else { s };
                    let counts = !masked || given.values[1][row + t] != 0.0;
                    if counts {
                        let x = wide(&given.values[0][(row + t) * input_size..][..input_size]);
                        state = cell.step(tensors, options.clip, &x, &state);
                        started = true;
                    }
                    let shown = counts || (started && !options.zero_masked);
                    let place = if count == 1 && options.reversed_output && reverse { s } else { t };
                    outputs[place][d] = if shown { state[0].clone() } else { vec![0.0; units] };
                }
                lasts.push(state[0].clone());
                state.iter().enumerate().for_each(|(slot, state)| values[2 + slot * count + d].extend(state));
            }
            outputs.iter().for_each(|parts| values[0].extend(self.form.combine(parts)));
            values[1].extend(self.form.combine(&lasts));
            row += length;
        }
        values
    }

    /// Runs a state that is laid out, and compares it with the equations.
    pub fn check(&self, state: &mut State, given: &Given) {
        fill(state, given);
        state.run().unwrap();
        for (i, want) in self.oracle(given).iter().enumerate() {
            assert_close(state.value(self.form.first() + i).unwrap(), want, &format!("{:?} value {i}", self.form));
        }
    }
}

pub fn fill(state: &mut State, given: &Given) {
    for (i, values) in given.values.iter().enumerate() {
        state.value(i).unwrap().copy_from_slice(values);
    }
}

pub fn assert_close(got: &[f32], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (&got, want)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(got) - want).abs() < 2e-6 * (1.0 + want.abs()), "{what}: {got} {want} at {i}");
    }
}
