//! Errors with stable codes: the negatives of these numbers cross to JavaScript.

/// What went wrong. The facade turns each code into a `GruError` with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum EngineError {
    /// The allocator refused.
    OutOfMemory = 1,
    /// A parameter is out of its range, or a length contradicts another.
    InvalidArgument = 2,
    /// An id is not below the size of its embedding.
    IdOutOfRange = 3,
    /// No model or state has this handle.
    InvalidHandle = 4,
}

impl From<alloc::collections::TryReserveError> for EngineError {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        EngineError::OutOfMemory
    }
}

/// Result of everything that can fail.
pub type Result<T> = core::result::Result<T, EngineError>;

/// `Err(InvalidArgument)` unless `ok`.
pub fn ensure(ok: bool) -> Result<()> {
    if ok { Ok(()) } else { Err(EngineError::InvalidArgument) }
}
