//! Functions made of exp that several activations share; equations in docs/arithmetic.md. Calls, not inlined: none is in the gates
//! of a usual layer, and a copy in each activation took 6 KB of a binary.

use super::activation::{exp_down, exponential};
use crate::simd::Vector;

const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -0.000_212_194_44;

/// e^x - 1 for x up to 0.
#[inline(always)]
pub fn expm1<V: Vector>(x: V) -> V {
    exp_down(x).sub(V::splat(1.0))
}

/// x / (1 + e^(-alpha x))
#[inline(always)]
pub fn swish<V: Vector>(x: V, alpha: V) -> V {
    x.div(V::splat(1.0).add(exponential(alpha.mul(x).neg())))
}

/// log((1 + s) / (1 - s)), by its series, for |s| <= 1/3.
#[inline(always)]
fn atanh2<V: Vector>(s: V) -> V {
    let v = s.mul(s);
    let mut q = V::splat(2.0 / 11.0).madd(v, V::splat(2.0 / 9.0));
    for c in [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        q = q.madd(v, V::splat(c));
    }
    s.mul(q)
}

/// What is less is its own log(1 + u), in the bits of the series: 2^-24.
const LEAST: f32 = 5.960_464_5e-8;

/// log(1 + e^x)
#[inline(never)]
pub fn softplus<V: Vector>(x: V) -> V {
    let (u, least) = (exp_down(x.abs().neg()), V::splat(LEAST));
    let v = u.pmax(least);
    // As u / 2 times 2 is: but what squares it makes no denormals, which took 7 times the time of all (an Intel Xeon).
    let log = V::select(u.lt(least), u, atanh2(v.div(V::splat(2.0).add(v))));
    x.pmax(V::splat(0.0)).add(log)
}

/// log(x): NaN below 0, -infinity at 0.
#[inline(never)]
pub fn log<V: Vector>(x: V) -> V {
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let small = x.lt(V::splat(f32::MIN_POSITIVE));
    let (m, e) = V::select(small, x.mul(V::splat(8_388_608.0)), x).split();
    let e = V::select(small, e.sub(V::splat(23.0)), e);
    let log = e.madd(V::splat(LN2_HIGH), e.madd(V::splat(LN2_LOW), atanh2(m.sub(one).div(m.add(one)))));
    // Infinity and NaN as they are; then what has no logarithm.
    let log = V::select(x.le(V::splat(f32::MAX)), log, x);
    let log = V::select(x.le(zero), V::splat(f32::NEG_INFINITY), log);
    V::select(x.lt(zero), V::splat(f32::NAN), log)
}

/// 1 - erf(|x|), as e^-(|x| q(|x|)); 0 from 4.
#[inline(never)]
pub fn erfc_abs<V: Vector>(x: V) -> V {
    let a = x.abs();
    let mut q = V::splat(3.144_018_8e-5);
    for c in [-3.088_024e-4, 1.032_402_4e-3, 5.369_321e-4, -0.019_583_96, 0.102_919_616, 0.636_597_75, 1.128_380_3] {
        q = q.madd(a, V::splat(c));
    }
    exp_down(a.mul(q).neg()).zero_where(V::splat(4.0).lt(a))
}

/// x^y. Of x below 0 for whole y alone; x^0 = 1.
#[inline(never)]
pub fn power<V: Vector>(x: V, y: V) -> V {
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let size = exponential(y.mul(log(x.abs())));
    let whole = y.sub(y.nearest()).abs().le(zero);
    let half = V::splat(0.5).mul(y);
    let even = half.sub(half.nearest()).abs().le(zero);
    let negative = V::select(whole, V::select(even, size, size.neg()), V::splat(f32::NAN));
    let power = V::select(x.lt(zero), negative, size);
    V::select(y.abs().le(zero), one, power)
}

/// pi in parts of 9 bits, but for the last: n + 1/2 times each is exact for n of 14.
const PI: [f32; 4] = [3.140_625, 0.000_967_025_76, 6.277_114e-7, 1.215_420_1e-10];

/// sin x for a `shift` of 0, cos x for 1/2: sin r, r = x - (n + shift) pi, less for odd n, which the cosine turns round.
#[inline(never)]
pub fn sine<V: Vector>(x: V, shift: V) -> V {
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let n = x.mul(V::splat(core::f32::consts::FRAC_1_PI)).sub(shift).nearest();
    let m = n.add(shift);
    let r = PI.iter().fold(x, |r, part| m.madd(V::splat(-part), r));
    let s = r.mul(r);
    let mut p = V::splat(2.608_316e-6);
    for c in [-0.000_198_106_9, 0.008_333_079, -0.166_666_6] {
        p = p.madd(s, V::splat(c));
    }
    let y = p.madd(s.mul(r), r);
    let half = V::splat(0.5).mul(n);
    let even = half.sub(half.nearest()).abs().le(zero);
    let sine = V::select(even, y, y.neg());
    V::select(zero.lt(shift), sine.neg(), sine).clamp(one.neg(), one)
}
