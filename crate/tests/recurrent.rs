//! GRU layers of every form by the equations, and by what they refuse to be built of.

mod common;

use common::{build, kind, refused, sequence, vector};
use gru_wasm::error::EngineError;
use gru_wasm::kernels::reference::{Random, Weights, gru_step};
use gru_wasm::layers::MAX_SIZE;
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;

/// Weights of a GRU of I inputs and H units, and its options.
#[derive(Clone, Copy, Debug)]
struct Form {
    reset_after: bool,
    /// 0 forward, 1 reverse, 2 both.
    direction: u32,
    /// 0 side by side, 1 sum, 2 product, 3 mean.
    combine: u32,
    reversed_output: bool,
    zero_masked: bool,
    masked: bool,
    initial: bool,
}

const I: usize = 3;
const H: usize = 5;

struct Gru {
    form: Form,
    /// input, recurrent, bias, recurrent bias of each direction.
    tensors: [[Vec<f32>; 4]; 2],
}

/// x, the mask and initial states of two directions: the values of the model before the layer's.
struct Given {
    lengths: Vec<u32>,
    x: Vec<f32>,
    mask: Vec<f32>,
    initial: [Vec<f32>; 2],
}

impl Gru {
    fn new(form: Form, random: &mut Random) -> Self {
        let mut tensors = || [3 * H * I, 3 * H * H, 3 * H, H].map(|n| random.take(n, 0.6));
        Gru { form, tensors: [tensors(), tensors()] }
    }

    fn params(&self) -> Vec<u32> {
        let Form { reset_after, direction, combine, reversed_output, zero_masked, .. } = self.form;
        let (after, reversed, zero) = (u32::from(reset_after), u32::from(reversed_output), u32::from(zero_masked));
        let head = [I as u32, H as u32, after, direction, combine, reversed, zero, f32::INFINITY.to_bits()];
        [&head[..], &[1, 0, 0, 2, 0, 0]].concat()
    }

    fn directions(&self) -> &[bool] {
        [&[false][..], &[true], &[false, true]][self.form.direction as usize]
    }

    /// Values 4 and up: the sequence, the last output, the state of each direction.
    fn model(&self) -> Shared<Model> {
        let mut model = Model::new();
        for shape in [sequence(I), sequence(1), vector(H), vector(H)] {
            model.add_input(shape).unwrap();
        }
        let of = |given: bool, value: i32| if given { value } else { -1 };
        let inputs = [0, of(self.form.masked, 1), of(self.form.initial, 2), of(self.form.initial, 3)];
        let count = self.directions().len();
        let per = if self.form.reset_after { 4 } else { 3 };
        let tensors: Vec<_> =
            self.tensors[..count].iter().flat_map(|one| one[..per].iter().map(|t| Some(&t[..]))).collect();
        let first = model.add_layer(kind("gru"), &inputs[..2 + count], &self.params(), &tensors).unwrap();
        assert_eq!(first, 4);
        (first..first + 2 + count).for_each(|value| model.add_output(value).unwrap());
        Shared::new(model).unwrap()
    }

    fn combine(&self, parts: &[Vec<f64>]) -> Vec<f64> {
        let (first, second) = (&parts[0], parts.get(1));
        let Some(second) = second else { return first.clone() };
        let pairs = || first.iter().zip(second);
        match self.form.combine {
            0 => [&first[..], second].concat(),
            1 => pairs().map(|(a, b)| a + b).collect(),
            2 => pairs().map(|(a, b)| a * b).collect(),
            _ => pairs().map(|(a, b)| (a + b) / 2.0).collect(),
        }
    }

    /// The layer's values for sequences one after the other.
    fn oracle(&self, given: &Given) -> Vec<Vec<f64>> {
        let count = self.directions().len();
        let mut values = vec![Vec::new(); 2 + count];
        let mut row = 0;
        for (b, &length) in given.lengths.iter().enumerate() {
            let length = length as usize;
            let mut outputs = vec![vec![Vec::new(); count]; length];
            let mut states = Vec::new();
            for (d, (&reverse, [input, recurrent, bias, last])) in
                self.directions().iter().zip(&self.tensors).enumerate()
            {
                let recurrent_bias = self.form.reset_after.then_some(&last[..]);
                let weights = Weights { input, recurrent, bias, recurrent_bias };
                let initial = given.initial[d][b * H..][..H].iter().map(|&h| f64::from(h));
                let mut h: Vec<f64> = if self.form.initial { initial.collect() } else { vec![0.0; H] };
                let mut started = false;
                for s in 0..length {
                    let read = row + if reverse { length - 1 - s } else { s };
                    let x: Vec<f64> = given.x[read * I..][..I].iter().map(|&x| f64::from(x)).collect();
                    let counts = !self.form.masked || given.mask[read] != 0.0;
                    if counts {
                        h = gru_step(&weights, &x, &h);
                        started = true;
                    }
                    let shown = counts || (started && !self.form.zero_masked);
                    let place = if self.form.direction == 1 && self.form.reversed_output { s } else { read - row };
                    outputs[place][d] = if shown { h.clone() } else { vec![0.0; H] };
                }
                values[2 + d].extend(&h);
                states.push(h);
            }
            outputs.iter().for_each(|parts| values[0].extend(self.combine(parts)));
            values[1].extend(self.combine(&states));
            row += length;
        }
        values
    }
}

