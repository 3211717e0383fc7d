//! Blocks that are aligned to cache lines, of an allocator that finds room at once for no wider alignment than its own.

use alloc::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

/// What the allocator aligns to by itself: that of wasm, talc, four addresses. Where more is asked for, talc tries one gap after the
/// other until one has a line in the right place: beside a model of 20,000 layers another took 25 s to load, most of it for that.
pub const UNIT: usize = 4 * size_of::<usize>();

/// An allocator whose blocks of a wider alignment are larger by it: they begin at the first such place behind a unit, and before that
/// stands the address that the allocator gave.
pub struct Aligned<A>(pub A);

/// What is asked for instead; nothing where that is more than there can be.
fn around(layout: Layout) -> Option<Layout> {
    Layout::from_size_align(layout.size().checked_add(layout.align())?, UNIT).ok()
}

// SAFETY: what is given out lies inside of what `A` gave, and goes back by the address and layout of that.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Aligned<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align();
        if align <= UNIT {
            // SAFETY: the caller's contract.
            return unsafe { self.0.alloc(layout) };
        }
        let Some(larger) = around(layout) else { return null_mut() };
        // SAFETY: a size of `align` or more.
        let outer = unsafe { self.0.alloc(larger) };
        if outer.is_null() {
            return outer;
        }
        // SAFETY: `outer` is a multiple of a unit, so that it goes on by a unit or more, and by `align` at most; a unit has room for
        // an address, at its end.
        unsafe {
            let inner = outer.add(align - (outer.addr() & (align - 1)));
            inner.cast::<*mut u8>().sub(1).write(outer);
            inner
        }
    }

    unsafe fn dealloc(&self, inner: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract: `alloc` gave it, which had `around` if the alignment is wide.
        unsafe {
            match around(layout) {
                Some(larger) if layout.align() > UNIT => {
                    self.0.dealloc(inner.cast::<*mut u8>().sub(1).read(), larger);
                }
                _ => self.0.dealloc(inner, layout),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use std::alloc::System;
    use std::vec::Vec;

    /// The system's, which counts what is out, and takes no wide alignment.
    #[derive(Default)]
    struct Counting {
        blocks: Cell<usize>,
        bytes: Cell<usize>,
    }

    // SAFETY: the system's.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            assert!(layout.align() <= UNIT, "{layout:?}");
            self.blocks.set(self.blocks.get() + 1);
            self.bytes.set(self.bytes.get() + layout.size());
            // SAFETY: the caller's contract.
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            assert!(layout.align() <= UNIT, "{layout:?}");
            self.blocks.set(self.blocks.get() - 1);
            self.bytes.set(self.bytes.get() - layout.size());
            // SAFETY: the caller's contract.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn blocks_are_aligned_keep_their_bytes_and_go_back_whole() {
        let memory = Aligned(Counting::default());
        let mut blocks = Vec::new();
        for i in 0..200_usize {
            let layout = Layout::from_size_align(1 + 37 * i % 500, 1 << (i % 8)).unwrap();
            // SAFETY: no size is 0.
            let block = unsafe { memory.alloc(layout) };
            assert_eq!(block.addr() % layout.align(), 0, "{layout:?}");
            // SAFETY: it has as many bytes.
            unsafe { block.write_bytes(i as u8, layout.size()) };
            blocks.push((block, layout, i as u8));
        }
        // Every second one grows and shrinks.
        for (i, (block, layout, _)) in blocks.iter_mut().enumerate().step_by(2) {
            let size = if i % 4 == 0 { layout.size() + 300 } else { layout.size().div_ceil(2) };
            let kept = size.min(layout.size());
            // SAFETY: `alloc` gave it, with that layout.
            *block = unsafe { memory.realloc(*block, *layout, size) };
            *layout = Layout::from_size_align(kept, layout.align()).unwrap();
            // What grew is given its rest back at once, so that all of it is of one value.
            // SAFETY: the same.
            *block = unsafe { memory.realloc(*block, Layout::from_size_align(size, layout.align()).unwrap(), kept) };
            assert_eq!(block.addr() % layout.align(), 0, "{layout:?}");
        }
        for (block, layout, value) in blocks {
            // SAFETY: as above.
            let bytes = unsafe { core::slice::from_raw_parts(block, layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == value));
            // SAFETY: as above.
            unsafe { memory.dealloc(block, layout) };
        }
        assert_eq!((memory.0.blocks.get(), memory.0.bytes.get()), (0, 0));
    }

    #[test]
    fn what_is_larger_than_there_can_be_is_not_granted() {
        let memory = Aligned(Counting::default());
        let most = Layout::from_size_align(isize::MAX as usize - 63, 64).unwrap();
        // SAFETY: its size is not 0.
        assert!(unsafe { memory.alloc(most) }.is_null());
        assert_eq!(memory.0.blocks.get(), 0);
    }
}
