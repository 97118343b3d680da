//! What a file is when what steers in it is as in the base.

/// A file with what steers in it as in the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// As it was submitted: nothing of it steers.
    Untouched,
    /// The whole of the file as it is to be, in bytes.
    File(Vec<u8>),
    /// Nothing: the base has no such file.
    Gone,
}

impl Back {
    pub(super) fn to(base: Option<&[u8]>) -> Self {
        base.map_or(Self::Gone, |base| Self::File(base.to_vec()))
    }
}
