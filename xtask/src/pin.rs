//! Which ONNX Runtime is fetched: one wheel per platform, named by its hash.
//!
//! To move to another version: change [`VERSION`], download the wheel of each platform with
//! `python3 -m pip download onnxruntime==VERSION --no-deps --only-binary=:all: --python-version 3.12
//! --implementation cp --platform PLATFORM`, and write down its SHA-256 and that of the library inside.

/// The version of ONNX Runtime that foretell is tested with.
pub(crate) const VERSION: &str = "1.32.0";

/// The Python version whose wheel is taken. The library in it knows nothing of Python: any wheel would do, but
/// one has to be chosen, and it must not depend on the Python that happens to be installed.
pub(crate) const PYTHON_VERSION: &str = "3.12";

/// One platform's wheel, and the library in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pin<'a> {
    /// As in [`std::env::consts::OS`].
    pub(crate) os: &'a str,
    /// As in [`std::env::consts::ARCH`].
    pub(crate) arch: &'a str,
    /// pip's name of the platform.
    pub(crate) platform: &'a str,
    /// SHA-256 of the wheel, in hexadecimal.
    pub(crate) wheel_sha256: &'a str,
    /// File name of the library, which stands in `onnxruntime/capi` of the wheel.
    pub(crate) library: &'a str,
    /// SHA-256 of the library, in hexadecimal.
    pub(crate) library_sha256: &'a str,
}

const PINS: [Pin<'static>; 4] = [
    Pin {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        wheel_sha256: "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
        library: "libonnxruntime.so.1.32.0",
        library_sha256: "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
    },
    Pin {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        wheel_sha256: "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
        library: "libonnxruntime.so.1.32.0",
        library_sha256: "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
    },
    Pin {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_14_0_arm64",
        wheel_sha256: "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
        library: "libonnxruntime.1.32.0.dylib",
        library_sha256: "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7",
    },
    Pin {
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        wheel_sha256: "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40",
        library: "onnxruntime.dll",
        library_sha256: "443c0065fcdba17618ddef05050308f4b471893c5c7da0337d6957c9073ad8a7",
    },
];

/// The wheel for an operating system and a processor.
pub(crate) fn pin(os: &str, arch: &str) -> Option<Pin<'static>> {
    PINS.into_iter().find(|pin| pin.os == os && pin.arch == arch)
}

/// The platforms that have a pin, for the message to somebody on another.
pub(crate) fn platforms() -> String {
    PINS.map(|pin| format!("{} {}", pin.os, pin.arch)).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_whole_hashes_and_named_libraries() {
        let is_sha256 =
            |text: &str| text.len() == 64 && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
        for pin in PINS {
            assert!(is_sha256(pin.wheel_sha256) && is_sha256(pin.library_sha256), "{pin:?}");
            assert!(pin.os == "windows" || pin.library.contains(VERSION), "{pin:?}");
        }
        assert!(pin("linux", "x86_64").is_some());
        assert!(pin("linux", "sparc64").is_none());
    }
}