fn fill(state: &mut State, given: &Given) {
    let values = [&given.x, &given.mask, &given.initial[0], &given.initial[1]];
    for (i, values) in values.into_iter().enumerate() {
        state.value(i).unwrap().copy_from_slice(values);
    }
}

fn given(random: &mut Random, lengths: &[u32]) -> Given {
    let rows = lengths.iter().sum::<u32>() as usize;
    let mask = (0..rows).map(|i| if [0, 1, 4, 6, 7, 12].contains(&(i % 13)) { 0.0 } else { 1.0 }).collect();
    let initial = [(); 2].map(|()| random.take(lengths.len() * H, 0.8));
    Given { lengths: lengths.to_vec(), x: random.take(rows * I, 1.0), mask, initial }
}

fn assert_close(got: &[f32], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*got) - want).abs() < 1e-6, "{what}: {got} {want} at {i}");
    }
}

fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for bits in 0..32u32 {
        let flag = |i: u32| bits >> i & 1 == 1;
        for (direction, combine) in [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (2, 3)] {
            let (reset_after, reversed_output, zero_masked) = (flag(0), flag(1), flag(2));
            let (masked, initial) = (flag(3), flag(4));
            if (reversed_output && direction != 1) || (zero_masked && !masked) {
                continue;
            }
            forms.push(Form { reset_after, direction, combine, reversed_output, zero_masked, masked, initial });
        }
    }
    forms
}

#[test]
fn a_gru_of_every_form_follows_the_equations() {
    let mut random = Random(21);
    for form in forms().into_iter().step_by(if cfg!(miri) { 17 } else { 1 }) {
        let gru = Gru::new(form, &mut random);
        let given = given(&mut random, &[4, 0, 1, 8, 2]);
        let mut state = State::new(&gru.model(), given.lengths.len()).unwrap();
        state.set_lengths(&given.lengths, false).unwrap();
        // A second run is of new sequences, where the first has been forgotten.
        for _ in 0..2 {
            fill(&mut state, &given);
            state.run().unwrap();
            for (i, want) in gru.oracle(&given).iter().enumerate() {
                assert_close(state.value(4 + i).unwrap(), want, &format!("{form:?} value {i}"));
            }
            for (d, want) in gru.oracle(&given)[2..].iter().enumerate() {
                let (hidden, stride) = state.hidden(d).unwrap();
                let rows: Vec<f32> = hidden.chunks(stride).flat_map(|row| row[..H].to_vec()).collect();
                assert_close(&rows, want, "hidden");
            }
            state.reset();
        }
    }
}

/// Blocks of rows, groups of sequences and panels are boundaries inside; 64 sequences are one group, 192 rows one block.
#[test]
#[cfg_attr(miri, ignore = "minutes")]
fn many_sequences_and_steps_follow_the_equations() {
    let mut random = Random(22);
    for lengths in [vec![64; 3], vec![1; 130], (0..70).map(|i| i % 7).collect(), vec![193, 1], vec![2; 97]] {
        for (reset_after, masked) in [(true, false), (false, true)] {
            let form = Form {
                reset_after,
                direction: 2,
                combine: 0,
                reversed_output: false,
                zero_masked: false,
                masked,
                initial: true,
            };
            let gru = Gru::new(form, &mut random);
            let given = given(&mut random, &lengths);
            let mut state = State::new(&gru.model(), lengths.len()).unwrap();
            state.set_lengths(&lengths, false).unwrap();
            fill(&mut state, &given);
            state.run().unwrap();
            for (i, want) in gru.oracle(&given).iter().enumerate() {
                assert_close(state.value(4 + i).unwrap(), want, "value");
            }
        }
    }
}

const FORWARD: Form = Form {
    reset_after: true,
    direction: 0,
    combine: 0,
    reversed_output: false,
    zero_masked: false,
    masked: true,
    initial: false,
};

/// Before its first step that counts a sequence gives zeros, over the runs of a stream too, until its state is set.
#[test]
fn what_has_started_is_kept_from_run_to_run() {
    let gru = Gru::new(FORWARD, &mut Random(23));
    let mut state = State::new(&gru.model(), 2).unwrap();
    state.set_lengths(&[1, 1], false).unwrap();
    let step = |state: &mut State, mask: [f32; 2]| {
        state.value(0).unwrap().fill(0.7);
        state.value(1).unwrap().copy_from_slice(&mask);
        state.run().unwrap();
        let y = state.value(4).unwrap();
        [y[..H].iter().any(|&y| y != 0.0), y[H..].iter().any(|&y| y != 0.0)]
    };
    assert_eq!(step(&mut state, [0.0, 0.0]), [false, false]);
    assert_eq!(step(&mut state, [1.0, 0.0]), [true, false]);
    assert_eq!(step(&mut state, [0.0, 1.0]), [true, true]);
    assert_eq!(step(&mut state, [0.0, 0.0]), [true, true]);
    state.hidden_written(0, Some(1)).unwrap();
    assert_eq!(step(&mut state, [0.0, 0.0]), [true, false]);
    state.hidden_written(0, None).unwrap();
    assert_eq!(step(&mut state, [0.0, 0.0]), [false, false]);
    assert_eq!(step(&mut state, [1.0, 1.0]), [true, true]);
    state.reset();
    assert_eq!(step(&mut state, [0.0, 0.0]), [false, false]);
}

