//! One recurrent step, panel by panel.

use crate::buffer::Buffer;
use crate::checked::{Checked, stop};
use crate::kernels::gates::GateRows;
use crate::pack::{Init, Operands, PackedMatrix, Panel, Rows};

/// Rows of panels whose sums come before the gates of any of them: those of one row and panel are 4 vectors, too few to hide
/// that each is a chain of 190 cycles, or to pay for a call. Against 1: H = 16 takes 13 % less time, H = 33 8 %, H = 64 5 %,
/// H = 256 4 % (one sequence, AMD Zen 5); 16 loses at H = 256, where loading weights from L2 has to go on meanwhile.
pub const TOGETHER: usize = 8;

/// One recurrent step: the sequences that take it and their buffers.
pub struct Step<'a> {
    /// Sequences, as the state counts them.
    pub batch: &'a [u32],
    /// Projected inputs, row after row: of `columns` numbers for each of `batch`.
    pub projected: *const f32,
    /// Numbers in a row of them.
    pub columns: usize,
    /// Hidden values, a row a sequence of the state.
    pub hidden: &'a mut [f32],
    /// An lstm's cell state, as hidden; else empty.
    pub cells: &'a mut [f32],
    /// Distance between rows of both.
    pub stride: usize,
    /// Backwards through the panels on odd steps: the weights touched last are still in the cache.
    pub backwards: bool,
    /// `0, 1, 2, ...`
    pub all_rows: &'a [u32],
    /// Rows that weights of integers are multiplied by.
    pub operands: &'a mut Operands,
}

impl Step<'_> {
    /// How many panels a group has.
    fn together(&self) -> usize {
        (TOGETHER / self.batch.len()).max(1)
    }

    /// The panels of a matrix, group by group.
    pub fn panels<'a>(&self, matrix: &'a PackedMatrix) -> impl Iterator<Item = &'a [Panel]> + use<'a> {
        let (panels, together, backwards) = (&matrix.panels[..], self.together(), self.backwards);
        let (mut up, mut down) = (panels.chunks(together), panels.rchunks(together));
        core::iter::from_fn(move || if backwards { down.next() } else { up.next() })
    }

    /// Sums that start from what is projected, from column `from` on.
    pub fn projected_init(&self, from: usize) -> Init {
        Init { base: self.projected.wrapping_add(from), stride: self.columns }
    }

    /// New hidden values, of sums of all gates: `gates` makes them of each group of panels, in place or where it is told, for a later
    /// group reads the old ones. Scratch: sums, rows as wide as hidden.
    ///
    /// # Safety
    /// The matrix is of as many units as hidden has; `init` is readable for its columns at each row; `gates` writes what it is given.
    #[inline(always)]
    pub unsafe fn advance(
        &mut self,
        matrix: &PackedMatrix,
        init: Init,
        scratch: &mut [Buffer],
        mut gates: impl FnMut(&GateRows, Option<*mut f32>, *mut f32),
    ) {
        let [sums, next, ..] = scratch else { stop() };
        let sums = sums.as_mut_ptr();
        let (values, cells) = (self.hidden.as_mut_ptr(), self.cells.as_mut_ptr());
        let hidden = Rows { base: values, stride: self.stride, rows: self.batch };
        // SAFETY: `hidden` holds a row for each sequence of the batch, as long as the matrix is deep.
        let hidden = unsafe { matrix.operand(hidden, self.operands) };
        let apart = (self.together() < matrix.panels.len()).then_some(next.as_mut_ptr());
        for panels in self.panels(matrix) {
            // SAFETY: `hidden` holds a row for each sequence of the batch, `sums` a full panel for each entry, or for TOGETHER.
            unsafe { matrix.sums(panels, hidden, init, sums) };
            gates(&GateRows { panels, batch: self.batch, sums, hidden: values, ld: self.stride }, apart, cells);
        }
        if apart.is_some() {
            for (row, &b) in next.rows(self.stride).zip(self.batch) {
                self.hidden.row_mut(b as usize, self.stride).copy(row);
            }
        }
    }
}
