//! The kinds of layers. Each has its twin in ts/backends/js/layers/ (the same bits) and ts/layers/ (the spec).

mod activation;
mod dense;
mod embedding;
mod gru;
mod masking;
mod merge;
mod slice;
mod step;

pub(crate) use gru::flush_all as flush_hidden;

use crate::buffer::Buffer;
use crate::checked::Checked;
use crate::error::{EngineError, Result, ensure};
use crate::kernels::activation::Activation;
use crate::plan::{Layout, Order, Plan};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Every kind of layer; its index is its number in ts/layers/.
pub const LAYERS: [(&str, Build); 8] = [
    ("embedding", embedding::build),
    ("dense", dense::build),
    ("activation", activation::build),
    ("merge", merge::build),
    ("masking", masking::build),
    ("gru", gru::build),
    ("step", step::build),
    ("slice", slice::build),
];

/// Makes a layer of its parameters, the shapes of its inputs (None: left out) and its tensors (None: left out).
pub type Build = fn(&mut Params, &[Option<Shape>], &[Option<&[f32]>]) -> Result<Built>;

/// A layer and the shapes of the values that it gives.
pub struct Built {
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// One shape a port.
    pub ports: Vec<Shape>,
}

/// Most numbers in a row of a value, as in ts/layers/check.ts: sums and small multiples of such widths fit into 32 bits.
pub const MAX_SIZE: usize = 1 << 24;

/// Shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// One row a step, or one a sequence.
    pub sequence: bool,
    /// Numbers a row.
    pub size: usize,
}

impl Shape {
    /// An error where the size is out of range.
    pub(crate) fn check(&self) -> Result<()> {
        ensure((1..=MAX_SIZE).contains(&self.size))
    }
}

/// An immutable layer.
pub trait Layer {
    /// What a state needs for `batch` sequences of any lengths.
    fn workspace(&self, _batch: usize) -> Result<Workspace> {
        Ok(Workspace::default())
    }
    /// Makes room for a layout, so that [`run`](Self::run) allocates nothing. A failure leaves the workspace usable.
    fn reserve(&self, _workspace: &mut Workspace, _layout: &Layout) -> Result<()> {
        Ok(())
    }
    /// Computes the outputs that are used.
    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()>;
    /// Orders of steps that it needs plans for, one a hidden state.
    fn orders(&self) -> &'static [Order] {
        &[]
    }
    /// Bytes of packed weights.
    fn bytes(&self) -> usize {
        0
    }
}

/// What a state holds for one layer.
#[derive(Default)]
pub struct Workspace {
    /// Hidden states, one a direction: (batch, `hidden_stride`).
    pub hidden: Vec<Buffer>,
    /// Distance between rows of hidden.
    pub hidden_stride: usize,
    /// Intermediate values.
    pub scratch: Vec<Buffer>,
    /// Entries that are not masked.
    pub unmasked: Plan,
    /// Of each direction, the sequences that have had an output since their hidden values were set.
    pub started: Vec<Vec<bool>>,
}

/// The values a layer reads and writes.
pub struct Io<'a> {
    /// How rows lie.
    pub layout: &'a Layout,
    /// All steps, in each order that the model needs.
    pub plans: &'a Plans,
    pub(crate) values: &'a [Buffer],
    pub(crate) inputs: &'a [Option<usize>],
    /// Buffers of the ports; one that nobody reads is empty.
    pub outputs: &'a mut [Buffer],
}

impl<'a> Io<'a> {
    fn buffer(&self, i: usize) -> Option<&'a Buffer> {
        self.inputs.get(i).copied().flatten().map(|value| self.values.at(value))
    }

    /// Input `i`, if it is given.
    pub fn optional(&self, i: usize) -> Option<&'a [f32]> {
        self.buffer(i).map(|buffer| &**buffer)
    }

    /// Input `i` and the padding behind it.
    pub fn padded(&self, i: usize) -> &'a [f32] {
        self.buffer(i).map(Buffer::padded).unwrap_or_default()
    }

    /// Input `i`.
    pub fn input(&self, i: usize) -> &'a [f32] {
        self.optional(i).unwrap_or_default()
    }
}

