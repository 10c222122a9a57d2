//! Noting what networks are run with, to run them again with the same: what a plugin costs beside its networks.

use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    model::Model,
    session::RunError,
    tensor::{Element, TensorView, TensorViewMut},
};
use crate::hash::Hash;

/// Bytes of a word, in which tensors are kept: what the largest element is aligned to.
const WORD_BYTES: usize = size_of::<u64>();

/// Whether runs are noted. Looked at in each run, and nothing else of this is when they are not.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// What was noted.
static NOTED: Mutex<Noted> = Mutex::new(Noted { runs: Vec::new(), bytes_left: 0, is_complete: true });
/// One recording at a time.
static TURN: Mutex<()> = Mutex::new(());

struct Noted {
    runs: Vec<RecordedRun>,
    bytes_left: usize,
    is_complete: bool,
}

/// A run of a network, with what it was given.
#[derive(Debug)]
pub struct RecordedRun {
    model: Hash,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// A tensor with memory of its own.
#[derive(Debug)]
struct Tensor {
    element: Element,
    shape: Vec<i64>,
    bytes: usize,
    words: Vec<u64>,
}

impl Tensor {
    fn new(element: Element, shape: &[i64], bytes: usize) -> Tensor {
        Tensor { element, shape: shape.to_owned(), bytes, words: vec![0; bytes.div_ceil(WORD_BYTES)] }
    }
}

/// Does `work`, and gives every run that a network has made meanwhile, in whichever thread, in the order in which they began.
///
/// None where their tensors have more than `bytes_max` bytes together.
pub fn record<R>(bytes_max: usize, work: impl FnOnce() -> R) -> (R, Option<Vec<RecordedRun>>) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    *noted() = Noted { runs: Vec::new(), bytes_left: bytes_max, is_complete: true };
    IS_ON.store(true, Ordering::SeqCst);
    let _off = Off;
    let done = work();
    let noted = &mut *noted();
    let runs = mem::take(&mut noted.runs);
    (done, noted.is_complete.then_some(runs))
}

/// Ends a recording, also where the work panics.
struct Off;

impl Drop for Off {
    fn drop(&mut self) {
        IS_ON.store(false, Ordering::SeqCst);
    }
}

fn noted() -> std::sync::MutexGuard<'static, Noted> {
    NOTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a run whose tensors were checked, if runs are noted.
pub(super) fn note(model: Hash, inputs: &[TensorView<'_>], outputs: &[TensorViewMut<'_>]) {
    if !IS_ON.load(Ordering::Relaxed) {
        return;
    }
    let noted = &mut *noted();
    let sizes = inputs.iter().map(|tensor| tensor.bytes).chain(outputs.iter().map(|tensor| tensor.bytes));
    match sizes.into_iter().try_fold(noted.bytes_left, usize::checked_sub) {
        Some(left) if noted.is_complete => noted.bytes_left = left,
        _ => {
            noted.is_complete = false;
            noted.runs = Vec::new();
            return;
        }
    }
    let kept = |view: &TensorView<'_>| {
        let mut tensor = Tensor::new(view.element, view.shape, view.bytes);
        if view.bytes > 0 {
            #[expect(
                unsafe_code,
                reason = "a view keeps its slice as pointer and length, as ONNX Runtime takes it"
            )]
            // SAFETY: a view is made of a slice of that many bytes, which it borrows for as long as it lives. The words have room
            // for them, since their number was rounded up, and are memory of our own, so the two don't overlap.
            unsafe {
                std::ptr::copy_nonoverlapping(view.data, tensor.words.as_mut_ptr().cast(), view.bytes);
            }
        }
        tensor
    };
    let inputs = inputs.iter().map(kept).collect();
    let outputs = outputs.iter().map(|view| Tensor::new(view.element, view.shape, view.bytes)).collect();
    noted.runs.push(RecordedRun { model, inputs, outputs });
}

impl RecordedRun {
    /// Hash of the network that ran.
    pub fn model(&self) -> Hash {
        self.model
    }

    /// Runs the network with the same inputs again, for outputs of the same shapes. `model` must be of the same network.
    pub fn repeat(&mut self, model: &Model) -> Result<(), RunError> {
        fn bytes(words: &[u64], bytes: usize) -> &[u8] {
            &bytemuck::cast_slice(words)[..bytes]
        }
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .map(|tensor| TensorView::new(tensor.element, &tensor.shape, bytes(&tensor.words, tensor.bytes)))
            .collect();
        let mut outputs: Vec<_> = self
            .outputs
            .iter_mut()
            .map(|tensor| {
                let memory = &mut bytemuck::cast_slice_mut(&mut tensor.words)[..tensor.bytes];
                TensorViewMut::new(tensor.element, &tensor.shape, memory)
            })
            .collect();
        model.run(&inputs, &mut outputs)
    }
}
