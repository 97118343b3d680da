//! The page: all that is to be seen of some runs, in one file of HTML that asks for nothing else.

mod assets;
mod block;
mod gather;
mod happened;
mod hidden;
mod index;
mod pack;
mod running;
mod study;
mod writer;

pub use assets::frame;
pub use block::{PairBlock, TrialBlock};
pub use gather::{Blocks, Gathered};
pub use happened::happened;
pub use hidden::hide_in;
pub use index::{Happened, Index};
pub use pack::plain;
pub use running::RunningNow;
pub use study::Shown;
pub use writer::{Page, PageOf};
