//! exp and the functions made of it; equations and constants in docs/arithmetic.md.

use super::softmax::softmax;
use crate::checked::Checked;
use crate::error::{EngineError, Result};
use crate::simd::{LANES, Vector};
use core::f32::consts::LOG2_E;

/// Constants live in memory: V8 rebuilds a `v128.const` with 3 instructions at each use. Each fills a vector, for a load is one
/// instruction, a load_splat two.
static TABLE: [[f32; LANES]; 16] = [
    [LOG2_E; LANES],
    [12583039.0; LANES],        // MAGIC
    [0.001_327_647_1; LANES],   // C5
    [0.009_675_541; LANES],     // C4
    [0.055_507_13; LANES],      // C3
    [0.240_221_2; LANES],       // C2
    [0.693_146_94; LANES],      // C1
    [1.000_000_1; LANES],       // C0
    [1.0; LANES],               // ONE
    [f32::MIN_POSITIVE; LANES], // MIN_NORMAL
    [-LOG2_E; LANES],           // SIGMOID
    [-40.0; LANES],
    [40.0; LANES],
    [2.0 * LOG2_E; LANES], // TANH
    [-10.0; LANES],
    [10.0; LANES],
];
const LOG2E: usize = 0;
const MAGIC: usize = 1;
const C5: usize = 2;
const ONE: usize = 8;
const MIN_NORMAL: usize = 9;
/// Where the factor stands that `x` gets in the exponent of 2, and after it the bounds of `x`: so e^-x and e^2x need no
/// operation of their own for the sign and the 2, which are exact and change no bit.
const SIGMOID: usize = 10;
const TANH: usize = 13;

/// The constants in vectors: those that a loop uses are loaded before it, as far as there are registers (H = 33: 3 % less time).
#[derive(Clone, Copy)]
pub struct Constants<V>([V; TABLE.len()]);

impl<V: Vector> Constants<V> {
    /// Loads the table, which is opaque to the optimiser: it would turn the loads back into constants.
    #[inline(always)]
    pub fn get() -> Self {
        let table = core::hint::black_box(TABLE.as_ptr());
        // SAFETY: the pointer is TABLE's.
        Constants(core::array::from_fn(|i| unsafe { V::load(table.add(i).cast()) }))
    }

    #[inline(always)]
    fn at(self, index: usize) -> V {
        self.0[index]
    }

    /// 1.
    #[inline(always)]
    pub fn one(self) -> V {
        self.at(ONE)
    }
}

/// 2^(x factor) for x already within the range in which 2^round(x factor) is a normal number.
#[inline(always)]
fn exp_in_range<V: Vector>(c: Constants<V>, x: V, factor: V) -> V {
    let magic: V = c.at(MAGIC);
    let t = x.madd(factor, magic);
    let f = x.madd(factor, magic.sub(t));
    let mut p = f.madd(c.at(C5), c.at(C5 + 1));
    p = p.madd(f, c.at(C5 + 2));
    p = p.madd(f, c.at(C5 + 3));
    p = p.madd(f, c.at(C5 + 4));
    p = p.madd(f, c.at(C5 + 5));
    p.mul(t.exponent_from_low_bits())
}

#[inline(always)]
pub(super) fn exp<V: Vector>(c: Constants<V>, x: V, lo: f32, hi: f32) -> V {
    exp_in_range(c, x.clamp(V::splat(lo), V::splat(hi)), c.at(LOG2E))
}

