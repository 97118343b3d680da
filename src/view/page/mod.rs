//! The page: all that is to be seen of some runs, in one file of HTML that asks for nothing else.

mod assets;
mod block;
mod happened;
mod index;
mod pack;
mod study;
mod writer;

pub use study::Shown;
pub use writer::{Page, PageOf};
