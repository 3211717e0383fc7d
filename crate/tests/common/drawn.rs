//! Layers of drawn numbers: of every kind, and mostly such as can be built. Read by tests/engine/ and by the fuzzer.

use gru_wasm::kernels::activation::Activation;
use gru_wasm::kernels::elementwise::OPERATIONS;
use gru_wasm::layers::activation::ActivationParams;
use gru_wasm::layers::argmax::ArgmaxParams;
use gru_wasm::layers::attention::AttentionParams;
use gru_wasm::layers::conv1d::ConvParams;
use gru_wasm::layers::dense::DenseParams;
use gru_wasm::layers::embedding::EmbeddingParams;
use gru_wasm::layers::flatten::FlattenParams;
use gru_wasm::layers::masking::MaskingParams;
use gru_wasm::layers::merge::MergeParams;
use gru_wasm::layers::norm::NormParams;
use gru_wasm::layers::one_hot::OneHotParams;
use gru_wasm::layers::pad::{Outside, PadParams};
use gru_wasm::layers::params::{Direction, Norm, words};
use gru_wasm::layers::pool::PoolParams;
use gru_wasm::layers::recurrent::gru::GruParams;
use gru_wasm::layers::recurrent::lstm::LstmParams;
use gru_wasm::layers::recurrent::rnn::RnnParams;
use gru_wasm::layers::recurrent::{Options, Sizes};
use gru_wasm::layers::reduce::{ReduceParams, Reduction};
use gru_wasm::layers::reduce_features::{ReduceFeaturesParams, Reduction as FeatureReduction};
use gru_wasm::layers::repeat::RepeatParams;
use gru_wasm::layers::scale::ScaleParams;
use gru_wasm::layers::sine::SineParams;
use gru_wasm::layers::slice::SliceParams;
use gru_wasm::layers::step::StepParams;
use gru_wasm::layers::unflatten::UnflattenParams;
use gru_wasm::layers::upsample::UpsampleParams;
use gru_wasm::layers::windows::{Padding, WindowParams};
use gru_wasm::layers::{Combine, LAYERS};

