//! The same network without foretell: the `ort` crate, as its documentation uses it.

use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use foretell_plugin_fraud::features::FEATURES;
use foretell_runtime::onnx::Runtime;

/// A session on one thread, with an input tensor that is made once.
pub(super) struct Bare {
    session: Session,
    input: Tensor<f32>,
}

impl Bare {
    /// Opens the network in `model` for calls of `rows` rows.
    pub(super) fn new(runtime: &Runtime, model: &[u8], rows: usize) -> ort::Result<Self> {
        let session = session(runtime, model)?;
        let input = Tensor::from_array(([rows, FEATURES], vec![0.0f32; rows * FEATURES]))?;
        Ok(Self { session, input })
    }

    /// The input, row by row.
    pub(super) fn features_mut(&mut self) -> &mut [f32] {
        self.input.extract_tensor_mut().1
    }

    /// Runs the network, and hands its scores to `take`.
    pub(super) fn run<T>(&mut self, take: impl FnOnce(&[f32]) -> T) -> ort::Result<T> {
        let outputs = self.session.run(ort::inputs![&self.input])?;
        let (_, scores) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(take(scores))
    }
}

/// The quickest way that `ort` has: input and output are bound to the session once.
pub(super) struct Bound {
    session: Session,
    binding: IoBinding,
}

impl Bound {
    /// Opens the network in `model`, and binds `features` to it.
    pub(super) fn new(runtime: &Runtime, model: &[u8], features: &[f32]) -> ort::Result<Self> {
        let session = session(runtime, model)?;
        let rows = features.len() / FEATURES;
        let mut binding = session.create_binding()?;
        binding.bind_input("features", &Tensor::from_array(([rows, FEATURES], features.to_vec()))?)?;
        binding.bind_output("score", Tensor::<f32>::new(&Allocator::default(), [rows])?)?;
        Ok(Self { session, binding })
    }

    /// Runs the network, and hands its scores to `take`.
    pub(super) fn run<T>(&mut self, take: impl FnOnce(&[f32]) -> T) -> ort::Result<T> {
        let outputs = self.session.run_binding(&self.binding)?;
        let (_, scores) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(take(scores))
    }
}

fn session(runtime: &Runtime, model: &[u8]) -> ort::Result<Session> {
    Session::builder(runtime.environment())?.with_intra_threads(1)?.commit_from_memory(model)
}
