//! Things by handle.

use crate::checked::Checked;
use crate::error::{EngineError, Result};
use alloc::vec::Vec;

/// Things by handle. A handle is `generation << INDEX_BITS | index + 1`, above 0 and below 2^31: one that was freed is not mistaken
/// for its heir.
pub struct Table<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

const INDEX_BITS: u32 = 20;
const INDEX: u32 = (1 << INDEX_BITS) - 1;
const GENERATION: u32 = (1 << (31 - INDEX_BITS)) - 1;

impl<T> Table<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Table { slots: Vec::new(), free: Vec::new() }
    }

    /// Takes a thing in. Returns its handle.
    pub fn insert(&mut self, value: T) -> Result<u32> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let count = self.slots.len();
                if count as u32 >= INDEX {
                    return Err(EngineError::OutOfMemory);
                }
                self.slots.try_reserve(1)?;
                // `remove` allocates nothing.
                self.free.try_reserve(count + 1)?;
                self.slots.push((0, None));
                count as u32
            }
        };
        let slot = self.slots.at_mut(index as usize);
        slot.1 = Some(value);
        Ok(slot.0 << INDEX_BITS | (index + 1))
    }

    /// The index of a handle, whose slot is there and of its generation. Any number may be given.
    #[inline]
    fn index(&self, handle: f64) -> Result<usize> {
        let word = handle as u32;
        let index = (word & INDEX).wrapping_sub(1) as usize;
        match self.slots.get(index) {
            Some((generation, _)) if f64::from(word) == handle && *generation == word >> INDEX_BITS => Ok(index),
            _ => Err(EngineError::InvalidHandle),
        }
    }

    /// The thing of a handle.
    #[inline]
    pub fn get(&self, handle: f64) -> Result<&T> {
        self.slots.at(self.index(handle)?).1.as_ref().ok_or(EngineError::InvalidHandle)
    }

    /// The thing of a handle, to be changed.
    #[inline]
    pub fn get_mut(&mut self, handle: f64) -> Result<&mut T> {
        let index = self.index(handle)?;
        self.slots.at_mut(index).1.as_mut().ok_or(EngineError::InvalidHandle)
    }

    /// Gives a thing back; its handle is good for nothing from now on.
    pub fn remove(&mut self, handle: f64) -> Result<T> {
        let index = self.index(handle)?;
        let slot = self.slots.at_mut(index);
        let value = slot.1.take().ok_or(EngineError::InvalidHandle)?;
        slot.0 = (slot.0 + 1) & GENERATION;
        self.free.push(index as u32);
        Ok(value)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_name_one_thing_each() {
        let mut table = Table::new();
        let mut insert = |value| table.insert(value).map(f64::from).unwrap();
        let (a, b) = (insert('a'), insert('b'));
        assert_eq!((table.get(a), table.get(b)), (Ok(&'a'), Ok(&'b')));
        assert_eq!(table.remove(a), Ok('a'));
        assert_eq!(table.remove(a), Err(EngineError::InvalidHandle));
        let heir = f64::from(table.insert('c').unwrap());
        assert_ne!(heir, a);
        assert_eq!((table.get(a).is_err(), table.get(heir)), (true, Ok(&'c')));
        *table.get_mut(b).unwrap() = 'd';
        let wraps = 2f64.powi(32);
        for handle in [0.0, -0.5, -1.0, 0.5, b + 0.5, b + wraps, b - wraps, f64::NAN, f64::INFINITY, heir + 2.0] {
            assert!(table.get(handle).is_err(), "{handle}");
        }
        assert_eq!(table.remove(b), Ok('d'));
    }
}
