//! The rows that a direction gives: each its own columns, or one value of both.

use crate::checked::Checked;
use crate::kernels::rows::copy;
use crate::layers::Combine;
use crate::simd::Lanes;

/// Where a direction's rows go.
pub struct Output<'a> {
    pub sequence: &'a mut [f32],
    /// Numbers written a row.
    pub size: usize,
    /// Distance between rows.
    pub row: usize,
    pub column: usize,
    /// How the second direction joins the first.
    pub combine: Option<Combine>,
}

impl Output<'_> {
    #[inline(always)]
    fn row(&mut self, row: u32) -> Option<&mut [f32]> {
        self.sequence.get_mut(row as usize * self.row + self.column..)?.get_mut(..self.size)
    }

    pub fn write(&mut self, row: u32, values: &[f32]) {
        let (combine, size) = (self.combine, self.size);
        let Some(into) = self.row(row) else { return };
        match combine {
            None => copy::<Lanes>(into, values.at(..size)),
            Some(combine) => {
                combine.fold(into, values.at(..size));
                combine.finish(into, 2);
            }
        }
    }

    pub fn write_zeros(&mut self, row: u32) {
        let combine = self.combine;
        let Some(into) = self.row(row) else { return };
        match combine {
            None | Some(Combine::Mul) => into.fill(0.0),
            Some(combine) => combine.finish(into, 2),
        }
    }
}
