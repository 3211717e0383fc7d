//! A model: an immutable graph of layers; a state: hidden values and buffers for one batch of sequences.

use crate::buffer::{Buffer, product};
use crate::checked::{Checked, stop};
use crate::error::{EngineError, Result, ensure};
use crate::fallible::{filled, filled_with};
use crate::layers::{Io, LAYERS, Layer, Params, Plans, Shape, Workspace, flush_hidden};
use crate::plan::{Layout, Order, ascending};
use crate::shared::Shared;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Layers in the order of computation, and the values between them.
#[derive(Default)]
pub struct Model {
    values: Vec<Value>,
    nodes: Vec<Node>,
    /// Node and direction of each hidden state, in the order of the layers.
    states: Vec<(usize, usize)>,
    /// Orders in which the layers take steps.
    orders: Vec<Order>,
}

struct Value {
    shape: Shape,
    /// Read by a layer or the caller; others get no buffer.
    used: bool,
}

struct Node {
    layer: Box<dyn Layer>,
    inputs: Vec<Option<usize>>,
    first_output: usize,
    outputs: usize,
}

impl Model {
    /// A model of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input. Returns the number of its value.
    pub fn add_input(&mut self, shape: Shape) -> Result<usize> {
        ensure(self.nodes.is_empty())?;
        shape.check()?;
        self.values.try_reserve(1)?;
        self.values.push(Value { shape, used: true });
        Ok(self.values.len() - 1)
    }

    /// Adds a layer of the kind `LAYERS[code]`, reading the values `inputs` (negative: left out). Returns the number of
    /// its first value; the values of its other ports follow.
    pub fn add_layer(
        &mut self,
        code: usize,
        inputs: &[i32],
        params: &[u32],
        tensors: &[Option<&[f32]>],
    ) -> Result<usize> {
        let (_, build) = LAYERS.get(code).ok_or(EngineError::InvalidArgument)?;
        let (mut given, mut shapes) = (filled(inputs.len(), None)?, filled(inputs.len(), None)?);
        for ((&value, given), shape) in inputs.iter().zip(&mut given).zip(&mut shapes) {
            if let Ok(value) = usize::try_from(value) {
                *given = Some(value);
                *shape = Some(self.values.get(value).ok_or(EngineError::InvalidArgument)?.shape);
            }
        }
        let mut params = Params::new(params);
        let built = build(&mut params, &shapes, tensors)?;
        ensure(params.finished())?;
        built.ports.iter().try_for_each(Shape::check)?;
        let orders = built.layer.orders();
        self.values.try_reserve(built.ports.len())?;
        self.states.try_reserve(orders.len())?;
        self.orders.try_reserve(orders.len())?;
        self.nodes.try_reserve(1)?;
        // Nothing fails from here on: the model has the whole layer or nothing of it.
        for &value in given.iter().flatten() {
            self.values.at_mut(value).used = true;
        }
        let (first_output, outputs, node) = (self.values.len(), built.ports.len(), self.nodes.len());
        self.values.extend(built.ports.into_iter().map(|shape| Value { shape, used: false }));
        for (direction, &order) in orders.iter().enumerate() {
            self.states.push((node, direction));
            if !self.orders.contains(&order) {
                self.orders.push(order);
            }
        }
        self.nodes.push(Node { layer: built.layer, inputs: given, first_output, outputs });
        Ok(first_output)
    }

    /// Marks a value as an output.
    pub fn add_output(&mut self, value: usize) -> Result<()> {
        self.values.get_mut(value).ok_or(EngineError::InvalidArgument)?.used = true;
        Ok(())
    }

    /// Bytes of packed weights.
    pub fn bytes(&self) -> usize {
        self.nodes.iter().map(|node| node.layer.bytes()).sum()
    }
}

/// Hidden values and buffers of one batch.
pub struct State {
    model: Shared<Model>,
    batch: usize,
    layout: Layout,
    plans: Plans,
    /// One buffer a value, empty for those not used.
    values: Vec<Buffer>,
    workspaces: Vec<Workspace>,
}

impl State {
    /// A state for `batch` sequences; `set_lengths` comes before its first run.
    pub fn new(model: &Shared<Model>, batch: usize) -> Result<Self> {
        product(&[batch])?;
        let mut workspaces = Vec::new();
        workspaces.try_reserve_exact(model.nodes.len())?;
        for node in &model.nodes {
            workspaces.push(node.layer.workspace(batch)?);
        }
        let layout = Layout::new(ascending(batch)?, filled(batch, 0)?, false)?;
        let plans = Plans::new(&layout, &model.orders)?;
        let values = filled_with(model.values.len(), Buffer::default)?;
        let mut state = State { model: model.clone(), batch, plans, layout, values, workspaces };
        state.fit()?;
        Ok(state)
    }

