//! Naive f64 oracle, for tests.

extern crate std;
use super::activation::{Activation, Function};
use alloc::vec::Vec;

/// A deterministic stream of numbers in [-1, 1): xorshift64*.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// The next `n` numbers, times `scale`.
    pub fn take(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.number() * scale).collect()
    }
}

/// `init + sum of a[k] * b[k]`.
pub fn dot(a: &[f32], b: &[f64], init: f64) -> f64 {
    a.iter().zip(b).fold(init, |sum, (&x, &y)| sum + f64::from(x) * y)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// An elementwise function by its equation.
pub fn activate(activation: &Activation, x: f64) -> f64 {
    let (alpha, beta) = (f64::from(activation.alpha), f64::from(activation.beta));
    match activation.function {
        Function::Linear | Function::Softmax | Function::LogSoftmax => x,
        Function::Sigmoid => sigmoid(x),
        Function::Tanh => x.tanh(),
        Function::Relu => x.max(0.0),
        Function::HardSigmoid => (alpha * x + beta).clamp(0.0, 1.0),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::Softplus => softplus(alpha * x) / alpha,
        Function::Elu => elu(x, alpha),
        Function::LeakyRelu if x <= beta => alpha * (x - beta),
        Function::LeakyRelu => x,
        Function::ThresholdedRelu if x <= alpha => beta,
        Function::ThresholdedRelu => x,
        Function::ScaledTanh => alpha * (beta * x).tanh(),
        Function::Affine => alpha * x + beta,
        Function::Swish => x * sigmoid(alpha * x),
        Function::Gelu => 0.5 * x * (1.0 + erf(x * core::f64::consts::FRAC_1_SQRT_2)),
        Function::GeluTanh => {
            0.5 * x * (1.0 + (core::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Function::Selu => beta * elu(x, alpha),
        Function::Celu => x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0),
        Function::Mish => x * softplus(x).tanh(),
        Function::HardSwish => x * (alpha * x + beta).clamp(0.0, 1.0),
        Function::Clip => x.min(beta).max(alpha),
        Function::Shrink if x < -alpha => x + beta,
        Function::Shrink if x > alpha => x - beta,
        Function::Shrink => 0.0,
        Function::TanhShrink => x - x.tanh(),
        Function::LogSigmoid => -softplus(-x),
        Function::Exp => x.exp(),
        Function::Log => x.ln(),
        Function::Erf => erf(x),
        Function::Sqrt => x.sqrt(),
        Function::Square => x * x,
        Function::Abs => x.abs(),
        Function::Reciprocal => 1.0 / x,
        Function::Sign if x == 0.0 => 0.0,
        Function::Sign => x.signum(),
        Function::Round => x.round_ties_even(),
        Function::Floor => x.floor(),
        Function::Ceil => x.ceil(),
        Function::Squareplus => 0.5 * (x + (x * x + alpha).sqrt()),
        Function::SparsePlus if x <= -1.0 => 0.0,
        Function::SparsePlus if x < 1.0 => 0.25 * (x + 1.0) * (x + 1.0),
        Function::SparsePlus => x,
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * x.exp_m1() } else { x }
}

/// By the series 2 / sqrt(pi) e^(-x^2) sum of 2^n x^(2n + 1) / (1 3 5 ... (2n + 1)), whose terms have one sign.
pub fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = x;
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    core::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// One direction of a GRU.
pub struct Gru<'a> {
    /// (3H, I), rows z, r, n.
    pub input: &'a [f32],
    /// (3H, H), rows z, r, n.
    pub recurrent: &'a [f32],
    /// (3H).
    pub bias: &'a [f32],
    /// (H): the candidate's, reset gate after the matmul only.
    pub recurrent_bias: Option<&'a [f32]>,
    /// Bound of what activations take.
    pub clip: f32,
    /// Of the update and the reset gate, of the candidate.
    pub functions: [Activation; 2],
}

/// One step of a GRU: the equations of the ModelSpec's `GruSpec`.
pub fn gru_step(weights: &Gru, x: &[f64], h: &[f64]) -> Vec<f64> {
    let units = h.len();
    let row = |matrix: &'_ [f32], r: usize, v: &[f64], init| dot(&matrix[r * v.len()..][..v.len()], v, init);
    let clip = f64::from(weights.clip);
    let bounded = |f: usize, sum: f64| activate(&weights.functions[f], sum.clamp(-clip, clip));
    let gate = |g: usize, u: usize| row(weights.input, g * units + u, x, f64::from(weights.bias[g * units + u]));
    let z: Vec<f64> = (0..units).map(|u| bounded(0, row(weights.recurrent, u, h, gate(0, u)))).collect();
    let r: Vec<f64> = (0..units).map(|u| bounded(0, row(weights.recurrent, units + u, h, gate(1, u)))).collect();
    let reset: Vec<f64> = h.iter().zip(&r).map(|(h, r)| h * r).collect();
    (0..units)
        .map(|u| {
            let sum = match weights.recurrent_bias {
                Some(bias) => gate(2, u) + r[u] * row(weights.recurrent, 2 * units + u, h, f64::from(bias[u])),
                None => row(weights.recurrent, 2 * units + u, &reset, gate(2, u)),
            };
            z[u] * h[u] + (1.0 - z[u]) * bounded(1, sum)
        })
        .collect()
}

/// One direction of an LSTM.
pub struct Lstm<'a> {
    /// (4H, I), rows i, f, g, o.
    pub input: &'a [f32],
    /// (4H, H), rows i, f, g, o.
    pub recurrent: &'a [f32],
    /// (4H).
    pub bias: &'a [f32],
    /// (3H): i, f, o.
    pub peepholes: Option<&'a [f32]>,
    /// f = 1 - i.
    pub input_forget: bool,
    /// Bound of what activations of sums take.
    pub clip: f32,
    /// Of the gates, of the candidate, of the output.
    pub functions: [Activation; 3],
}

/// One step of an LSTM, new hidden and cell values: the equations of the ModelSpec's `LstmSpec`.
pub fn lstm_step(lstm: &Lstm, x: &[f64], h: &[f64], c: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let units = h.len();
    let [gate, candidate, output] = &lstm.functions;
    let clip = f64::from(lstm.clip);
    let unit = |u: usize| {
        let sum = |g: usize| {
            let row = g * units + u;
            let projected = dot(&lstm.input[row * x.len()..][..x.len()], x, f64::from(lstm.bias[row]));
            dot(&lstm.recurrent[row * units..][..units], h, projected)
        };
        let peep = |p: usize, c: f64| lstm.peepholes.map_or(0.0, |peepholes| f64::from(peepholes[p * units + u]) * c);
        let bounded = |function, sum: f64| activate(function, sum.clamp(-clip, clip));
        let i = bounded(gate, sum(0) + peep(0, c[u]));
        let f = if lstm.input_forget { 1.0 - i } else { bounded(gate, sum(1) + peep(1, c[u])) };
        let c = f * c[u] + i * bounded(candidate, sum(2));
        (bounded(gate, sum(3) + peep(2, c)) * activate(output, c), c)
    };
    (0..units).map(unit).unzip()
}

/// One direction of a simple RNN.
pub struct Rnn<'a> {
    /// (H, I).
    pub input: &'a [f32],
    /// (H, H).
    pub recurrent: &'a [f32],
    /// (H).
    pub bias: &'a [f32],
    /// Bound of what the activation takes.
    pub clip: f32,
    /// Of the sums.
    pub activation: Activation,
}

/// One step of a simple RNN: the equation of the ModelSpec's `RnnSpec`.
pub fn rnn_step(rnn: &Rnn, x: &[f64], h: &[f64]) -> Vec<f64> {
    let clip = f64::from(rnn.clip);
    (0..h.len())
        .map(|u| {
            let projected = dot(&rnn.input[u * x.len()..][..x.len()], x, f64::from(rnn.bias[u]));
            let sum = dot(&rnn.recurrent[u * h.len()..][..h.len()], h, projected);
            activate(&rnn.activation, sum.clamp(-clip, clip))
        })
        .collect()
}
