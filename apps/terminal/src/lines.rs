//! Lines of standard input as they come, in batches as large as what has come meanwhile.

use std::io::{self, BufRead, Read};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Longest line; what is longer is passed over, and told.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Lines that wait at most. Then nothing more is read, so whoever writes them waits, too.
const LINES_WAITING_MAX: usize = 1_024;

/// One line of the input.
#[derive(Debug)]
pub struct Given {
    /// Its number, from 1.
    pub number: usize,
    /// Its bytes without the end of the line; nothing of one that is longer than [`LINE_BYTES_MAX`].
    pub bytes: Option<Vec<u8>>,
}

/// The lines of an input, read on a thread of their own.
///
/// **Invariant:** each line is handed out once, in the order of the input, and nobody waits for a line that has come.
pub struct Lines {
    coming: Receiver<io::Result<Given>>,
    /// What the lines before have still to come out in front of.
    failed: Option<io::Error>,
}

impl Lines {
    /// The lines of standard input.
    pub fn of_standard_input() -> Self {
        Self::of(|| io::stdin().lock())
    }

    /// The lines of what is opened on the thread that reads it.
    fn of<R: BufRead>(open: impl FnOnce() -> R + Send + 'static) -> Self {
        let (sender, receiver) = channel(LINES_WAITING_MAX);
        // It ends with the input, or when nobody takes its lines any more. While it waits for a line, nothing can stop it, and it holds
        // nothing that would have to be given back.
        std::thread::spawn(move || read(open(), &sender));
        Self { coming: receiver, failed: None }
    }

    /// Waits for a line, and gives it with those behind it that are there already, `most` of them. Nothing at the end of the input.
    ///
    /// # Errors
    /// The input cannot be read any further; the lines before were handed out.
    pub async fn next(&mut self, most: usize) -> io::Result<Vec<Given>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut come = Vec::new();
        self.coming.recv_many(&mut come, most).await;
        let mut lines = Vec::with_capacity(come.len());
        for line in come {
            match line {
                Ok(line) => lines.push(line),
                Err(error) if lines.is_empty() => return Err(error),
                // Nothing comes behind it.
                Err(error) => self.failed = Some(error),
            }
        }
        Ok(lines)
    }
}

/// Sends line after line.
fn read(mut input: impl BufRead, sender: &Sender<io::Result<Given>>) {
    for number in 1.. {
        let line = match one(&mut input) {
            Ok(None) => return,
            Ok(Some(bytes)) => Ok(Given { number, bytes: (bytes.len() <= LINE_BYTES_MAX).then_some(bytes) }),
            Err(error) => Err(error),
        };
        let is_end = line.is_err();
        if sender.blocking_send(line).is_err() || is_end {
            return;
        }
    }
}

/// The next line without its end, or more than [`LINE_BYTES_MAX`] bytes of a longer one, whose rest is passed over.
fn one(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    // One byte more for the end of the line, and one to see that it is too long.
    input.by_ref().take(LINE_BYTES_MAX as u64 + 2).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() > LINE_BYTES_MAX {
        input.skip_until(b'\n')?;
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_line_comes_once_and_in_order() {
        let long = "x".repeat(LINE_BYTES_MAX);
        let longer = "x".repeat(3 * LINE_BYTES_MAX);
        let text = format!("a\r\n\n{long}\n{longer}\n{long}xx\nb\n\u{e4}");
        let mut lines = Lines::of(move || io::Cursor::new(text.into_bytes()));
        let mut found = Vec::new();
        loop {
            let batch = lines.next(2).await.unwrap();
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= 2);
            found.extend(batch);
        }
        let numbers: Vec<_> = found.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
        let length = |line: &Given| line.bytes.as_ref().map(Vec::len);
        let lengths: Vec<_> = found.iter().map(length).collect();
        assert_eq!(lengths, [Some(1), Some(0), Some(LINE_BYTES_MAX), None, None, Some(1), Some(2)]);
        assert!(lines.next(2).await.unwrap().is_empty(), "the end stays the end");
    }

    /// Two lines, and then no more.
    struct Broken(io::Cursor<&'static [u8]>);

    impl Read for Broken {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            match self.0.read(bytes)? {
                0 => Err(io::ErrorKind::Other.into()),
                read => Ok(read),
            }
        }
    }

    #[tokio::test]
    async fn what_came_before_an_error_is_handed_out_before_it() {
        for most in [1, 2, 8] {
            let broken = || io::BufReader::new(Broken(io::Cursor::new(b"a\nb\n")));
            let (mut lines, mut found) = (Lines::of(broken), 0);
            let error = loop {
                match lines.next(most).await {
                    Ok(batch) => found += batch.len(),
                    Err(error) => break error,
                }
            };
            assert_eq!((found, error.kind()), (2, io::ErrorKind::Other));
            assert!(lines.next(most).await.unwrap().is_empty());
        }
    }
}
