//! Layers, made byte by byte: also such as no program writes.

use std::io::Write as _;

use regatta::images::Digest;

/// What an entry has in its header.
#[derive(Clone, Debug)]
pub struct Header {
    pub name: Vec<u8>,
    pub kind: u8,
    pub link: Vec<u8>,
    pub mode: u32,
    pub mtime: u64,
    pub owner: (u32, u32),
}

impl Header {
    pub fn of(kind: u8, name: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            kind,
            link: Vec::new(),
            mode: if kind == b'5' { 0o755 } else { 0o644 },
            mtime: 1_000_000_000,
            owner: (0, 0),
        }
    }

    pub fn link(mut self, link: impl AsRef<[u8]>) -> Self {
        self.link = link.as_ref().to_vec();
        self
    }

    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub const fn owner(mut self, user: u32, group: u32) -> Self {
        self.owner = (user, group);
        self
    }

    pub const fn mtime(mut self, mtime: u64) -> Self {
        self.mtime = mtime;
        self
    }

    pub fn block(&self, size: u64) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, format!("{:07o}", self.mode).as_bytes());
        put(108, format!("{:07o}", self.owner.0).as_bytes());
        put(116, format!("{:07o}", self.owner.1).as_bytes());
        if size < 1 << 33 {
            put(124, format!("{size:011o}").as_bytes());
        } else {
            put(128, &size.to_be_bytes());
            put(124, &[0x80]);
        }
        put(136, format!("{:011o}", self.mtime).as_bytes());
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, b"ustar\x0000");
        sum(&mut block);
        block
    }
}

/// Writes the sum of a header into it.
pub fn sum(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A layer that is being made.
#[derive(Clone, Debug, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn entry(mut self, header: &Header, data: &[u8]) -> Self {
        if header.name.len() > 100 {
            self = self.long(b'L', &header.name);
        }
        if header.link.len() > 100 {
            self = self.long(b'K', &header.link);
        }
        self.raw(&header.block(data.len() as u64), data)
    }

    /// A block and what follows it, as they are.
    pub fn raw(mut self, block: &[u8; 512], data: &[u8]) -> Self {
        self.0.extend_from_slice(block);
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn long(self, kind: u8, text: &[u8]) -> Self {
        let header = Header::of(kind, "././@LongLink");
        let data = [text, b"\0"].concat();
        self.raw(&header.block(data.len() as u64), &data)
    }

    /// An extended header for the next entry.
    pub fn extended(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..rest + 9).find(|it| it - it.to_string().len() == rest);
            write!(data, "{} {key}=", length.unwrap()).unwrap();
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        let header = Header::of(b'x', "PaxHeader");
        self.raw(&header.block(data.len() as u64), &data)
    }

    pub fn file(self, name: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> Self {
        self.entry(&Header::of(b'0', name), text.as_ref())
    }

    pub fn dir(self, name: impl AsRef<[u8]>) -> Self {
        self.entry(&Header::of(b'5', name), b"")
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Self {
        self.entry(&Header::of(b'2', name).link(to), b"")
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Self {
        self.entry(&Header::of(b'1', name).link(to), b"")
    }

    /// The bytes of the layer, and their digest.
    pub fn done(mut self) -> (Vec<u8>, Digest) {
        self.0.resize(self.0.len() + 1024, 0);
        let digest = Digest::of(&self.0);
        (self.0, digest)
    }
}
