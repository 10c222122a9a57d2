"""What must hold of the recipe; `python -m unittest` in this directory.

The backbone's archive is fetched with npm into the folder that FORETELL_BACKBONE names, or into a temporary one.
"""

import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

import augment
import calibrate
import data
import evaluate
import export
import fit
import network
import novelty
from shared import backbone

SIDE = 64


def pictures(count, side=SIDE):
    """uint8 [count, side, side]: smooth shapes, noise, and a uniform one."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (count, 6, 6)).astype(np.uint8)
    images = data.squashed(coarse, side)
    images[0] = 77
    images[1] = generator.integers(0, 256, (side, side))
    return images


class Recipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        archive = backbone.fetch(os.environ.get("FORETELL_BACKBONE", cls.folder.name))
        _, cls.constants = backbone.read(archive)
        cls.images = pictures(6)

    def built(self, kind, seed=0):
        torch.manual_seed(seed)
        return network.built(kind, self.constants, fit.SETTINGS[kind]).eval()

    def distance(self, model):
        return novelty.fitted(model.body, pictures(40), np.random.default_rng(0))

    def run_model(self, model):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(model.SerializeToString())
            session = evaluate.session(path)
            names = [output.name for output in session.get_outputs()]
            return dict(zip(names, evaluate.answers(session, self.images, names)))

    def test_the_chest_graph_answers_as_torch(self):
        members = [self.built("chest", seed) for seed in range(3)]
        with torch.no_grad():
            for member in members[1:]:
                for weights in member.parameters():
                    if weights.requires_grad:
                        weights.mul_(1 + 0.02 * torch.randn(weights.shape))
        distance = self.distance(members[0])
        found = self.run_model(export.chest_model(members, 0.4, 1.3, distance, SIDE, "test"))
        with torch.inference_mode():
            pictures = network.standardised(torch.from_numpy(self.images))
            parts = [member.parts(pictures) for member in members]
            logits = torch.stack([member(pictures) for member in members]).mean(0)
            numbers = novelty.numbers(parts[0][2]).double().numpy()
        activation = torch.stack([part[1] for part in parts]).mean(0)
        bias = np.mean([member.head.bias.item() for member in members])
        np.testing.assert_allclose(activation.mean((1, 2)) + bias, logits, atol=1e-5)
        self.assertEqual(found["activation"].dtype, np.float32)
        # The graph's weights have 11 bits: about 1 part in 1,000 of what is summed up.
        size = activation.abs().max().item()
        np.testing.assert_allclose(found["activation"], activation, atol=1e-2 * size)
        expected = torch.sigmoid((logits + 0.4) / 1.3).numpy()
        np.testing.assert_allclose(found["score"], expected, atol=1e-2)
        np.testing.assert_allclose(found["novelty"], distance.of(numbers), rtol=2e-2)
        # What the graph itself says of the two must agree to rounding.
        logit = found["activation"].mean((1, 2)) + bias
        np.testing.assert_allclose(found["score"], 1 / (1 + np.exp(-(logit + 0.4) / 1.3)), atol=1e-5)

    def test_the_brain_graphs_answer_as_torch(self):
        model = self.built("brain")
        distance = self.distance(model)
        found = self.run_model(export.brain_model(model, 1.7, distance, SIDE, "test"))
        found |= self.run_model(export.outline_model(model, SIDE, "test"))
        with torch.inference_mode():
            pictures = network.standardised(torch.from_numpy(self.images))
            direct, direct_outline = model(pictures)
            logits, activation, outline, maps = model.parts(pictures)
        np.testing.assert_allclose(logits, direct, atol=1e-4)
        np.testing.assert_allclose(outline, direct_outline, atol=1e-5)
        size = activation.abs().max().item()
        np.testing.assert_allclose(found["activation"], activation, atol=1e-2 * size)
        np.testing.assert_allclose(found["scores"], (logits / 1.7).softmax(1), atol=1e-2)
        np.testing.assert_allclose(found["scores"].sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(found["novelty"], distance.of(novelty.numbers(maps).double().numpy()), rtol=2e-2)
        full = interpolate(outline, scale_factor=2, mode="bilinear", align_corners=False)[:, 0].sigmoid()
        np.testing.assert_allclose(found["mask"], full, atol=1e-2)

    def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(self):
        model = export.chest_model([self.built("chest")], 0, 1, self.distance(self.built("chest")), SIDE, "test")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(model.SerializeToString())
            session = evaluate.session(path)
            together = evaluate.answers(session, self.images, ["score", "novelty"])
            alone = [session.run(["score", "novelty"], {"image": image[None, :, :, None]}) for image in self.images]
        for number in range(2):
            np.testing.assert_allclose(together[number], [each[number][0] for each in alone], rtol=1e-4)

    def test_exposure_and_contrast_do_not_reach_the_network(self):
        levels = torch.from_numpy(self.images[2:] // 2).float()
        one, other = network.standardised(levels), network.standardised(levels * 1.8 + 20)
        np.testing.assert_allclose(one, other, atol=0.02)

    def test_frozen_layers_stay_and_others_learn(self):
        part = data.Set(pictures(64), np.arange(64) % 2, np.repeat([0, 1, 0, 2], 16), None, [])
        settings = fit.CHEST | {"size": SIDE, "epochs": 1, "batch": 16}
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "seed-0.ckpt"
            quiet = lambda *_: {}
            model = fit.fit("chest", self.constants, part, settings, 0, checkpoint, quiet, quiet)
            again = fit.fit("chest", self.constants, part, settings, 0, checkpoint, quiet, quiet)
        begun = self.built("chest")
        frozen = settings["frozen"]
        for number, same_weights in ((frozen - 1, True), (frozen, False)):
            one, other = (each.body.blocks[number].project.weight for each in (model, begun))
            self.assertEqual(torch.equal(one, other), same_weights)
        # A finished training is read back, not repeated.
        for one, other in zip(model.parameters(), again.parameters()):
            self.assertTrue(torch.equal(one, other))

    def test_an_epoch_is_balanced(self):
        groups = np.array([0] * 10 + [1] * 50 + [2] * 20)
        chosen = groups[fit.balanced(groups, np.random.default_rng(0))]
        self.assertEqual(np.bincount(chosen).tolist(), [10, 5, 5])

    def test_the_mask_moves_with_the_picture(self):
        image = np.zeros((100, 100), np.uint8)
        image[30:60, 40:70] = 200
        mask = (image > 0).astype(np.uint8)
        strength = augment.replace(augment.BRAIN, noise=0, slope=0, bend=0, tone=0)
        generator = np.random.default_rng(0)
        for _ in range(20):
            changed, moved = augment.changed(image, mask, SIDE, strength, generator)
            inside = moved > 127
            if inside.any() and not inside.all():
                self.assertGreater(changed[inside].mean(), changed[~inside].mean() + 60)

    def test_calibration_finds_the_scale_that_made_the_labels(self):
        generator = np.random.default_rng(0)
        logits = generator.normal(0, 2, 20000)
        labels = (generator.random(20000) < 1 / (1 + np.exp(-logits))).astype(int)
        offset, temperature = calibrate.platt(logits * 3 - 1, labels)
        # (3 z - 1 + offset) / temperature = z; classes are even by construction.
        self.assertAlmostEqual(offset, 1, delta=0.15)
        self.assertAlmostEqual(temperature, 3, delta=0.15)
        several = np.stack([logits, np.zeros(20000)], axis=1)
        kinds = 1 - labels
        self.assertAlmostEqual(calibrate.temperature(several * 2.5, kinds), 2.5, delta=0.15)

    def test_dice_and_calibration_error_of_known_cases(self):
        masks = np.zeros((1, 4, 4), bool)
        masks[0, :2] = True
        likely = np.zeros((1, 4, 4))
        likely[0, 1:3] = 1
        self.assertEqual(evaluate.dice(masks, likely, 0.5).tolist(), [0.5])
        labels = np.array([0, 1] * 50)
        self.assertAlmostEqual(evaluate.calibration_error(labels, np.full(100, 0.5)), 0)
        self.assertAlmostEqual(evaluate.calibration_error(labels, np.full(100, 0.9)), 0.4)

    def test_the_distance_is_one_on_average_where_it_was_fitted(self):
        model = self.built("chest")
        images = pictures(60)[2:]
        found = novelty.fitted(model.body, images, np.random.default_rng(0))
        near = found.of(novelty.all_numbers(model.body, images))
        far = found.of(novelty.all_numbers(model.body, self.images[:2]))
        self.assertLess(near.max(), far.min())


if __name__ == "__main__":
    unittest.main()
