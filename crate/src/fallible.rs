//! Allocations that may be refused. Nothing in this crate allocates otherwise: what std makes of a refusal stops the program.

use crate::error::{EngineError, Result};
use alloc::alloc::alloc;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;

/// `Box::new(value)`, of a value that takes memory.
pub fn boxed<T>(value: T) -> Result<Box<T>> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the size is not 0.
    let place = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if place.is_null() {
        return Err(EngineError::OutOfMemory);
    }
    // SAFETY: the allocator gave it for a T, and nobody else has it.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

/// A vector of these values.
pub fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>> {
    collected(values.iter().copied())
}

/// The items of an iterator that knows how many they are.
pub fn collected<T>(items: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(items.len())?;
    vec.extend(items);
    Ok(vec)
}

/// A vector of `len` copies of `value`.
pub fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len)?;
    vec.resize(len, value);
    Ok(vec)
}

/// A vector of `len` values that `f` makes.
pub fn filled_with<T>(len: usize, f: impl FnMut() -> T) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len)?;
    vec.resize_with(len, f);
    Ok(vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_and_vectors_hold_what_they_were_given() {
        assert_eq!(*boxed([1u64, 2, 3]).unwrap(), [1, 2, 3]);
        assert_eq!(boxed(copied(&[1, 2]).unwrap()).unwrap().len(), 2);
        assert_eq!(collected((0..5).map(|i| i * i)).unwrap(), [0, 1, 4, 9, 16]);
        assert_eq!(filled(2, 7).unwrap(), [7, 7]);
        assert_eq!(filled_with(2, || 8).unwrap(), [8, 8]);
    }

    #[test]
    fn lengths_beyond_memory_are_refused() {
        assert_eq!(filled(usize::MAX, 0u32), Err(EngineError::OutOfMemory));
        assert_eq!(collected((0..usize::MAX).map(|_| 0u32)), Err(EngineError::OutOfMemory));
    }
}
