//! Weights of integers, packed: `[word of k][gate][unit]`, a word being two of 16 bits or four of 8, and a scale a row of weights.

use super::{Init, Panel, Rows};
use crate::buffer::{Buffer, Integer, product};
use crate::checked::Checked;
use crate::error::Result;
use crate::kernels::dot::{Dot, dot};
use crate::kernels::integers::{Fours, IntArgs, Pairs, Products, multiply, quantize, row_words};
use crate::kernels::widest;
use crate::simd::{HAS_DOT, LANES};
use crate::tensor::{Integers, Tensor};

/// The integers of a packed matrix.
pub struct PackedIntegers {
    data: Buffer,
    /// How the products of 8 bits are made, else they are of 16.
    dot: Dot,
    /// What each column of sums starts from, i32; of 8 bits alone.
    offsets: Buffer,
    /// Of each column of sums.
    scales: Buffer,
    /// |a| of each activation, at most.
    levels: f32,
    k: usize,
}

/// Calls a function of the products that are made.
macro_rules! by_products {
    ($dot:expr, $function:ident($($argument:expr),*)) => {
        match if HAS_DOT { $dot } else { Dot::None } {
            Dot::None => $function::<Pairs>($($argument),*),
            Dot::Signed | Dot::Unsigned => $function::<Fours>($($argument),*),
        }
    };
}

/// As [`super::Ready`], of integers.
pub struct Ready {
    dot: Dot,
    a: *const f32,
    room: *mut f32,
    k: usize,
    levels: f32,
    calls: [Option<(IntArgs, usize)>; 2],
}

impl Ready {
    /// The sums of all panels, which start from `init`.
    ///
    /// # Safety
    /// As [`super::Ready::sums`]; the room is still there.
    pub unsafe fn sums(&mut self, init: *const f32) {
        // SAFETY: the caller's promise.
        unsafe { by_products!(self.dot, sums_of(self, init)) }
    }
}

unsafe fn sums_of<P: Products>(ready: &mut Ready, init: *const f32) {
    // SAFETY: the caller's promise.
    unsafe { quantize::<P>(ready.a, ready.k, ready.levels, ready.dot.zero(), ready.room) };
    for (args, column) in ready.calls.iter_mut().flatten() {
        args.init = init.wrapping_add(*column);
        // SAFETY: the caller's promise.
        unsafe { multiply::<P>(args, 1, widest()) };
    }
}

impl PackedIntegers {
    /// Packs `gates`, parts of one tensor, into panels; none where it is not of integers, or they leave too few levels.
    ///
    /// Weights of 8 bits take as much room as those of 16 where there is no dot product of theirs: to widen them at each use takes 1.2 to
    /// 1.3 times the time (AMD Zen 5, H = 128 to 1024).
    pub fn pack(gates: &[Tensor], units: usize, k: usize, panels: &[Panel]) -> Result<Option<Self>> {
        let Some(levels) = gates.first().and_then(Tensor::levels) else {
            return Ok(None);
        };
        let dot = if matches!(gates, [Tensor::I8(_), ..]) { dot() } else { Dot::None };
        Self::pack_by(dot, gates, levels, units, k, panels)
    }

    fn pack_by(
        dot: Dot,
        gates: &[Tensor],
        levels: u32,
        units: usize,
        k: usize,
        panels: &[Panel],
    ) -> Result<Option<Self>> {
        let columns = product(&[gates.len(), units.next_multiple_of(LANES)])?;
        let depth = k.div_ceil(in_word(dot));
        let data = Buffer::zeroed(product(&[columns, depth])?)?;
        let offsets = Buffer::zeroed(if dot == Dot::None { 0 } else { columns })?;
        let mut packed =
            PackedIntegers { data, dot, offsets, scales: Buffer::zeroed(columns)?, levels: levels as f32, k };
        for panel in panels {
            for (g, gate) in gates.iter().enumerate() {
                let n = gates.len();
                match gate {
                    Tensor::I16(rows) => packed.fill(panel, n, g, rows, units, |q| q),
                    Tensor::I8(rows) if dot == Dot::None => packed.fill(panel, n, g, rows, units, i16::from),
                    Tensor::I8(rows) => packed.fill(panel, n, g, rows, units, |q| q),
                    Tensor::F32(_) => return Ok(None),
                }
            }
        }
        Ok(Some(packed))
    }

