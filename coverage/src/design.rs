//! How pairs spread over tasks.

/// How pairs spread over tasks.
#[derive(Debug, PartialEq, Eq)]
pub struct Design {
    /// As the page calls it.
    pub name: &'static str,
    /// The pairs of each task.
    pub tasks: &'static [u32],
}

/// The subset `lite`: 100 pairs.
const LITE: &[u32] = &[
    12, 11, 10, 7, 6, 6, 5, 5, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1,
];

/// The subset `flash`: 50 pairs.
const FLASH: &[u32] = &[6, 6, 4, 4, 4, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1];

/// What is drawn from.
pub const DESIGNS: [Design; 3] = [
    Design {
        name: "`lite`: 100 pairs in 26 tasks",
        tasks: LITE,
    },
    Design {
        name: "`flash`: 50 pairs in 20 tasks",
        tasks: FLASH,
    },
    Design {
        name: "20 pairs in 10 tasks",
        tasks: &[2; 10],
    },
];
