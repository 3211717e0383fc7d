//! Weights packed once into panels: `[k][gate][unit]`, so that the kernel reads them in one ascending run.

use crate::buffer::{Buffer, product};
use crate::checked::Checked;
use crate::error::{Result, ensure};
use crate::kernels::matmul::{Kernel, KernelSet, MAX_VECTORS, PanelArgs};
use crate::kernels::selected;
use crate::simd::LANES;
use crate::tensor::Tensor;
use alloc::vec::Vec;

#[cfg(feature = "full")]
mod integers;
mod operands;

#[cfg(feature = "full")]
use integers::PackedIntegers;
pub use operands::{Operands, Quantized};

/// Rows of activations share a block of this many k, so that the lines of a tile's weights (64 bytes a k) stay in L1; those of a
/// whole panel, which kernels of one row read again for each row, take 48 KB. With 128 H = 256 and 512 take 1 to 2 % more
/// time, with 512 up to 2 %; batches of the baseline build are as fast with 128 as with 256 (AMD Zen 5, 48 KB of L1).
const K_BLOCK: usize = 256;
// Kernels read activations four at a time from the start of a block.
const _: () = assert!(K_BLOCK.is_multiple_of(LANES));

/// A run of units whose gates are packed side by side.
pub struct Panel {
    /// First unit.
    pub unit: usize,
    /// Vectors of units, each gate.
    pub vectors: usize,
    /// Where its sums start among [`PackedMatrix::columns`].
    pub column: usize,
    /// Where its weights start.
    offset: usize,
}

/// A matrix of `gates * units` rows of `k` weights, packed.
///
/// Units are padded to a multiple of 4 with zero weights, and spread evenly over the panels: with 3 gates, 33 units make
/// panels of 12 + 12 + 12, where 16 + 16 + 4 would leave the last one waiting on the latency of its 3 accumulators. Where they
/// can, all panels are whole tiles: with 2 gates 128 units make 2 panels of 16 and 4 of 24; of 4 of 20 and 2 of 24 the
/// revectorized tile of 4 vectors would not take all (2.84 ms became 2.95 for 100 steps of 16 sequences, reset before).
#[derive(Default)]
pub struct PackedMatrix {
    gates: usize,
    k: usize,
    /// Panels in ascending order of units.
    pub panels: Vec<Panel>,
    data: Buffer,
    /// Instead of `data`.
    #[cfg(feature = "full")]
    integers: Option<PackedIntegers>,
}

/// Rows of activations: row `i` starts at `base + rows[i] * stride`. They are readable for k rounded up to whole vectors.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Where row 0 would be.
    pub base: *const f32,
    /// Distance between rows.
    pub stride: usize,
    /// The rows to take.
    pub rows: &'a [u32],
}

/// Initial sums: of row i at `base + i * stride`; stride 0 for the same in all rows.
#[derive(Clone, Copy)]
pub struct Init {
    /// Those of row 0.
    pub base: *const f32,
    /// Distance between rows.
    pub stride: usize,
}

/// The product of one row, made ready by [`PackedMatrix::ready`]: a call of a kernel for all panels of a width, of which there are two at
/// most, and the column that it starts at.
pub struct Ready {
    calls: [Option<(Kernel, PanelArgs, usize)>; 2],
    /// Instead of `calls`.
    #[cfg(feature = "full")]
    integers: Option<integers::Ready>,
}

impl Ready {
    /// The sums of all panels, which start from `init`.
    ///
    /// # Safety
    /// The matrix is still there, its row readable, `init` and the sums valid for all columns.
    #[inline(always)]
    pub unsafe fn sums(&mut self, init: *const f32) {
        #[cfg(feature = "full")]
        if let Some(integers) = &mut self.integers {
            // SAFETY: the caller's promise.
            return unsafe { integers.sums(init) };
        }
        for (kernel, args, column) in self.calls.iter_mut().flatten() {
            // SAFETY: the caller's promise.
            unsafe {
                args.init = init.add(*column);
                kernel(args, 0, 1, 0);
            }
        }
    }
}

