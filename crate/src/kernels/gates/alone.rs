//! One sequence through the steps of a block in one call, sums and gates: of few units a step takes less time than what the driver does
//! around it (H = 8: a third of it, AMD Zen 3).

use crate::pack::{Panel, Ready};
use crate::simd::LANES;

/// One sequence and its buffers. All rows but the projected ones are of whole vectors.
///
/// A cell's loop over it promises: all pointers are valid for the rows of all panels, those of `projected` and `out` for each step.
pub struct Alone<'a> {
    /// Panels of the recurrent product.
    pub panels: &'a [Panel],
    /// That product.
    pub ready: Ready,
    /// Steps.
    pub count: usize,
    /// Projected inputs of a step.
    pub projected: *const f32,
    /// Distance between those of two steps.
    pub columns: usize,
    /// What the product gives.
    pub sums: *mut f32,
    /// Hidden values.
    pub hidden: *mut f32,
    /// An lstm's cell state, as wide.
    pub cells: *mut f32,
    /// How many, padded to whole vectors.
    pub stride: usize,
    /// Where they go after the next step.
    pub out: *mut f32,
    /// Distance between those of two steps.
    pub size: usize,
}

impl Alone<'_> {
    /// Calls `f` with each panel's first unit, its first column and its units.
    #[inline(always)]
    pub fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        for panel in self.panels {
            f(panel.unit, panel.column, panel.vectors * LANES);
        }
    }

    /// Calls `f` for each step, with its projected inputs and its output.
    #[inline(always)]
    pub fn steps(&mut self, mut f: impl FnMut(&mut Self, *const f32, *mut f32)) {
        let (mut projected, mut out) = (self.projected, self.out);
        for _ in 0..self.count {
            f(self, projected, out);
            projected = projected.wrapping_add(self.columns);
            out = out.wrapping_add(self.size);
        }
        self.out = out;
    }
}
