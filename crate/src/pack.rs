//! Weights packed once into panels: `[k][gate][unit]`, so that the kernel reads them in one ascending run.

use crate::buffer::{Buffer, product};
use crate::error::{Result, ensure};
use crate::kernels::matmul::{MAX_VECTORS, PanelArgs, PanelKernel, panel_kernel};
use crate::simd::{LANES, Lanes};

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
    kernel: PanelKernel,
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
    /// Packs `gates`, each `units` rows of `k` weights.
    pub fn pack(gates: &[&[f32]], units: usize, k: usize) -> Result<Self> {
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
                kernel: panel_kernel::<Lanes>(n * width),
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
            init: init.base,
            ld_init: init.stride,
            out,
            ld_out,
        };
        let mut left = self.k;
        loop {
            // SAFETY: the caller's promise; the blocks stay inside k, and later ones continue from `out`.
            unsafe {
                (panel.kernel)(&args);
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
