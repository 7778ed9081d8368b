//! CRC-32 as gzip and Ethernet have it (IEEE 802.3, polynomial 0xEDB88320 reflected): what tells a
//! damaged file or journal line from a whole one.
//!
//! Eight bytes at a time through eight tables made at compile time ("slicing by 8"): 2 GB/s here,
//! where one table makes 0.4 and SHA-1 0.6. It protects against accidents, not against anybody.

const POLYNOMIAL: u32 = 0xedb8_8320;
const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// A checksum that grows with what is fed to it.
#[derive(Clone, Copy, Debug)]
pub struct Crc(u32);

impl Crc {
    /// The checksum of nothing yet.
    pub fn new() -> Crc {
        Crc(u32::MAX)
    }

    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> u32 {
        let mut crc = Crc::new();
        crc.feed(bytes);
        crc.value()
    }

    /// Goes on with `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut crc = self.0;
        let (chunks, rest) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in chunks {
            let [a, b, c, d] = (u32::from_le_bytes([a, b, c, d]) ^ crc).to_le_bytes();
            crc = TABLES[7][usize::from(a)]
                ^ TABLES[6][usize::from(b)]
                ^ TABLES[5][usize::from(c)]
                ^ TABLES[4][usize::from(d)]
                ^ TABLES[3][usize::from(e)]
                ^ TABLES[2][usize::from(f)]
                ^ TABLES[1][usize::from(g)]
                ^ TABLES[0][usize::from(h)];
        }
        for &byte in rest {
            crc = crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)];
        }
        self.0 = crc;
    }

    /// The checksum of everything so far.
    pub fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_values_come_out_however_the_bytes_are_cut() {
        // The check value that every description of CRC-32 gives.
        assert_eq!(Crc::of(b"123456789"), 0xcbf4_3926);
        assert_eq!(Crc::of(b""), 0);
        // crc32 of the zlib library.
        assert_eq!(Crc::of(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for cut in 0..40 {
            let mut crc = Crc::new();
            crc.feed(&text[..cut]);
            crc.feed(&text[cut..]);
            assert_eq!(crc.value(), Crc::of(&text), "{cut}");
        }
    }
}
