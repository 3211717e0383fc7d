//! Naive f64 oracle, for tests.

extern crate std;
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

/// Weights of one direction in canonical layout.
pub struct Weights<'a> {
    /// (3H, I), rows z, r, n.
    pub input: &'a [f32],
    /// (3H, H), rows z, r, n.
    pub recurrent: &'a [f32],
    /// (3H).
    pub bias: &'a [f32],
    /// (H): the candidate's, reset gate after the matmul only.
    pub recurrent_bias: Option<&'a [f32]>,
}

/// One step of a GRU with sigmoid and tanh: the equations of the ModelSpec's `GruSpec`.
pub fn gru_step(weights: &Weights, x: &[f64], h: &[f64]) -> Vec<f64> {
    let units = h.len();
    let row = |matrix: &'_ [f32], r: usize, v: &[f64], init| dot(&matrix[r * v.len()..][..v.len()], v, init);
    let gate = |g: usize, u: usize| row(weights.input, g * units + u, x, f64::from(weights.bias[g * units + u]));
    let z: Vec<f64> = (0..units).map(|u| sigmoid(row(weights.recurrent, u, h, gate(0, u)))).collect();
    let r: Vec<f64> = (0..units).map(|u| sigmoid(row(weights.recurrent, units + u, h, gate(1, u)))).collect();
    let reset: Vec<f64> = h.iter().zip(&r).map(|(h, r)| h * r).collect();
    (0..units)
        .map(|u| {
            let n = match weights.recurrent_bias {
                Some(bias) => gate(2, u) + r[u] * row(weights.recurrent, 2 * units + u, h, f64::from(bias[u])),
                None => row(weights.recurrent, 2 * units + u, &reset, gate(2, u)),
            }
            .tanh();
            z[u] * h[u] + (1.0 - z[u]) * n
        })
        .collect()
}
