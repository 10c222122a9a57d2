//! Values of one field of the events of one entity, oldest first: pushed at the back, dropped at the front.

use std::ops::Range;

use super::FieldKind;

/// A value on its way into a [`Series`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'v> {
    Null,
    /// The bits of an `i64` or an `f64`.
    Word(u64),
    Bit(bool),
    Text(&'v str),
}

/// The values of one field.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) values: Values,
    valid: Bits,
    nulls: usize,
}

/// Values in the layout of the Arrow column that they will be copied to. What stands at a null does not matter.
#[derive(Debug)]
pub(super) enum Values {
    Words(Vec<u64>),
    Bits(Bits),
    Texts(Texts),
}

impl Series {
    pub(super) fn new(kind: FieldKind) -> Self {
        let values = match kind {
            FieldKind::Int64 | FieldKind::Float64 | FieldKind::Timestamp => Values::Words(Vec::new()),
            FieldKind::Bool => Values::Bits(Bits::default()),
            FieldKind::Utf8 => Values::Texts(Texts::default()),
        };
        Self { values, valid: Bits::default(), nulls: 0 }
    }

    pub(super) fn push(&mut self, cell: Cell<'_>) {
        let fits = match (&mut self.values, cell) {
            (Values::Words(words), Cell::Word(word)) => {
                words.push(word);
                true
            }
            (Values::Bits(bits), Cell::Bit(bit)) => {
                bits.push(bit);
                true
            }
            (Values::Texts(texts), Cell::Text(text)) => {
                texts.push(text);
                true
            }
            (Values::Words(words), _) => {
                words.push(0);
                false
            }
            (Values::Bits(bits), _) => {
                bits.push(false);
                false
            }
            (Values::Texts(texts), _) => {
                texts.push("");
                false
            }
        };
        self.valid.push(fits);
        self.nulls += usize::from(!fits);
    }

    pub(super) fn set(&mut self, index: usize, cell: Cell<'_>) {
        let fits = match (&mut self.values, cell) {
            (Values::Words(words), Cell::Word(word)) => {
                words[index] = word;
                true
            }
            (Values::Bits(bits), Cell::Bit(bit)) => {
                bits.set(index, bit);
                true
            }
            (Values::Texts(texts), Cell::Text(text)) => {
                texts.set(index, text);
                true
            }
            _ => false,
        };
        self.nulls += usize::from(self.valid.get(index));
        self.nulls -= usize::from(fits);
        self.valid.set(index, fits);
    }

    /// Which values are there; `None` if all are.
    pub(super) fn valid(&self) -> Option<&Bits> {
        (self.nulls > 0).then_some(&self.valid)
    }

    /// Drops the oldest `count` values.
    pub(super) fn drop_front(&mut self, count: usize) {
        match &mut self.values {
            Values::Words(words) => drop_front(words, count),
            Values::Bits(bits) => bits.drop_front(count),
            Values::Texts(texts) => texts.drop_front(count),
        }
        self.valid.drop_front(count);
        self.nulls = self.valid.len - self.valid.count();
    }

    /// Reads where a copy of the values from `index` on begins, and where the next value will stand.
    pub(super) fn touch(&self, index: usize) -> u64 {
        let ends =
            |words: &[u64], index| words.get(index).zip(words.last()).map_or(0, |(first, last)| first ^ last);
        let values = match &self.values {
            Values::Words(words) => ends(words, index),
            Values::Bits(bits) => ends(&bits.words, index / 64),
            Values::Texts(texts) => texts.spans.get(index).map_or(0, |(start, _)| *start as u64),
        };
        values ^ ends(&self.valid.words, index / 64)
    }
}

/// Drops the oldest `count` items, and gives memory back that a burst left behind.
pub(super) fn drop_front<T>(items: &mut Vec<T>, count: usize) {
    items.drain(..count);
    if items.capacity() > 4 * items.len() {
        items.shrink_to(2 * items.len());
    }
}

