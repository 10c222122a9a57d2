//! Plugins that break the contract, in the process that asks them.

mod contract;

use std::sync::Arc;

use foretell_runtime::onnx::Runtime;

/// The runtime that plugins are loaded with.
fn runtime() -> Arc<Runtime> {
    foretell_tests::onnx_runtime()
}