impl PackedMatrix {
    /// Packs `gates`, each `units` rows of `k` weights.
    pub fn pack(gates: &[Tensor], units: usize, k: usize) -> Result<Self> {
        let n = gates.len();
        product(&[n, units, k])?;
        ensure((1..=MAX_VECTORS).contains(&n) && units > 0 && k > 0 && gates.iter().all(|gate| gate.has(units, k)))?;
        let mut matrix = PackedMatrix { gates: n, ..Default::default() };
        matrix.reserve_panels(units)?;
        matrix.lay_out(units, k);
        #[cfg(feature = "full")]
        if let Some(integers) = PackedIntegers::pack(gates, units, k, &matrix.panels)? {
            matrix.integers = Some(integers);
            return Ok(matrix);
        }
        let mut room = Tensor::room(gates, k)?;
        matrix.data = Buffer::zeroed(product(&[n, units.next_multiple_of(LANES), k])?)?;
        for panel in &matrix.panels {
            let stride = n * panel.vectors * LANES;
            for (g, gate) in gates.iter().enumerate() {
                for j in 0..(panel.vectors * LANES).min(units - panel.unit) {
                    // Little work a weight: it is the first thing that a program runs, in V8's baseline code.
                    let mut at = panel.offset + g * panel.vectors * LANES + j;
                    for &weight in gate.row(panel.unit + j, k, &mut room) {
                        *matrix.data.at_mut(at) = weight;
                        at += stride;
                    }
                }
            }
        }
        Ok(matrix)
    }

    /// Room for values of a run: a matrix of up to `units` rows of up to `k`.
    pub fn room(units: usize, k: usize) -> Result<Self> {
        let mut matrix = PackedMatrix { gates: 1, ..Default::default() };
        matrix.reserve(units, k)?;
        Ok(matrix)
    }

    /// Makes room for `units` rows of `k`.
    pub fn reserve(&mut self, units: usize, k: usize) -> Result<()> {
        self.reserve_panels(units)?;
        self.data.reserve(product(&[self.gates, units.next_multiple_of(LANES), k])?)
    }

    fn reserve_panels(&mut self, units: usize) -> Result<()> {
        let panels = units.div_ceil(LANES).div_ceil(MAX_VECTORS / self.gates);
        self.panels.try_reserve_exact(panels.saturating_sub(self.panels.len()))?;
        Ok(())
    }

    /// Spreads the units over panels, within what was [`reserve`](Self::reserve)d.
    fn lay_out(&mut self, units: usize, k: usize) {
        let n = self.gates;
        let vectors = units.div_ceil(LANES);
        let most = MAX_VECTORS / n;
        // Where all panels can be whole tiles, they are: a multiple of 4 vectors of all gates.
        let tile = [1, 4, 2, 4][n % 4];
        let tile = if vectors.is_multiple_of(tile) && tile <= most { tile } else { 1 };
        let (tiles, most) = (vectors / tile, most / tile);
        let count = tiles.div_ceil(most);
        let mut first = 0;
        self.k = k;
        self.panels.clear();
        for p in 0..count {
            let width = (tiles + p) / count * tile;
            let unit = first * LANES;
            self.panels.push(Panel { unit, vectors: width, column: n * unit, offset: n * unit * k });
            first += width;
        }
    }

    /// Packs values of a run: weight `k` of unit `u` is `values[u * unit_stride + k * k_stride]`. Within what was
    /// [`reserve`](Self::reserve)d, of one gate.
    pub fn fill(&mut self, units: usize, k: usize, values: &[f32], unit_stride: usize, k_stride: usize) {
        self.lay_out(units, k);
        self.data.set_len(self.gates * units.next_multiple_of(LANES) * k);
        for panel in &self.panels {
            let width = panel.vectors * LANES;
            let known = width.min(units - panel.unit);
            for (k, row) in self.data.at_mut(panel.offset..).rows_mut(width).take(k).enumerate() {
                let mut at = panel.unit * unit_stride + k * k_stride;
                for weight in row.at_mut(..known) {
                    *weight = *values.at(at);
                    at += unit_stride;
                }
                row.at_mut(known..).fill(0.0);
            }
        }
    }

