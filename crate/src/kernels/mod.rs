//! Micro-kernels, each written once over [`crate::simd::Vector`].

pub mod activation;
pub mod gates;
pub mod matmul;
