//! exp and the functions made of it; equations and constants in docs/arithmetic.md.

use crate::checked::Checked;
use crate::error::{EngineError, Result};
use crate::kernels::elementary::{erfc_abs, expm1, log, softplus, swish};
use crate::simd::{LANES, Lanes, Vector};
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
/// -ln 2 in two parts, of which the first times a whole number of 15 bits is exact.
const LN2_HIGH: f32 = -0.693_359_4;
const LN2_LOW: f32 = 0.000_212_194_44;

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
    power_of_2(c, f).mul(t.exponent_from_low_bits())
}

/// 2^f for |f| <= 1/2.
#[inline(always)]
fn power_of_2<V: Vector>(c: Constants<V>, f: V) -> V {
    let mut p = f.madd(c.at(C5), c.at(C5 + 1));
    p = p.madd(f, c.at(C5 + 2));
    p = p.madd(f, c.at(C5 + 3));
    p = p.madd(f, c.at(C5 + 4));
    p.madd(f, c.at(C5 + 5))
}

/// e^x of all x: 0 below -86.9, infinite from 88.73.
#[inline(never)]
pub fn exponential<V: Vector>(x: V) -> V {
    let c = Constants::get();
    let low = x.lt(V::splat(-86.9));
    let x = x.clamp(V::splat(-86.9), V::splat(88.73));
    // Half of e^x has an exponent that fits, for all of them.
    let magic = V::splat(12_583_038.0);
    let t = x.madd(c.at(LOG2E), magic);
    let n = t.sub(magic);
    let r = n.madd(V::splat(LN2_LOW), n.madd(V::splat(LN2_HIGH), x));
    let p = power_of_2(c, r.mul(c.at(LOG2E)));
    p.add(p).mul(t.exponent_from_low_bits()).zero_where(low)
}

/// e^x for x up to 0, e^-80 at least: softmax divides it by sums of up to 1500 without a denormal. (A call, as those of elementary.rs.)
#[inline(never)]
pub fn exp_down<V: Vector>(x: V) -> V {
    let c = Constants::get();
    exp_in_range(c, x.clamp(V::splat(-80.0), V::splat(0.0)), c.at(LOG2E))
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

/// e^-z, of which [`blend`] makes sigmoid(z): apart from it, for it does not wait for the reset gate.
#[inline(always)]
pub fn gate_exp<V: Vector>(c: Constants<V>, z: V) -> V {
    exp_of(c, z, SIGMOID)
}

/// sigmoid(z) h + (1 - sigmoid(z)) tanh(n), with one division; `a` is e^-z.
#[inline(always)]
pub fn blend<V: Vector>(c: Constants<V>, a: V, n: V, h: V) -> V {
    let one: V = c.one();
    let b = exp_of(c, n, TANH);
    let b1 = b.add(one);
    h.madd(b1, a.mul(b.sub(one))).div(a.add(one).mul(b1))
}

/// sigmoid(z) tanh(n), with one division. No denormal comes of it: the dividend is 0 or at least 2^-24, of the divisor's factors the
/// first is at most e^40 and the other near the dividend where that is large. (A flush of it was 1 % of an LSTM of 64 units.)
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
    /// As softmax.
    LogSoftmax = 13,
    Swish = 14,
    Gelu = 15,
    GeluTanh = 16,
    Selu = 17,
    Celu = 18,
    Mish = 19,
    HardSwish = 20,
    Clip = 21,
    Shrink = 22,
    TanhShrink = 23,
    LogSigmoid = 24,
    Exp = 25,
    Log = 26,
    Erf = 27,
    Sqrt = 28,
    Square = 29,
    Abs = 30,
    Reciprocal = 31,
    Sign = 32,
    Round = 33,
    Floor = 34,
    Ceil = 35,
    Squareplus = 36,
    SparsePlus = 37,
}

