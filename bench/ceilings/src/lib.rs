//! What a wasm engine on this processor can do at most: multiply-adds on registers and with loads, loads by size of buffer.
//!
//! Every loop's result goes into what it returns, and its operands come out of memory that is reached by a pointer through
//! `black_box`, so neither LLVM nor V8 can leave anything out.

use core::arch::wasm32::*;
use core::hint::black_box;

/// A buffer of `bytes` (a multiple of 64) on a cache line, filled with small floats; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(bytes: usize) -> *const v128 {
    let lines = vec![[f32x4(0.9, -0.8, 0.7, -0.6); 4]; bytes / 64 + 1].leak();
    let address = lines.as_ptr() as usize;
    // SAFETY: one line more than asked for was allocated.
    unsafe { (lines.as_ptr() as *const u8).add(address.wrapping_neg() % 64) as *const v128 }
}

#[inline(always)]
fn madd(a: v128, b: v128, c: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return f32x4_relaxed_madd(a, b, c);
    #[cfg(not(target_feature = "relaxed-simd"))]
    return f32x4_add(c, f32x4_mul(a, b));
}

/// Adds all sums up, so that all are needed.
#[inline(always)]
fn total<const N: usize>(sums: [v128; N]) -> f32 {
    sums.into_iter().map(|s| f32x4_extract_lane::<0>(s) + f32x4_extract_lane::<3>(s)).sum()
}

/// `reps` times 12 multiply-adds on 12 accumulators, nothing loaded.
///
/// # Safety
/// `data` holds 13 vectors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn madd_registers(data: *const v128, reps: usize) -> f32 {
    // SAFETY: the caller's promise.
    let (a, b, mut sums) = unsafe { (*data, *data.add(1), core::array::from_fn::<_, 12, _>(|i| *data.add(i + 1))) };
    for _ in 0..reps {
        for sum in &mut sums {
            *sum = madd(a, *sum, b);
        }
    }
    total(sums)
}

/// `reps` times the product of M rows of `k` activations with a panel of N vectors of weights that stays in L1: the inner loop
/// of a kernel and nothing around it.
///
/// # Safety
/// `data` holds `k * (4 * N + M)` floats.
#[inline(always)]
unsafe fn madd_tile<const M: usize, const N: usize>(data: *const v128, k: usize, reps: usize) -> f32 {
    let mut sums = [[f32x4_splat(0.0); N]; M];
    for _ in 0..reps {
        let mut weights = black_box(data) as *const f32;
        // SAFETY: the caller's promise; `black_box` gives the pointer back as it is.
        unsafe {
            let mut a = weights.add(k * 4 * N);
            for _ in 0..k {
                let w: [v128; N] = core::array::from_fn(|j| v128_load(weights.add(j * 4) as *const v128));
                for (i, row) in sums.iter_mut().enumerate() {
                    let x = v128_load32_splat(a.add(i * k) as *const u32);
                    for (sum, w) in row.iter_mut().zip(w) {
                        *sum = madd(w, x, *sum);
                    }
                }
                weights = weights.add(4 * N);
                a = a.add(1);
            }
        }
    }
    sums.into_iter().map(total).sum()
}

/// The products of one k, whose activation is in a lane of `four`; steps on to the next and says whether that is the end.
///
/// # Safety
/// `weights` holds N vectors.
#[inline(always)]
unsafe fn products<const LANE: usize, const N: usize>(
    weights: &mut *const f32,
    end: *const f32,
    four: v128,
    sums: &mut [v128; N],
) -> bool {
    let x = i32x4_shuffle::<LANE, LANE, LANE, LANE>(four, four);
    // SAFETY: the caller's promise.
    unsafe {
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = madd(v128_load(weights.add(j * 4) as *const v128), x, *sum);
        }
        *weights = weights.add(4 * N);
    }
    *weights == end
}

/// One row, 12 vectors: each weight is loaded for one multiply-add, four activations at once.
///
/// # Safety
/// `data` holds `k` rounded up to a multiple of 4, times 49 floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn madd_1x12(data: *const v128, k: usize, reps: usize) -> f32 {
    let mut sums = [f32x4_splat(0.0); 12];
    for _ in 0..reps {
        let mut weights = black_box(data) as *const f32;
        // SAFETY: the caller's promise; `black_box` gives the pointer back as it is.
        unsafe {
            let end = weights.add(k * 4 * 12);
            let mut a = end;
            // An exit after each k: V8 orders the instructions of a longer basic block so that it runs out of registers.
            loop {
                let four = v128_load(a as *const v128);
                a = a.add(4);
                if products::<0, 12>(&mut weights, end, four, &mut sums)
                    || products::<1, 12>(&mut weights, end, four, &mut sums)
                    || products::<2, 12>(&mut weights, end, four, &mut sums)
                    || products::<3, 12>(&mut weights, end, four, &mut sums)
                {
                    break;
                }
            }
        }
    }
    total(sums)
}

/// Six rows, 2 vectors: 8 loads for 12 multiply-adds.
///
/// # Safety
/// As [`madd_tile`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn madd_6x2(data: *const v128, k: usize, reps: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { madd_tile::<6, 2>(data, k, reps) }
}

/// Two rows, 4 vectors: fewer accumulators than the latency of a multiply-add wants, but also for engines that spill.
///
/// # Safety
/// As [`madd_tile`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn madd_2x4(data: *const v128, k: usize, reps: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { madd_tile::<2, 4>(data, k, reps) }
}

/// `reps` times all loads of a buffer, one after another.
///
/// # Safety
/// `data` holds `bytes`, a multiple of 128.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loads(data: *const v128, bytes: usize, reps: usize) -> f32 {
    let mut sums = [f32x4_splat(0.0); 8];
    for _ in 0..reps {
        let mut vectors = black_box(data);
        // SAFETY: the caller's promise.
        unsafe {
            let end = vectors.add(bytes / 16);
            while vectors < end {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = v128_or(*sum, *vectors.add(j));
                }
                vectors = vectors.add(8);
            }
        }
    }
    total(sums)
}
