//! The kinds of layers. Each has its twin in ts/backends/js/layers/ (the same bits) and ts/layers/ (the spec).

pub mod activation;
pub mod argmax;
pub mod attention;
pub mod conv1d;
pub mod dense;
pub mod embedding;
pub mod flatten;
pub mod ids;
pub mod masking;
pub mod merge;
pub mod norm;
pub mod one_hot;
pub mod pad;
pub mod params;
pub mod pool;
pub mod recurrent;
pub mod reduce;
pub mod reduce_features;
pub mod repeat;
pub mod reverse;
pub mod scale;
pub mod sine;
pub mod slice;
pub mod step;
pub mod time_softmax;
pub mod unflatten;
pub mod upsample;
pub mod weighted_sum;
pub mod windows;

use crate::buffer::Buffer;
use crate::checked::Checked;
use crate::error::{EngineError, Result, ensure};
use crate::pack::{Operands, PackedMatrix};
use crate::plan::{Layout, Order, Plan};
use crate::tensor::Tensor;
use alloc::boxed::Box;
use alloc::vec::Vec;
use params::{Param, Params};

/// A kind of layer.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its type in a spec.
    pub name: &'static str,
    /// Makes one.
    pub build: Build,
    /// Whether it is left out where the feature `full` is off: [`build`](Self::build) refuses then.
    pub full: bool,
    /// Names of its parameters and their numbers of words, for tests. (A binary would hold them all.)
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub params: fn() -> Vec<(&'static str, usize)>,
}

// Where no test asks for the parameters' names, P says nothing.
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), allow(clippy::extra_unused_type_parameters))]
const fn kind<P: Param>(name: &'static str, build: Build) -> Kind {
    Kind {
        name,
        build,
        full: false,
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        params: params::describe::<P>,
    }
}

/// A kind that few models need: of the feature `full`.
const fn full_kind<P: Param>(name: &'static str, build: Build) -> Kind {
    Kind { full: true, ..kind::<P>(name, if cfg!(feature = "full") { build } else { left_out }) }
}

/// Not reached: ts/layers knows which kinds are of `full`.
fn left_out(_: &mut Params, _: &[Option<Shape>], _: &[Option<Tensor>]) -> Result<Built> {
    Err(EngineError::InvalidArgument)
}

/// Every kind of layer; its index is its number in ts/layers/.
const ALL: [Kind; 29] = [
    kind::<embedding::EmbeddingParams>("embedding", embedding::build),
    kind::<dense::DenseParams>("dense", dense::build),
    kind::<activation::ActivationParams>("activation", activation::build),
    full_kind::<merge::MergeParams>("merge", merge::build),
    kind::<masking::MaskingParams>("masking", masking::build),
    kind::<recurrent::gru::GruParams>("gru", recurrent::gru::build),
    kind::<step::StepParams>("step", step::build),
    full_kind::<slice::SliceParams>("slice", slice::build),
    kind::<recurrent::lstm::LstmParams>("lstm", recurrent::lstm::build),
    kind::<recurrent::rnn::RnnParams>("rnn", recurrent::rnn::build),
    full_kind::<scale::ScaleParams>("scale", scale::build),
    full_kind::<norm::NormParams>("norm", norm::build),
    full_kind::<conv1d::ConvParams>("conv1d", conv1d::build),
    full_kind::<()>("timeSoftmax", time_softmax::build),
    full_kind::<()>("weightedSum", weighted_sum::build),
    full_kind::<attention::AttentionParams>("attention", attention::build),
    full_kind::<reduce::ReduceParams>("reduce", reduce::build),
    full_kind::<flatten::FlattenParams>("flatten", flatten::build),
    full_kind::<unflatten::UnflattenParams>("unflatten", unflatten::build),
    full_kind::<repeat::RepeatParams>("repeat", repeat::build),
    full_kind::<pool::PoolParams>("pool", pool::build),
    full_kind::<upsample::UpsampleParams>("upsample", upsample::build),
    full_kind::<pad::PadParams>("pad", pad::build),
    full_kind::<reduce_features::ReduceFeaturesParams>("reduceFeatures", reduce_features::build),
    full_kind::<one_hot::OneHotParams>("oneHot", one_hot::build),
    full_kind::<argmax::ArgmaxParams>("argmax", argmax::build),
    full_kind::<()>("reverse", reverse::build),
    full_kind::<()>("ids", ids::build),
    full_kind::<sine::SineParams>("sine", sine::build),
];

