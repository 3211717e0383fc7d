//! What is done with a row as a whole.

use crate::checked::{Checked, stop};
use crate::simd::{LANES, Vector};

/// `sums[i] = factor * row[i] + sums[i]`
pub fn accumulate<V: Vector>(sums: &mut [f32], factor: f32, row: &[f32]) {
    if sums.len() != row.len() {
        stop();
    }
    let f = V::splat(factor);
    let mut whole = sums.chunks_exact_mut(LANES);
    for (sums, row) in whole.by_ref().zip(row.chunks_exact(LANES)) {
        let sum = sums.as_mut_ptr();
        // SAFETY: both hold LANES numbers.
        unsafe { f.madd(V::load(row.as_ptr()), V::load(sum)).store(sum) }
    }
    let rest = whole.into_remainder();
    let from = row.len() - rest.len();
    for (sum, value) in rest.iter_mut().zip(row.at(from..)) {
        *sum += factor * value;
    }
}

/// Copies a row of any length. In wasm `copy_from_slice` is a call out of it, which takes as long as 20 vectors.
#[inline(always)]
pub fn copy<V: Vector>(into: &mut [f32], from: &[f32]) {
    let (len, to, from) = (into.len(), into.as_mut_ptr(), from.at(..into.len()).as_ptr());
    if len < LANES {
        // SAFETY: both hold `len` numbers.
        (0..len).for_each(|i| unsafe { *to.add(i) = *from.add(i) });
        return;
    }
    let mut i = 0;
    while i < len {
        // The last vector overlaps the one before.
        let at = i.min(len - LANES);
        // SAFETY: both hold LANES numbers from there on.
        unsafe { V::load(from.add(at)).store(to.add(at)) }
        i += LANES;
    }
}

/// Copies the first `size` of each row of `width`.
pub fn narrow<V: Vector>(into: &mut [f32], size: usize, from: &[f32], width: usize) {
    for (into, from) in into.rows_mut(size).zip(from.rows(width)) {
        copy::<V>(into, from.at(..size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::scalar::Scalar4;

    #[test]
    fn rows_of_any_length_are_added() {
        for len in 0..=9 {
            let row: [f32; 9] = core::array::from_fn(|i| i as f32);
            let mut sums = [1.0; 10];
            accumulate::<Scalar4>(&mut sums[..len], 0.5, &row[..len]);
            for (i, &sum) in sums.iter().enumerate() {
                assert_eq!(sum, if i < len { 1.0 + 0.5 * i as f32 } else { 1.0 });
            }
        }
    }

    #[test]
    fn rows_of_any_length_are_copied() {
        let from: [f32; 30] = core::array::from_fn(|i| i as f32 + 1.0);
        for size in 1..=10 {
            let mut into = [0.0; 31];
            narrow::<Scalar4>(&mut into[..3 * size], size, &from, 10);
            for (i, &value) in into.iter().enumerate() {
                let want = if i < 3 * size { from[i / size * 10 + i % size] } else { 0.0 };
                assert_eq!(value, want, "{i} of rows of {size}");
            }
        }
    }
}