/// e^-x for [`SIGMOID`], e^2x for [`TANH`].
#[inline(always)]
fn exp_of<V: Vector>(c: Constants<V>, x: V, of: usize) -> V {
    exp_in_range(c, x.clamp(c.at(of + 1), c.at(of + 2)), c.at(of))
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub fn sigmoid<V: Vector>(c: Constants<V>, x: V) -> V {
    let one: V = c.one();
    one.div(one.add(exp_of(c, x, SIGMOID)))
}

/// (e^2x - 1) / (e^2x + 1)
#[inline(always)]
pub fn tanh<V: Vector>(c: Constants<V>, x: V) -> V {
    let b = exp_of(c, x, TANH);
    b.sub(c.one()).div(b.add(c.one()))
}

/// sigmoid(z) h + (1 - sigmoid(z)) tanh(n), with one division.
#[inline(always)]
pub fn blend<V: Vector>(c: Constants<V>, z: V, n: V, h: V) -> V {
    let one: V = c.one();
    let a = exp_of(c, z, SIGMOID);
    let b = exp_of(c, n, TANH);
    let b1 = b.add(one);
    h.madd(b1, a.mul(b.sub(one))).div(a.add(one).mul(b1))
}

/// sigmoid(z) tanh(n), with one division.
#[inline(always)]
pub fn sigmoid_tanh<V: Vector>(c: Constants<V>, z: V, n: V) -> V {
    let one: V = c.one();
    let b = exp_of(c, n, TANH);
    b.sub(one).div(one.add(exp_of(c, z, SIGMOID)).mul(b.add(one)))
}

/// sigmoid(z) x, as x / (1 + e^-z).
#[inline(always)]
pub fn divide_by_gate<V: Vector>(c: Constants<V>, z: V, x: V) -> V {
    x.div(c.one().add(exp_of(c, z, SIGMOID)))
}

/// 0 where |x| is below the smallest normal number: wasm has no flush-to-zero, and denormals can be 195 times slower.
#[inline(always)]
pub fn flush<V: Vector>(c: Constants<V>, x: V) -> V {
    x.zero_where(x.abs().lt(c.at(MIN_NORMAL)))
}

/// log(1 + u) for 0 <= u <= 1, by the series of atanh.
#[inline(always)]
fn log1p<V: Vector>(u: V) -> V {
    let s = u.div(V::splat(2.0).add(u));
    let v = s.mul(s);
    let mut q = V::splat(2.0 / 11.0).madd(v, V::splat(2.0 / 9.0));
    for c in [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        q = q.madd(v, V::splat(c));
    }
    s.mul(q)
}

/// Elementwise functions, numbered as in ts/layers/activations.ts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u32)]
pub enum Function {
    Linear = 0,
    Sigmoid = 1,
    Tanh = 2,
    Relu = 3,
    HardSigmoid = 4,
    Softsign = 5,
    Softplus = 6,
    Elu = 7,
    LeakyRelu = 8,
    ThresholdedRelu = 9,
    ScaledTanh = 10,
    Affine = 11,
    /// Over a row, not elementwise: for dense and activation layers only.
    Softmax = 12,
}

const FUNCTIONS: [Function; 13] = [
    Function::Linear,
    Function::Sigmoid,
    Function::Tanh,
    Function::Relu,
    Function::HardSigmoid,
    Function::Softsign,
    Function::Softplus,
    Function::Elu,
    Function::LeakyRelu,
    Function::ThresholdedRelu,
    Function::ScaledTanh,
    Function::Affine,
    Function::Softmax,
];

/// A function with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// Which function.
    pub function: Function,
    /// First parameter, where the function has one.
    pub alpha: f32,
    /// Second parameter, where the function has one.
    pub beta: f32,
}

impl Activation {
    /// x
    pub const LINEAR: Activation = Activation { function: Function::Linear, alpha: 0.0, beta: 0.0 };
    /// 1 / (1 + e^-x)
    pub const SIGMOID: Activation = Activation { function: Function::Sigmoid, alpha: 0.0, beta: 0.0 };
    /// (e^2x - 1) / (e^2x + 1)
    pub const TANH: Activation = Activation { function: Function::Tanh, alpha: 0.0, beta: 0.0 };

    /// From its three words: number, alpha and beta as bits of f32.
    pub fn from_words(words: [u32; 3]) -> Result<Self> {
        let function = *FUNCTIONS.get(words[0] as usize).ok_or(EngineError::InvalidArgument)?;
        Ok(Activation { function, alpha: f32::from_bits(words[1]), beta: f32::from_bits(words[2]) })
    }

    /// Whether this is the function without parameters.
    pub fn is(&self, function: Function) -> bool {
        self.function == function
    }