    /// The weights of a panel: `[k][4 vectors]`, of all gates.
    pub fn weights(&self, panel: &Panel) -> &[f32] {
        self.data.at(panel.offset..).at(..self.gates * panel.vectors * LANES * self.k)
    }

    /// Numbers in a row of sums: all gates of all units, padded. (No division: a step of a gru asks.)
    pub fn columns(&self) -> usize {
        self.panels.last().map_or(0, |panel| panel.column + self.gates * panel.vectors * LANES)
    }

    /// One number a gate and unit, in the order of the sums; padding and absent gates are zero.
    pub fn pack_row(&self, gates: &[Option<&[f32]>]) -> Result<Buffer> {
        debug_assert_eq!(gates.len(), self.gates);
        let mut row = Buffer::zeroed(self.columns())?;
        for panel in &self.panels {
            for (g, gate) in gates.iter().enumerate() {
                let width = panel.vectors * LANES;
                let part = &mut row[panel.column + g * width..][..width];
                if let Some(values) = gate {
                    let values = &values[panel.unit..values.len().min(panel.unit + width)];
                    part[..values.len()].copy_from_slice(values);
                }
            }
        }
        Ok(row)
    }

    /// Bytes of packed weights.
    pub fn bytes(&self) -> usize {
        #[cfg(feature = "full")]
        if let Some(integers) = &self.integers {
            return integers.bytes();
        }
        self.data.bytes()
    }

