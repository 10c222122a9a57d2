//! Which system and processor a library was built for, by its first bytes. It is not loaded.

use std::{
    env::consts,
    fmt,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::{files::FileError, manifest::Manifest};

/// Bytes at the beginning of a file that tell its kind.
const HEAD_BYTES: usize = 64;
/// Beginnings and endings of the names of libraries, by system.
const AFFIXES: [(&str, &str, &str); 3] =
    [("linux", "lib", ".so"), ("macos", "lib", ".dylib"), ("windows", "", ".dll")];
/// The processor of a library for several.
const UNIVERSAL: &str = "universal";

/// An operating system and a processor, as Rust calls them: `linux-x86_64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `macos`, `windows` and others.
    pub os: String,
    /// `x86_64`, `aarch64` and others; `universal` is a library of macOS for several.
    pub arch: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.os, self.arch)
    }
}

impl Platform {
    /// The one that this program runs on.
    pub fn here() -> Platform {
        Platform { os: consts::OS.to_owned(), arch: consts::ARCH.to_owned() }
    }

    /// The one that a library was built for; none if the file is no library that is known.
    pub fn of_library(path: &Path) -> Result<Option<Platform>, FileError> {
        let read = || {
            let mut file = File::open(path)?;
            let head = head(&mut file)?;
            // PE format, "MS-DOS Stub": at 0x3C stands where the rest begins.
            let Some(offset) = head.strip_prefix(b"MZ").and_then(|rest| number(rest, 0x3C - 2, false)) else {
                return Ok(of_head(&head));
            };
            file.seek(SeekFrom::Start(offset.into()))?;
            Ok(of_portable(&self::head(&mut file)?))
        };
        read().map_err(FileError::of("read", path))
    }

    /// Whether a library for this platform is one for another.
    pub(crate) fn fits(&self, other: &Platform) -> bool {
        self.os == other.os && (self.arch == other.arch || self.arch == UNIVERSAL)
    }

    fn new(os: &str, arch: &str) -> Platform {
        Platform { os: os.to_owned(), arch: arch.to_owned() }
    }
}

/// The file name of a plugin's library on another system, and the system, if `exists` knows such a file.
pub(crate) fn foreign_library(
    manifest: &Manifest,
    exists: impl Fn(&str) -> bool,
) -> Option<(String, &'static str)> {
    let names = AFFIXES.map(|(os, start, end)| (format!("{start}{}{end}", manifest.plugin.library), os));
    names.into_iter().find(|(name, _)| *name != manifest.library_file() && exists(name))
}

fn head(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// ELF (System V ABI, chapter 4, "ELF Header") and Mach-O (`mach-o/loader.h` and `fat.h`).
fn of_head(head: &[u8]) -> Option<Platform> {
    if let Some(rest) = head.strip_prefix(b"\x7fELF") {
        let [is_wide, is_big] = [*rest.first()? == 2, *rest.get(1)? == 2];
        let machine = half(head, 18, is_big)?;
        let arch = match (machine, is_wide) {
            (3, _) => "x86",
            (21, _) => "powerpc64",
            (22, _) => "s390x",
            (40, _) => "arm",
            (62, _) => "x86_64",
            (183, _) => "aarch64",
            (243, true) => "riscv64",
            (243, false) => "riscv32",
            (258, _) => "loongarch64",
            _ => return Some(Platform::new(elf_os(), &format!("machine{machine}"))),
        };
        return Some(Platform::new(elf_os(), arch));
    }
    let kind = number(head, 0, false)?;
    let arch = match (kind, number(head, 4, false)?) {
        (0xFEED_FACF, 0x0100_0007) => "x86_64",
        (0xFEED_FACF, 0x0100_000C) => "aarch64",
        // Its numbers have the other order of bytes.
        (0xBEBA_FECA, _) => UNIVERSAL,
        _ => return None,
    };
    Some(Platform::new("macos", arch))
}

/// ELF is that of many systems, and does not tell which.
fn elf_os() -> &'static str {
    if cfg!(any(windows, target_os = "macos")) { "linux" } else { consts::OS }
}

/// PE format, "COFF File Header".
fn of_portable(head: &[u8]) -> Option<Platform> {
    let arch = match half(head.strip_prefix(b"PE\0\0")?, 0, false)? {
        0x014C => "x86",
        0x8664 => "x86_64",
        0xAA64 => "aarch64",
        _ => return None,
    };
    Some(Platform::new("windows", arch))
}

fn half(bytes: &[u8], at: usize, is_big: bool) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(if is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}

fn number(bytes: &[u8], at: usize, is_big: bool) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Platform::of_library(file.path()).unwrap().map(|platform| platform.to_string())
    }

    fn elf(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order]);
        bytes[18..20].copy_from_slice(&machine);
        bytes
    }

    fn portable(machine: [u8; 2], offset: u8) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3C] = offset;
        bytes[offset as usize..][..4].copy_from_slice(b"PE\0\0");
        bytes[offset as usize + 4..][..2].copy_from_slice(&machine);
        bytes
    }

    #[test]
    fn libraries_are_told_by_their_heads() {
        let elves = |arch: &str| Some(format!("{}-{arch}", elf_os()));
        let mac = |bytes: [u8; 8]| bytes.to_vec();
        for (bytes, expected) in [
            (elf(2, 1, [62, 0]), elves("x86_64")),
            (elf(2, 1, [183, 0]), elves("aarch64")),
            (elf(2, 2, [0, 22]), elves("s390x")),
            (elf(1, 1, [243, 0]), elves("riscv32")),
            (elf(2, 1, [9, 9]), elves("machine2313")),
            (portable([0x64, 0x86], 0x80), Some("windows-x86_64".to_owned())),
            (portable([0x64, 0xAA], 0xF0), Some("windows-aarch64".to_owned())),
            (mac([0xCF, 0xFA, 0xED, 0xFE, 0x0C, 0, 0, 1]), Some("macos-aarch64".to_owned())),
            (mac([0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 2]), Some("macos-universal".to_owned())),
            (portable([1, 2], 0x80), None),
            (b"MZ".to_vec(), None),
            (elf(2, 1, [62, 0])[..19].to_vec(), None),
            (b"code".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(of(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn this_program_is_for_here() {
        let found = Platform::of_library(&std::env::current_exe().unwrap()).unwrap().unwrap();
        assert!(found.fits(&Platform::here()), "{found}");
        assert!(!Platform::new("other", consts::ARCH).fits(&Platform::here()));
        assert!(Platform::new(consts::OS, UNIVERSAL).fits(&Platform::here()));
    }
}