    /// The function of four values.
    #[inline(never)]
    pub fn apply<V: Vector>(&self, x: V) -> V {
        let c = Constants::get();
        let zero = V::splat(0.0);
        let (alpha, beta) = (V::splat(self.alpha), V::splat(self.beta));
        match self.function {
            Function::Linear | Function::Softmax => x,
            Function::Sigmoid => sigmoid(c, x),
            Function::Tanh => tanh(c, x),
            Function::Relu => x.zero_where(x.lt(zero)),
            Function::HardSigmoid => x.madd(alpha, beta).clamp(zero, c.one()),
            Function::Softsign => x.div(c.one().add(x.abs())),
            Function::Softplus => x.pmax(zero).add(log1p(exp(c, x.abs().neg(), -87.0, 0.0))),
            Function::Elu => V::select(x.lt(zero), alpha.mul(exp(c, x, -87.0, 0.0).sub(c.one())), x),
            Function::LeakyRelu => V::select(x.lt(zero), alpha.mul(x), x),
            Function::ThresholdedRelu => x.zero_where(x.le(alpha)),
            Function::ScaledTanh => alpha.mul(tanh(c, beta.mul(x))),
            Function::Affine => x.madd(alpha, beta),
        }
    }

    /// Applies the function to rows of `size` values in place.
    pub fn apply_rows<V: Vector>(&self, values: &mut [f32], size: usize) {
        match self.function {
            Function::Linear => {}
            Function::Softmax => values.rows_mut(size).for_each(softmax::<V>),
            _ => map::<V>(values, |x| self.apply(x)),
        }
    }
}

/// Applies `f` to every value.
pub fn map<V: Vector>(values: &mut [f32], f: impl Fn(V) -> V) {
    for chunk in values.chunks_mut(LANES) {
        let mut part = [0.0; LANES];
        let whole = chunk.len() == LANES;
        // The pointer comes last: to write to `part` as a whole would end what it may do.
        let at = if whole {
            chunk.as_mut_ptr()
        } else {
            part.at_mut(..chunk.len()).copy(chunk);
            part.as_mut_ptr()
        };
        // SAFETY: the chunk or `part` holds LANES values.
        unsafe { f(V::load(at)).store(at) }
        if !whole {
            chunk.copy(part.at(..chunk.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::activate;
    use crate::simd::scalar::Scalar4;

    fn one(function: Function, alpha: f32, beta: f32, x: f32) -> f32 {
        let mut values = [x];
        Activation { function, alpha, beta }.apply_rows::<Scalar4>(&mut values, 1);
        values[0]
    }

    #[test]
    fn functions_follow_their_equations() {
        for function in FUNCTIONS {
            let (alpha, beta) = match function {
                Function::Softmax => continue,
                Function::HardSigmoid => (0.2, 0.5),
                Function::ScaledTanh => (1.7, 0.6),
                Function::Affine => (1.3, -0.2),
                _ => (0.7, 0.0),
            };
            for i in (-4000..=4000).step_by(if cfg!(miri) { 1600 } else { 1 }) {
                let x = i as f32 * 0.0123;
                let (got, want) =
                    (one(function, alpha, beta, x), activate(&Activation { function, alpha, beta }, f64::from(x)));
                // 3e-7 is a few ulp of 1; linear pieces are exact but for the rounding of large values.
                let tolerance = 3e-7 * (1.0 + want.abs());
                assert!((f64::from(got) - want).abs() <= tolerance, "{function:?}({x}) = {got}, not {want}");
            }
            assert!(one(function, alpha, beta, f32::NAN).is_nan(), "{function:?} loses a NaN");
            assert!(one(function, alpha, beta, f32::from_bits(0xffc0_0001)).is_nan());
        }
    }

    #[test]
    fn bounded_functions_stay_bounded() {
        for x in [f32::INFINITY, f32::MAX, 1e10, 89.0] {
            assert_eq!(one(Function::Sigmoid, 0.0, 0.0, x), 1.0);
            assert!((0.0..1e-16).contains(&one(Function::Sigmoid, 0.0, 0.0, -x)));
            assert_eq!(one(Function::Tanh, 0.0, 0.0, x), 1.0);
            assert_eq!(one(Function::Tanh, 0.0, 0.0, -x), -1.0);
        }
    }

    #[test]
    fn flush_takes_denormals_only() {
        let c = Constants::get();
        let x = Scalar4([1e-40, -1e-39, f32::MIN_POSITIVE, f32::NAN]);
        let flushed = flush(c, x).0;
        assert_eq!(flushed[..3], [0.0, 0.0, f32::MIN_POSITIVE]);
        assert!(flushed[3].is_nan());
    }
}
