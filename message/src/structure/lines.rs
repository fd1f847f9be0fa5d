//! Counting lines up to growing positions, so that all parts together cost one pass.

use memchr::memchr_iter;

/// How many line ends lie before a position that only moves forward.
#[derive(Debug)]
pub(super) struct LineCounter<'a> {
    raw: &'a [u8],
    position: usize,
    lines: usize,
}

impl<'a> LineCounter<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self { raw, position: 0, lines: 0 }
    }

    /// The line ends before `position`, which must not be less than in the calls before.
    pub(super) fn up_to(&mut self, position: usize) -> usize {
        debug_assert!(position >= self.position, "lines are counted forward only");
        if let Some(next) = self.raw.get(self.position..position) {
            self.lines += memchr_iter(b'\n', next).count();
            self.position = position;
        }
        self.lines
    }
}
