"""What must hold of the recipe; `python -m unittest` in this directory."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import torch
from torch.nn.functional import cross_entropy

import data
import network
import train
from evaluate import metrics, ranks, scorer
from export import to_items, to_onnx

SETTINGS = train.SETTINGS | {"size": 16, "content": 8, "rows": 4}


def shop(seed=0):
    """Customers who walk along a ring of items: after item n comes n + 1, and sometimes any other."""
    generator = np.random.default_rng(seed)
    items = 100
    sequences = []
    for _ in range(400):
        place, sequence = generator.integers(items), []
        for _ in range(generator.integers(2, 70 if generator.random() < 0.1 else 12)):
            sequence.append(place + 1)
            place = (place + 1) % items if generator.random() < 0.8 else generator.integers(items)
        sequences.append(np.array(sequence))
    titles = [f"thing number {item} of ring {item % 4}" for item in range(items)]
    brands = [f"brand {item % 3}" if item % 5 else "" for item in range(items)]
    return data.Shop([f"i{item}" for item in range(items)], titles, brands, ["ring > part"] * items, sequences)


class Recipe(unittest.TestCase):
    def setUp(self):
        self.shop = shop()
        self.parts = data.split(self.shop.sequences)
        torch.set_num_threads(1)
        self.model = train.build(self.shop, self.parts.train, SETTINGS)
        with torch.no_grad():  # Biases and norms begin at values that could hide an error.
            for weights in self.model.parameters():
                weights.add_(torch.randn(weights.shape) * 0.1)

    def test_a_pack_holds_every_target_once_after_its_own_past(self):
        found = []
        for pack in data.packs(self.parts.train, 4, np.random.default_rng(1)):
            for row, column in zip(*np.nonzero(pack.targets)):
                past = pack.items[row, pack.starts[row, column] : column + 1]
                found.append((*past, pack.targets[row, column]))
        expected = []
        for sequence in self.parts.train:
            for end in range(len(sequence), 1, -data.LENGTH_MAX):
                window = sequence[max(0, end - data.LENGTH_MAX - 1) : end]
                expected += [tuple(window[: place + 1]) for place in range(1, len(window))]
        self.assertEqual(sorted(found), sorted(expected))
        targets = sum(max(len(sequence) - 1, 0) for sequence in self.parts.train)
        self.assertEqual(len(found), targets)

    def test_a_packed_position_sees_its_own_sequence_alone(self):
        self.model.eval()
        pack = next(data.packs(self.parts.train, 4, np.random.default_rng(1)))
        matrix = self.model.items()
        far = network.distances(torch.arange(data.LENGTH_MAX), torch.as_tensor(pack.starts))
        states = self.model.sharpen(self.model.states(torch.as_tensor(pack.items), matrix, far)) @ matrix.T
        for row, column in zip(*np.nonzero(pack.targets)):
            alone = torch.as_tensor(pack.items[row : row + 1, pack.starts[row, column] : column + 1])
            torch.testing.assert_close(states[row, column], self.model.scores(alone)[0], atol=1e-4, rtol=1e-4)

    def test_the_loss_and_its_gradients_are_those_of_torch(self):
        states = torch.randn(600, 16, dtype=torch.float64).float().requires_grad_()
        matrix = torch.randn(40, 16).requires_grad_()
        targets = torch.randint(40, (600,))
        expected = cross_entropy(states @ matrix.T, targets)
        wanted = torch.autograd.grad(expected, (states, matrix))
        for low, tolerance in ((False, 1e-5), (True, 2e-2)):
            found = network.SoftmaxLoss.apply(states, matrix, targets, low)
            gradients = torch.autograd.grad(found * 2, (states, matrix))
            torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
            for gradient, right in zip(gradients, wanted):
                scale = right.abs().max()
                torch.testing.assert_close(gradient / scale, 2 * right / scale, atol=tolerance, rtol=0)

    def test_the_graph_answers_as_the_network_with_and_without_padding(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "network.onnx"
            onnx.save(to_onnx(self.model, "test"), path)
            score = scorer(path)
            sharpness = self.model.sharpness.exp().item()
            for length in (1, 2, 7, data.LENGTH_MAX):
                items = np.random.default_rng(length).integers(1, self.shop.count + 1, (5, length))
                with torch.inference_mode():
                    expected = self.model.scores(torch.as_tensor(items)).numpy()[:, 1:]
                # Scores are cosines times the sharpness: 1e-5 of the cosines.
                np.testing.assert_allclose(score(items)[:, 1:], expected, atol=1e-5 * sharpness, rtol=0)
                padded = np.pad(items, ((0, 0), (data.LENGTH_MAX - length, 0)))
                np.testing.assert_allclose(score(padded)[:, 1:], expected, atol=1e-5 * sharpness, rtol=0)
                with torch.inference_mode():
                    scores = self.model.scores(torch.as_tensor(padded)).numpy()[:, 1:]
                np.testing.assert_allclose(scores, expected, atol=1e-5 * sharpness, rtol=0)

    def test_items_are_written_as_described(self):
        vectors = self.model.eval().items().detach().numpy()
        bought = data.popularity(self.parts.train, self.shop.count)
        written = to_items(self.shop, vectors, bought)
        count, size = self.shop.count, 16
        self.assertEqual(written[:8], b"FTITEMS\0")
        self.assertEqual(np.frombuffer(written, "<u4", 3, 8).tolist(), [1, count, size])
        columns = np.frombuffer(written, "<u4", 4 * count, 20).reshape(4, count)
        at = 20 + 16 * count
        near = np.frombuffer(written, np.int8, count * size, at).reshape(count, size) / 127
        np.testing.assert_allclose(near, vectors[1:], atol=0.5 / 127 + 1e-6)
        names = written[at + count * size :].decode()
        starts = [0, *columns[0]]
        self.assertEqual([names[a:b] for a, b in zip(starts, columns[0])], self.shop.items)
        self.assertEqual(columns[1].tolist(), bought[1:].tolist())
        self.assertEqual(columns[2][:4].tolist(), [0, 1, 2, 3])
        self.assertEqual(set(columns[3].tolist()), {1})

    def test_a_target_that_the_customer_already_has_is_a_miss(self):
        questions = [(np.array([1, 2]), 3), (np.array([1, 2]), 2), (np.array([4]), 1)]

        def score(items):
            return np.tile(np.array([9, 4, 3, 2, 1], dtype=np.float32), (len(items), 1))

        self.assertEqual(ranks(score, questions).tolist(), [0, np.inf, 0])
        self.assertAlmostEqual(metrics(np.array([0, 6.0, np.inf]))["ndcg_at_10"], (1 + 1 / 3) / 3)

    def test_training_learns_the_ring(self):
        settings = SETTINGS | {"epochs": 15, "dropout": 0.1}
        model = train.build(self.shop, self.parts.train, settings)
        _, best, log = train.fit(model, self.parts.train, self.parts.validation, settings, False)
        # Chance is .05, and one step in five goes anywhere.
        self.assertGreater(log[best - 1]["hr_at_5"], 0.4)


if __name__ == "__main__":
    unittest.main()