    /// Rows of activations as the matrix multiplies them: as they are or, by one of integers, as integers in `room`. For other
    /// matrices of the same tensor too.
    ///
    /// # Safety
    /// `input` is readable at each row, whose k is the matrix's.
    #[cfg_attr(not(feature = "full"), allow(unused_variables))]
    #[inline(always)]
    pub unsafe fn operand<'a>(&self, input: Rows<'a>, room: &mut Operands) -> Rows<'a> {
        #[cfg(feature = "full")]
        if let Some(integers) = &self.integers {
            // SAFETY: the caller's promise.
            return unsafe { integers.operand(input, room) };
        }
        input
    }

    /// The sums of a panel, or for one row of some that are alike: row i of `out` gets `init[i] + panel . a[rows[i]]`. The two
    /// starts are the panel's own (`init.base` at its column).
    ///
    /// # Safety
    /// `input` is readable at each row; `init` and `out` for the panel's sums at each of `rows.len()` rows.
    // Inlined, as the gates are: a step of H = 64 takes 2 % less time, one of H = 4 5 %.
    #[inline(always)]
    unsafe fn panel_sums(
        &self,
        kernels: &KernelSet,
        panels: &[Panel],
        input: Rows,
        init: Init,
        out: *mut f32,
        ld_out: usize,
    ) {
        let panel = &panels[0];
        let width = self.gates * panel.vectors * LANES;
        let block = if input.rows.len() == 1 { self.k } else { K_BLOCK };
        let mut args = PanelArgs {
            a: input.base,
            lda: input.stride,
            rows: input.rows.as_ptr(),
            k: block.min(self.k),
            // SAFETY: the offset is inside `data`.
            panel: unsafe { self.data.as_ptr().add(panel.offset) },
            vectors: self.gates * panel.vectors,
            panels: panels.len(),
            init: init.base,
            ld_init: init.stride,
            out,
            ld_out,
        };
        let n = input.rows.len();
        let kernel = kernels.kernel(args.vectors, n);
        let mut left = self.k;
        loop {
            // SAFETY: the caller's promise; the blocks stay inside k, and later ones continue from `out`.
            unsafe {
                kernel(&args, 0, n, 0);
                left -= args.k;
                if left == 0 {
                    return;
                }
                args.a = args.a.add(args.k);
                args.panel = args.panel.add(args.k * width);
            }
            args.k = block.min(left);
            args.init = out;
            args.ld_init = ld_out;
        }
    }

    /// The sums of some panels that lie next to each other: one panel's `[rows][sums]` after another's. `init` starts at the first
    /// column of the matrix.
    ///
    /// # Safety
    /// `input` is an [`operand`](Self::operand), `init` readable for all columns at each row; `out` is writable for all those sums.
    #[inline(always)]
    pub unsafe fn sums(&self, panels: &[Panel], input: Rows, init: Init, mut out: *mut f32) {
        #[cfg(feature = "full")]
        if let Some(integers) = &self.integers {
            for panels in calls(panels, &input) {
                let width = self.gates * panels[0].vectors * LANES;
                // SAFETY: the caller's promise.
                unsafe {
                    let init = Init { base: init.base.add(panels[0].column), ..init };
                    integers.sums(panels, self.gates, input, init, out, width);
                    out = out.add(panels.len() * input.rows.len() * width);
                }
            }
            return;
        }
        let kernels = selected();
        for panels in calls(panels, &input) {
            let width = self.gates * panels[0].vectors * LANES;
            // SAFETY: the caller's promise.
            unsafe {
                let init = Init { base: init.base.add(panels[0].column), ..init };
                self.panel_sums(kernels, panels, input, init, out, width);
                out = out.add(panels.len() * input.rows.len() * width);
            }
        }
    }

    /// Whether the sums of all panels come before what is made of them. (Of one sequence, against the step of
    /// layers/recurrent/step.rs: an lstm of 128 units takes 2 % less time, a gru of 154 and 160 1.5 %; 256 units, of 0.8 MB,
    /// 0 to 6 % more, for weights have to go on coming from L2 meanwhile. i16 at 256 and i8 at 256 and 512 units take 2 to 3 %
    /// less. AMD Zen 5, 1 MB of L2.)
    pub fn is_small(&self) -> bool {
        self.bytes() <= if self.is_integers() { 800 << 10 } else { 320 << 10 }
    }

    fn is_integers(&self) -> bool {
        #[cfg(feature = "full")]
        return self.integers.is_some();
        #[cfg(not(feature = "full"))]
        false
    }

    /// The product of the row `a`, made ready for many steps: `out` gets the sums of all columns at each call of [`Ready::sums`], which
    /// reads the row then, and makes integers of it in `room` where the weights are.
    #[inline(never)]
    #[cfg_attr(not(feature = "full"), allow(unused_variables))]
    pub fn ready(&self, a: *const f32, out: *mut f32, room: &mut Operands) -> Ready {
        static ROW: u32 = 0;
        let wide = self.panels.partition_point(|panel| panel.vectors == self.panels.at(0).vectors);
        let (narrow, wide) = self.panels.split_at(wide);
        #[cfg(feature = "full")]
        if let Some(integers) = &self.integers {
            let integers = integers.ready([narrow, wide], self.gates, a, out, room);
            return Ready { calls: [None, None], integers: Some(integers) };
        }
        let kernels = selected();
        let call = |panels: &[Panel]| {
            let panel = panels.first()?;
            let vectors = self.gates * panel.vectors;
            let args = PanelArgs {
                a,
                lda: 0,
                rows: &ROW,
                k: self.k,
                panel: self.data.at(panel.offset..).as_ptr(),
                vectors,
                panels: panels.len(),
                init: a,
                ld_init: 0,
                out: out.wrapping_add(panel.column),
                ld_out: 0,
            };
            Some((kernels.kernel(vectors, 1), args, panel.column))
        };
        Ready {
            calls: [call(narrow), call(wide)],
            #[cfg(feature = "full")]
            integers: None,
        }
    }

    /// The sums of all panels: row i of `out` (`columns` long) gets `init + matrix . a[rows[i]]`.
    ///
    /// # Safety
    /// `input` is an [`operand`](Self::operand). `init` holds `columns` values, `out` as many at each row, `ld_out` apart.
    pub unsafe fn multiply(&self, input: Rows, init: &[f32], out: &mut [f32], ld_out: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.multiply_by(selected(), input, init, out, ld_out) }
    }

    unsafe fn multiply_by(&self, kernels: &KernelSet, input: Rows, init: &[f32], out: &mut [f32], ld_out: usize) {
        debug_assert!(init.len() >= self.columns());
        debug_assert!(out.len() + ld_out >= input.rows.len() * ld_out + self.columns());
        #[cfg(feature = "full")]
        if let Some(integers) = &self.integers {
            for panels in calls(&self.panels, &input) {
                let column = panels[0].column;
                // SAFETY: the caller's promise.
                unsafe {
                    let init = Init { base: init.as_ptr().add(column), stride: 0 };
                    integers.sums(panels, self.gates, input, init, out.as_mut_ptr().add(column), ld_out);
                }
            }
            return;
        }
        for panels in calls(&self.panels, &input) {
            let column = panels[0].column;
            // SAFETY: the caller's promise.
            unsafe {
                let init = Init { base: init.as_ptr().add(column), stride: 0 };
                self.panel_sums(kernels, panels, input, init, out.as_mut_ptr().add(column), ld_out);
            }
        }
    }
}

