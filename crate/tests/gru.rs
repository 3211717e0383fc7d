//! Whole models against the naive f64 oracle, and the promises of the runtime.

use gru_wasm::kernels::reference::{Random, Weights, gru_step};
use gru_wasm::layers::params::{Direction, words};
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::{LAYERS, Shape};
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;

struct Gru {
    inputs: usize,
    units: usize,
    reset_after: bool,
    /// 0 forward, 1 reverse, 2 both.
    direction: u32,
    /// input, recurrent, bias, recurrent bias of each direction.
    tensors: Vec<[Vec<f32>; 4]>,
}

fn kind(name: &str) -> usize {
    LAYERS.iter().position(|kind| kind.name == name).unwrap()
}

impl Gru {
    fn random(random: &mut Random, inputs: usize, units: usize, reset_after: bool, direction: u32) -> Self {
        let count = if direction == 2 { 2 } else { 1 };
        let scale = 1.0 / (units as f32).sqrt();
        let tensors = (0..count)
            .map(|_| [3 * units * inputs, 3 * units * units, 3 * units, units].map(|n| random.take(n, scale)))
            .collect();
        Gru { inputs, units, reset_after, direction, tensors }
    }

    fn model(&self) -> Shared<Model> {
        let mut model = Model::new();
        model.add_input(Shape::sequence(self.inputs)).unwrap();
        let direction = [Direction::Forward, Direction::Reverse, Direction::Bidirectional][self.direction as usize];
        let params = words(&GruParams {
            sizes: Sizes { input_size: self.inputs, hidden_size: self.units },
            reset_after: self.reset_after,
            options: Options { direction, ..Options::default() },
            ..GruParams::default()
        });
        let count = if self.reset_after { 4 } else { 3 };
        let tensors: Vec<Option<&[f32]>> =
            self.tensors.iter().flat_map(|t| t[..count].iter().map(|t| Some(&t[..]))).collect();
        let first = model.add_layer(kind("gru"), &[0, -1, -1, -1], &params, &tensors).unwrap();
        model.add_output(first).unwrap();
        model.add_output(first + 1).unwrap();
        Shared::new(model).unwrap()
    }

    /// Outputs of one sequence, (steps, directions * units), in f64.
    fn oracle(&self, x: &[f32]) -> Vec<Vec<f64>> {
        let steps: Vec<Vec<f64>> =
            x.chunks(self.inputs).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
        let mut out = vec![Vec::new(); steps.len()];
        let orders: &[bool] = [&[false][..], &[true], &[false, true]][self.direction as usize];
        for (&reverse, [input, recurrent, bias, recurrent_bias]) in orders.iter().zip(&self.tensors) {
            let recurrent_bias = self.reset_after.then_some(&recurrent_bias[..]);
            let weights = Weights { input, recurrent, bias, recurrent_bias };
            let mut h = vec![0.0; self.units];
            for s in 0..steps.len() {
                let t = if reverse { steps.len() - 1 - s } else { s };
                h = gru_step(&weights, &steps[t], &h);
                out[t].extend(&h);
            }
        }
        out
    }
}

fn run(model: &Shared<Model>, lengths: &[u32], time_major: bool, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut state = State::new(model, lengths.len()).unwrap();
    state.set_lengths(lengths, time_major).unwrap();
    state.value(0).unwrap().copy_from_slice(x);
    state.run().unwrap();
    (state.value(1).unwrap().to_vec(), state.value(2).unwrap().to_vec())
}

#[test]
fn ragged_batches_follow_the_equations() {
    let mut random = Random(7);
    let sizes = [(3, 5), (1, 1), (7, 16), (20, 33), (5, 64)];
    for (inputs, units) in sizes.into_iter().take(if cfg!(miri) { 1 } else { 5 }) {
        for reset_after in [false, true] {
            for direction in 0..3 {
                let gru = Gru::random(&mut random, inputs, units, reset_after, direction);
                let lengths = [5, 0, 1, 9];
                let x = random.take(15 * inputs, 1.0);
                let (y, _) = run(&gru.model(), &lengths, false, &x);
                let mut x = &x[..];
                let mut y = y.chunks(if direction == 2 { 2 * units } else { units });
                for length in lengths {
                    let (sequence, rest) = x.split_at(length as usize * inputs);
                    x = rest;
                    for want in gru.oracle(sequence) {
                        for (got, want) in y.next().unwrap().iter().zip(want) {
                            assert!((f64::from(*got) - want).abs() < 1e-6, "{got} {want}");
                        }
                    }
                }
            }
        }
    }
}

