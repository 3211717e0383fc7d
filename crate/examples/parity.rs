//! Runs models on the native build, for tests/parity: cases on stdin, results on stdout, both u32 words. With the argument
//! `layers`, names the kinds of layers instead.
//!
//! A case: inputs (count, then axis (0: a vector, 1: the first) and size of each); nested axes (count, then number, the one that each is nested in, steps); layers (count, then of
//! each: kind, 0 or the axis whose steps are its sequences plus 1, inputs, parameters, tensors;
//! lists with their length first; a tensor is its dtype, how many values it has (0: it is left out), their words and its scales);
//! outputs (values); batch; time-major (a bit an axis); lengths axis after axis; data of each
//! input; state slots (each (batch, size)). A result: data of each output, then of each slot.

use gru_wasm::buffer::Buffer;
use gru_wasm::layers::{LAYERS, Shape};
use gru_wasm::model::{Model, State};
use gru_wasm::shared::Shared;
use gru_wasm::tensor::Tensor;
use std::io::{Read, Write};

struct Words<'a>(&'a [u32]);

impl<'a> Words<'a> {
    fn next(&mut self) -> u32 {
        let (first, rest) = self.0.split_first().expect("a case ends early");
        self.0 = rest;
        *first
    }
    fn list(&mut self) -> &'a [u32] {
        let count = self.next() as usize;
        let (list, rest) = self.0.split_at(count);
        self.0 = rest;
        list
    }
    fn tensor(&mut self) -> Given {
        let (dtype, length) = (self.next(), self.next() as usize);
        Given { dtype, length, data: self.block(), scales: self.block() }
    }
    fn block(&mut self) -> Buffer {
        let floats = self.floats();
        let mut block = Buffer::zeroed(floats.len()).expect("memory");
        block.copy_from_slice(&floats);
        block
    }
    fn floats(&mut self) -> Vec<f32> {
        self.list().iter().map(|&word| f32::from_bits(word)).collect()
    }
}

/// A tensor; none where it has no values.
struct Given {
    dtype: u32,
    length: usize,
    data: Buffer,
    scales: Buffer,
}

impl Given {
    fn tensor(&self) -> Option<Tensor<'_>> {
        let scales = (!self.scales.is_empty()).then_some(&self.scales);
        let tensor = || Tensor::of_blocks(self.dtype, self.length, &self.data, scales).expect("tensor");
        (self.length > 0).then(tensor)
    }
}

fn run_case(words: &mut Words, results: &mut Vec<u32>) {
    let mut model = Model::new();
    let inputs = words.next() as usize;
    for _ in 0..inputs {
        let axis = words.next();
        let shape = Shape { axis: axis.checked_sub(1).map(|axis| axis as usize), size: words.next() as usize };
        let numbers = words.next() == 1;
        if numbers { model.add_numbers(shape) } else { model.add_input(shape) }.expect("input");
    }
    for _ in 0..words.next() {
        let [axis, of, each] = [words.next(), words.next(), words.next()].map(|word| word as usize);
        model.nest_axis(axis, of, each).expect("axis");
    }
    for _ in 0..words.next() {
        let kind = words.next() as usize;
        let per = words.next().checked_sub(1).map(|axis| axis as usize);
        let inputs: Vec<i32> = words.list().iter().map(|&value| value as i32).collect();
        let params = words.list();
        let count = words.next();
        let tensors: Vec<_> = (0..count).map(|_| words.tensor()).collect();
        let tensors: Vec<Option<Tensor>> = tensors.iter().map(Given::tensor).collect();
        model.add_layer_per(per, kind, &inputs, params, &tensors).expect("layer");
    }
    let outputs = words.list();
    for &value in outputs {
        model.add_output(value as usize).expect("output");
    }
    let (batch, time_major) = (words.next() as usize, words.next());
    let lengths = words.list();
    let mut state = State::new(&Shared::new(model).unwrap(), batch).expect("state");
    state.set_lengths(lengths, time_major).expect("lengths");
    for value in 0..inputs {
        state.value(value).expect("input").copy_from_slice(&words.floats());
    }
    let states = words.next() as usize;
    let mut sizes = Vec::new();
    for index in 0..states {
        let values = words.floats();
        let size = values.len() / batch;
        sizes.push(size);
        let (hidden, stride) = state.hidden(index).expect("hidden state");
        for (row, values) in hidden.chunks_exact_mut(stride).zip(values.chunks_exact(size)) {
            row[..size].copy_from_slice(values);
        }
        state.hidden_written(index, None).expect("hidden state");
    }
    state.run().expect("run");
    let mut put = |values: &mut dyn Iterator<Item = &f32>| {
        let start = results.len();
        results.push(0);
        results.extend(values.map(|value| value.to_bits()));
        results[start] = (results.len() - start - 1) as u32;
    };
    for &value in outputs {
        put(&mut state.value(value as usize).expect("output").iter());
    }
    for (index, &size) in sizes.iter().enumerate() {
        let (hidden, stride) = state.hidden(index).expect("hidden state");
        put(&mut hidden.chunks_exact(stride).flat_map(|row| &row[..size]));
    }
}

fn main() -> std::io::Result<()> {
    if std::env::args().any(|argument| argument == "layers") {
        LAYERS.iter().for_each(|kind| println!("{}", kind.name));
        return Ok(());
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    let (mut words, mut results) = (Words(&words), Vec::new());
    while !words.0.is_empty() {
        run_case(&mut words, &mut results);
    }
    let bytes: Vec<u8> = results.iter().flat_map(|word| word.to_le_bytes()).collect();
    std::io::stdout().write_all(&bytes)
}
