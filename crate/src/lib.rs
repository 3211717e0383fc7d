//! The core of gru-wasm: GRU inference with packed weights and fused gates, written once over a small [`simd::Vector`] trait.
//!
//! | target | vectors | used by |
//! |---|---|---|
//! | wasm32, `+simd128` | `v128` | the baseline binary |
//! | wasm32, `+simd128,+relaxed-simd` | `v128`, one rounding per multiply-add | the relaxed binary |
//! | any other | `[f32; 4]`, the same bits as the baseline | `cargo test`, the parity test |
//!
//! A [`model::Model`] is an immutable graph of [`layers`] with their weights packed once ([`pack`]); a [`model::State`] owns
//! the hidden values and buffers of one batch. crate/bindings alone knows JavaScript. The arithmetic, operation by
//! operation, is in docs/arithmetic.md.

#![no_std]

extern crate alloc;
#[cfg(any(test, not(target_arch = "wasm32")))]
extern crate std;

pub mod aligned;
pub mod buffer;
pub mod checked;
pub mod engine;
pub mod error;
pub mod fallible;
pub mod kernels;
pub mod layers;
pub mod model;
pub mod pack;
pub mod plan;
pub mod shared;
pub mod simd;
pub mod table;
pub mod tensor;
