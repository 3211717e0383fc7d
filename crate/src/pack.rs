//! Weights packed once into panels: `[k][gate][unit]`, so that the kernel reads them in one ascending run.

use crate::buffer::{Buffer, product};
use crate::error::{Result, ensure};
use crate::kernels::matmul::{KernelSet, MAX_VECTORS, PanelArgs, PanelKernel, TALL};
use crate::kernels::selected;
use crate::simd::LANES;
use alloc::vec::Vec;

/// Rows of activations share a block of this many k, so that a block of a full panel (24 KB) stays in L1.
const K_BLOCK: usize = 128;

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
    few_rows: PanelKernel,
    many_rows: PanelKernel,
}

/// A matrix of `gates * units` rows of `k` weights, packed.
///
/// Units are padded to a multiple of 4 with zero weights, and spread evenly over the panels: with 3 gates, 33 units make
/// panels of 12 + 12 + 12, where 16 + 16 + 4 would leave the last one waiting on the latency of its 3 accumulators.
pub struct PackedMatrix {
    gates: usize,
    k: usize,
    /// Panels in ascending order of units.
    pub panels: Vec<Panel>,
    data: Buffer,
}

/// Rows of activations: row `i` starts at `base + rows[i] * stride`.
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

impl PackedMatrix {
    /// Packs `gates`, each `units` rows of `k` weights, for the kernels selected.
    pub fn pack(gates: &[&[f32]], units: usize, k: usize) -> Result<Self> {
        Self::pack_for(selected(), gates, units, k)
    }

    fn pack_for(kernels: &KernelSet, gates: &[&[f32]], units: usize, k: usize) -> Result<Self> {
        let n = gates.len();
        let length = product(&[units, k])?;
        ensure((1..=MAX_VECTORS).contains(&n) && units > 0 && k > 0 && gates.iter().all(|g| g.len() == length))?;
        let vectors = units.div_ceil(LANES);
        let count = vectors.div_ceil(MAX_VECTORS / n);
        let mut panels = Vec::new();
        panels.try_reserve_exact(count)?;
        let mut data = Buffer::zeroed(product(&[n, vectors * LANES, k])?)?;
        let (mut first, mut offset) = (0, 0);
        for p in 0..count {
            let width = (vectors + p) / count;
            let unit = first * LANES;
            panels.push(Panel {
                unit,
                vectors: width,
                column: n * unit,
                offset,
                few_rows: (kernels.few_rows)(n * width),
                many_rows: (kernels.many_rows)(n * width),
            });
            for ki in 0..k {
                for (g, gate) in gates.iter().enumerate() {
                    let row = &mut data[offset + (ki * n + g) * width * LANES..][..width * LANES];
                    for (j, w) in row.iter_mut().enumerate().take(units - unit) {
                        *w = gate[(unit + j) * k + ki];
                    }
                }
            }
            first += width;
            offset += n * width * LANES * k;
        }
        Ok(PackedMatrix { gates: n, k, panels, data })
    }

    /// Numbers in a row of sums: all gates of all units, padded.
    pub fn columns(&self) -> usize {
        self.data.len() / self.k
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
        self.data.bytes()
    }