/// Parameters of a layer of `i` inputs and `h` outputs or units, and how long its tensors are. Each of `drawn` chooses an option.
pub fn layer(kind: usize, i: usize, h: usize, drawn: [u32; 8]) -> (Vec<u32>, Vec<u32>) {
    let [direction, merge, flags, first, second, third, alpha, beta] = drawn;
    let flag = |bit: u32| flags >> bit & 1 == 1;
    let activation = |word: u32| Activation::from_words([word % 38, alpha, beta]).expect("one of 38 functions");
    let merge = [Combine::Concat, Combine::Sum, Combine::Mul, Combine::Ave][merge as usize % 4];
    let direction = [Direction::Forward, Direction::Reverse, Direction::Bidirectional][direction as usize % 3];
    let (reversed_output, zero_masked) = (flag(1), flag(2));
    let clip = if flag(3) { f32::from_bits(alpha) } else { f32::INFINITY };
    let options = Options { direction, merge, reversed_output, zero_masked, clip };
    let sizes = Sizes { input_size: i, hidden_size: h };
    // The usual functions have kernels of their own.
    let function = |word: u32, usual| if flag(4) { activation(word) } else { usual };
    let (recurrent_activation, activation, output_activation) =
        (function(first, Activation::SIGMOID), function(second, Activation::TANH), function(third, Activation::TANH));
    let windows = |taps, dilation| WindowParams {
        taps,
        stride: 1 + drawn[0] as usize % 3,
        dilation,
        padding: [Padding::Fixed, Padding::Same, Padding::SameLower][second as usize % 3],
        left: first % 3,
        right: second % 3,
        streams: flag(2),
        axis: third % 3,
    };
    let of_gates = |gates: usize, own: &[usize]| {
        let one = [&[gates * h * i, gates * h * h, gates * h][..], own].concat();
        one.repeat(if direction == Direction::Bidirectional { 2 } else { 1 })
    };
    let (params, tensors) = match LAYERS[kind].name {
        "embedding" => {
            (words(&EmbeddingParams { vocabulary_size: i, output_size: h, mask_zero: flag(0) }), vec![i * h])
        }
        "dense" => (words(&DenseParams { input_size: i, output_size: h, activation }), vec![i * h, h]),
        "activation" => (words(&ActivationParams { activation }), vec![]),
        "merge" => {
            let operation = OPERATIONS[first as usize % OPERATIONS.len()];
            let constant = if flag(0) { h } else { 0 };
            let params = MergeParams { merge: operation, constant_size: constant as u32, constant_first: flag(1) };
            (words(&params), if constant > 0 { vec![constant] } else { vec![] })
        }
        "reduceFeatures" => (
            words(&ReduceFeaturesParams {
                reduce: [FeatureReduction::Mean, FeatureReduction::Max, FeatureReduction::L2][first as usize % 3],
            }),
            vec![],
        ),
        "oneHot" => (words(&OneHotParams { size: h }), vec![]),
        "sine" => (words(&SineParams { cosine: flag(0) }), vec![]),
        "argmax" => (words(&ArgmaxParams { last: flag(0) }), vec![]),
        "masking" => (words(&MaskingParams { mask_value: f32::from_bits(alpha) }), vec![]),
        "gru" => {
            let reset_after = flag(0);
            let params = GruParams { sizes, reset_after, options, recurrent_activation, activation };
            (words(&params), of_gates(3, &[h][..usize::from(reset_after)]))
        }
        "step" => (words(&StepParams { last: flag(0) }), vec![]),
        "slice" => (words(&SliceParams { start: i as u32 - 1, size: h }), vec![]),
        "lstm" => {
            let input_forget = flag(0);
            let params =
                LstmParams { sizes, input_forget, options, recurrent_activation, activation, output_activation };
            (words(&params), of_gates(4, &[3 * h]))
        }
        "rnn" => (words(&RnnParams { sizes, options, activation }), of_gates(1, &[])),
        "scale" => {
            let steps = if flag(0) { h as u32 } else { 0 };
            (words(&ScaleParams { input_size: i, steps }), vec![i * h.min(steps.max(1) as usize); 2])
        }
        "norm" => {
            let norm = [Norm::Standard, Norm::Variance, Norm::Rms, Norm::Unit][first as usize % 4];
            let groups = 1 + second as usize % 3;
            let epsilon = f32::from_bits(beta);
            (words(&NormParams { input_size: i, norm, epsilon, groups, over_time: flag(0) }), vec![i; 2])
        }
        "reduce" => {
            use Reduction::{L2, Max, Mean, Min, Std, Sum};
            let reduce = [Sum, Mean, Max, Min, L2, Std][first as usize % 6];
            (words(&ReduceParams { reduce, correction: flag(0) }), vec![])
        }
        "flatten" => (words(&FlattenParams { steps: h }), vec![]),
        "unflatten" => (words(&UnflattenParams { steps: h, transposed: flag(0), axis: second % 3 }), vec![]),
        "repeat" => (words(&RepeatParams { axis: second % 3 }), vec![]),
        "pool" => {
            let params = PoolParams { mean: flag(0), count_padding: flag(1), windows: windows(h, i) };
            (words(&params), vec![])
        }
        "upsample" => {
            let split = flag(0);
            let factor = if split { i } else { h };
            (words(&UpsampleParams { factor, split, axis: first % 3 }), vec![])
        }
        "pad" => {
            use Outside::{Constant, Edge, Reflect};
            let outside = [Constant, Edge, Reflect][second as usize % 3];
            let [before, skipped, held, axis] = [first, second, beta, third].map(|word| word % 3);
            let value = f32::from_bits(alpha);
            let params = PadParams { before, skipped, held, outside, value, streams: flag(0), axis };
            (words(&params), vec![])
        }
        "conv1d" => {
            let taps = 1 + first as usize % 4;
            let windows = windows(taps, 1 + merge as usize % 3);
            let params = ConvParams { input_size: i, output_size: h, groups: 1, windows, activation };
            (words(&params), vec![h * taps * i, h])
        }
        "attention" => {
            let (heads, scale) = (1 + first as usize % 3, f32::from_bits(alpha));
            let params =
                AttentionParams { input_size: i, heads, additive: flag(0), scale, causal: flag(1), average: flag(2) };
            (words(&params), vec![i])
        }
        "timeSoftmax" | "weightedSum" | "reverse" | "ids" => (vec![], vec![]),
        other => unreachable!("layers of kind {other} are not drawn"),
    };
    (params, tensors.into_iter().map(|length| length as u32).collect())
}
