//! Weights of integers, packed: `[pair of k][gate][unit][2]`, a scale a row of weights.

use super::{Init, Panel, Rows};
use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::Result;
use crate::kernels::integers::{IntArgs, LEAST_LEVELS, Weight, multiply, quantize, row_words};
use crate::kernels::widest;
use crate::simd::LANES;
use crate::tensor::{Integers, Tensor};

/// The integers of a packed matrix.
pub struct PackedIntegers {
    data: Buffer,
    /// They are i8, else i16.
    bytes: bool,
    /// Of each column of sums.
    scales: Buffer,
    /// |a| of each activation, at most.
    levels: f32,
    k: usize,
}

impl PackedIntegers {
    /// Packs `gates`, parts of one tensor, into panels; none where it is not of integers, or they leave too few levels.
    pub fn pack(gates: &[Tensor], units: usize, k: usize, panels: &[Panel]) -> Result<Option<Self>> {
        let Some(levels) = gates.first().and_then(Tensor::levels).filter(|&levels| levels >= LEAST_LEVELS) else {
            return Ok(None);
        };
        let bytes = matches!(gates, [Tensor::I8(_), ..]);
        let columns = product(&[gates.len(), units.next_multiple_of(LANES)])?;
        let length = product(&[columns, k.next_multiple_of(2)])?;
        let words = length.div_ceil(if bytes { 4 } else { 2 });
        let (data, scales) = (Buffer::zeroed(words)?, Buffer::zeroed(columns)?);
        let mut packed = PackedIntegers { data, bytes, scales, levels: levels as f32, k };
        for panel in panels {
            for (g, gate) in gates.iter().enumerate() {
                match gate {
                    Tensor::I16(rows) => packed.fill(panel, gates.len(), g, rows, units),
                    Tensor::I8(rows) => packed.fill(panel, gates.len(), g, rows, units),
                    Tensor::F32(_) => return Ok(None),
                }
            }
        }
        Ok(Some(packed))
    }

    fn fill<T: Weight>(&mut self, panel: &Panel, n: usize, g: usize, rows: &Integers<T>, units: usize) {
        let (k, depth, width) = (self.k, self.k.next_multiple_of(2), panel.vectors * LANES);
        let start = panel.column * depth;
        let data = self.data.integers_mut::<T>();
        for j in 0..width.min(units - panel.unit) {
            let column = g * width + j;
            for (k, &weight) in rows.data.row(panel.unit + j, k).iter().enumerate() {
                *data.at_mut(start + (k / 2 * n * width + column) * 2 + k % 2) = weight;
            }
            *self.scales.at_mut(panel.column + column) = *rows.scales.at(panel.unit + j);
        }
    }

