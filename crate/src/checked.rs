//! Slices whose misuse stops the program without a word: each index of core's brings a place and a text, which nobody reads in
//! a wasm binary and which took an eighth of it.

use core::slice::{ChunksExact, ChunksExactMut, SliceIndex};

/// Stops the program.
#[cfg_attr(target_arch = "wasm32", inline(always))]
#[track_caller]
pub fn stop() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    panic!("out of range");
}

/// The checked accesses of a slice.
pub trait Checked<T> {
    /// `self[index]`
    fn at<I: SliceIndex<[T]>>(&self, index: I) -> &I::Output;
    /// `self[index]`, to be written.
    fn at_mut<I: SliceIndex<[T]>>(&mut self, index: I) -> &mut I::Output;
    /// `copy_from_slice`
    fn copy(&mut self, from: &[T])
    where
        T: Copy;
    /// All whole rows of `size`.
    fn rows(&self, size: usize) -> ChunksExact<'_, T>;
    /// All whole rows of `size`, to be written.
    fn rows_mut(&mut self, size: usize) -> ChunksExactMut<'_, T>;
    /// Row `i` of rows of `size`.
    fn row(&self, i: usize, size: usize) -> &[T];
    /// Row `i` of rows of `size`, to be written.
    fn row_mut(&mut self, i: usize, size: usize) -> &mut [T];
}

impl<T> Checked<T> for [T] {
    #[inline(always)]
    #[track_caller]
    fn at<I: SliceIndex<[T]>>(&self, index: I) -> &I::Output {
        self.get(index).unwrap_or_else(|| stop())
    }

    #[inline(always)]
    #[track_caller]
    fn at_mut<I: SliceIndex<[T]>>(&mut self, index: I) -> &mut I::Output {
        self.get_mut(index).unwrap_or_else(|| stop())
    }

    #[inline(always)]
    #[track_caller]
    fn copy(&mut self, from: &[T])
    where
        T: Copy,
    {
        if self.len() != from.len() {
            stop();
        }
        self.copy_from_slice(from);
    }

    #[inline(always)]
    #[track_caller]
    fn rows(&self, size: usize) -> ChunksExact<'_, T> {
        if size == 0 {
            stop();
        }
        self.chunks_exact(size)
    }

    #[inline(always)]
    #[track_caller]
    fn rows_mut(&mut self, size: usize) -> ChunksExactMut<'_, T> {
        if size == 0 {
            stop();
        }
        self.chunks_exact_mut(size)
    }

    #[inline(always)]
    #[track_caller]
    fn row(&self, i: usize, size: usize) -> &[T] {
        self.at(i.saturating_mul(size)..).at(..size)
    }

    #[inline(always)]
    #[track_caller]
    fn row_mut(&mut self, i: usize, size: usize) -> &mut [T] {
        self.at_mut(i.saturating_mul(size)..).at_mut(..size)
    }
}

// wasm has no unwinding.
#[cfg(all(test, panic = "unwind"))]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    /// Two of half of all addresses would be row 0 where the product wraps.
    #[test]
    fn rows_beyond_all_memory_are_not_the_first() {
        let half = usize::MAX / 2 + 1;
        assert!(catch_unwind(|| [0.0; 4].row(half, 2).len()).is_err());
        assert!(catch_unwind(|| [0.0; 4].row_mut(half, 2).len()).is_err());
        assert_eq!([1, 2, 3, 4].row(1, 2), [3, 4]);
    }
}
