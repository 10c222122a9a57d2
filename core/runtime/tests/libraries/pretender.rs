//! Libraries that are not a usable ONNX Runtime. Which one is chosen by `--cfg`.

#[cfg(not(no_symbol))]
mod base {
    use std::ffi::{c_char, c_void};

    #[repr(C)]
    pub struct Base {
        api: extern "system" fn(u32) -> *const c_void,
        version: extern "system" fn() -> *const c_char,
    }

    extern "system" fn api(_version: u32) -> *const c_void {
        std::ptr::null()
    }

    extern "system" fn version() -> *const c_char {
        if cfg!(no_version) {
            std::ptr::null()
        } else if cfg!(old) {
            c"1.17.3".as_ptr()
        } else {
            c"1.99.0".as_ptr()
        }
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn OrtGetApiBase() -> *const Base {
        static BASE: Base = Base { api, version };
        if cfg!(no_base) { std::ptr::null() } else { &raw const BASE }
    }
}