#[test]
fn hidden_values_are_flushed_where_they_were_written() {
    let gru = Gru::new(FORWARD, &mut Random(24));
    let mut state = State::new(&gru.model(), 3).unwrap();
    let (hidden, stride) = state.hidden(0).unwrap();
    assert!(hidden.len() == 3 * stride && stride >= H);
    hidden.fill(1e-40);
    state.hidden_written(0, Some(1)).unwrap();
    let flushed = |state: &mut State| {
        let (hidden, stride) = state.hidden(0).unwrap();
        hidden.chunks(stride).map(|row| row.iter().all(|&h| h == 0.0)).collect::<Vec<_>>()
    };
    assert_eq!(flushed(&mut state), [false, true, false]);
    state.hidden_written(0, None).unwrap();
    assert_eq!(flushed(&mut state), [true; 3]);
    assert_eq!(state.hidden_written(0, Some(3)), Err(EngineError::InvalidArgument));
    assert_eq!(state.hidden_written(1, None), Err(EngineError::InvalidArgument));
    assert_eq!(state.hidden(1).err(), Some(EngineError::InvalidArgument));
}

/// Sequences that take no part keep their hidden values; each reads and writes its own.
#[test]
fn some_sequences_of_a_state() {
    let form = Form { masked: false, ..FORWARD };
    let gru = Gru::new(form, &mut Random(25));
    let given = given(&mut Random(26), &[2, 3]);
    let want = gru.oracle(&given);
    let mut state = State::new(&gru.model(), 4).unwrap();
    state.hidden(0).unwrap().0.fill(0.25);
    for sequence in [3, 1] {
        let (hidden, stride) = state.hidden(0).unwrap();
        hidden[sequence * stride..][..stride].fill(0.0);
    }
    state.set_sequences(&[3, 1], &given.lengths, false).unwrap();
    fill(&mut state, &given);
    state.run().unwrap();
    assert_close(state.value(4).unwrap(), &want[0], "sequence");
    assert_close(state.value(6).unwrap(), &want[2], "states");
    let (hidden, stride) = state.hidden(0).unwrap();
    assert_close(&hidden[3 * stride..][..H], &want[2][..H], "sequence 3");
    assert_close(&hidden[stride..][..H], &want[2][H..], "sequence 1");
    assert!(hidden[..stride].iter().chain(&hidden[2 * stride..3 * stride]).all(|&h| h == 0.25));
}

#[test]
fn a_gru_is_built_of_what_fits_only() {
    let zeros = |n: usize| vec![0.0; n];
    let (input, recurrent, bias, last) = (zeros(3 * H * I), zeros(3 * H * H), zeros(3 * H), zeros(H));
    let tensors = [Some(&input[..]), Some(&recurrent), Some(&bias), Some(&last)];
    let params = |i: usize, word: u32| {
        let mut params = [I as u32, H as u32, 1, 0, 0, 0, 0, f32::INFINITY.to_bits(), 1, 0, 0, 2, 0, 0];
        params[i] = word;
        params
    };
    let plain = params(0, I as u32);
    assert!(build("gru", &[sequence(I)], &plain, &tensors).is_ok());
    assert!(build("gru", &[sequence(I), sequence(1), vector(H)], &plain, &tensors).is_ok());
    refused("gru", &[], &plain, &tensors);
    refused("gru", &[vector(I)], &plain, &tensors);
    refused("gru", &[sequence(I + 1)], &plain, &tensors);
    refused("gru", &[sequence(I), vector(1)], &plain, &tensors);
    refused("gru", &[sequence(I), sequence(2)], &plain, &tensors);
    refused("gru", &[sequence(I), sequence(1), sequence(H)], &plain, &tensors);
    refused("gru", &[sequence(I), sequence(1), vector(H + 1)], &plain, &tensors);
    for (i, word) in
        [(0, 0), (1, 0), (1, MAX_SIZE as u32 + 1), (2, 2), (3, 3), (4, 4), (5, 2), (6, 2), (8, 99), (11, 99)]
    {
        refused("gru", &[sequence(I)], &params(i, word), &tensors);
    }
    refused("gru", &[sequence(I)], &plain[..13], &tensors);
    refused("gru", &[sequence(I)], &[&plain[..], &[0]].concat(), &tensors);
    for i in 0..4 {
        let mut short = tensors;
        short[i] = Some(&bias[..H - 1]);
        refused("gru", &[sequence(I)], &plain, &short);
        let mut missing = tensors;
        missing[i] = None;
        assert_eq!(build("gru", &[sequence(I)], &plain, &missing).is_ok(), i > 1, "tensor {i} missing");
    }
}
