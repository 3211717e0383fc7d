//! The parameters of layers: words that TypeScript writes, by name. A layer declares its own once, by [`params!`]; params.json lists
//! them all, and tests on both sides compare with it.

use super::{Combine, MAX_SIZE};
use crate::error::{EngineError, Result, ensure};
use crate::kernels::activation::Activation;
use alloc::vec::Vec;

/// Reads the parameter words of a layer.
pub struct Params<'a>(core::slice::Iter<'a, u32>);

impl<'a> Params<'a> {
    /// All words of a layer.
    pub fn new(words: &'a [u32]) -> Self {
        Params(words.iter())
    }
    fn word(&mut self) -> Result<u32> {
        self.0.next().copied().ok_or(EngineError::InvalidArgument)
    }
    /// A word below `count`.
    pub(crate) fn choice(&mut self, count: u32) -> Result<u32> {
        let word = self.word()?;
        ensure(word < count)?;
        Ok(word)
    }
    /// Whether every word was read.
    pub fn finished(&self) -> bool {
        self.0.len() == 0
    }
}

/// A parameter, or several that belong together.
pub trait Param: Sized {
    /// From its words; an error where they say nothing.
    fn read(params: &mut Params) -> Result<Self>;
    /// Adds its words.
    fn write(&self, words: &mut Vec<u32>);
    /// Adds names and numbers of words. Numbers of one word go by the name of the field.
    fn describe(name: &'static str, into: &mut Vec<(&'static str, usize)>) {
        into.push((name, 1));
    }
}

/// No parameters.
impl Param for () {
    fn read(_: &mut Params) -> Result<Self> {
        Ok(())
    }
    fn write(&self, _: &mut Vec<u32>) {}
    fn describe(_: &'static str, _: &mut Vec<(&'static str, usize)>) {}
}

/// A size: from 1 to [`MAX_SIZE`].
impl Param for usize {
    fn read(params: &mut Params) -> Result<Self> {
        let size = params.word()? as usize;
        ensure((1..=MAX_SIZE).contains(&size))?;
        Ok(size)
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

/// Any number.
impl Param for u32 {
    fn read(params: &mut Params) -> Result<Self> {
        params.word()
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self);
    }
}

impl Param for bool {
    fn read(params: &mut Params) -> Result<Self> {
        Ok(params.choice(2)? == 1)
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(u32::from(*self));
    }
}

impl Param for f32 {
    fn read(params: &mut Params) -> Result<Self> {
        Ok(f32::from_bits(params.word()?))
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(self.to_bits());
    }
}

/// Three words: number, alpha, beta.
impl Param for Activation {
    fn read(params: &mut Params) -> Result<Self> {
        Activation::from_words([params.word()?, params.word()?, params.word()?])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.extend([self.function as u32, self.alpha.to_bits(), self.beta.to_bits()]);
    }
    fn describe(name: &'static str, into: &mut Vec<(&'static str, usize)>) {
        into.push((name, 3));
    }
}

impl Param for Combine {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Combine::Concat, Combine::Sum, Combine::Mul, Combine::Ave][params.choice(4)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

/// What a value is normalized by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Norm {
    /// Less the mean, by the standard deviation.
    Standard,
    /// By the standard deviation.
    Variance,
    /// By the root of the mean of squares.
    Rms,
    /// By the root of the sum of squares.
    Unit,
}

impl Param for Norm {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Norm::Standard, Norm::Variance, Norm::Rms, Norm::Unit][params.choice(4)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

/// Which ends of a sequence a recurrent layer starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The first step.
    Forward,
    /// The last step.
    Reverse,
    /// Both.
    Bidirectional,
}

impl Param for Direction {
    fn read(params: &mut Params) -> Result<Self> {
        Ok([Direction::Forward, Direction::Reverse, Direction::Bidirectional][params.choice(3)? as usize])
    }
    fn write(&self, words: &mut Vec<u32>) {
        words.push(*self as u32);
    }
}

/// Declares parameters in the order of their words, each with what it is where a test does not say. A struct of parameters can be a
/// field of another: its own fields stand in its place.
macro_rules! params {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
        }
        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }
        impl $crate::layers::params::Param for $name {
            fn read(params: &mut $crate::layers::params::Params) -> $crate::error::Result<Self> {
                Ok($name { $($field: <$kind as $crate::layers::params::Param>::read(params)?,)* })
            }
            fn write(&self, words: &mut alloc::vec::Vec<u32>) {
                $($crate::layers::params::Param::write(&self.$field, words);)*
            }
            fn describe(_: &'static str, into: &mut alloc::vec::Vec<(&'static str, usize)>) {
                $(<$kind as $crate::layers::params::Param>::describe(stringify!($field), into);)*
            }
        }
    };
}
pub(crate) use params;

/// All words of some parameters, for tests.
pub fn words(params: &impl Param) -> Vec<u32> {
    let mut words = Vec::new();
    params.write(&mut words);
    words
}

/// Names and numbers of words of a kind's parameters.
pub fn describe<P: Param>() -> Vec<(&'static str, usize)> {
    let mut into = Vec::new();
    P::describe("", &mut into);
    into
}
