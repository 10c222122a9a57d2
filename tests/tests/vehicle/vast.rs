//! A picture of many pixels and few bytes, written without passing over its pixels: a build without optimisation takes seconds to
//! compress them.

/// The bytes of a match (RFC 1951, section 3.2.5: 258 is the most), and the bits that one has in the fixed code: 8 of its length, 5
/// of its distance.
const MATCH_BYTES: u64 = 258;
/// The largest prime below 65,536, of which Adler-32 counts the remainders (RFC 1950, section 8.2).
const ADLER_BASE: u64 = 65_521;

/// Bits of a deflate stream, the lowest one of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    waiting: u32,
    count: u32,
}

impl Bits {
    /// Adds so many bits of a Huffman code, whose highest one comes first.
    fn code(&mut self, code: u32, count: u32) {
        for place in (0..count).rev() {
            self.waiting |= ((code >> place) & 1) << self.count;
            self.count += 1;
            if self.count == u8::BITS {
                self.bytes.push(self.waiting as u8);
                (self.waiting, self.count) = (0, 0);
            }
        }
    }
}

/// So many zeros, compressed in one block with the fixed code: a zero, matches that repeat it, and zeros for what is left.
fn zeros(count: u64) -> Vec<u8> {
    let mut bits = Bits { bytes: vec![0x78, 0x01], ..Bits::default() };
    // The last block, and the fixed code, whose number comes lowest bit first.
    bits.code(0b1, 1);
    bits.code(0b10, 2);
    let zero = |bits: &mut Bits| bits.code(0b0011_0000, 8);
    zero(&mut bits);
    for _ in 0..(count - 1) / MATCH_BYTES {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    (0..(count - 1) % MATCH_BYTES).for_each(|_| zero(&mut bits));
    // The end of the block, and zeros up to the end of the byte.
    bits.code(0, 7);
    bits.code(0, (u8::BITS - bits.count) % u8::BITS);
    let sum = ((count % ADLER_BASE) << 16) | 1;
    [bits.bytes, (sum as u32).to_be_bytes().to_vec()].concat()
}

/// A black picture in colour as a PNG file. The filter of a row is a zero too, so all of it is zeros.
pub(super) fn black(width: u32, height: u32) -> Vec<u8> {
    let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits a sample, red, green and blue; not interlaced.
    let head = [&sizes[..], &[8, 2, 0, 0, 0]].concat();
    let pixels = zeros(u64::from(height) * (1 + 3 * u64::from(width)));
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &head), (b"IDAT", &pixels), (b"IEND", &Vec::new())] {
        file.extend((content.len() as u32).to_be_bytes());
        let from = file.len();
        file.extend(kind);
        file.extend(content);
        file.extend(check(&file[from..]).to_be_bytes());
    }
    file
}

/// CRC-32 of PNG (ISO/IEC 15948, annex D), with its table.
fn check(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |rest, _| if rest & 1 == 1 { (rest >> 1) ^ POLYNOMIAL } else { rest >> 1 })
    });
    let fold = |rest: u32, &byte: &u8| table[(rest as u8 ^ byte) as usize] ^ (rest >> 8);
    !bytes.iter().fold(u32::MAX, fold)
}
