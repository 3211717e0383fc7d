//! Softmax of scores; equations in docs/arithmetic.md.

use super::activation::{exp_down, greatest, map, sum};
use crate::simd::Vector;

/// So far below the greatest a score weighs nothing, 9e-27 at most: smaller weights, times values, are denormals, which took 29 times the
/// time where masked scores are -1e9 (an Intel Xeon).
const LEAST: f32 = -60.0;

/// Softmax of scores, of which one far below the greatest has no part: its weight is 0. False where all are -infinity; the row is then what
/// it was.
pub fn softmax_of_scores<V: Vector>(row: &mut [f32]) -> bool {
    let largest = greatest(row);
    if largest == f32::NEG_INFINITY && row.iter().all(|&score| score == largest) {
        return false;
    }
    let (max, least) = (V::splat(largest), V::splat(LEAST));
    map::<V>(row, |x| {
        let below = x.sub(max);
        exp_down(below).zero_where(below.lt(least))
    });
    let sum = V::splat(sum(row));
    map::<V>(row, |e| e.div(sum));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::{Activation, Function};
    use crate::simd::scalar::Scalar4;

    #[test]
    fn scores_of_minus_infinity_weigh_nothing() {
        const NONE: f32 = f32::NEG_INFINITY;
        let mut row = [NONE, 1.0, NONE, 1.0, 1.0 - 200.0, NONE];
        assert!(softmax_of_scores::<Scalar4>(&mut row));
        assert_eq!(row[..4], [0.0, 0.5, 0.0, 0.5]);
        assert_eq!(row[4..], [0.0, 0.0]);
        let mut row = [59.9, 0.0, -0.2];
        assert!(softmax_of_scores::<Scalar4>(&mut row));
        assert!(row[0] == 1.0 && row[1] > 9e-27 && row[2] == 0.0);
        // Without them it is softmax.
        let mut plain = [0.3, -4.0, 2.5, 1.0, 0.25];
        let mut scores = plain;
        Activation { function: Function::Softmax, alpha: 0.0, beta: 0.0 }.apply_rows::<Scalar4>(&mut plain, 5);
        assert!(softmax_of_scores::<Scalar4>(&mut scores));
        assert_eq!(plain, scores);
        assert!(!softmax_of_scores::<Scalar4>(&mut [NONE; 5]));
        for mut unknown in [[NONE, f32::NAN, 1.0], [NONE, f32::NAN, NONE], [f32::NAN, NONE, 1.0]] {
            assert!(softmax_of_scores::<Scalar4>(&mut unknown) && unknown.iter().all(|w| w.is_nan()));
        }
    }
}
