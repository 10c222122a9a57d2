//! Tensors that somebody else owns: an element type, a shape, and a place in memory.

use std::{fmt, marker::PhantomData};

use ort::{sys::ONNXTensorElementDataType as Code, value::TensorElementType};

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// 16-bit floating-point number.
    F16,
    /// 32-bit floating-point number.
    F32,
    /// 64-bit floating-point number.
    F64,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// True or false, a byte each.
    Bool,
}

impl Element {
    /// Bytes of one element; also its alignment.
    pub const fn bytes(self) -> usize {
        match self {
            Element::I8 | Element::U8 | Element::Bool => 1,
            Element::F16 | Element::I16 | Element::U16 => 2,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F64 | Element::I64 | Element::U64 => 8,
        }
    }

    pub(super) const fn code(self) -> Code {
        match self {
            Element::F16 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
            Element::F32 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
            Element::F64 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
            Element::I8 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
            Element::I16 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
            Element::I32 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
            Element::I64 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
            Element::U8 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
            Element::U16 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
            Element::U32 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
            Element::U64 => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
            Element::Bool => Code::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
        }
    }

    /// The element type that a network declares; `None` for text and the others that can't cross as plain memory.
    pub(super) fn declared(kind: TensorElementType) -> Option<Element> {
        Some(match kind {
            TensorElementType::Float16 => Element::F16,
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float64 => Element::F64,
            TensorElementType::Int8 => Element::I8,
            TensorElementType::Int16 => Element::I16,
            TensorElementType::Int32 => Element::I32,
            TensorElementType::Int64 => Element::I64,
            TensorElementType::Uint8 => Element::U8,
            TensorElementType::Uint16 => Element::U16,
            TensorElementType::Uint32 => Element::U32,
            TensorElementType::Uint64 => Element::U64,
            TensorElementType::Bool => Element::Bool,
            _ => return None,
        })
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Element::F16 => "f16",
            Element::F32 => "f32",
            Element::F64 => "f64",
            Element::I8 => "i8",
            Element::I16 => "i16",
            Element::I32 => "i32",
            Element::I64 => "i64",
            Element::U8 => "u8",
            Element::U16 => "u16",
            Element::U32 => "u32",
            Element::U64 => "u64",
            Element::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type whose values are elements of a tensor as they are, byte for byte.
pub trait Native: Copy + sealed::Sealed {
    /// The element type.
    const ELEMENT: Element;
}

macro_rules! native {
    ($($type:ty => $element:ident),*) => {$(
        impl sealed::Sealed for $type {}
        impl Native for $type {
            const ELEMENT: Element = Element::$element;
        }
    )*};
}

native!(f32 => F32, f64 => F64, i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64);

/// An input, lent for a run: dense, row-major, in main memory.
///
/// Whether memory, shape and element type fit together is checked by [`Model::run`](super::Model::run).
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'a> {
    pub(super) element: Element,
    pub(super) shape: &'a [i64],
    pub(super) data: *const u8,
    pub(super) bytes: usize,
    memory: PhantomData<&'a [u8]>,
}

impl<'a> TensorView<'a> {
    /// A tensor in these bytes.
    pub fn new(element: Element, shape: &'a [i64], data: &'a [u8]) -> TensorView<'a> {
        TensorView { element, shape, data: data.as_ptr(), bytes: data.len(), memory: PhantomData }
    }

    /// A tensor of these numbers.
    pub fn of<T: Native>(shape: &'a [i64], values: &'a [T]) -> TensorView<'a> {
        let (data, bytes) = (values.as_ptr().cast(), size_of_val(values));
        TensorView { element: T::ELEMENT, shape, data, bytes, memory: PhantomData }
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts { element: self.element, shape: self.shape, address: self.data.addr(), bytes: self.bytes }
    }
}

/// An output, lent for a run to be written: dense, row-major, in main memory.
///
/// Its content after a run that failed is not specified.
#[derive(Debug)]
pub struct TensorViewMut<'a> {
    pub(super) element: Element,
    pub(super) shape: &'a [i64],
    pub(super) data: *mut u8,
    pub(super) bytes: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> TensorViewMut<'a> {
    /// A tensor in these bytes. A `bool` is written as 0 or 1.
    pub fn new(element: Element, shape: &'a [i64], data: &'a mut [u8]) -> TensorViewMut<'a> {
        TensorViewMut { element, shape, data: data.as_mut_ptr(), bytes: data.len(), memory: PhantomData }
    }

    /// A tensor of these numbers.
    pub fn of<T: Native>(shape: &'a [i64], values: &'a mut [T]) -> TensorViewMut<'a> {
        let bytes = size_of_val(values);
        let data = values.as_mut_ptr().cast();
        TensorViewMut { element: T::ELEMENT, shape, data, bytes, memory: PhantomData }
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts { element: self.element, shape: self.shape, address: self.data.addr(), bytes: self.bytes }
    }
}

/// What is checked of a lent tensor.
pub(super) struct Facts<'a> {
    pub(super) element: Element,
    pub(super) shape: &'a [i64],
    address: usize,
    bytes: usize,
}

impl Facts<'_> {
    /// Whether the memory is what element type and shape need: neither more nor less, and aligned.
    pub(super) fn fits_memory(&self) -> bool {
        let size = self
            .shape
            .iter()
            .try_fold(self.element.bytes(), |size, length| size.checked_mul(usize::try_from(*length).ok()?));
        size == Some(self.bytes) && self.address.is_multiple_of(self.element.bytes())
    }
}

impl fmt::Display for Facts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{:?}", self.element, self.shape)?;
        if !self.fits_memory() {
            let aligned = if self.address.is_multiple_of(self.element.bytes()) { "" } else { "unaligned " };
            write!(formatter, " in {} {aligned}bytes", self.bytes)?;
        }
        Ok(())
    }
}

/// A dimension of an input or output, as the network declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// Always this long.
    Fixed(i64),
    /// Any length, by a name such as `batch`; an empty one if the network gives none.
    Any(String),
}

/// An input or output, as the network declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the network.
    pub name: String,
    /// Type of its elements.
    pub element: Element,
    /// Its dimensions.
    pub shape: Vec<Dimension>,
}

impl TensorSpec {
    pub(super) fn accepts(&self, tensor: &Facts<'_>) -> bool {
        let same = |(declared, found): (&Dimension, &i64)| match declared {
            Dimension::Fixed(length) => length == found,
            Dimension::Any(_) => true,
        };
        self.element == tensor.element
            && self.shape.len() == tensor.shape.len()
            && self.shape.iter().zip(tensor.shape).all(same)
    }
}

impl fmt::Display for TensorSpec {
    /// Element type and shape, such as `f32[batch, 3]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[", self.element)?;
        for (index, dimension) in self.shape.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match dimension {
                Dimension::Fixed(length) => write!(formatter, "{comma}{length}")?,
                Dimension::Any(name) if name.is_empty() => write!(formatter, "{comma}any")?,
                Dimension::Any(name) => write!(formatter, "{comma}{name}")?,
            }
        }
        formatter.write_str("]")
    }
}
