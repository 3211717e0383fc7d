//! Running a state allocates nothing, with or without a mask.

use gru_wasm::layers::{LAYERS, Shape};
use gru_wasm::model::{Model, State};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;

struct Counting;

thread_local! {
    /// Of this thread alone: the test runner allocates on its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn kind(name: &str) -> usize {
    LAYERS.iter().position(|(known, _)| *known == name).unwrap()
}

#[test]
fn run_allocates_nothing() {
    let mut model = Model::new();
    model.add_input(Shape { sequence: true, size: 1 }).unwrap();
    let table = [0.5; 21];
    let embedding = model.add_layer(kind("embedding"), &[0], &[7, 3, 1], &[Some(&table)]).unwrap() as i32;
    for reset_after in [0, 1] {
        let params = [3, 5, reset_after, 2, 0, 0, 0, f32::INFINITY.to_bits(), 1, 0, 0, 2, 0, 0];
        let (input, recurrent) = ([0.1; 45], [0.1; 75]);
        let one = [Some(&input[..]), Some(&recurrent[..]), None, None];
        let one = &one[..if reset_after == 1 { 4 } else { 3 }];
        let gru = model.add_layer(kind("gru"), &[embedding, embedding + 1, -1, -1], &params, &[one, one].concat());
        model.add_output(gru.unwrap()).unwrap();
        model.add_output(gru.unwrap() + 1).unwrap();
    }
    let mut state = State::new(&Rc::new(model), 3).unwrap();
    state.set_lengths(vec![4, 9, 1], false).unwrap();
    for (i, id) in state.value(0).unwrap().iter_mut().enumerate() {
        *id = f32::from_bits(i as u32 % 7);
    }
    let before = COUNT.get();
    for _ in 0..10 {
        state.run().unwrap();
        state.reset();
    }
    assert_eq!(COUNT.get(), before);
}
