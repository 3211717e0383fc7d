//! Functions of two values, element by element; equations in docs/arithmetic.md.

use super::elementary::power;
use crate::checked::Checked;
use crate::error::Result;
use crate::layers::params::{Param, Params};
use crate::simd::{LANES, Vector};
use alloc::vec::Vec;

/// Ways to make one value of several, numbered as in ts/layers/merge.ts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
#[repr(u32)]
pub enum Operation {
    /// Side by side.
    Concat = 0,
    Sum = 1,
    Mul = 2,
    /// Mean.
    Ave = 3,
    Sub = 4,
    Div = 5,
    Min = 6,
    Max = 7,
    Pow = 8,
    /// x where x >= 0, else the second value times x.
    Prelu = 9,
}

/// All of them, by number.
pub const OPERATIONS: [Operation; 10] = [
    Operation::Concat,
    Operation::Sum,
    Operation::Mul,
    Operation::Ave,
    Operation::Sub,
    Operation::Div,
    Operation::Min,
    Operation::Max,
    Operation::Pow,
    Operation::Prelu,
];

impl Param for Operation {
    fn read(params: &mut Params) -> Result<Self> {
        Ok(*OPERATIONS.at(params.choice(OPERATIONS.len() as u32)? as usize))
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

impl Operation {
    #[inline(never)]
    fn apply<V: Vector>(self, a: V, b: V) -> V {
        // What a NaN in `b` would lose: b <= b is false for it alone.
        let least = |a: V, b: V, takes_b| V::select(b.le(b), V::select(takes_b, b, a), b);
        match self {
            Operation::Concat => b,
            Operation::Sum | Operation::Ave => a.add(b),
            Operation::Mul => a.mul(b),
            Operation::Sub => a.sub(b),
            Operation::Div => a.div(b),
            Operation::Min => least(a, b, b.lt(a)),
            Operation::Max => least(a, b, a.lt(b)),
            Operation::Pow => power(a, b),
            Operation::Prelu => V::select(a.lt(V::splat(0.0)), b.mul(a), a),
        }
    }

    /// What follows the last [`combine`] of `count` values.
    pub fn finish(self, into: &mut [f32], count: usize) {
        if self == Operation::Ave {
            let factor = 1.0 / count as f32;
            into.iter_mut().for_each(|a| *a *= factor);
        }
    }
}

/// `into[j] = into[j] op x[j]`, or `op x[0]` where that is all.
pub fn combine<V: Vector>(operation: Operation, into: &mut [f32], x: &[f32]) {
    let single = x.len() == 1;
    let (mut a, mut b) = ([0.0; LANES], [*x.at(0); LANES]);
    for (i, chunk) in into.chunks_mut(LANES).enumerate() {
        a.iter_mut().zip(&*chunk).for_each(|(a, &x)| *a = x);
        if !single {
            b.iter_mut().zip(x.at(i * LANES..)).for_each(|(b, &x)| *b = x);
        }
        // SAFETY: `a` and `b` hold LANES values.
        unsafe { operation.apply(V::load(a.as_ptr()), V::load(b.as_ptr())).store(a.as_mut_ptr()) };
        chunk.iter_mut().zip(&a).for_each(|(x, &a)| *x = a);
    }
}