/// The plans of a layout, one an [`Order`]; those that no layer needs are empty.
pub struct Plans([Plan; 3]);

impl Plans {
    /// Plans in the orders wanted.
    pub fn new(layout: &Layout, wanted: &[Order]) -> Result<Self> {
        let mut plans = Plans(Default::default());
        for &order in wanted {
            *plans.0.at_mut(order as usize) = Plan::new(layout, order)?;
        }
        Ok(plans)
    }

    /// The plan in an order.
    pub fn get(&self, order: Order) -> &Plan {
        self.0.at(order as usize)
    }
}

/// Reads the parameter words of a layer.
pub struct Params<'a>(core::slice::Iter<'a, u32>);

impl<'a> Params<'a> {
    /// All words of a layer.
    pub fn new(words: &'a [u32]) -> Self {
        Params(words.iter())
    }
    fn word(&mut self) -> Result<u32> {
        self.0.next().copied().ok_or(EngineError::InvalidArgument)
    }
    fn size(&mut self) -> Result<usize> {
        let size = self.word()? as usize;
        ensure((1..=MAX_SIZE).contains(&size))?;
        Ok(size)
    }
    fn flag(&mut self) -> Result<bool> {
        Ok(self.choice(2)? == 1)
    }
    fn choice(&mut self, count: u32) -> Result<u32> {
        let word = self.word()?;
        ensure(word < count)?;
        Ok(word)
    }
    fn float(&mut self) -> Result<f32> {
        Ok(f32::from_bits(self.word()?))
    }
    fn activation(&mut self) -> Result<Activation> {
        Activation::from_words([self.word()?, self.word()?, self.word()?])
    }
    /// Whether every word was read.
    pub fn finished(&self) -> bool {
        self.0.len() == 0
    }
}

/// The shape of the input `i`, of `size` numbers a row where one is given.
fn input_shape(inputs: &[Option<Shape>], i: usize, size: Option<usize>) -> Result<Shape> {
    let shape = inputs.get(i).copied().flatten().ok_or(EngineError::InvalidArgument)?;
    ensure(size.is_none_or(|size| size == shape.size))?;
    Ok(shape)
}

/// The tensor `i`, of `length` values.
fn tensor<'a>(tensors: &[Option<&'a [f32]>], i: usize, length: usize) -> Result<&'a [f32]> {
    optional_tensor(tensors, i, length)?.ok_or(EngineError::InvalidArgument)
}

/// The tensor `i`, of `length` values, if it is given.
fn optional_tensor<'a>(tensors: &[Option<&'a [f32]>], i: usize, length: usize) -> Result<Option<&'a [f32]>> {
    let tensor = tensors.get(i).copied().flatten();
    ensure(tensor.is_none_or(|t| t.len() == length))?;
    Ok(tensor)
}

/// How two values become one: element by element, or side by side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// Side by side.
    Concat,
    /// Sum.
    Sum,
    /// Product.
    Mul,
    /// Mean.
    Ave,
}

impl Combine {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Combine::Concat, Combine::Sum, Combine::Mul, Combine::Ave][params.choice(4)? as usize])
    }

    /// `into[i] = into[i] op from[i]`; Ave sums, its factor comes last.
    fn fold(self, into: &mut [f32], from: &[f32]) {
        match self {
            Combine::Concat => into.copy(from),
            Combine::Sum | Combine::Ave => into.iter_mut().zip(from).for_each(|(a, b)| *a += b),
            Combine::Mul => into.iter_mut().zip(from).for_each(|(a, b)| *a *= b),
        }
    }

    /// What follows the last [`fold`](Self::fold) of `count` values.
    fn finish(self, into: &mut [f32], count: usize) {
        if self == Combine::Ave {
            let factor = 1.0 / count as f32;
            into.iter_mut().for_each(|a| *a *= factor);
        }
    }
}
