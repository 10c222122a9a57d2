//! Choices, made by bytes: the same bytes are always the same choices, and when they are used up, every choice is the first.

/// The bytes that are left.
pub(crate) struct Choices<'b>(&'b [u8]);

impl<'b> Choices<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of `count` things, the first when nothing is left.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let wide = usize::from(self.byte());
        let wide = if count > 256 { wide << 8 | usize::from(self.byte()) } else { wide };
        wide % count.max(1)
    }

    /// True once in so many times, and never when nothing is left.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    pub(crate) fn word(&mut self) -> [u8; 4] {
        std::array::from_fn(|_| self.byte())
    }

    /// Up to so many of the bytes that are left.
    pub(crate) fn bytes(&mut self, most: usize) -> &'b [u8] {
        let length = self.below(most + 1).min(self.0.len());
        let (first, rest) = self.0.split_at(length);
        self.0 = rest;
        first
    }

    pub(crate) fn rest(self) -> &'b [u8] {
        self.0
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}
