//! The simple RNN's one gate.

use super::{GateRows, Row, clipped};
use crate::kernels::activation::{Activation, Constants, flush};
use crate::simd::{LANES, Vector};

/// New hidden values of the sums, in place of the old ones or where `next` says.
///
/// # Safety
/// All rows of all panels are readable, `hidden` or `next` writable; `next` overlaps nothing.
#[inline(always)]
pub unsafe fn advance<V: Vector>(activation: &Activation, clip: f32, rows: &GateRows, next: Option<*mut f32>) {
    let c = Constants::get();
    // SAFETY: the caller's promise.
    unsafe {
        rows.each(1, |Row { i, sequence, unit, units, sums, .. }| {
            let next = match next {
                Some(next) => next.add(i * rows.ld + unit),
                None => rows.hidden.add(sequence * rows.ld + unit),
            };
            let mut j = 0;
            while j < units {
                flush(c, activation.apply(clipped(V::load(sums.add(j)), clip))).store(next.add(j));
                j += LANES;
            }
        });
    }
}
