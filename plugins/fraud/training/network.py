"""The feed-forward network: its encoding of the 15 features, an ensemble trained side by side, its ONNX graph."""

import math

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn.functional import binary_cross_entropy_with_logits

from features import NAMES, WINDOWS

# Added before the logarithm. A customer's count includes the current payment and is never 0. A terminal sees
# about one payment a day, so 1/30 is about the risk that one known fraud gives to a month.
COUNT_OFFSET, RISK_OFFSET, OFFSET = 0.0, 1 / 30, 1.0
# Keeps the logarithm finite for inputs which should not occur, such as a negative amount.
FLOOR = 1 / 30


# One training week holds one weekend, whose accidents the network would learn as a rule: with these two inputs
# all three metrics are lower on the validation folds. The graph accepts them and gives them no weight.
IGNORED = ("tx_during_weekend", "tx_during_night")


class Encoding:
    """What the network sees: the features, their logarithms, and products and quotients of them.

    Written as constant arrays, so that training and the graph cannot differ:
      logs      = log(max(features + offset, FLOOR))
      relations = exp(logs @ exponents)
    The relations, for each window: the payment over the customer's mean, the payment over all the customer
    spent, and the terminal's count times its risk, which yields the number of known frauds.
    """

    def __init__(self):
        self.offset = np.array([self._offset(name) for name in NAMES], dtype=np.float32)
        relations = []
        for window in WINDOWS:
            mean = f"customer_id_avg_amount_{window}day_window"
            count = f"customer_id_nb_tx_{window}day_window"
            relations.append({"tx_amount": 1, mean: -1})
            relations.append({"tx_amount": 1, mean: -1, count: -1})
            relations.append({f"terminal_id_nb_tx_{window}day_window": 1, f"terminal_id_risk_{window}day_window": 1})
        self.exponents = np.zeros((len(NAMES), len(relations)), dtype=np.float32)
        for column, relation in enumerate(relations):
            for name, exponent in relation.items():
                self.exponents[NAMES.index(name), column] = exponent

        used = np.array([name not in IGNORED for name in NAMES])
        self.used = np.concatenate([used, used, np.ones(len(relations), dtype=bool)])

    @staticmethod
    def _offset(name):
        if name.startswith("customer_id_nb"):
            return COUNT_OFFSET
        return RISK_OFFSET if "_risk_" in name else OFFSET

    def __call__(self, features):
        logs = np.log(np.maximum(features + self.offset, np.float32(FLOOR)))
        return np.concatenate([features, logs, np.exp(logs @ self.exponents)], axis=1)


class Network:
    """Normalisation and the weights of all members: hidden [members, inputs, units], output [members, units, 1]."""

    def __init__(self, mean, deviation, hidden, hidden_bias, output, output_bias):
        self.mean, self.deviation = mean, deviation
        self.hidden, self.hidden_bias = hidden, hidden_bias
        self.output, self.output_bias = output, output_bias

    def fused(self):
        """One wide layer whose logit is the mean of the members' logits, the normalisation folded in."""
        members, inputs, units = self.hidden.shape
        hidden = self.hidden.transpose(1, 0, 2).reshape(inputs, members * units).astype(np.float64)
        bias = self.hidden_bias.reshape(-1) - (self.mean / self.deviation) @ hidden
        hidden = hidden / self.deviation[:, None]
        output = self.output.reshape(-1, 1) / members
        return [array.astype(np.float32) for array in (hidden, bias, output, self.output_bias.mean().reshape(1))]


def train(features, fraud, *, members, units, epochs, batch, rate, seed):
    """Trains all members at once on the same rows, each with its own initial weights and its own order of rows."""
    encoding = Encoding()
    encoded = encoding(features).astype(np.float64)
    # An infinite deviation makes an input 0 in training and its folded weights 0 in the graph.
    mean, deviation = encoded.mean(axis=0), np.where(encoding.used, encoded.std(axis=0), np.inf)
    rows = torch.tensor((encoded - mean) / deviation, dtype=torch.float32)
    labels = torch.tensor(fraud, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)

    def layer(inputs, outputs):
        bound = math.sqrt(2 / inputs)
        weights = (torch.rand(members, inputs, outputs, generator=generator) * 2 - 1) * bound
        return weights.requires_grad_(), torch.zeros(members, 1, outputs, requires_grad=True)

    hidden, hidden_bias = layer(rows.shape[1], units)
    output, output_bias = layer(units, 1)
    optimiser = torch.optim.Adam([hidden, hidden_bias, output, output_bias], lr=rate, fused=True)
    steps = len(rows) // batch * epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(step, steps))
    for _ in range(epochs):
        order = torch.stack([torch.randperm(len(rows), generator=generator) for _ in range(members)])
        for first in range(0, len(rows) - batch + 1, batch):
            chosen = order[:, first : first + batch]
            activations = torch.relu(torch.baddbmm(hidden_bias, rows[chosen], hidden))
            logits = torch.baddbmm(output_bias, activations, output)[..., 0]
            # Summed over the members: each follows its own gradient only.
            loss = binary_cross_entropy_with_logits(logits, labels[chosen]) * members
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    weights = (tensor.detach().numpy() for tensor in (hidden, hidden_bias, output, output_bias))
    return Network(mean, deviation, *weights)


def rate_factor(step, steps, warm_up=200):
    """Linear warm-up, then half a cosine down to zero."""
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


def to_onnx(network, description):
    """The graph: `features` float32 [batch, 15], raw, to `score` float32 [batch]."""
    encoding = Encoding()
    hidden, hidden_bias, output, output_bias = network.fused()
    constants = {
        "offset": encoding.offset,
        "floor": np.array(FLOOR, dtype=np.float32),
        "exponents": encoding.exponents,
        "hidden": hidden,
        "hidden_bias": hidden_bias,
        "output": output,
        "output_bias": output_bias,
        "flat": np.array([-1], dtype=np.int64),
    }
    steps = [
        ("Add", ["features", "offset"], "shifted"),
        ("Max", ["shifted", "floor"], "positive"),
        ("Log", ["positive"], "logs"),
        ("MatMul", ["logs", "exponents"], "exponentials"),
        ("Exp", ["exponentials"], "relations"),
        ("Concat", ["features", "logs", "relations"], "encoded"),
        ("Gemm", ["encoded", "hidden", "hidden_bias"], "units"),
        ("Relu", ["units"], "activations"),
        ("Gemm", ["activations", "output", "output_bias"], "logit"),
        ("Sigmoid", ["logit"], "probability"),
        ("Reshape", ["probability", "flat"], "score"),
    ]
    nodes = [
        helper.make_node(kind, inputs, [result], name=result, **({"axis": 1} if kind == "Concat" else {}))
        for kind, inputs, result in steps
    ]
    graph = helper.make_graph(
        nodes,
        "fraud_feed_forward",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(NAMES)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="foretell", doc_string=description
    )
    onnx.checker.check_model(model, full_check=True)
    return model