/// The kinds of this build: without the feature `full` those up to the last that is not of it. (A table of
/// all took 180 bytes of the default bundle, gzipped.)
pub const LAYERS: [Kind; if cfg!(feature = "full") { ALL.len() } else { 10 }] = first();

const fn first<const N: usize>() -> [Kind; N] {
    let mut kinds = [ALL[0]; N];
    let mut i = 0;
    while i < ALL.len() {
        if i < N {
            kinds[i] = ALL[i];
        } else {
            assert!(ALL[i].full, "a kind of the core comes behind those of its build");
        }
        i += 1;
    }
    kinds
}

/// Makes a layer of its parameters, the shapes of its inputs (None: left out) and its tensors (None: left out).
pub type Build = fn(&mut Params, &[Option<Shape>], &[Option<Tensor>]) -> Result<Built>;

/// A layer and the shapes of the values that it gives.
pub struct Built {
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// One shape a port.
    pub ports: Vec<Shape>,
}

/// Most numbers in a row of a value, as in ts/layers/check.ts: sums and small multiples of such widths fit into 32 bits.
pub const MAX_SIZE: usize = 1 << 24;

/// Most axes of a model: a bit of 32 for each.
pub const MAX_AXES: usize = 31;

/// Shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The axis on which it has one row a step; None: one row a sequence.
    pub axis: Option<usize>,
    /// Numbers a row.
    pub size: usize,
}

impl Shape {
    /// One row a step of the first axis.
    pub const fn sequence(size: usize) -> Self {
        Shape { axis: Some(0), size }
    }
    /// One row a sequence.
    pub const fn vector(size: usize) -> Self {
        Shape { axis: None, size }
    }
    /// An error where the size or the axis is out of range.
    pub(crate) fn check(&self) -> Result<()> {
        ensure((1..=MAX_SIZE).contains(&self.size) && self.axis.is_none_or(|axis| axis < MAX_AXES))
    }
}

/// An immutable layer.
pub trait Layer {
    /// What a state needs for `batch` sequences of any lengths.
    fn workspace(&self, _batch: usize) -> Result<Workspace> {
        Ok(Workspace::default())
    }
    /// Makes room for a layout, so that [`run`](Self::run) allocates nothing. A failure leaves the workspace usable.
    fn reserve(&self, _workspace: &mut Workspace, _layouts: &Layouts) -> Result<()> {
        Ok(())
    }
    /// Computes the outputs that are used.
    fn run(&self, io: &mut Io, workspace: &mut Workspace) -> Result<()>;
    /// Orders of steps that it needs plans for, one a direction.
    fn orders(&self) -> &'static [Order] {
        &[]
    }
    /// Slots of its state.
    fn slots(&self) -> usize {
        0
    }
    /// Whether the sequences that it reads may lie on several axes; [`Io::layout`] is that of the first one then.
    fn crosses_axes(&self) -> bool {
        false
    }
    /// Whether values of its state below the smallest normal are zeros.
    fn flushes(&self) -> bool {
        true
    }
    /// Bytes of packed weights.
    fn bytes(&self) -> usize {
        0
    }
}

/// What a state holds for one layer.
#[derive(Default)]
pub struct Workspace {
    /// Its state, a row a sequence each; of a recurrent layer a slot of all directions, then the next one. Those beyond its
    /// [`slots`](Layer::slots) nobody sets or reads.
    pub states: Vec<Buffer>,
    /// Intermediate values.
    pub scratch: Vec<Buffer>,
    /// Intermediate values by which others are multiplied.
    pub packed: Vec<PackedMatrix>,
    /// Rows that weights of integers are multiplied by.
    pub operands: Operands,
    /// Entries that are not masked.
    pub unmasked: Plan,
    /// Rows that a block of scratch reads and writes.
    pub block: Plan,
}

impl Workspace {
    /// As at the start of a sequence.
    pub(crate) fn clear(&mut self) {
        self.states.iter_mut().for_each(|state| state.fill(0.0));
    }
}

