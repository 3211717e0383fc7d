//! Recurrent layers: the driver, its cells, and the axes on which they take steps.

mod axes;
#[path = "../common/mod.rs"]
mod common;
mod forms;
mod layer;
mod states;
