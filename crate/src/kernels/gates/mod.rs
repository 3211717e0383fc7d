//! The epilogue of a recurrent step, from the sums of some panels to new hidden values, in two passes: the reset gate, the update.
//!
//! Two loops of short chains beat a long one: a processor that looks 450 instructions ahead has 3 vectors on their way in a loop
//! of 150 instructions. All panels in one call: a call costs as much as a vector.

pub mod alone;
pub mod gru;
pub mod lstm;
pub mod rnn;

use crate::pack::Panel;
use crate::simd::{LANES, Vector};

/// Rows of some panels: pointers at row 0 and at the first unit or column of the layer, and distances between rows.
pub struct GateRows<'a> {
    /// Panels next to each other.
    pub panels: &'a [Panel],
    /// The sequence of each row.
    pub batch: &'a [u32],
    /// Sums of the recurrent product: panel after panel `[rows][gates * 4 vectors]`, a gate of all units before the next one.
    pub sums: *mut f32,
    /// Hidden values; row i belongs to sequence `batch[i]`.
    pub hidden: *mut f32,
    /// Distance between rows of hidden, and of the rows below that are as wide.
    pub ld: usize,
}

/// One row of one panel.
pub struct Row {
    /// Its number.
    pub i: usize,
    /// Its sequence.
    pub sequence: usize,
    /// First unit.
    pub unit: usize,
    /// First column.
    pub column: usize,
    /// Units, each gate.
    pub units: usize,
    /// Sums of all gates.
    pub sums: *mut f32,
}

impl GateRows<'_> {
    /// Calls `f` for each row of each panel, `gates` to a panel.
    ///
    /// # Safety
    /// As the functions below.
    #[inline(always)]
    pub unsafe fn each(&self, gates: usize, mut f: impl FnMut(Row)) {
        let mut sums = self.sums;
        for panel in self.panels {
            let units = panel.vectors * LANES;
            for (i, &b) in self.batch.iter().enumerate() {
                f(Row { i, sequence: b as usize, unit: panel.unit, column: panel.column, units, sums });
                // SAFETY: the caller's promise.
                sums = unsafe { sums.add(gates * units) };
            }
        }
    }
}

/// What an activation takes: bounded, `clip` being infinite where no bound is wanted.
#[inline(always)]
fn clipped<V: Vector>(x: V, clip: f32) -> V {
    let clip = V::splat(clip);
    x.clamp(clip.neg(), clip)
}