    /// The sums of one panel: row i of `out` gets `init[i] + panel . a[rows[i]]`. The two starts are the panel's own
    /// (`init.base` at its column).
    ///
    /// # Safety
    /// `input` is readable for k values at each row; `init` and `out` for the panel's sums at each of `rows.len()` rows.
    pub unsafe fn panel_sums(&self, panel: &Panel, input: Rows, init: Init, out: *mut f32, ld_out: usize) {
        let width = self.gates * panel.vectors * LANES;
        let block = if input.rows.len() == 1 { self.k } else { K_BLOCK };
        let mut args = PanelArgs {
            a: input.base,
            lda: input.stride,
            rows: input.rows.as_ptr(),
            n: input.rows.len(),
            k: block.min(self.k),
            // SAFETY: the offset is inside `data`.
            panel: unsafe { self.data.as_ptr().add(panel.offset) },
            vectors: self.gates * panel.vectors,
            init: init.base,
            ld_init: init.stride,
            out,
            ld_out,
        };
        let kernel = if input.rows.len() < TALL { panel.few_rows } else { panel.many_rows };
        let mut left = self.k;
        loop {
            // SAFETY: the caller's promise; the blocks stay inside k, and later ones continue from `out`.
            unsafe {
                kernel(&args);
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

    /// The sums of all panels: row i of `out` (`columns` long) gets `init + matrix . a[rows[i]]`.
    ///
    /// # Safety
    /// `input` is readable for k values at each row.
    pub unsafe fn multiply(&self, input: Rows, init: &[f32], out: &mut [f32], ld_out: usize) {
        debug_assert!(init.len() >= self.columns());
        debug_assert!(out.len() + ld_out >= input.rows.len() * ld_out + self.columns());
        for panel in &self.panels {
            // SAFETY: the caller's promise for `input`; lengths of `init` and `out` as asserted.
            unsafe {
                let init = Init { base: init.as_ptr().add(panel.column), stride: 0 };
                self.panel_sums(panel, input, init, out.as_mut_ptr().add(panel.column), ld_out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matmul::{KERNELS, RELAXED};
    use crate::kernels::reference::{Random, dot};
    use alloc::vec;

    /// Every kernel of every set, at sizes below, at and above the edges of vectors, panels, tiles and blocks of k.
    #[test]
    fn sums_equal_the_naive_ones() {
        let mut random = Random(1);
        for gates in 1..=3 {
            for units in [1, 3, 4, 5, 15, 16, 17, 31, 33, 47, 48, 49, 70] {
                for k in [1, 2, 7, K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 2 * K_BLOCK + 3] {
                    check(&mut random, gates, units, k);
                }
            }
        }
    }

    fn check(random: &mut Random, gates: usize, units: usize, k: usize) {
        let weights: Vec<Vec<f32>> = (0..gates).map(|_| random.take(units * k, 1.0)).collect();
        let weights: Vec<&[f32]> = weights.iter().map(|w| &w[..]).collect();
        let biases: Vec<Vec<f32>> = (0..gates).map(|_| random.take(units, 1.0)).collect();
        let biases: Vec<Option<&[f32]>> = biases.iter().map(|b| Some(&b[..])).collect();
        let rows = [2, 0, 1, 6, 5, 4, 3, 12, 11, 10, 9, 8, 7];
        let x = random.take(rows.len() * k, 1.0);
        for n in [0, 1, 2, 3, 6, 7, 13] {
            let input = Rows { base: x.as_ptr(), stride: k, rows: &rows[..n] };
            let mut first: Option<Vec<f32>> = None;
            for kernels in KERNELS.iter().chain([&RELAXED]) {
                let matrix = PackedMatrix::pack_for(kernels, &weights, units, k).unwrap();
                let bias = matrix.pack_row(&biases).unwrap();
                let columns = matrix.columns();
                assert_eq!(columns, gates * units.next_multiple_of(LANES));
                let mut out = vec![f32::NAN; rows.len() * columns];
                // SAFETY: `x` holds a row of k for each of `rows`.
                unsafe { matrix.multiply(input, &bias, &mut out, columns) };
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

    #[test]
    fn panels_are_even() {
        let widths = |units| -> Vec<usize> {
            let w = vec![0.0; units];
            PackedMatrix::pack(&[&w, &w, &w], units, 1).unwrap().panels.iter().map(|p| p.vectors).collect()
        };
        assert_eq!(widths(64), [4, 4, 4, 4]);
        assert_eq!(widths(33), [3, 3, 3]);
        assert_eq!(widths(20), [2, 3]);
        assert_eq!(widths(4), [1]);
    }

    #[test]
    fn lengths_are_checked() {
        assert!(PackedMatrix::pack(&[&[0.0; 5]], 2, 3).is_err());
        assert!(PackedMatrix::pack(&[], 2, 3).is_err());
    }
}
