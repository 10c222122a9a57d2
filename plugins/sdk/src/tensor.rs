//! Tensors that a plugin lends to a network: dense, row-major, in main memory.

use std::marker::PhantomData;

use foretell_abi::{DLDataType, DLDevice, DLTensor};

use crate::Error;

mod private {
    /// What only this package can name.
    #[doc(hidden)]
    pub trait Sealed {}
}

/// A type that a tensor's elements can have: these and no other, since the host writes as many bytes as the type says.
pub trait Element: Copy + private::Sealed {
    /// The same in DLPack's words.
    const TYPE: DLDataType;
}
macro_rules! element {
    ($($element:ty => $kind:ident),+) => {
        $(impl private::Sealed for $element {}

        impl Element for $element {
            const TYPE: DLDataType = DLDataType::$kind;
        })+
    };
}
element!(f32 => F32, f64 => F64, i32 => I32, i64 => I64, u8 => U8, bool => BOOL);

/// An input of a network.
///
/// ```
/// use foretell_sdk::Tensor;
/// assert!(Tensor::new(&[1.0f32, 2.0, 3.0], &[1, 3]).is_ok());
/// assert!(Tensor::new(&[1.0f32, 2.0, 3.0], &[2, 3]).is_err());
/// ```
#[repr(transparent)]
pub struct Tensor<'a> {
    raw: DLTensor,
    data: PhantomData<&'a [u8]>,
}

impl<'a> Tensor<'a> {
    /// Lends `data`, row-major, as a tensor of `shape`.
    pub fn new<T: Element>(data: &'a [T], shape: &'a [i64]) -> Result<Self, Error> {
        Ok(Self { raw: lend::<T>(data.as_ptr().cast_mut(), data.len(), shape)?, data: PhantomData })
    }
}

/// An output of a network, which the network fills.
#[repr(transparent)]
pub struct TensorMut<'a> {
    raw: DLTensor,
    data: PhantomData<&'a mut [u8]>,
}

impl<'a> TensorMut<'a> {
    /// Lends `data`, row-major, to be filled as a tensor of `shape`.
    pub fn new<T: Element>(data: &'a mut [T], shape: &'a [i64]) -> Result<Self, Error> {
        Ok(Self { raw: lend::<T>(data.as_mut_ptr(), data.len(), shape)?, data: PhantomData })
    }
}

fn lend<T: Element>(data: *mut T, length: usize, shape: &[i64]) -> Result<DLTensor, Error> {
    let elements = shape.iter().try_fold(1i64, |product, &size| product.checked_mul(size));
    if elements.and_then(|elements| usize::try_from(elements).ok()) != Some(length) {
        return Err(Error::failed(format!("a tensor of shape {shape:?} can't hold {length} elements")));
    }
    Ok(DLTensor {
        data: data.cast(),
        device: DLDevice::CPU,
        ndim: shape.len() as i32,
        dtype: T::TYPE,
        shape: shape.as_ptr().cast_mut(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    })
}
