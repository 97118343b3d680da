//! What the harness and the guest in a sandbox say to each other: frames of a JSON head and a
//! payload of bytes.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::json;

/// A frame's JSON never comes near this.
const MAX_HEAD: usize = 4 << 20;
/// The largest payload: a submission's diff, a file.
pub const MAX_PAYLOAD: usize = 256 << 20;
/// Two little-endian lengths, of the head and of the payload.
const LENGTHS: usize = 8;

/// What the harness asks of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Run the payload with `bash -lc`.
    Run {
        /// Names the request in its answer.
        id: u64,
        /// The directory to run it in, as seen from inside.
        cwd: String,
        /// Whether the shell is a login shell, as agents' are; the harness's own is not, so that no
        /// profile that an agent wrote has a say in it.
        login: bool,
        /// How long it may take.
        deadline_ms: u64,
        /// How many bytes of output are kept: the first half and the last.
        limit: usize,
    },
    /// Read a plain file, whole.
    Read {
        /// Names the request in its answer.
        id: u64,
        /// Its path, as seen from inside.
        path: String,
        /// Refuse it when it is larger than this many bytes.
        limit: u64,
    },
    /// Write the payload to a file.
    Write {
        /// Names the request in its answer.
        id: u64,
        /// Its path; directories above it are made.
        path: String,
    },
    /// End every process but the guest.
    Purge {
        /// Names the request in its answer.
        id: u64,
    },
    /// The answer to a [`GuestReply::Call`]; the payload is what the caller prints.
    Answer {
        /// The number that [`GuestReply::Call`] gave the call.
        call: u64,
        /// The exit code that the calling program ends with.
        code: u8,
    },
}

/// What the guest says to the harness, each with a payload that may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestReply {
    /// The guest runs, and takes requests: the first word that it says.
    Ready {
        /// The `PATH` it was started with: the image's.
        path: String,
    },
    /// A command ended. The payload is its output, the first and the last part of it.
    Ended {
        /// The number of the request that this answers.
        id: u64,
        /// Whether it ended by itself, and with what code.
        end: CommandEnd,
        /// How many bytes of the payload are from the beginning.
        head: usize,
        /// How many bytes are missing between the two parts.
        elided: u64,
    },
    /// A file was read: the payload.
    File {
        /// The number of the request that this answers.
        id: u64,
    },
    /// What was asked was done.
    Done {
        /// The number of the request that this answers.
        id: u64,
    },
    /// What was asked cannot be done.
    Failed {
        /// The number of the request that this answers.
        id: u64,
        /// Why not, in words for people.
        why: String,
    },
    /// The guest can run nothing any more: its limits were lowered, or there is no shell left.
    Crippled {
        /// The number of the request that this answers.
        id: u64,
        /// What keeps it from it.
        why: String,
    },
    /// A program in the sandbox calls the harness; the payload is what it brings along.
    Call {
        /// Names the call in its answer.
        call: u64,
        /// The program and its arguments.
        words: Vec<String>,
    },
}

/// How a command ended: by itself or a signal, or by its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandEnd {
    /// With this code; 128 and the signal's number when a signal ended it.
    Exited(i32),
    /// It took too long: its processes were ended.
    TimedOut,
}

/// The bytes of a frame.
#[must_use]
pub fn encode(head: &impl Serialize, payload: &[u8]) -> Vec<u8> {
    let head = json::line(head).into_bytes();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut frame = Vec::with_capacity(LENGTHS + head.len() + payload.len());
    frame.extend(length(&head));
    frame.extend(length(payload));
    frame.extend(&head);
    frame.extend(payload);
    frame
}

/// Takes the first frame out of what was read so far; `None` when it is not whole yet.
pub fn take<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> io::Result<Option<(T, Vec<u8>)>> {
    let length = |at: usize| {
        let bytes = buffer.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    let (Some(head), Some(payload)) = (length(0), length(4)) else {
        return Ok(None);
    };
    if head > MAX_HEAD || payload > MAX_PAYLOAD {
        return Err(io::Error::other("a frame of an impossible length"));
    }
    if buffer.len() < LENGTHS + head + payload {
        return Ok(None);
    }
    let rest = buffer.split_off(LENGTHS + head + payload);
    let mut frame = std::mem::replace(buffer, rest);
    let payload = frame.split_off(LENGTHS + head);
    let head = serde_json::from_slice(&frame[LENGTHS..]).map_err(io::Error::other)?;
    Ok(Some((head, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let asked = Request::Read {
            id: 7,
            path: "/etc/hostname".to_owned(),
            limit: 10,
        };
        let mut wire = encode(&asked, b"\0\xff");
        wire.extend(encode(&asked, b""));
        let mut buffer = Vec::new();
        let mut got = Vec::new();
        for byte in wire {
            buffer.push(byte);
            if let Some((request, payload)) = take::<Request>(&mut buffer).unwrap() {
                assert_eq!(request, asked);
                got.push(payload);
            }
        }
        assert_eq!(got, [b"\0\xff".to_vec(), Vec::new()]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn noise_is_an_error_and_not_a_huge_allocation() {
        for noise in [
            &b"\xff\xff\xff\xff\xff\xff\xff\xff"[..],
            b"\x02\0\0\0\0\0\0\0!!",
        ] {
            assert!(take::<GuestReply>(&mut noise.to_vec()).is_err());
        }
    }
}
