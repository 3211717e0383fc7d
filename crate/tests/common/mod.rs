//! What the tests of layers share.

use gru_wasm::error::{EngineError, Result};
use gru_wasm::layers::{LAYERS, Shape};
use gru_wasm::model::Model;

/// A kind's number by its name.
pub fn kind(name: &str) -> usize {
    LAYERS.iter().position(|kind| kind.name == name).unwrap()
}

/// Those of a layer, None where one is left out.
pub type Tensors<'a> = &'a [Option<&'a [f32]>];

/// A model of one layer that reads the inputs in turn.
pub fn build(name: &str, inputs: &[Shape], params: &[u32], tensors: Tensors) -> Result<(Model, usize)> {
    let mut model = Model::new();
    let values: Vec<i32> = inputs.iter().map(|&shape| model.add_input(shape).unwrap() as i32).collect();
    let first = model.add_layer(kind(name), &values, params, tensors)?;
    Ok((model, first))
}

/// Refuses to build a layer of these.
pub fn refused(name: &str, inputs: &[Shape], params: &[u32], tensors: Tensors) {
    let error = build(name, inputs, params, tensors).err();
    assert_eq!(error, Some(EngineError::InvalidArgument), "{name} {inputs:?} {params:?}");
}
