//! Memory of an instance: talc's, in lines, which grows ahead.

use core::alloc::Layout;
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr::{NonNull, without_provenance_mut};
use gru_wasm::aligned::Aligned;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

pub type Memory = Aligned<TalcSyncCell<Grow, WasmBinning>>;

pub const fn new() -> Memory {
    Aligned(TalcSyncCell::new_wasm(Grow { end: None }))
}

const PAGE: usize = 1 << 16;

/// Grows by a sixteenth of what there is, where there is so much. Growth detaches every view of the memory, and the engine counts all of it
/// as new: page by page, 20,000 streams of a small model took a full garbage collection for each 145 of them.
#[derive(Debug)]
pub struct Grow {
    end: Option<NonNull<u8>>,
}

// SAFETY: talc is given what the memory has grown by, once.
unsafe impl Source for Grow {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // A unit for talc's tag, and one for what it begins behind. No layout has more than 2^31 bytes.
        let needed = (layout.size() + PAGE + 63) / PAGE;
        let mut pages = needed.max(memory_size::<0>() / 16);
        let mut first = memory_grow::<0>(pages);
        if first == usize::MAX {
            pages = needed;
            first = memory_grow::<0>(pages);
        }
        if first == usize::MAX {
            return Err(());
        }
        let from = without_provenance_mut::<u8>(first * PAGE);
        let to = from.wrapping_add(pages * PAGE);
        talc.source.end = match talc.source.end.take() {
            // SAFETY: nobody else has the new pages, which follow the heap.
            Some(end) if end.as_ptr() == from => Some(unsafe { talc.extend(end, to) }),
            // SAFETY: nobody else has the new pages; something else has grown the memory before, or they are the first.
            _ => unsafe { talc.claim(from, pages * PAGE) },
        };
        Ok(())
    }
}