const FUNCTIONS: [Function; 38] = [
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
    Function::LogSoftmax,
    Function::Swish,
    Function::Gelu,
    Function::GeluTanh,
    Function::Selu,
    Function::Celu,
    Function::Mish,
    Function::HardSwish,
    Function::Clip,
    Function::Shrink,
    Function::TanhShrink,
    Function::LogSigmoid,
    Function::Exp,
    Function::Log,
    Function::Erf,
    Function::Sqrt,
    Function::Square,
    Function::Abs,
    Function::Reciprocal,
    Function::Sign,
    Function::Round,
    Function::Floor,
    Function::Ceil,
    Function::Squareplus,
    Function::SparsePlus,
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
            Function::Linear | Function::Softmax | Function::LogSoftmax => x,
            Function::Sigmoid => sigmoid(c, x),
            Function::Tanh => tanh(c, x),
            Function::Relu => x.zero_where(x.lt(zero)),
            Function::HardSigmoid => x.madd(alpha, beta).clamp(zero, c.one()),
            Function::Softsign => x.div(c.one().add(x.abs())),
            Function::Softplus => softplus(x.mul(alpha)).div(alpha),
            Function::Elu => V::select(x.lt(zero), alpha.mul(expm1(x)), x),
            Function::LeakyRelu => V::select(x.le(beta), alpha.mul(x.sub(beta)), x),
            Function::ThresholdedRelu => V::select(x.le(alpha), beta, x),
            Function::ScaledTanh => alpha.mul(tanh(c, beta.mul(x))),
            Function::Affine => x.madd(alpha, beta),
            Function::Swish => swish(x, alpha),
            Function::Gelu => {
                let tail = erfc_abs(x.mul(V::splat(core::f32::consts::FRAC_1_SQRT_2)));
                let half = V::splat(0.5).mul(x);
                half.mul(V::select(x.lt(zero), tail, V::splat(2.0).sub(tail)))
            }
            Function::GeluTanh => {
                // 2 sqrt(2 / pi) (x + 0.044715 x^3)
                let cubic = x.mul(x).madd(V::splat(0.071_354_814), V::splat(1.595_769));
                x.div(c.one().add(exponential(x.mul(cubic).neg())))
            }
            Function::Selu => beta.mul(V::select(x.lt(zero), alpha.mul(expm1(x)), x)),
            Function::Celu => V::select(x.lt(zero), alpha.mul(expm1(x.div(alpha))), x),
            Function::Mish => {
                // tanh(log(1 + w)) = w (w + 2) / (w (w + 2) + 2)
                let w = exponential(x.clamp(V::splat(-100.0), V::splat(40.0)));
                let n = w.mul(w.add(V::splat(2.0)));
                x.mul(n.div(n.add(V::splat(2.0))))
            }
            Function::HardSwish => x.mul(x.madd(alpha, beta).clamp(zero, c.one())),
            Function::Clip => x.clamp(alpha, beta),
            Function::Shrink => {
                let toward = V::select(x.lt(zero), x.add(beta), x.sub(beta));
                toward.zero_where(x.abs().le(alpha))
            }
            Function::TanhShrink => x.sub(tanh(c, x)),
            Function::LogSigmoid => softplus(x.neg()).neg(),
            Function::Exp => exponential(x),
            Function::Log => log(x),
            Function::Erf => {
                let erf = c.one().sub(erfc_abs(x));
                V::select(x.lt(zero), erf.neg(), erf)
            }
            Function::Sqrt => x.sqrt(),
            Function::Square => x.mul(x),
            Function::Abs => x.abs(),
            Function::Reciprocal => c.one().div(x),
            Function::Sign => V::select(zero.lt(x), c.one(), V::select(x.lt(zero), c.one().neg(), x)),
            Function::Round => x.nearest(),
            Function::Floor => x.floor(),
            Function::Ceil => x.ceil(),
            Function::Squareplus => V::splat(0.5).mul(x.add(x.madd(x, alpha).sqrt())),
            Function::SparsePlus => {
                let half = V::splat(0.5).mul(x.add(c.one()));
                let bent = V::select(x.lt(c.one()), half.mul(half), x);
                bent.zero_where(x.le(c.one().neg()))
            }
        }
    }

    /// Applies the function to rows of `size` values in place.
    pub fn apply_rows<V: Vector>(&self, values: &mut [f32], size: usize) {
        match self.function {
            Function::Linear => {}
            Function::Softmax => values.rows_mut(size).for_each(softmax::<V>),
            Function::LogSoftmax => values.rows_mut(size).for_each(log_softmax::<V>),
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

/// [`flush`]es what is given from outside, as far as it fills vectors.
#[inline(never)]
pub fn flush_all(values: &mut [f32]) {
    let c = Constants::get();
    for chunk in values.chunks_exact_mut(LANES) {
        // SAFETY: the chunk holds one vector.
        unsafe { flush(c, Lanes::load(chunk.as_ptr())).store(chunk.as_mut_ptr()) }
    }
}

pub(super) fn greatest(row: &[f32]) -> f32 {
    row.iter().copied().reduce(|m, x| if m < x { x } else { m }).unwrap_or_default()
}

pub(super) fn sum(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |s, &x| s + x)
}

fn softmax<V: Vector>(row: &mut [f32]) {
    let max = V::splat(greatest(row));
    map::<V>(row, |x| exp_down(x.sub(max)));
    let sum = V::splat(sum(row));
    map::<V>(row, |e| e.div(sum));
}

/// x - m - log(sum of e^(x - m)). Nothing is kept of the powers, so no row of scratch is needed.
fn log_softmax<V: Vector>(row: &mut [f32]) {
    let max = V::splat(greatest(row));
    map::<V>(row, |x| x.sub(max));
    let mut sum = 0.0;
    for chunk in row.chunks(LANES) {
        let mut powers = [0.0; LANES];
        let powers = powers.at_mut(..chunk.len());
        powers.copy(chunk);
        map::<V>(powers, exp_down);
        sum = powers.iter().fold(sum, |s, &e| s + e);
    }
    let log = log(V::splat(sum));
    map::<V>(row, |x| x.sub(log));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::activate;
    use crate::simd::scalar::Scalar4;
    use alloc::vec::Vec;

    fn one(function: Function, alpha: f32, beta: f32, x: f32) -> f32 {
        let mut values = [x];
        Activation { function, alpha, beta }.apply_rows::<Scalar4>(&mut values, 1);
        values[0]
    }

    /// Parameters, and the largest error: so much of the value, and so much beside it.
    fn bound(function: Function) -> (f32, f32, f64, f64) {
        match function {
            Function::HardSigmoid => (0.2, 0.5, 0.0, 2e-7),
            Function::ScaledTanh => (1.7, 0.6, 1e-7, 4e-7),
            Function::Affine => (1.3, -0.2, 2e-7, 1e-7),
            Function::LeakyRelu => (0.7, -0.4, 2e-7, 1e-7),
            Function::Swish => (1.3, 0.0, 6e-7, 1e-7),
            Function::Gelu => (0.0, 0.0, 1e-7, 4e-7),
            Function::GeluTanh => (0.0, 0.0, 3e-6, 1e-7),
            Function::Selu => (1.673_263_2, 1.050_701, 2e-7, 6e-7),
            Function::HardSwish => (1.0 / 6.0, 0.5, 2e-7, 4e-7),
            Function::Clip => (-1.0, 6.0, 0.0, 0.0),
            Function::Shrink => (0.5, 0.3, 2e-7, 0.0),
            Function::Exp => (0.0, 0.0, 3e-7, 0.0),
            Function::Log => (0.0, 0.0, 2e-7, 1e-7),
            Function::Squareplus => (4.0, 0.0, 2e-7, 2e-6),
            Function::ThresholdedRelu => (0.7, 0.2, 2e-7, 0.0),
            Function::Softplus => (0.7, 0.0, 3e-7, 3e-7),
            Function::Sqrt | Function::Square | Function::Reciprocal => (0.0, 0.0, 1e-7, 0.0),
            Function::Abs | Function::Sign | Function::Round | Function::Floor | Function::Ceil => (0.0, 0.0, 0.0, 0.0),
            _ => (0.7, 0.0, 3e-7, 3e-7),
        }
    }

    #[test]
    fn functions_follow_their_equations() {
        for function in FUNCTIONS {
            if matches!(function, Function::Softmax | Function::LogSoftmax) {
                continue;
            }
            let (alpha, beta, of_value, beside) = bound(function);
            let mut worst = 0.0f64;
            for i in (-4000..=4000).step_by(if cfg!(miri) { 1600 } else { 1 }) {
                let x = i as f32 * 0.0123;
                let (got, want) =
                    (one(function, alpha, beta, x), activate(&Activation { function, alpha, beta }, f64::from(x)));
                let tolerance = of_value * want.abs() + beside;
                if f64::from(got) == want || (got.is_nan() && want.is_nan()) {
                    continue;
                }
                let error = (f64::from(got) - want).abs();
                worst = worst.max(error / tolerance);
                assert!(error <= tolerance, "{function:?}({x}) = {got}, not {want}");
            }
            if std::env::var_os("SHOW").is_some() {
                std::eprintln!("{function:?}: {worst:.2} of its bound");
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
    fn softmax_sums_to_one_and_survives_large_values() {
        let softmax = Activation { function: Function::Softmax, alpha: 0.0, beta: 0.0 };
        let mut rows = [1.0, 2.0, 3.0, 4.0, 5.0, 1000.0, 0.0, -1000.0, 0.0, 1000.0];
        softmax.apply_rows::<Scalar4>(&mut rows, 5);
        let want: Vec<f64> = (1..=5).map(|i| f64::from(i).exp()).collect();
        let sum: f64 = want.iter().sum();
        for (got, want) in rows.iter().zip(&want) {
            assert!((f64::from(*got) - want / sum).abs() < 1e-7);
        }
        assert_eq!(rows[5..], [0.5, 0.0, 0.0, 0.0, 0.5].map(|p: f32| p.max(rows[6])));
        assert!(rows[6] < 1e-34);
    }

    #[test]
    fn sigmoid_tanh_gives_no_denormals() {
        let c = Constants::get();
        // 0 to 1/4, with 32 numbers between powers of 2: tanh is smallest there; beside the gate that is closed most
        for bits in (0..0.25f32.to_bits()).step_by(1 << 18) {
            let n = f32::from_bits(bits);
            let rows = [(-1e30, n), (-40.0, -n), (-39.99, n), (0.0, -n)];
            let h = sigmoid_tanh(c, Scalar4(rows.map(|(z, _)| z)), Scalar4(rows.map(|(_, n)| n))).0;
            assert!(h.iter().all(|h| *h == 0.0 || h.abs() > 1e-26), "{n}: {h:?}");
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