/// Time-major runs, single rows and single steps give the same bits as the batch.
#[test]
fn bits_do_not_depend_on_the_batch_or_the_chunking() {
    let mut random = Random(11);
    for reset_after in [false, true] {
        let gru = Gru::random(&mut random, 6, 21, reset_after, 0);
        let model = gru.model();
        // Several blocks of rows, several groups.
        let (batch, steps) = match (cfg!(miri), reset_after) {
            (true, _) => (5, 3),
            (false, true) => (9, 300),
            (false, false) => (150, 20),
        };
        let x = random.take(batch * steps * 6, 1.0);
        let (y, last) = run(&model, &vec![steps as u32; batch], false, &x);
        let mut time_major = vec![0.0; x.len()];
        for (b, t) in (0..batch).flat_map(|b| (0..steps).map(move |t| (b, t))) {
            time_major[(t * batch + b) * 6..][..6].copy_from_slice(&x[(b * steps + t) * 6..][..6]);
        }
        let (y2, last2) = run(&model, &vec![steps as u32; batch], true, &time_major);
        assert_eq!(last, last2);
        for (b, t) in (0..batch).flat_map(|b| (0..steps).map(move |t| (b, t))) {
            assert_eq!(y[(b * steps + t) * 21..][..21], y2[(t * batch + b) * 21..][..21]);
        }
        let mut state = State::new(&model, 1).unwrap();
        state.set_lengths(&[1], false).unwrap();
        for t in 0..steps {
            state.value(0).unwrap().copy_from_slice(&x[(4 * steps + t) * 6..][..6]);
            state.run().unwrap();
            assert_eq!(state.value(1).unwrap()[..], y[(4 * steps + t) * 21..][..21]);
        }
        state.reset();
        assert!(state.hidden(0).unwrap().0.iter().all(|&h| h == 0.0));
    }
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
        assert!(model.add_layer(kind("merge"), &vec![0; count], &[0], &[]).is_err(), "{count} values side by side");
    }
    for (start, size) in [(u32::MAX, 2), (size as u32, 1), (1, size as u32), (0, 1 << 31)] {
        assert!(model.add_layer(kind("slice"), &[0], &[start, size], &[]).is_err(), "{start} {size}");
    }
    model.add_layer(kind("merge"), &[0, 0], &[1], &[]).unwrap();
    let model = Shared::new(model).unwrap();
    for batch in [64, 1 << 8, 1 << 30, usize::MAX / 4, usize::MAX] {
        assert!(State::new(&model, batch).is_err(), "{batch}");
    }
    let gru = Gru::random(&mut Random(1), 2, 4, true, 0);
    let mut state = State::new(&gru.model(), 2).unwrap();
    for sequence in [2, 1 << 30, usize::MAX / 4, usize::MAX] {
        assert!(state.hidden_written(0, Some(sequence)).is_err());
    }
    state.hidden_written(0, Some(1)).unwrap();
}

#[test]
fn denormal_states_become_zero() {
    let gru = Gru::random(&mut Random(3), 2, 4, true, 0);
    let mut state = State::new(&gru.model(), 1).unwrap();
    state.hidden(0).unwrap().0.fill(1e-40);
    state.hidden_written(0, None).unwrap();
    assert_eq!(state.hidden(0).unwrap().0[..], [0.0; 4]);
}

#[test]
fn bad_models_are_refused() {
    let mut model = Model::new();
    model.add_input(Shape::sequence(3)).unwrap();
    let dense = |model: &mut Model, params: &[u32], kernel: &[f32]| {
        model.add_layer(kind("dense"), &[0], params, &[Some(kernel), None]).is_err()
    };
    assert!(dense(&mut model, &[3, 2, 0, 0, 0], &[0.0; 5]), "a short kernel");
    assert!(dense(&mut model, &[4, 2, 0, 0, 0], &[0.0; 8]), "another input size");
    assert!(dense(&mut model, &[3, 2, 99, 0, 0], &[0.0; 6]), "an unknown activation");
    assert!(dense(&mut model, &[3, 2, 0, 0], &[0.0; 6]), "a missing word");
    assert!(dense(&mut model, &[3, 2, 0, 0, 0, 0], &[0.0; 6]), "a stray word");
    assert!(dense(&mut model, &[0, 2, 0, 0, 0], &[]), "no inputs");
    assert!(model.add_layer(99, &[0], &[], &[]).is_err(), "an unknown kind");
    assert!(model.add_layer(kind("activation"), &[7], &[1, 0, 0], &[]).is_err(), "an unknown value");
    assert!(!dense(&mut model, &[3, 2, 0, 0, 0], &[0.0; 6]));
}

#[test]
fn states_that_cannot_be_allocated_are_refused() {
    let gru = Gru::random(&mut Random(5), 2, 4, false, 0);
    let model = gru.model();
    let mut state = State::new(&model, 2).unwrap();
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