/// How the rows of one axis lie, and in what orders layers take its steps.
pub struct Axis {
    /// How its rows lie.
    pub layout: Layout,
    /// All its steps, in each order that its layers need.
    pub plans: Plans,
}

/// How the rows of all axes lie.
#[derive(Clone, Copy)]
pub struct Layouts<'a> {
    pub(crate) axes: &'a [Axis],
    pub(crate) own: usize,
}

impl<'a> Layouts<'a> {
    /// That of the sequences that the layer reads.
    pub fn own(&self) -> &'a Layout {
        self.of(self.own)
    }
    /// That of an axis, as the shape of a value names it.
    pub fn of(&self, axis: usize) -> &'a Layout {
        &self.axes.at(axis).layout
    }
}

/// The values a layer reads and writes.
pub struct Io<'a> {
    /// How rows of the layer's axis lie.
    pub layout: &'a Layout,
    /// How those of all axes lie.
    pub layouts: Layouts<'a>,
    /// All steps of that axis, in each order that its layers need.
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
    #[inline(always)]
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
    pub fn new(layout: &Layout, wanted: impl Iterator<Item = Order>) -> Result<Self> {
        let mut plans = Plans(Default::default());
        for order in wanted {
            *plans.0.at_mut(order as usize) = Plan::new(layout, order)?;
        }
        Ok(plans)
    }

    /// The plan in an order.
    pub fn get(&self, order: Order) -> &Plan {
        self.0.at(order as usize)
    }
}

/// The shape of the input `i`, of `size` numbers a row where one is given.
fn input_shape(inputs: &[Option<Shape>], i: usize, size: Option<usize>) -> Result<Shape> {
    let shape = inputs.get(i).copied().flatten().ok_or(EngineError::InvalidArgument)?;
    ensure(size.is_none_or(|size| size == shape.size))?;
    Ok(shape)
}

/// Checks that the input `i`, if it is given, is a mask of that axis.
fn mask_shape(inputs: &[Option<Shape>], i: usize, axis: Option<usize>) -> Result<()> {
    ensure(inputs.get(i).copied().flatten().is_none_or(|mask| mask == Shape { axis, size: 1 }))
}

/// The axis of a layer's sequences: the one that was numbered for it, which is that of input `i` where one is given.
fn given_axis(inputs: &[Option<Shape>], i: usize, axis: u32) -> Result<usize> {
    let like = inputs.get(i).copied().flatten();
    ensure((axis as usize) < MAX_AXES && like.is_none_or(|like| like.axis == Some(axis as usize)))?;
    Ok(axis as usize)
}

/// The tensor `i`, of `rows` rows of `k` values of any dtype.
fn matrix<'a>(tensors: &[Option<Tensor<'a>>], i: usize, rows: usize, k: usize) -> Result<Tensor<'a>> {
    let tensor = tensors.get(i).copied().flatten();
    tensor.filter(|tensor| tensor.has(rows, k)).ok_or(EngineError::InvalidArgument)
}

/// The tensor `i`, of `length` numbers.
fn tensor<'a>(tensors: &[Option<Tensor<'a>>], i: usize, length: usize) -> Result<&'a [f32]> {
    optional_tensor(tensors, i, length)?.ok_or(EngineError::InvalidArgument)
}

/// The tensor `i`, of `length` numbers, if it is given.
fn optional_tensor<'a>(tensors: &[Option<Tensor<'a>>], i: usize, length: usize) -> Result<Option<&'a [f32]>> {
    let tensor = tensors.get(i).copied().flatten().map(Tensor::floats).transpose()?;
    ensure(tensor.is_none_or(|t| t.len() == length))?;
    Ok(tensor)
}

/// The tensor `i`, of `length` numbers; all of them `otherwise` where it is not given.
fn row_or(tensors: &[Option<Tensor>], i: usize, length: usize, otherwise: f32) -> Result<Buffer> {
    let mut row = Buffer::zeroed(length)?;
    match optional_tensor(tensors, i, length)? {
        Some(tensor) => row.copy(tensor),
        None => row.fill(otherwise),
    }
    Ok(row)
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
