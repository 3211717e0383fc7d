//! A model: an immutable graph of layers; a state: what they carry from step to step and buffers, for one batch of sequences.

use crate::buffer::{Buffer, product};
use crate::checked::{Checked, stop};
use crate::error::{EngineError, Result, ensure};
use crate::fallible::{collected, copied, filled, filled_with};
use crate::kernels::activation::flush_all;
use crate::layers::params::Params;
use crate::layers::{Axis, Io, LAYERS, Layer, Layouts, MAX_AXES, MAX_SIZE, Plans, Shape, Workspace};
use crate::plan::{Layout, Order, ascending};
use crate::shared::Shared;
use crate::tensor::Tensor;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Layers in the order of computation, and the values between them.
pub struct Model {
    values: Vec<Value>,
    nodes: Vec<Node>,
    /// Node of each state slot, and its place there, in the order of the layers.
    states: Vec<(usize, usize)>,
    /// Orders in which the layers of an axis take steps.
    orders: Vec<(usize, Order)>,
    /// How many axes are in use; 1 at least.
    axes: usize,
    /// Axes whose sequences are steps of another.
    nested: Vec<Nested>,
}

/// An axis whose sequences are the steps of another.
#[derive(Clone, Copy)]
struct Nested {
    axis: usize,
    /// That other axis.
    of: usize,
    /// Steps of each of its sequences.
    each: u32,
}

struct Value {
    shape: Shape,
    /// Read by a layer or the caller; others get no buffer.
    used: bool,
    /// An input of numbers.
    given: bool,
}

struct Node {
    layer: Box<dyn Layer>,
    /// Of the sequences that it reads; 0 where it reads none.
    axis: usize,
    /// The axis whose steps are sequences to it, each on its own.
    per: Option<usize>,
    inputs: Vec<Option<usize>>,
    first_output: usize,
    outputs: usize,
}

