//! `Rc`, but for weak references, whose memory may be refused: `Rc::try_new` is not in stable Rust.

use crate::checked::stop;
use crate::error::{EngineError, Result};
use crate::fallible::boxed;
use alloc::boxed::Box;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// A value with several owners, of one thread.
pub struct Shared<T> {
    place: NonNull<Counted<T>>,
    owns: PhantomData<Counted<T>>,
}

struct Counted<T> {
    owners: Cell<usize>,
    value: T,
}

impl<T> Shared<T> {
    /// Its first owner.
    pub fn new(value: T) -> Result<Self> {
        let place = Box::leak(boxed(Counted { owners: Cell::new(1), value })?);
        Ok(Shared { place: place.into(), owns: PhantomData })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the value lives as long as it has an owner; `unshared` alone gives a mutable reference, to the only one.
        unsafe { self.place.as_ref() }
    }

    /// The value, where this is its only owner; else its handle is none to change it by.
    pub fn unshared(&mut self) -> Result<&mut T> {
        if self.counted().owners.get() != 1 {
            return Err(EngineError::InvalidHandle);
        }
        // SAFETY: the only owner is borrowed mutably, so that no other reference to the value is there.
        Ok(unsafe { &mut self.place.as_mut().value })
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        let owners = &self.counted().owners;
        owners.set(owners.get().checked_add(1).unwrap_or_else(|| stop()));
        Shared { place: self.place, owns: PhantomData }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let owners = &self.counted().owners;
        owners.set(owners.get() - 1);
        if owners.get() == 0 {
            // SAFETY: `new` leaked this box, and its last owner goes.
            drop(unsafe { Box::from_raw(self.place.as_ptr()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn the_last_owner_drops_the_value() {
        let dropped = Rc::new(());
        let mut one = Shared::new(Rc::clone(&dropped)).unwrap();
        assert!(one.unshared().is_ok());
        let two = one.clone();
        assert!(one.unshared().is_err());
        drop(two);
        assert!(one.unshared().is_ok());
        assert_eq!(Rc::strong_count(&one), 2);
        drop(one);
        assert_eq!(Rc::strong_count(&dropped), 1);
    }
}