/// Bits, 64 to a word, the first one lowest.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The bits in `range`, up to 64 at a time: the bits from the lowest on, and how many.
    pub(super) fn words(&self, range: Range<usize>) -> impl Iterator<Item = (u64, usize)> {
        range.clone().step_by(64).map(move |start| (self.word(start), (range.end - start).min(64)))
    }

    fn get(&self, index: usize) -> bool {
        self.words[index / 64] >> (index % 64) & 1 == 1
    }

    fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.words[self.len / 64] |= u64::from(bit) << (self.len % 64);
        self.len += 1;
    }

    fn set(&mut self, index: usize, bit: bool) {
        let word = &mut self.words[index / 64];
        *word = *word & !(1 << (index % 64)) | u64::from(bit) << (index % 64);
    }

    fn drop_front(&mut self, count: usize) {
        self.len -= count;
        for word in 0..self.len.div_ceil(64) {
            self.words[word] = self.word(count + 64 * word);
        }
        self.words.truncate(self.len.div_ceil(64));
        // Later bits are put in by `|=`.
        if let Some(last) = self.words.last_mut().filter(|_| !self.len.is_multiple_of(64)) {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }

    fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// 64 bits from `index` on. Those beyond the end are anything.
    fn word(&self, index: usize) -> u64 {
        let (word, shift) = (index / 64, index % 64);
        match self.words.get(word + 1) {
            Some(next) if shift > 0 => self.words[word] >> shift | next << (64 - shift),
            _ => self.words[word] >> shift,
        }
    }
}

/// Texts, one after the other. A text that is replaced stays behind, unused, until it is dropped with its neighbours.
#[derive(Debug, Default)]
pub(super) struct Texts {
    spans: Vec<(usize, usize)>,
    bytes: Vec<u8>,
}

impl Texts {
    /// The texts in `range`, as bytes.
    pub(super) fn iter(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        self.spans[range].iter().map(|&(start, end)| &self.bytes[start..end])
    }

    /// Bytes of the texts in `range`.
    pub(super) fn bytes_in(&self, range: Range<usize>) -> usize {
        self.spans[range].iter().map(|(start, end)| end - start).sum()
    }

    fn push(&mut self, text: &str) {
        let span = self.store(text);
        self.spans.push(span);
    }

    fn set(&mut self, index: usize, text: &str) {
        self.spans[index] = self.store(text);
    }

    fn store(&mut self, text: &str) -> (usize, usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        (start, self.bytes.len())
    }

    fn drop_front(&mut self, count: usize) {
        drop_front(&mut self.spans, count);
        let kept = self.bytes_in(0..self.spans.len());
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(kept));
        for (start, end) in &mut self.spans {
            let moved = self.bytes.len();
            self.bytes.extend_from_slice(&bytes[*start..*end]);
            (*start, *end) = (moved, self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(series: &Series, range: Range<usize>) -> Vec<String> {
        let Values::Texts(texts) = &series.values else { panic!("a series of texts") };
        texts.iter(range).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    fn bits(bits: &Bits, range: Range<usize>) -> Vec<bool> {
        bits.words(range).flat_map(|(word, count)| (0..count).map(move |bit| word >> bit & 1 == 1)).collect()
    }

    #[test]
    fn a_replaced_text_survives_dropping() {
        let mut series = Series::new(FieldKind::Utf8);
        for index in 0..12 {
            series.push(Cell::Text(&format!("item {index}")));
        }
        series.set(9, Cell::Text("another"));
        series.set(10, Cell::Null);
        series.drop_front(8);
        assert_eq!(texts(&series, 0..2), ["item 8", "another"]);
        assert_eq!(texts(&series, 3..4), ["item 11"]);
        assert_eq!(bits(series.valid().unwrap(), 0..4), [true, true, false, true]);
        series.set(2, Cell::Text("found"));
        assert!(series.valid().is_none());
    }

    #[test]
    fn a_value_of_another_kind_is_null() {
        let mut series = Series::new(FieldKind::Bool);
        series.push(Cell::Bit(true));
        series.push(Cell::Word(1));
        series.push(Cell::Text("true"));
        assert_eq!(bits(series.valid().unwrap(), 0..3), [true, false, false]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(bool),
        Set(usize, bool),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => any::<bool>().prop_map(Step::Push),
            5 => (any::<usize>(), any::<bool>()).prop_map(|(index, bit)| Step::Set(index, bit)),
            1 => any::<usize>().prop_map(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn bits_are_like_a_list(steps in proptest::collection::vec(step(), 0..400), cut in any::<(usize, usize)>()) {
            let (mut actual, mut expected) = (Bits::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Push(bit) => {
                        actual.push(bit);
                        expected.push(bit);
                    }
                    Step::Set(index, bit) if !expected.is_empty() => {
                        let index = index % expected.len();
                        actual.set(index, bit);
                        expected[index] = bit;
                    }
                    Step::Drop(count) => {
                        let count = count % (expected.len() + 1);
                        actual.drop_front(count);
                        expected.drain(..count);
                    }
                    Step::Set(..) => {}
                }
            }
            let start = cut.0 % (expected.len() + 1);
            let end = start + cut.1 % (expected.len() - start + 1);
            prop_assert_eq!(bits(&actual, start..end), &expected[start..end]);
            prop_assert_eq!(actual.count(), expected.iter().filter(|bit| **bit).count());
        }
    }
}
