//! What goes through the pipes between a program and the process of a plugin: frames.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 3 | the [`Kind`], little-endian |
//! | 4 to 7 | zero |
//! | 8 to 15 | how many bytes follow, little-endian |
//! | from 16 | the body: a record batch in Arrow's IPC format, JSON, or the content of a model |

use std::io::{self, Read};

use crate::onnx::MODEL_BYTES_MAX;

/// Bytes before a body.
pub(super) const HEADER_BYTES: usize = 16;
/// Zeros behind a body once it is read: the decoder of a batch wants to see that something follows.
pub(super) const TAIL_BYTES: usize = 8;
/// Most bytes of predictions or maps for one batch that are taken from the process of a plugin.
const BATCH_BYTES_MAX: u64 = 1 << 30;
/// Most bytes of words from the process of a plugin.
const WORDS_BYTES_MAX: u64 = 1 << 16;
/// Bytes that a body is given room for before they are there.
const ROOM_BYTES_MAX: u64 = 1 << 24;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the process: open a plugin. JSON.
    Open,
    /// To the process: predict these records.
    Predict,
    /// To the process: say where in an image the predictions come from.
    Attend,
    /// To the process: learn from these records.
    Learn,
    /// To the process: give what was learned.
    Finish,
    /// From the process: the plugin is open. JSON.
    Opened,
    /// From the process: predictions, or maps.
    Batch,
    /// From the process: a model that was learned, in the order of the manifest.
    Model,
    /// From the process: done, and nothing more to say.
    Done,
    /// From the process: not done. JSON.
    Failed,
}

/// Every kind, with its number.
const KINDS: [(Kind, u32); 10] = [
    (Kind::Open, 1),
    (Kind::Predict, 2),
    (Kind::Attend, 3),
    (Kind::Learn, 4),
    (Kind::Finish, 5),
    (Kind::Opened, 17),
    (Kind::Batch, 18),
    (Kind::Model, 19),
    (Kind::Done, 20),
    (Kind::Failed, 21),
];

impl Kind {
    fn number(self) -> u32 {
        KINDS.iter().find(|(kind, _)| *kind == self).expect("every kind has a number").1
    }

    /// Most bytes of a body of this kind. What goes to the process comes from the program that started it, and its own memory is
    /// limited.
    fn bytes_max(self) -> u64 {
        match self {
            Kind::Open | Kind::Predict | Kind::Attend | Kind::Learn | Kind::Finish => u64::MAX,
            Kind::Batch => BATCH_BYTES_MAX,
            Kind::Model => MODEL_BYTES_MAX,
            Kind::Opened | Kind::Failed => WORDS_BYTES_MAX,
            Kind::Done => 0,
        }
    }
}

/// A frame that was read. Behind the body stand [`TAIL_BYTES`] zeros.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// The body without the zeros behind it.
    pub(super) fn content(&self) -> &[u8] {
        &self.body[..self.body.len() - TAIL_BYTES]
    }
}

/// Why there is no frame.
#[derive(Debug)]
pub(super) enum Broken {
    /// The other side has closed its pipe, or the system failed.
    Gone,
    /// What the other side said is no frame.
    Breach(String),
}

impl From<io::Error> for Broken {
    fn from(_error: io::Error) -> Self {
        Broken::Gone
    }
}

/// The header of a frame.
pub(super) fn header(kind: Kind, bytes: usize) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&kind.number().to_le_bytes());
    header[8..].copy_from_slice(&(bytes as u64).to_le_bytes());
    header
}

/// A whole frame.
pub(super) fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut frame = header(kind, body.len()).to_vec();
    frame.extend_from_slice(body);
    frame
}

/// Reads a frame. Memory is taken for what is there, and not for what is announced.
pub(super) fn read(pipe: &mut impl Read) -> Result<Frame, Broken> {
    let mut header = [0; HEADER_BYTES];
    pipe.read_exact(&mut header)?;
    let number = u32::from_le_bytes(header[..4].try_into().expect("four bytes"));
    let bytes = u64::from_le_bytes(header[8..].try_into().expect("eight bytes"));
    let known = KINDS.iter().find(|(_, known)| *known == number && header[4..8] == [0; 4]);
    let Some(&(kind, _)) = known else {
        return Err(Broken::Breach(format!("a frame of kind {number}, which there is not")));
    };
    if bytes > kind.bytes_max() {
        let words = format!("{kind:?} of {bytes} bytes; expected at most {}", kind.bytes_max());
        return Err(Broken::Breach(words));
    }
    let mut body = Vec::with_capacity(bytes.min(ROOM_BYTES_MAX) as usize + TAIL_BYTES);
    if pipe.take(bytes).read_to_end(&mut body)? as u64 != bytes {
        return Err(Broken::Gone);
    }
    body.extend_from_slice(&[0; TAIL_BYTES]);
    Ok(Frame { kind, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        for (kind, _) in KINDS {
            let body: &[u8] = if kind == Kind::Done { b"" } else { b"seven and more" };
            let read = read(&mut frame(kind, body).as_slice()).unwrap();
            assert_eq!((read.kind, read.content()), (kind, body));
        }
    }

    #[test]
    fn what_is_no_frame_is_told_before_memory_is_taken() {
        let breach = |bytes: &[u8]| match read(&mut &*bytes) {
            Err(Broken::Breach(words)) => words,
            other => panic!("{other:?}"),
        };
        assert_eq!(breach(&[0xff; 64]), "a frame of kind 4294967295, which there is not");
        let mut dirty = frame(Kind::Done, b"");
        dirty[5] = 1;
        assert_eq!(breach(&dirty), "a frame of kind 20, which there is not");
        for (kind, expected) in [
            (Kind::Batch, "Batch of 9223372036854775807 bytes; expected at most 1073741824"),
            (Kind::Failed, "Failed of 9223372036854775807 bytes; expected at most 65536"),
            (Kind::Done, "Done of 9223372036854775807 bytes; expected at most 0"),
        ] {
            assert_eq!(breach(&header(kind, i64::MAX as usize)), expected);
        }
    }

    #[test]
    fn a_frame_that_ends_early_is_an_end() {
        let whole = frame(Kind::Opened, b"{}");
        for length in 0..whole.len() {
            assert!(matches!(read(&mut &whole[..length]), Err(Broken::Gone)), "{length} bytes");
        }
    }
}
