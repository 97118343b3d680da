//! Experiments whose truth is known: four arms, five repeats, a hundred pairs, planted effects, and
//! damage that is not the same in all arms.

mod drawn;
mod engine;
mod planted;