/// Panels that one call of a kernel takes: of one row those of the same width (H = 33: 6 % less time, H = 64: 2 %).
fn calls<'a>(panels: &'a [Panel], rows: &Rows) -> impl Iterator<Item = &'a [Panel]> {
    let one_row = rows.rows.len() == 1;
    panels.chunk_by(move |a, b| one_row && a.vectors == b.vectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::PADDING;
    use crate::kernels::matmul::{KERNELS, RELAXED};
    use crate::kernels::reference::{Random, dot};
    use alloc::vec;

    /// Every kernel of every set, at sizes below, at and above the edges of vectors, panels, tiles and blocks of k.
    #[test]
    fn sums_equal_the_naive_ones() {
        let mut random = Random(1);
        if cfg!(miri) {
            for (gates, units, k) in [(3, 5, 3), (4, 5, 3), (1, 17, 5), (1, 1, K_BLOCK + 1)] {
                check(&mut random, gates, units, k);
            }
            return;
        }
        for gates in 1..=4 {
            for units in [1, 3, 4, 5, 15, 16, 17, 31, 33, 47, 48, 49, 70] {
                for k in [1, 2, 3, 4, 7, K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 2 * K_BLOCK + 3] {
                    check(&mut random, gates, units, k);
                }
            }
        }
    }

    fn check(random: &mut Random, gates: usize, units: usize, k: usize) {
        let weights: Vec<Vec<f32>> = (0..gates).map(|_| random.take(units * k, 1.0)).collect();
        let weights: Vec<&[f32]> = weights.iter().map(|w| &w[..]).collect();
        let tensors: Vec<Tensor> = weights.iter().map(|w| Tensor::F32(w)).collect();
        let biases: Vec<Vec<f32>> = (0..gates).map(|_| random.take(units, 1.0)).collect();
        let biases: Vec<Option<&[f32]>> = biases.iter().map(|b| Some(&b[..])).collect();
        let rows = [2, 0, 1, 6, 5, 4, 3, 12, 11, 10, 9, 8, 7];
        let mut x = random.take(rows.len() * k, 1.0);
        x.extend([f32::NAN; PADDING]);
        let matrix = PackedMatrix::pack(&tensors, units, k).unwrap();
        let bias = matrix.pack_row(&biases).unwrap();
        let columns = matrix.columns();
        assert_eq!(columns, gates * units.next_multiple_of(LANES));
        for &n in if cfg!(miri) { &[0, 1, 7][..] } else { &[0, 1, 2, 3, 6, 7, 13] } {
            let input = Rows { base: x.as_ptr(), stride: k, rows: &rows[..n] };
            let mut first: Option<Vec<f32>> = None;
            for kernels in KERNELS.iter().chain([&RELAXED]) {
                let mut out = vec![f32::NAN; rows.len() * columns];
                // SAFETY: `x` holds a row of k for each of `rows`, and the padding.
                unsafe { matrix.multiply_by(kernels, input, &bias, &mut out, columns) };
                assert!(out[n * columns..].iter().all(|v| v.is_nan()), "{} writes past its rows", kernels.name);
                out.truncate(n * columns);
                match &first {
                    Some(first) => assert_eq!(&out, first, "{} differs: {gates} {units} {k} {n}", kernels.name),
                    None => {
                        compare(&matrix, &weights, &biases, &x, &rows[..n], &out);
                        first = Some(out);
                    }
                }
            }
        }
    }

    fn compare(
        matrix: &PackedMatrix,
        weights: &[&[f32]],
        biases: &[Option<&[f32]>],
        x: &[f32],
        rows: &[u32],
        out: &[f32],
    ) {
        let k = matrix.k;
        for (row, out) in rows.iter().zip(out.chunks(matrix.columns())) {
            let x: Vec<f64> = x[*row as usize * k..][..k].iter().map(|&v| f64::from(v)).collect();
            for panel in &matrix.panels {
                let width = panel.vectors * LANES;
                for (g, j) in (0..weights.len()).flat_map(|g| (0..width).map(move |j| (g, j))) {
                    let got = out[panel.column + g * width + j];
                    let want = match biases[g].unwrap().get(panel.unit + j) {
                        Some(&bias) => dot(&weights[g][(panel.unit + j) * k..][..k], &x, f64::from(bias)),
                        None => 0.0,
                    };
                    assert!((f64::from(got) - want).abs() < 1e-6 * k as f64, "{k} {got} {want}");
                }
            }
        }
    }

    fn widths(gates: usize, units: usize) -> Vec<usize> {
        let w = vec![0.0; units];
        PackedMatrix::pack(&vec![Tensor::F32(&w); gates], units, 1).unwrap().panels.iter().map(|p| p.vectors).collect()
    }

    #[test]
    fn panels_are_even() {
        assert_eq!(widths(3, 64), [4, 4, 4, 4]);
        assert_eq!(widths(3, 33), [3, 3, 3]);
        assert_eq!(widths(3, 20), [2, 3]);
        assert_eq!(widths(3, 4), [1]);
        assert_eq!(widths(4, 20), [2, 3]);
        assert_eq!(widths(4, 64), [2, 2, 3, 3, 3, 3]);
        assert_eq!(widths(5, 16), [2, 2]);
    }

    #[test]
    fn panels_are_whole_tiles_where_they_can_be() {
        assert_eq!(widths(2, 64), [4, 6, 6]);
        assert_eq!(widths(1, 64), [8, 8]);
        assert_eq!(widths(1, 128), [8, 12, 12]);
        assert_eq!(widths(2, 36), [4, 5]);
        assert_eq!(widths(1, 36), [9]);
    }

    #[test]
    fn values_of_a_run_are_packed_as_weights_are() {
        let mut random = Random(2);
        let mut room = PackedMatrix::room(70, 9).unwrap();
        for (units, k) in [(70, 9), (5, 3), (48, 9), (1, 1), (64, 2)] {
            let values = random.take(units * k, 1.0);
            let packed = PackedMatrix::pack(&[Tensor::F32(&values)], units, k).unwrap();
            let transposed: Vec<f32> = (0..units * k).map(|i| values[i % units * k + i / units]).collect();
            for (values, unit_stride, k_stride) in [(&values, k, 1), (&transposed, 1, units)] {
                room.fill(units, k, values, unit_stride, k_stride);
                assert_eq!(room.data[..], packed.data[..]);
                assert_eq!(room.columns(), packed.columns());
                for (a, b) in room.panels.iter().zip(&packed.panels) {
                    assert_eq!((a.unit, a.vectors, a.column), (b.unit, b.vectors, b.column));
                    assert_eq!(room.weights(a), packed.weights(b));
                }
            }
        }
    }

    #[test]
    fn lengths_are_checked() {
        assert!(PackedMatrix::pack(&[Tensor::F32(&[0.0; 5])], 2, 3).is_err());
        assert!(PackedMatrix::pack(&[], 2, 3).is_err());
    }
}