    fn fill<T: Copy + Into<i32>, P: Integer>(
        &mut self,
        panel: &Panel,
        n: usize,
        g: usize,
        rows: &Integers<T>,
        units: usize,
        packed: fn(T) -> P,
    ) {
        let (k, group, width) = (self.k, in_word(self.dot), panel.vectors * LANES);
        let start = panel.column * k.div_ceil(group);
        for j in 0..width.min(units - panel.unit) {
            let column = g * width + j;
            let row = rows.data.row(panel.unit + j, k);
            let data = self.data.integers_mut::<P>();
            for (k, &weight) in row.iter().enumerate() {
                *data.at_mut((start + k / group * n * width + column) * group + k % group) = packed(weight);
            }
            *self.scales.at_mut(panel.column + column) = *rows.scales.at(panel.unit + j);
            if self.dot != Dot::None {
                let sum: i32 = row.iter().map(|&q| q.into()).sum();
                let offset = sum * i32::from(self.dot.zero());
                *self.offsets.at_mut(panel.column + column) = f32::from_bits(offset as u32);
            }
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
            unsafe {
                let x = input.base.add(*row as usize * input.stride);
                by_products!(self.dot, quantize(x, self.k, self.levels, self.dot.zero(), into.as_mut_ptr()));
            }
        }
        // Of less room some rows would not be read.
        let base = room.at(..input.rows.len() * stride).as_ptr();
        Rows { base, stride, rows: input.rows }
    }

    /// The sums of a panel, or for one row of some that are alike: row i of `out` gets `init[i] + panel . input[i]`.
    ///
    /// # Safety
    /// `input` comes from [`operand`](Self::operand) of this matrix or one of the same tensor; `init` and `out` are valid for the panel's
    /// sums at each of its rows.
    pub unsafe fn sums(&self, panels: &[Panel], gates: usize, input: Rows, init: Init, out: *mut f32, ld_out: usize) {
        let args = self.call(panels, gates, input, init, out, ld_out);
        // SAFETY: the caller's promise; the panels' weights, offsets and scales are inside what was packed.
        unsafe { by_products!(self.dot, multiply(&args, input.rows.len(), widest())) }
    }

    fn call(&self, panels: &[Panel], gates: usize, input: Rows, init: Init, out: *mut f32, ld_out: usize) -> IntArgs {
        let panel = panels.at(0);
        let depth = self.k.div_ceil(in_word(self.dot));
        IntArgs {
            a: input.base,
            lda: input.stride,
            depth,
            panel: self.data.at(panel.column * depth..).as_ptr(),
            vectors: gates * panel.vectors,
            panels: panels.len(),
            offsets: self.offsets.as_ptr().wrapping_add(panel.column),
            scales: self.scales.at(panel.column..).as_ptr(),
            init: init.base,
            ld_init: init.stride,
            out,
            ld_out,
        }
    }

    /// The product of the row `a`, made ready for many steps, which make integers of it in `room`.
    pub fn ready(&self, calls: [&[Panel]; 2], gates: usize, a: *const f32, out: *mut f32, room: &mut Buffer) -> Ready {
        let room = room.room();
        let input = Rows { base: room, stride: 0, rows: &[] };
        let calls = calls.map(|panels| {
            let column = panels.first()?.column;
            let init = Init { base: a, stride: 0 };
            Some((self.call(panels, gates, input, init, out.wrapping_add(column), 0), column))
        });
        Ready { dot: self.dot, a, room, k: self.k, levels: self.levels, calls }
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        self.data.bytes() + self.offsets.bytes() + self.scales.bytes()
    }
}

/// Integers in a word.
fn in_word(dot: Dot) -> usize {
    if dot == Dot::None { Pairs::IN_WORD } else { Fours::IN_WORD }
}

#[cfg(test)]
mod tests {
    use super::super::{Operands, PackedMatrix};
    use super::*;
    use crate::buffer::PADDING;
    use crate::kernels::integers::{Weight, levels_of};
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

    /// What there is natively, or in an engine.
    fn dots(narrow: bool) -> Vec<Dot> {
        match narrow {
            false => vec![Dot::None],
            true if cfg!(target_arch = "wasm32") => vec![Dot::None, dot()],
            true => vec![Dot::None, Dot::Signed, Dot::Unsigned],
        }
    }

