//! What recurrent layers carry from run to run, and that it is all that one run knows of another.

use crate::layer::{Cell, Form, Layer, assert_close, fill};
use gru_wasm::error::EngineError;
use gru_wasm::kernels::activation::{Activation, Function};
use gru_wasm::kernels::reference::Random;
use gru_wasm::layers::recurrent::Sizes;
use gru_wasm::model::State;

const UNITS: usize = 5;

/// The numbers of a state slot, without the padding.
fn slot(state: &mut State, index: usize, units: usize) -> Vec<f32> {
    let (values, stride) = state.hidden(index).unwrap();
    values.chunks(stride).flat_map(|row| row[..units].to_vec()).collect()
}

/// Hidden forward, hidden reverse, cell forward, cell reverse: the order of initial states and of final ones.
#[test]
fn slots_are_read_and_written_by_number() {
    let mut random = Random(23);
    for cell in Cell::ALL {
        let form = Form::of(cell).bidirectional();
        let layer = Layer::random(Form { initial: [true; 2], ..form }, &mut random);
        let written = Layer { form, tensors: layer.tensors.clone() };
        let given = layer.given(&mut random, &[3, 0, 2]);
        let run = |layer: &Layer, write: bool| {
            let mut state = State::new(&layer.model(), 3).unwrap();
            state.set_lengths(&given.lengths, false).unwrap();
            fill(&mut state, &given);
            for (index, values) in given.values[2..].iter().enumerate().filter(|_| write) {
                let (into, stride) = state.hidden(index).unwrap();
                into.chunks_mut(stride)
                    .zip(values.chunks(UNITS))
                    .for_each(|(to, row)| to[..UNITS].copy_from_slice(row));
                state.hidden_written(index, None).unwrap();
            }
            state.run().unwrap();
            for index in 0..form.states() {
                let slot = slot(&mut state, index, UNITS);
                assert_eq!(state.value(form.first() + 2 + index).unwrap()[..], slot);
            }
            (0..2 + form.states()).map(|i| state.value(form.first() + i).unwrap().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(run(&layer, false), run(&written, true), "{cell:?}");
        assert_ne!(run(&written, false), run(&written, true), "{cell:?}");
        let mut state = State::new(&layer.model(), 3).unwrap();
        assert_eq!(state.hidden(form.states()).err(), Some(EngineError::InvalidArgument));
        assert_eq!(state.hidden_written(form.states(), None), Err(EngineError::InvalidArgument));
    }
}

/// Before its first step that counts a sequence gives zeros; from then on the output before, over the runs of a stream too. A slot behind the
/// states says which it is.
#[test]
#[cfg_attr(miri, ignore = "minutes")]
fn what_has_started_is_kept_from_run_to_run() {
    for cell in Cell::ALL {
        let form = Form { masked: true, ..Form::of(cell) };
        let mut state = State::new(&Layer::random(form, &mut Random(24)).model(), 2).unwrap();
        state.set_lengths(&[1, 1], false).unwrap();
        let step = |state: &mut State, mask: [f32; 2]| {
            state.value(0).unwrap().fill(0.7);
            state.value(1).unwrap().copy_from_slice(&mask);
            state.run().unwrap();
            let y = state.value(form.first()).unwrap();
            [y[..UNITS].iter().any(|&y| y != 0.0), y[UNITS..].iter().any(|&y| y != 0.0)]
        };
        for slot in 0..form.states() {
            assert_eq!(step(&mut state, [0.0, 0.0]), [false, false]);
            assert_eq!(step(&mut state, [1.0, 0.0]), [true, false]);
            assert_eq!(step(&mut state, [0.0, 1.0]), [true, true]);
            assert_eq!(step(&mut state, [0.0, 0.0]), [true, true]);
            state.hidden_written(slot, None).unwrap();
            assert_eq!(step(&mut state, [0.0, 0.0]), [true, true]);
            let (held, stride) = state.hidden(form.states()).unwrap();
            assert_eq!([held[0], held[stride]], [1.0, 1.0]);
            held[stride] = 0.0;
            state.hidden_written(form.states(), Some(1)).unwrap();
            assert_eq!(step(&mut state, [0.0, 0.0]), [true, false]);
            assert_eq!(step(&mut state, [1.0, 1.0]), [true, true]);
            state.reset();
        }
        assert_eq!(step(&mut state, [0.0, 0.0]), [false, false]);
    }
}

#[test]
fn states_are_flushed_where_they_were_written() {
    for cell in Cell::ALL {
        let mut random = Random(25);
        let layer = Layer::random(Form { initial: [true; 2], ..Form::of(cell).bidirectional() }, &mut random);
        let mut state = State::new(&layer.model(), 3).unwrap();
        for index in 0..layer.form.states() {
            state.hidden(index).unwrap().0.fill(1e-40);
            let flushed = |state: &mut State| {
                slot(state, index, UNITS).chunks(UNITS).map(|row| row.iter().all(|&h| h == 0.0)).collect::<Vec<_>>()
            };
            state.hidden_written(index, Some(1)).unwrap();
            assert_eq!(flushed(&mut state), [false, true, false]);
            state.hidden_written(index, None).unwrap();
            assert_eq!(flushed(&mut state), [true; 3]);
            assert_eq!(state.hidden_written(index, Some(3)), Err(EngineError::InvalidArgument));
            // And where an input gives them.
            state.value(2 + index).unwrap().fill(-1e-40);
            state.run().unwrap();
            assert_eq!(flushed(&mut state), [true; 3]);
            state.reset();
        }
    }
}

/// Each product of two numbers of 1e-20 is below the smallest normal number.
#[test]
fn steps_flush_what_they_compute() {
    let linear = Activation { function: Function::Linear, alpha: 0.0, beta: 0.0 };
    let lstm = Cell::Lstm { input_forget: false, peepholes: false, functions: [linear; 3] };
    let gru = |reset_after| Cell::Gru { reset_after, functions: [linear; 2] };
    let rnn = Cell::Rnn { activation: linear };
    for (cell, x, initial, want) in [
        (rnn, 1e-20, [0.0, 0.0], [0.0, 0.0]),
        (gru(true), 1e-20, [0.0, 0.0], [0.0, 0.0]),
        (gru(false), 1e-20, [0.0, 0.0], [0.0, 0.0]),
        // f c + i g
        (lstm, 1.0, [0.0, 1e-20], [0.0, 0.0]),
        // o c
        (lstm, 1.0, [0.0, 1.0], [0.0, 1e-20]),
    ] {
        let sizes = Sizes { input_size: 1, hidden_size: 1 };
        let form = Form { sizes, initial: [true; 2], ..Form::of(cell) };
        let tensors = cell.tensors(sizes).into_iter().enumerate();
        let tensors = tensors.map(|(i, n)| vec![if i == 0 { 1e-20 } else { 0.0 }; n]).collect();
        let mut state = State::new(&Layer { form, tensors: vec![tensors] }.model(), 1).unwrap();
        state.set_lengths(&[1], false).unwrap();
        state.value(0).unwrap()[0] = x;
        (0..form.states()).for_each(|i| state.value(2 + i).unwrap()[0] = initial[i]);
        state.run().unwrap();
        (0..form.states()).for_each(|i| assert_eq!(state.hidden(i).unwrap().0[0], want[i], "{cell:?} {i}"));
    }
}

/// Sequences that take no part keep their states; each reads and writes its own.
#[test]
fn some_sequences_of_a_state() {
    for cell in Cell::ALL {
        let layer = Layer::random(Form::of(cell), &mut Random(26));
        let given = layer.given(&mut Random(27), &[2, 3]);
        let want = layer.oracle(&given);
        let mut state = State::new(&layer.model(), 4).unwrap();
        for index in 0..layer.form.states() {
            let (values, stride) = state.hidden(index).unwrap();
            values.fill(0.25);
            [3, 1].into_iter().for_each(|sequence| values[sequence * stride..][..stride].fill(0.0));
        }
        state.set_sequences(&[3, 1], &given.lengths, false).unwrap();
        layer.check(&mut state, &given);
        for index in 0..layer.form.states() {
            let (values, stride) = state.hidden(index).unwrap();
            let want = &want[2 + index];
            assert_close(&values[3 * stride..][..UNITS], &want[..UNITS], "sequence 3");
            assert_close(&values[stride..][..UNITS], &want[UNITS..], "sequence 1");
            assert!(values[..stride].iter().chain(&values[2 * stride..3 * stride]).all(|&h| h == 0.25));
        }
    }
}

/// Time-major runs, single rows and single steps give the same bits as the batch.
#[test]
#[cfg_attr(miri, ignore = "minutes")]
fn bits_do_not_depend_on_the_batch_or_the_chunking() {
    let mut random = Random(11);
    let (inputs, units) = if cfg!(miri) { (3, 5) } else { (6, 21) };
    for (i, cell) in Cell::ALL.into_iter().enumerate() {
        // Several blocks of rows, several groups.
        let (batch, steps) = match (cfg!(miri), i % 2) {
            (true, _) => (5, 3),
            (false, 0) => (9, 300),
            (false, _) => (150, 20),
        };
        let sizes = Sizes { input_size: inputs, hidden_size: units };
        let layer = Layer::random(Form { sizes, ..Form::of(cell) }, &mut random);
        let (first, model) = (layer.form.first(), layer.model());
        let x = random.take(batch * steps * inputs, 1.0);
        let run = |x: &[f32], time_major| {
            let mut state = State::new(&model, batch).unwrap();
            state.set_lengths(&vec![steps as u32; batch], time_major).unwrap();
            state.value(0).unwrap().copy_from_slice(x);
            state.run().unwrap();
            let states: Vec<_> = (0..layer.form.states()).map(|i| slot(&mut state, i, units)).collect();
            (state.value(first).unwrap().to_vec(), state.value(first + 1).unwrap().to_vec(), states)
        };
        let places = || (0..batch).flat_map(|b| (0..steps).map(move |t| (b * steps + t, t * batch + b)));
        let mut turned = vec![0.0; x.len()];
        places().for_each(|(from, to)| turned[to * inputs..][..inputs].copy_from_slice(&x[from * inputs..][..inputs]));
        let (y, last, states) = run(&x, false);
        let (y2, last2, states2) = run(&turned, true);
        assert_eq!((last, &states), (last2, &states2));
        places().for_each(|(a, b)| assert_eq!(y[a * units..][..units], y2[b * units..][..units]));
        let mut state = State::new(&model, 1).unwrap();
        state.set_lengths(&[1], false).unwrap();
        for row in 4 * steps..5 * steps {
            state.value(0).unwrap().copy_from_slice(&x[row * inputs..][..inputs]);
            state.run().unwrap();
            assert_eq!(state.value(first).unwrap()[..], y[row * units..][..units]);
        }
        for (i, want) in states.iter().enumerate() {
            assert_eq!(slot(&mut state, i, units), want[4 * units..][..units]);
        }
        state.reset();
        (0..layer.form.states()).for_each(|i| assert!(state.hidden(i).unwrap().0.iter().all(|&h| h == 0.0)));
    }
}

/// One sequence goes through a block of steps in one call, of up to so many units: the bits are those of the same one beside another,
/// which goes step by step.
#[test]
fn one_sequence_has_the_bits_of_two() {
    let mut random = Random(12);
    let (sizes, steps): (&[usize], usize) =
        if cfg!(miri) { (&[5, 20], 3) } else { (&[1, 4, 7, 8, 12, 16, 20, 33, 40, 97, 128, 130, 200], 200) };
    for (cell, &units) in Cell::ALL.into_iter().flat_map(|cell| sizes.iter().map(move |units| (cell, units))) {
        let sizes = Sizes { input_size: 2, hidden_size: units };
        let layer = Layer::random(Form { sizes, ..Form::of(cell) }, &mut random);
        let (x, h0) = (random.take(2 * steps, 1.0), random.take(units, 0.8));
        let first = layer.form.first();
        let run = |batch: usize, port: usize| {
            let model = layer.model_read_from(port);
            let mut state = State::new(&model, batch).unwrap();
            state.set_lengths(&vec![steps as u32; batch], false).unwrap();
            for b in 0..batch {
                let (hidden, stride) = state.hidden(0).unwrap();
                hidden[b * stride..][..units].copy_from_slice(&h0);
                state.value(0).unwrap()[b * x.len()..][..x.len()].copy_from_slice(&x);
            }
            // From where the run before ended, too.
            (0..2).for_each(|_| state.run().unwrap());
            let states: Vec<_> =
                (0..layer.form.states()).map(|i| slot(&mut state, i, units)[..units].to_vec()).collect();
            let rows = state.value(first).unwrap();
            let y = rows[..rows.len() / batch].to_vec();
            (y, state.value(first + 1).unwrap()[..units].to_vec(), states)
        };
        let (y, last, states) = run(2, 0);
        assert!(y.len() == steps * units && last[..] == y[(steps - 1) * units..]);
        assert!(run(1, 0) == (y, last.clone(), states.clone()), "{cell:?} {units}");
        assert!(run(1, 1) == (vec![], last, states), "{cell:?} {units}, read at the end only");
    }
}

/// What is not a number stays in its sequence, and there for good.
#[test]
fn nan_stays_in_its_sequence() {
    for cell in Cell::ALL {
        let layer = Layer::random(Form::of(cell), &mut Random(28));
        let mut given = layer.given(&mut Random(29), &[3, 3]);
        given.values[0][4] = f32::NAN;
        let mut state = State::new(&layer.model(), 2).unwrap();
        state.set_lengths(&given.lengths, false).unwrap();
        fill(&mut state, &given);
        state.run().unwrap();
        let rows = state.value(layer.form.first()).unwrap().chunks(UNITS);
        let nan: Vec<bool> = rows.map(|row| row.iter().all(|y| y.is_nan())).collect();
        assert_eq!(nan, [false, true, true, false, false, false], "{cell:?}");
        assert!(state.hidden(0).unwrap().0[UNITS.next_multiple_of(4)..].iter().all(|h| !h.is_nan()));
    }
}
