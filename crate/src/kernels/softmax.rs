//! Softmax over a row; equations in docs/arithmetic.md.

use super::activation::{Constants, exp, map};
use crate::simd::Vector;

/// e^x / sum of e^x, of the row less its largest value.
pub fn softmax<V: Vector>(row: &mut [f32]) {
    let (c, max) = (Constants::get(), V::splat(largest(row)));
    map::<V>(row, |x| exp(c, x.sub(max), -87.0, 0.0));
    divide_by_sum::<V>(row);
}

/// The same for scores, of which -infinity has no part: its weight is 0. False where none has a part; the row is then what it was.
pub fn softmax_of_scores<V: Vector>(row: &mut [f32]) -> bool {
    let largest = largest(row);
    if largest == f32::NEG_INFINITY && row.iter().all(|&score| score == largest) {
        return false;
    }
    let (c, max, least) = (Constants::get(), V::splat(largest), V::splat(f32::MIN));
    map::<V>(row, |x| exp(c, x.sub(max), -87.0, 0.0).zero_where(x.lt(least)));
    divide_by_sum::<V>(row);
    true
}

fn largest(row: &[f32]) -> f32 {
    row.iter().copied().reduce(|m, x| if m < x { x } else { m }).unwrap_or(f32::NEG_INFINITY)
}

fn divide_by_sum<V: Vector>(row: &mut [f32]) {
    let sum = V::splat(row.iter().fold(0.0, |s, &e| s + e));
    map::<V>(row, |e| e.div(sum));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::{Activation, Function};
    use crate::simd::scalar::Scalar4;
    use alloc::vec::Vec;

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
        assert!(rows[6] < 1e-37);
    }

    #[test]
    fn scores_of_minus_infinity_weigh_nothing() {
        const NONE: f32 = f32::NEG_INFINITY;
        let mut row = [NONE, 1.0, NONE, 1.0, 1.0 - 200.0, NONE];
        assert!(softmax_of_scores::<Scalar4>(&mut row));
        assert_eq!(row[..4], [0.0, 0.5, 0.0, 0.5]);
        assert!(row[4] > 0.0 && row[4] < 1e-37 && row[5] == 0.0);
        // Without them it is softmax.
        let mut plain = [0.3, -4.0, 2.5, 1.0, 0.25];
        let mut scores = plain;
        softmax::<Scalar4>(&mut plain);
        assert!(softmax_of_scores::<Scalar4>(&mut scores));
        assert_eq!(plain, scores);
        assert!(!softmax_of_scores::<Scalar4>(&mut [NONE; 5]) && !softmax_of_scores::<Scalar4>(&mut []));
        for mut unknown in [[NONE, f32::NAN, 1.0], [NONE, f32::NAN, NONE], [f32::NAN, NONE, 1.0]] {
            assert!(softmax_of_scores::<Scalar4>(&mut unknown) && unknown.iter().all(|w| w.is_nan()));
        }
    }
}
