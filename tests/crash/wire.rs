//! What a child and its parent say to each other: frames of a kind, a length and a content, over the child's standard input and output.

use crate::faults::{Armed, Fault};
use crate::scenes::Scene;
use serde::{Deserialize, Serialize};
use std::io::{Read, Result, Write};

/// The kinds of frames.
pub const JOB: u8 = b'J';
/// The job is done.
pub const DONE: u8 = b'D';
/// The child has come to its point, and waits to be killed.
pub const POINT: u8 = b'P';
pub const NOTE: u8 = b'N';
pub const QUIET: u8 = b'Q';
pub const WEATHER: u8 = b'W';
/// A call to the server.
pub const CALL: u8 = b'C';
pub const RECEIVE: u8 = b'R';
pub const ATTACH: u8 = b'A';
/// The server's challenge, and the signature that answers it.
pub const CHALLENGE: u8 = b'S';
pub const ANSWER: u8 = b'a';

/// What a child is to live through.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// `None`: make the four devices known to each other.
    pub scene: Option<Scene>,
    pub round: u32,
    pub armed: Option<Armed>,
    /// The time, in milliseconds.
    pub clock: u64,
    /// Where the stores are.
    pub folder: String,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    pub struck: Option<Fault>,
    pub clock: u64,
}

pub fn write(out: &mut impl Write, kind: u8, content: &[u8]) -> Result<()> {
    out.write_all(&[kind])?;
    out.write_all(&u32::try_from(content.len()).unwrap().to_be_bytes())?;
    out.write_all(content)?;
    out.flush()
}

pub fn read(input: &mut impl Read) -> Result<(u8, Vec<u8>)> {
    let (mut kind, mut length) = ([0; 1], [0; 4]);
    input.read_exact(&mut kind)?;
    input.read_exact(&mut length)?;
    let mut content = vec![0; u32::from_be_bytes(length) as usize];
    input.read_exact(&mut content)?;
    Ok((kind[0], content))
}