    /// Rows of activations as integers, in `room`.
    ///
    /// # Safety
    /// `input` is readable for k numbers at each row.
    pub unsafe fn operand<'a>(&self, input: Rows<'a>, room: &mut Buffer) -> Rows<'a> {
        let stride = row_words(self.k);
        for (row, into) in input.rows.iter().zip(room.rows_mut(stride)) {
            // SAFETY: the caller's promise; `into` is a row's words.
            unsafe { quantize(input.base.add(*row as usize * input.stride), self.k, self.levels, into.as_mut_ptr()) }
        }
        // Of less room some rows would not be read.
        let base = room.at(..input.rows.len() * stride).as_ptr();
        Rows { base, stride, rows: input.rows }
    }

    /// The sums of a panel: row i of `out` gets `init[i] + panel . input[i]`.
    ///
    /// # Safety
    /// `input` comes from [`operand`](Self::operand) of this matrix or one of the same tensor; `init` and `out` are valid for the panel's
    /// sums at each of its rows.
    pub unsafe fn sums(&self, panel: &Panel, gates: usize, input: Rows, init: Init, out: *mut f32, ld_out: usize) {
        if self.bytes {
            // SAFETY: the caller's promise.
            unsafe { self.sums_of::<i8>(panel, gates, input, init, out, ld_out) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.sums_of::<i16>(panel, gates, input, init, out, ld_out) }
        }
    }

    unsafe fn sums_of<T: Weight>(
        &self,
        panel: &Panel,
        gates: usize,
        input: Rows,
        init: Init,
        out: *mut f32,
        ld_out: usize,
    ) {
        let depth = self.k.next_multiple_of(2);
        // SAFETY: the panel's weights and scales are inside what was packed; else the caller's promise.
        unsafe {
            let args = IntArgs {
                a: input.base,
                lda: input.stride,
                pairs: depth / 2,
                panel: self.data.as_ptr().cast::<T>().add(panel.column * depth),
                vectors: gates * panel.vectors,
                scales: self.scales.as_ptr().add(panel.column),
                init: init.base,
                ld_init: init.stride,
                out,
                ld_out,
            };
            multiply(&args, input.rows.len(), widest());
        }
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        self.data.bytes() + self.scales.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Operands, PackedMatrix};
    use super::*;
    use crate::buffer::PADDING;
    use crate::kernels::integers::levels_of;
    use crate::kernels::reference::Random;
    use crate::kernels::select;
    use alloc::vec;
    use alloc::vec::Vec;

    fn tensor<'a>(wide: &'a [i16], narrow: &'a [i8], scales: &'a [f32]) -> Tensor<'a> {
        if narrow.is_empty() {
            Tensor::I16(Integers::new(wide, scales))
        } else {
            Tensor::I8(Integers::new(narrow, scales))
        }
    }

    /// `init + matrix . x` of the rows of a tensor of one gate.
    fn product_of(tensor: Tensor, units: usize, k: usize, x: &[f32], init: f32) -> Vec<f32> {
        let matrix = PackedMatrix::pack(&[tensor], units, k).unwrap();
        let rows = [0];
        let mut padded = x.to_vec();
        padded.extend([f32::NAN; PADDING]);
        let init = vec![init; matrix.columns()];
        let mut out = vec![f32::NAN; matrix.columns()];
        let mut room = Operands::default();
        room.grow(crate::pack::Quantized::of(&[Some(tensor)]), 1, k).unwrap();
        // SAFETY: `padded` holds the row.
        unsafe {
            let input = matrix.operand(Rows { base: padded.as_ptr(), stride: k, rows: &rows }, &mut room);
            matrix.multiply(input, &init, &mut out, matrix.columns());
        }
        out.truncate(units);
        out
    }

    /// The integers of a row and their scale, as docs/arithmetic.md says.
    fn integers_of(x: &[f32], levels: u32) -> (Vec<i32>, f32) {
        let m = x.iter().fold(2f32.powi(-100), |m, v| m.max(v.abs()));
        let by = levels as f32 / m;
        (x.iter().map(|v| (v * by).round_ties_even() as i32).collect(), m / levels as f32)
    }

    /// All widths of panels and tiles, depths around vectors and pairs, one row and several.
    #[test]
    fn sums_are_the_exact_ones_by_their_scales() {
        let mut random = Random(7);
        let units: &[usize] = if cfg!(miri) { &[5, 17] } else { &[1, 3, 4, 5, 17, 20, 33, 44, 49, 70] };
        let depths: &[usize] = if cfg!(miri) { &[1, 9] } else { &[1, 2, 3, 7, 8, 9, 16, 61] };
        for gates in 1..=4 {
            for &units in units {
                for (i, &k) in depths.iter().enumerate() {
                    check(&mut random, gates, units, k, i % 2 == 0);
                }
            }
        }
    }

    fn check(random: &mut Random, n: usize, units: usize, k: usize, narrow: bool) {
        let most = if narrow { 127.0 } else { 32767.0 };
        let values = random.take(n * units * k, most);
        let wide: Vec<i16> = if narrow { Vec::new() } else { values.iter().map(|&v| v as i16).collect() };
        let bytes: Vec<i8> = if narrow { values.iter().map(|&v| v as i8).collect() } else { Vec::new() };
        let scales = random.take(n * units, 1e-3);
        let all = tensor(&wide, &bytes, &scales);
        let gates: Vec<Tensor> = (0..n).map(|g| all.rows(g * units..(g + 1) * units, k)).collect();
        let matrix = PackedMatrix::pack(&gates, units, k).unwrap();
        assert!(matrix.integers.is_some());
        let (columns, levels) = (matrix.columns(), all.levels().unwrap());
        let rows = [2, 0, 1, 4, 3];
        let mut x = random.take(rows.len() * k, 3.0);
        x.extend([f32::NAN; PADDING]);
        let init = random.take(columns, 1.0);
        for (count, set) in [(1, 0), (1, 1), (2, 0), (5, 0), (0, 0)] {
            let mut room = Operands::default();
            room.grow(crate::pack::Quantized::of(&[Some(all)]), rows.len(), k).unwrap();
            let mut out = vec![f32::NAN; rows.len() * columns];
            // Other tests may choose another set meanwhile: all give the same bits.
            select(set);
            // SAFETY: `x` holds a row of k for each of `rows`, and the padding.
            unsafe {
                let input = Rows { base: x.as_ptr(), stride: k, rows: &rows[..count] };
                let input = matrix.operand(input, &mut room);
                matrix.multiply(input, &init, &mut out, columns);
            }
            select(0);
            assert!(out[count * columns..].iter().all(|v| v.is_nan()), "writes past its rows");
            for (row, out) in rows.iter().zip(out.chunks(columns)).take(count) {
                let (a, scale) = integers_of(&x[*row as usize * k..][..k], levels);
                for panel in &matrix.panels {
                    let width = panel.vectors * LANES;
                    for (g, j) in (0..n).flat_map(|g| (0..width.min(units - panel.unit)).map(move |j| (g, j))) {
                        let row = g * units + panel.unit + j;
                        let weight = |k: usize| if narrow { i32::from(bytes[k]) } else { i32::from(wide[k]) };
                        let sum: i64 = (0..k).map(|i| i64::from(weight(row * k + i)) * i64::from(a[i])).sum();
                        let column = panel.column + g * width + j;
                        let want = init[column] + sum as f32 * (scales[row] * scale);
                        assert_eq!(out[column].to_bits(), want.to_bits(), "{n} {units} {k} {count}");
                    }
                }
            }
        }
    }

    /// The greatest sums that there can be, of either sign: levels leave them 31 bits, and one level more would not.
    #[test]
    fn no_sum_overflows_at_the_edge_of_the_bound() {
        for (weight, k) in [(i16::MAX, 64), (-i16::MAX, 64), (i16::MIN, 63), (i16::MAX, 5), (i16::MAX, 33)] {
            let weights = vec![weight; k];
            let scales = [1.0];
            let levels = tensor(&weights, &[], &scales).levels().unwrap();
            let sum = k as u64 * u64::from(weight.unsigned_abs());
            assert!(u64::from(levels) * sum <= i32::MAX as u64 && u64::from(levels + 1) * sum > i32::MAX as u64);
            for x in [1.0f32, -1.0, 3e38, 1e-30] {
                let out = product_of(tensor(&weights, &[], &scales), 1, k, &vec![x; k], 0.0);
                let exact = f64::from(weight) * k as f64 * f64::from(x);
                assert!(
                    (f64::from(out[0]) / exact - 1.0).abs() < 1e-6 || exact.abs() > f64::from(f32::MAX),
                    "{weight} {k} {x}"
                );
                assert_eq!(out[0] > 0.0, (weight > 0) == (x > 0.0));
            }
        }
        let narrow = vec![i8::MIN; 300];
        assert_eq!(product_of(tensor(&[], &narrow, &[1.0]), 1, 300, &[-1.0; 300], 0.0), [38400.0]);
        assert_eq!(levels_of(0), 32767);
        assert_eq!(levels_of(1 << 40), 0);
    }

    #[test]
    fn rows_of_any_numbers() {
        let (weights, scales) = ([3i16, -2, 1, 32767], [0.5]);
        let of = |x: &[f32; 4]| product_of(tensor(&weights, &[], &scales), 1, 4, x, 0.25)[0];
        assert_eq!(of(&[0.0, -0.0, 0.0, 0.0]), 0.25);
        for strange in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(of(&[1.0, strange, 0.0, 2.0]).is_nan());
        }
        // Below what is scaled as such: nothing, instead of a quotient that is infinite.
        assert_eq!(of(&[1e-45, -1e-40, 1e-38, 0.0]), 0.25);
        assert_eq!(of(&[0.0, 0.0, 3e38, 0.0]), 1.5e38);
        assert_eq!(of(&[0.0, 3e38, 0.0, 0.0]), -3e38);
    }

    #[test]
    fn rows_that_leave_too_few_levels_are_numbers() {
        let weights = vec![i16::MAX; 65];
        let matrix = PackedMatrix::pack(&[tensor(&weights, &[], &[1.0])], 1, 65).unwrap();
        assert!(matrix.integers.is_none());
        let out = product_of(tensor(&weights, &[], &[1.0]), 1, 65, &[1.0; 65], 0.0);
        assert_eq!(out, [65.0 * 32767.0]);
    }
}