/// Steps may be sequences: made by layers that are of the feature `full` alone.
const NESTS: bool = cfg!(feature = "full");

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// A model of nothing.
    pub fn new() -> Self {
        Model {
            values: Vec::new(),
            nodes: Vec::new(),
            states: Vec::new(),
            orders: Vec::new(),
            axes: 1,
            nested: Vec::new(),
        }
    }

    /// Adds an input whose bits are taken as they are, as those of ids. Returns the number of its value.
    pub fn add_input(&mut self, shape: Shape) -> Result<usize> {
        ensure(self.nodes.is_empty())?;
        shape.check()?;
        self.values.try_reserve(1)?;
        self.axes = self.axes.max(shape.axis.map_or(1, |axis| axis + 1));
        self.values.push(Value { shape, used: true, given: false });
        Ok(self.values.len() - 1)
    }

    /// Adds an input of numbers. Denormals among them count as zeros.
    pub fn add_numbers(&mut self, shape: Shape) -> Result<usize> {
        let value = self.add_input(shape)?;
        self.values.at_mut(value).given = true;
        Ok(value)
    }

    /// Makes `axis` one of `each` steps for each step of the axis `of`, before layers use it.
    pub fn nest_axis(&mut self, axis: usize, of: usize, each: usize) -> Result<()> {
        ensure(NESTS && of < axis && axis < MAX_AXES && (1..=MAX_SIZE).contains(&each))?;
        ensure(self.nodes.is_empty() && self.nested(axis).is_none() && self.nested(of).is_none())?;
        self.nested.try_reserve(1)?;
        self.nested.push(Nested { axis, of, each: each as u32 });
        self.axes = self.axes.max(axis + 1);
        Ok(())
    }

    fn nested(&self, axis: usize) -> Option<Nested> {
        self.nested.iter().find(|nested| NESTS && nested.axis == axis).copied()
    }

    /// A shape as a layer sees it to which the steps of the axis `per` are sequences.
    fn seen(&self, shape: Shape, per: Option<usize>) -> Result<Shape> {
        let of = shape.axis.and_then(|axis| self.nested(axis)).map(|nested| nested.of);
        if per.is_some() && shape.axis == per {
            return Ok(Shape { axis: None, ..shape });
        }
        ensure(of == per && (per.is_none() || shape.axis.is_some()))?;
        Ok(shape)
    }

    /// Adds a layer of the kind `LAYERS[code]`, reading the values `inputs` (negative: left out). Returns the number of
    /// its first value; the values of its other ports follow. Sequences that it reads lie on one axis, unless the layer crosses axes.
    pub fn add_layer(
        &mut self,
        code: usize,
        inputs: &[i32],
        params: &[u32],
        tensors: &[Option<&[f32]>],
    ) -> Result<usize> {
        let tensors = collected(tensors.iter().map(|tensor| tensor.map(Tensor::F32)))?;
        self.add_layer_per(None, code, inputs, params, &tensors)
    }

    /// The same of tensors of any dtype, and of a layer to which every step of the axis `per` is a sequence: what lies on that axis are its vectors, and axes
    /// that were nested in it those of its sequences.
    pub fn add_layer_per(
        &mut self,
        per: Option<usize>,
        code: usize,
        inputs: &[i32],
        params: &[u32],
        tensors: &[Option<Tensor>],
    ) -> Result<usize> {
        ensure(NESTS || per.is_none())?;
        let per = per.filter(|_| NESTS);
        let kind = LAYERS.get(code).ok_or(EngineError::InvalidArgument)?;
        let (mut given, mut shapes) = (filled(inputs.len(), None)?, filled(inputs.len(), None)?);
        for ((&value, given), shape) in inputs.iter().zip(&mut given).zip(&mut shapes) {
            if let Ok(value) = usize::try_from(value) {
                *given = Some(value);
                let own = self.values.get(value).ok_or(EngineError::InvalidArgument)?.shape;
                *shape = Some(self.seen(own, per)?);
            }
        }
        let mut on = shapes.iter().flatten().filter_map(|shape| shape.axis);
        let first = on.next();
        let one = on.all(|other| Some(other) == first);
        let mut params = Params::new(params);
        let mut built = (kind.build)(&mut params, &shapes, tensors)?;
        ensure(params.finished() && (one || built.layer.crosses_axes()))?;
        built.ports.iter().try_for_each(Shape::check)?;
        let axis = first.or_else(|| per.and(built.ports.first()?.axis)).unwrap_or(0);
        for port in &mut built.ports {
            if port.axis.is_some() {
                ensure(self.seen(*port, per)?.axis.is_some())?;
            } else {
                port.axis = per;
            }
        }
        ensure(per.is_none() || self.nested(axis).is_some())?;
        let orders = built.layer.orders();
        // Of steps that are sequences nothing goes on from one to the next.
        let slots = if per.is_none() { built.layer.slots() } else { 0 };
        self.values.try_reserve(built.ports.len())?;
        self.states.try_reserve(slots)?;
        self.orders.try_reserve(orders.len())?;
        self.nodes.try_reserve(1)?;
        // Nothing fails from here on: the model has the whole layer or nothing of it.
        for &value in given.iter().flatten() {
            self.values.at_mut(value).used = true;
        }
        let (first_output, outputs, node) = (self.values.len(), built.ports.len(), self.nodes.len());
        self.axes = built.ports.iter().filter_map(|shape| shape.axis).fold(self.axes, |axes, axis| axes.max(axis + 1));
        self.values.extend(built.ports.into_iter().map(|shape| Value { shape, used: false, given: false }));
        self.states.extend((0..slots).map(|slot| (node, slot)));
        for &order in orders {
            if !self.orders.contains(&(axis, order)) {
                self.orders.push((axis, order));
            }
        }
        self.nodes.push(Node { layer: built.layer, axis, per, inputs: given, first_output, outputs });
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

/// What layers carry from step to step and buffers, for one batch.
pub struct State {
    model: Shared<Model>,
    batch: usize,
    axes: Vec<Axis>,
    /// One buffer a value, empty for those not used.
    values: Vec<Buffer>,
    workspaces: Vec<Workspace>,
    /// Of each layer, the sequences that its workspace is for.
    room: Vec<usize>,
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
        let axes = axes(model, &ascending(batch)?, &filled(product(&[model.axes, batch])?, 0)?, 0)?;
        let values = filled_with(model.values.len(), Buffer::default)?;
        let room = filled(model.nodes.len(), batch)?;
        let mut state = State { model: model.clone(), batch, axes, values, workspaces, room };
        state.fit()?;
        Ok(state)
    }

    /// Lays out the buffers for sequences of these lengths, axis after axis. `time_major`: a bit for each axis on which rows of one step
    /// follow each other. A failure leaves the former layout.
    pub fn set_lengths(&mut self, lengths: &[u32], time_major: impl Into<u32>) -> Result<()> {
        self.set_sequences(&ascending(self.batch)?, lengths, time_major)
    }

    /// The same for some sequences of the state only, each named once; the others keep their hidden values.
    pub fn set_sequences(&mut self, sequences: &[u32], lengths: &[u32], time_major: impl Into<u32>) -> Result<()> {
        let mut seen = filled(self.batch, false)?;
        for &b in sequences {
            let seen = seen.get_mut(b as usize).ok_or(EngineError::InvalidArgument)?;
            ensure(!core::mem::replace(seen, true))?;
        }
        let axes = axes(&self.model, sequences, lengths, time_major.into())?;
        let former = core::mem::replace(&mut self.axes, axes);
        self.fit().inspect_err(|_| self.axes = former)
    }

    /// How many axes there are.
    pub fn axes(&self) -> usize {
        self.axes.len()
    }

    /// How many sequences take part.
    fn taking_part(&self) -> usize {
        self.axes.first().map_or(0, |axis| axis.layout.batch())
    }

    /// Makes room for the layout everywhere, then adopts it.
    fn fit(&mut self) -> Result<()> {
        let batch = self.taking_part();
        let rows = |shape: Shape| shape.axis.map_or(batch, |axis| self.axes.at(axis).layout.rows);
        let length = |value: &Value| if value.used { product(&[rows(value.shape), value.shape.size]) } else { Ok(0) };
        for (value, buffer) in self.model.values.iter().zip(&mut self.values) {
            buffer.reserve(length(value)?)?;
        }
        for ((node, workspace), room) in self.model.nodes.iter().zip(&mut self.workspaces).zip(&mut self.room) {
            let layouts = Layouts { axes: &self.axes, own: node.axis };
            let sequences = layouts.own().batch();
            if NESTS && node.per.is_some() && sequences > *room {
                // Nothing of the former one goes on, but the former layout has to stay usable.
                let mut larger = node.layer.workspace(sequences)?;
                node.layer.reserve(&mut larger, &layouts)?;
                (*workspace, *room) = (larger, sequences);
            } else {
                node.layer.reserve(workspace, &layouts)?;
            }
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

    /// To be called when state slot `index` has been written to, of one sequence or of all: flushes it, where its layer does.
    pub fn hidden_written(&mut self, index: usize, sequence: Option<usize>) -> Result<()> {
        let batch = self.batch;
        let &(node, _) = self.model.states.get(index).ok_or(EngineError::InvalidArgument)?;
        let flushes = self.model.nodes.at(node).layer.flushes();
        let (values, stride) = self.hidden(index)?;
        ensure(sequence.is_none_or(|b| b < batch))?;
        let rows = sequence.map_or(0..batch, |b| b..b + 1);
        if flushes {
            flush_all(values.at_mut(rows.start * stride..rows.end * stride));
        }
        Ok(())
    }

    /// State slot `index`, (batch, stride), and the stride.
    pub fn hidden(&mut self, index: usize) -> Result<(&mut [f32], usize)> {
        let &(node, slot) = self.model.states.get(index).ok_or(EngineError::InvalidArgument)?;
        let values = self.workspaces.at_mut(node).states.at_mut(slot);
        let stride = values.len().checked_div(self.batch).unwrap_or_default();
        Ok((values, stride))
    }

    /// Runs all steps of the layout, of inputs that are [flushed](flush_all). Allocates nothing.
    pub fn run(&mut self) -> Result<()> {
        for (_, numbers) in self.model.values.iter().zip(&mut self.values).filter(|(value, _)| value.given) {
            flush_all(numbers.vectors());
        }
        for (node, workspace) in self.model.nodes.iter().zip(&mut self.workspaces) {
            let (before, after) = self.values.split_at_mut_checked(node.first_output).unwrap_or_else(|| stop());
            let Axis { layout, plans } = self.axes.at(node.axis);
            let layouts = Layouts { axes: &self.axes, own: node.axis };
            let mut io = Io {
                layout,
                layouts,
                plans,
                values: before,
                inputs: &node.inputs,
                outputs: after.at_mut(..node.outputs),
            };
            if node.per.is_some() {
                workspace.clear();
            }
            node.layer.run(&mut io, workspace)?;
        }
        Ok(())
    }

    /// Sets all states to zero.
    pub fn reset(&mut self) {
        self.workspaces.iter_mut().for_each(Workspace::clear);
    }
}

/// The layouts of all axes, of lengths axis after axis.
fn axes(model: &Model, sequences: &[u32], lengths: &[u32], time_major: u32) -> Result<Vec<Axis>> {
    ensure(lengths.len() == product(&[model.axes, sequences.len()])?)?;
    let mut axes = Vec::new();
    axes.try_reserve_exact(model.axes)?;
    for axis in 0..model.axes {
        let layout = if let Some(Nested { of, each, .. }) = model.nested(axis) {
            let outer: &Axis = axes.at(of);
            let rows = outer.layout.rows;
            Layout::new(ascending(rows)?, filled(rows, each)?, false)?
        } else {
            let lengths = copied(lengths.row(axis, sequences.len()))?;
            Layout::new(copied(sequences)?, lengths, time_major >> axis & 1 == 1)?
        };
        let orders = model.orders.iter().filter(|(on, _)| *on == axis).map(|&(_, order)| order);
        let plans = Plans::new(&layout, orders)?;
        axes.push(Axis { layout, plans });
    }
    Ok(axes)
}
