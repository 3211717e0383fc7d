//! Micro-kernels, each written once over [`crate::simd::Vector`].

pub mod activation;
pub mod gates;
pub mod matmul;
#[doc(hidden)]
#[cfg(not(target_arch = "wasm32"))]
pub mod reference;