    /// Lays out the buffers for sequences of these lengths. A failure leaves the former layout.
    pub fn set_lengths(&mut self, lengths: Vec<u32>, time_major: bool) -> Result<()> {
        self.set_sequences(ascending(self.batch)?, lengths, time_major)
    }

    /// The same for some sequences of the state only, each named once; the others keep their hidden values.
    pub fn set_sequences(&mut self, sequences: Vec<u32>, lengths: Vec<u32>, time_major: bool) -> Result<()> {
        let mut seen = filled(self.batch, false)?;
        for &b in &sequences {
            let seen = seen.get_mut(b as usize).ok_or(EngineError::InvalidArgument)?;
            ensure(!core::mem::replace(seen, true))?;
        }
        let layout = Layout::new(sequences, lengths, time_major)?;
        let plans = Plans::new(&layout, &self.model.orders)?;
        let (layout, plans) =
            (core::mem::replace(&mut self.layout, layout), core::mem::replace(&mut self.plans, plans));
        self.fit().inspect_err(|_| {
            self.layout = layout;
            self.plans = plans;
        })
    }

    /// Makes room for the layout everywhere, then adopts it.
    fn fit(&mut self) -> Result<()> {
        let rows = |shape: Shape| if shape.sequence { self.layout.rows } else { self.layout.batch() };
        let length = |value: &Value| if value.used { product(&[rows(value.shape), value.shape.size]) } else { Ok(0) };
        for (value, buffer) in self.model.values.iter().zip(&mut self.values) {
            buffer.reserve(length(value)?)?;
        }
        for (node, workspace) in self.model.nodes.iter().zip(&mut self.workspaces) {
            node.layer.reserve(workspace, &self.layout)?;
        }
        for (value, buffer) in self.model.values.iter().zip(&mut self.values) {
            buffer.set_len(length(value)?);
        }
        Ok(())
    }

    /// The numbers of a value: an input to fill, an output to read. They stay where they are until the next `set_lengths`.
    pub fn value(&mut self, value: usize) -> Result<&mut [f32]> {
        Ok(self.values.get_mut(value).ok_or(EngineError::InvalidArgument)?)
    }

    /// To be called when hidden state `index` has been written to, of one sequence or of all: flushes it, and forgets the
    /// outputs before.
    pub fn hidden_written(&mut self, index: usize, sequence: Option<usize>) -> Result<()> {
        let batch = self.batch;
        let (hidden, stride) = self.hidden(index)?;
        ensure(sequence.is_none_or(|b| b < batch))?;
        let rows = sequence.map_or(0..batch, |b| b..b + 1);
        flush_hidden(hidden.at_mut(rows.start * stride..rows.end * stride));
        let &(node, direction) = self.model.states.at(index);
        self.workspaces.at_mut(node).started.at_mut(direction).at_mut(rows).fill(false);
        Ok(())
    }

    /// Hidden state `index`, (batch, stride), and the stride.
    pub fn hidden(&mut self, index: usize) -> Result<(&mut [f32], usize)> {
        let &(node, direction) = self.model.states.get(index).ok_or(EngineError::InvalidArgument)?;
        let workspace = self.workspaces.at_mut(node);
        Ok((workspace.hidden.at_mut(direction), workspace.hidden_stride))
    }

    /// Runs all steps of the layout. Allocates nothing.
    pub fn run(&mut self) -> Result<()> {
        for (node, workspace) in self.model.nodes.iter().zip(&mut self.workspaces) {
            let (before, after) = self.values.split_at_mut_checked(node.first_output).unwrap_or_else(|| stop());
            let mut io = Io {
                layout: &self.layout,
                plans: &self.plans,
                values: before,
                inputs: &node.inputs,
                outputs: after.at_mut(..node.outputs),
            };
            node.layer.run(&mut io, workspace)?;
        }
        Ok(())
    }

    /// Sets all hidden values to zero.
    pub fn reset(&mut self) {
        for workspace in &mut self.workspaces {
            workspace.hidden.iter_mut().for_each(|hidden| hidden.fill(0.0));
            workspace.started.iter_mut().for_each(|started| started.fill(false));
        }
    }
}
