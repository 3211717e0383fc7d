/** How far a result may be from what is expected: |got - expected| <= atol + rtol |expected|. */
export interface Tolerance {
  atol: number;
  rtol: number;
}

/** Where two ways must give the same bits. */
export const SAME_BITS: Tolerance = { atol: 0, rtol: 0 };

/**
 * Against numbers worked out in float64, over the few steps of a small model: float32 has 6e-8 of relative rounding, sums here
 * have fewer than 20 terms, and the gates do not amplify.
 */
export const FLOAT64_REFERENCE: Tolerance = { atol: 1e-6, rtol: 1e-6 };

/** Weights rounded to float16 are off by up to 2^-11 of themselves; pre-activations of the models here are below 4. */
export const FLOAT16_WEIGHTS: Tolerance = { atol: 5e-3, rtol: 0 };

/** The recorded layers of the g2p model: float64 rounded to float32, against float32 over up to 13 steps; the bound. */
export const G2P_RECORDED: Tolerance = { atol: 1e-5, rtol: 1e-5 };

/** A scale layer in the weights of its neighbour against itself, of the largest value: the terms of a sum are rounded in another order. */
export const FOLDED: Tolerance = { atol: 0, rtol: 1e-6 };

/** One step against float64, on every backend: the promise of the relaxed build. */
export const ONE_STEP: Tolerance = { atol: 1e-6, rtol: 0 };

/** 2000 steps against float64 in regimes that do not amplify errors. */
export const LONG_RUN: Tolerance = { atol: 1e-5, rtol: 0 };

/** float32 against float64 over up to 12 steps of sums of up to 40 products with weights up to 1, any activation. */
export const RANDOM_LAYERS: Tolerance = { atol: 2e-5, rtol: 2e-5 };