    fn pack_by(dot: Dot, gates: &[Tensor], units: usize, k: usize) -> PackedMatrix {
        #[cfg(not(target_arch = "wasm32"))]
        crate::simd::scalar::SIGNED.set(dot == Dot::Signed);
        let mut matrix = PackedMatrix::pack(gates, units, k).unwrap();
        let levels = gates[0].levels().unwrap();
        matrix.integers = PackedIntegers::pack_by(dot, gates, levels, units, k, &matrix.panels).unwrap();
        assert!(matrix.integers.is_some());
        matrix
    }

    /// `init + matrix . x` of the rows of a tensor of one gate.
    fn product_of(tensor: Tensor, units: usize, k: usize, x: &[f32], init: f32) -> Vec<f32> {
        let matrix = PackedMatrix::pack(&[tensor], units, k).unwrap();
        multiplied(&matrix, tensor, units, k, x, init)
    }

    fn multiplied(matrix: &PackedMatrix, tensor: Tensor, units: usize, k: usize, x: &[f32], init: f32) -> Vec<f32> {
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
        // As no engine has it: all of them are tried on any.
        let most = if narrow { 127.0 } else { 32767.0 };
        let values = random.take(n * units * k, most);
        let wide: Vec<i16> = if narrow { Vec::new() } else { values.iter().map(|&v| v as i16).collect() };
        let bytes: Vec<i8> = if narrow { values.iter().map(|&v| v as i8).collect() } else { Vec::new() };
        let scales = random.take(n * units, 1e-3);
        let all = tensor(&wide, &bytes, &scales);
        let gates: Vec<Tensor> = (0..n).map(|g| all.rows(g * units..(g + 1) * units, k)).collect();
        for dot in dots(narrow) {
            let matrix = pack_by(dot, &gates, units, k);
            check_sums(random, &matrix, all, n, units, k);
        }
    }

    fn check_sums(random: &mut Random, matrix: &PackedMatrix, all: Tensor, n: usize, units: usize, k: usize) {
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
                        let weight = |k: usize| match all {
                            Tensor::I16(rows) => i64::from(rows.data[k]),
                            Tensor::I8(rows) => i64::from(rows.data[k]),
                            Tensor::F32(_) => unreachable!(),
                        };
                        let sum: i64 = (0..k).map(|i| weight(row * k + i) * i64::from(a[i])).sum();
                        let column = panel.column + g * width + j;
                        let of_row = match all {
                            Tensor::I16(rows) => rows.scales[row],
                            Tensor::I8(rows) => rows.scales[row],
                            Tensor::F32(_) => unreachable!(),
                        };
                        let want = init[column] + sum as f32 * (of_row * scale);
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
        for (weight, x) in [(i8::MIN, -1.0), (i8::MIN, 1.0), (i8::MAX, -1.0), (i8::MAX, 1.0)] {
            let (narrow, scales) = (vec![weight; 300], [1.0]);
            let all = tensor(&[], &narrow, &scales);
            for dot in dots(true) {
                let out = multiplied(&pack_by(dot, &[all], 1, 300), all, 1, 300, &[x; 300], 0.0);
                assert_eq!(out, [f32::from(weight) * 300.0 * x], "{dot:?}");
            }
        }
        assert_eq!(levels_of::<i16>(0), Some(32767));
        assert_eq!(levels_of::<i16>(1 << 40), None);
    }

    /// Of bytes, sums that start at -128 times a row's sum need room for that: one weight more, and products are of numbers.
    #[test]
    fn sums_of_bytes_have_room_for_where_they_start() {
        let most = i32::MAX as u64 / 128;
        assert_eq!(levels_of::<i8>(most), Some(127));
        assert_eq!(levels_of::<i8>(most + 1), None);
        assert_eq!([i16::LEAST, i8::LEAST], [1023, 128]);
        if cfg!(miri) {
            return;
        }
        let k = most as usize / 128;
        let (mut narrow, scales) = (vec![i8::MIN; k], [1.0]);
        narrow.push((most as usize - 128 * k) as i8);
        let all = tensor(&[], &narrow, &scales);
        assert_eq!(all.levels(), Some(127));
        let x = vec![-1.0; k + 1];
        let want = -narrow.iter().map(|&w| i32::from(w)).sum::<i32>() * 127;
        for dot in dots(true) {
            let out = multiplied(&pack_by(dot, &[all], 1, k + 1), all, 1, k + 1, &x, 0.0);
            assert_eq!(out, [want as f32 * (1.0 / 127.0)], "{dot:?}");
        }
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
