"""What must hold of the recipe; `python -m unittest` in this directory. It needs no data."""

import csv
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

import augment
import calibrate
import data
import evaluate
import export
import fit
import golden
import network
import novelty

UNCHANGED = augment.Strength(
    turn=0, stretch=0, zoom=(0, 0), shear=0, shift=0, perspective=0, gain_share=0, tone=0, hue=0, grey=0, slope=0,
    blur_share=0, sharpen_share=0, coarse_share=0, noise_share=0, compressed_share=0, hidden_share=0,
)  # fmt: skip


def crops(count):
    """uint8 [count, 32, 32, 3]: smooth shapes, noise, and a uniform one."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (count, 5, 5, 3)).astype(np.uint8)
    images = np.stack([data.squash(Image.fromarray(each)) for each in coarse])
    images[0] = 77
    images[1] = generator.integers(0, 256, images[1].shape)
    return images


def settled(seed):
    """A network whose batch normalisation has seen something, and differs from layer to layer."""
    torch.manual_seed(seed)
    found = network.Signs(0.3).train()
    with torch.no_grad():
        for weights in found.parameters():
            if weights.ndim == 1:
                weights.add_(0.2 * torch.randn(weights.shape))
        for _ in range(5):
            found(network.standardised(torch.from_numpy(crops(40))))
    return found.eval()


class Recipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.images = crops(6)

    def answers(self, model, images):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(model.SerializeToString())
            return evaluate.answers(evaluate.session(path), images)

    def test_the_graph_answers_as_torch(self):
        members = [settled(seed) for seed in range(2)]
        distance = novelty.fitted(members[0], crops(1200), np.arange(1200) % 3)
        logits = np.mean([fit.logits(member, self.images) for member in members], axis=0) / 1.4
        expected = torch.from_numpy(logits).softmax(1).numpy()
        expected_distances = distance.of(novelty.all_numbers(members[0], self.images))
        # With weights of 32 bits the graph is the network; with those of 8 and 16 bits it is near it.
        shipped = export.Graph.weight, export.Graph.eighths
        exact = (lambda graph, value: graph.constant(value)), (lambda graph, value, axes: graph.constant(value))
        for (weight, eighths), error, distance_error in ((exact, 1e-4, 1e-3), (shipped, 2e-2, 5e-2)):
            with mock.patch.multiple(export.Graph, weight=weight, eighths=eighths):
                model = export.signs_model(members, 1.4, distance, "test")
            probability, distances = self.answers(model, self.images)
            np.testing.assert_allclose(probability, expected, atol=error)
            np.testing.assert_allclose(probability.sum(1), 1, atol=1e-5)
            self.assertEqual(probability.argmax(1).tolist(), expected.argmax(1).tolist())
            np.testing.assert_allclose(distances, expected_distances, rtol=distance_error)

    def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(self):
        member = settled(0)
        model = export.signs_model([member], 1, novelty.fitted(member, crops(60), np.arange(60) % 3), "test")
        together = self.answers(model, self.images)
        for number, image in enumerate(self.images):
            alone = self.answers(model, image[None])
            for one, all_ in zip(alone, together):
                np.testing.assert_allclose(one[0], all_[number], rtol=1e-3, atol=1e-5)

    def test_exposure_and_contrast_do_not_reach_the_network(self):
        levels = torch.from_numpy(self.images[2:] // 2).float()
        one, other = network.standardised(levels), network.standardised(levels * 1.8 + 20)
        np.testing.assert_allclose(one[:, :3], other[:, :3], atol=0.05)
        # Local contrast divides by less, so the floor weighs more: the pattern stays.
        self.assertGreater(np.corrcoef(one[:, 3].ravel(), other[:, 3].ravel())[0, 1], 0.995)
        self.assertLess(network.standardised(torch.from_numpy(self.images[:1])).abs().max(), 0.01)

    def test_a_mirror_changes_the_class_of_what_looks_one_way(self):
        for kind, other in data.MIRRORED.items():
            self.assertEqual(data.MIRRORED[other], kind)
            swapped = {"left": "right", "right": "left"}
            words = [swapped.get(word, word) for word in data.CLASSES[kind].split()]
            expected = data.CLASSES[other]
            # The way it turns comes last in some names; "right of way" is not a side.
            if kind != other:
                self.assertEqual(" ".join(words), expected)
        self.assertEqual(len(set(data.CLASSES)), 43)

    def test_a_mirrored_sign_has_its_new_class(self):
        kinds = torch.tensor([33, 34, 1, 13, 12, 32] * 40)
        images = torch.zeros(len(kinds), 32, 32, 3, dtype=torch.uint8)
        images[:, :8, :8] = 255
        generator = torch.Generator().manual_seed(0)
        # The light of an unchanged crop still shifts a little: what is looked at is where it is bright.
        found, labels = augment.changed(images, kinds, UNCHANGED, generator)
        corners = {(top, left) for top in (2, 29) for left in (2, 29)}
        seen = {}
        for before, after, image in zip(kinds.tolist(), labels.tolist(), found):
            bright = max(corners, key=lambda place: int(image[place].sum()))
            seen.setdefault((before, after), set()).add(bright)
        here, across, around, below = (2, 2), (2, 29), (29, 29), (29, 2)
        self.assertEqual(seen[33, 33], {here})
        self.assertEqual(seen[33, 34], {across})
        self.assertEqual(seen[34, 33], {across})
        self.assertEqual(seen[1, 1], {here})
        self.assertEqual(seen[13, 13], {here, across})
        self.assertEqual(seen[12, 12], {here, across, around, below})
        self.assertEqual(seen[32, 32], {here, around})

    def test_changes_are_repeatable_and_leave_the_given_crops_alone(self):
        images, labels = torch.from_numpy(crops(64)), torch.arange(64) % 43
        before = images.clone()
        one, other = (
            augment.changed(images, labels, fit.STRENGTH, torch.Generator().manual_seed(seed)) for seed in (3, 3)
        )
        self.assertTrue(torch.equal(one[0], other[0]) and torch.equal(one[1], other[1]))
        self.assertTrue(torch.equal(images, before))
        self.assertEqual((one[0].dtype, one[0].shape), (torch.uint8, images.shape))

    def test_an_unchanged_crop_stays_nearly_itself(self):
        images = torch.from_numpy(crops(40)[2:])
        found, _ = augment.changed(images, torch.full((38,), 1), UNCHANGED, torch.Generator().manual_seed(0))
        before, after = network.standardised(images)[:, :3], network.standardised(found)[:, :3]
        self.assertLess((before - after).abs().mean(), 0.1)

    def test_darkness_leaves_something_to_see(self):
        images = torch.from_numpy(np.clip(crops(200)[2:] // 30 + 4, 0, 255).astype(np.uint8))
        strength = augment.replace(UNCHANGED, gain=(-6, -6), gain_share=1)
        found, _ = augment.changed(images, torch.full((198,), 1), strength, torch.Generator().manual_seed(0))
        deviation = augment.deviation(found.permute(0, 3, 1, 2).float())
        kept = augment.deviation(images.permute(0, 3, 1, 2).float()).clamp(max=strength.levels)
        # What reaches below black is cut off.
        self.assertGreater((deviation / kept).median(), 0.5)

    def test_an_epoch_draws_rare_classes_more_often(self):
        labels = np.repeat([0, 1], [900, 100])
        generator = np.random.default_rng(0)
        for balance, expected in ((0, 0.1), (0.5, 0.25), (1, 0.5)):
            chosen = np.concatenate([fit.drawn(labels, balance, generator) for _ in range(20)])
            self.assertAlmostEqual(labels[chosen].mean(), expected, delta=0.02)

    def test_a_training_learns_and_repeats_itself(self):
        generator = np.random.default_rng(0)
        labels = np.arange(128) % 2
        images = generator.integers(0, 60, (128, 32, 32, 3)).astype(np.uint8)
        images[labels == 1, 8:24, 8:24] += 150
        part = data.Set(images, labels, np.array([""] * 128))
        settings = fit.SETTINGS | {"epochs": 10, "batch": 32}
        lines = []
        one, other = (fit.fit(part, settings, 5, lines.append) for _ in range(2))
        self.assertGreater((fit.logits(one, images).argmax(1) == labels).mean(), 0.9)
        for first, second in zip(one.state_dict().values(), other.state_dict().values()):
            self.assertTrue(torch.equal(first, second))
        self.assertLess(lines[9]["loss"], lines[0]["loss"])

    def test_the_average_follows_batch_statistics_too(self):
        mean, fast = settled(0), settled(1)
        before = mean.stem.norm.running_mean.clone()
        fit.follow(mean, fast, 0.75)
        expected = 0.75 * before + 0.25 * fast.stem.norm.running_mean
        np.testing.assert_allclose(mean.stem.norm.running_mean, expected, rtol=1e-5)

    def test_calibration_finds_the_scale_that_made_the_labels(self):
        generator = np.random.default_rng(0)
        logits = generator.normal(0, 2, (20000, 4))
        chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        labels = (generator.random((20000, 1)) > chances.cumsum(1)).sum(1)
        self.assertAlmostEqual(calibrate.temperature(logits * 2.5, labels), 2.5, delta=0.1)

    def test_figures_of_known_cases(self):
        labels = np.array([0, 0, 1, 2])
        probability = np.full((4, 43), 0.1 / 42)
        probability[np.arange(4), [0, 1, 1, 2]] = 0.9
        found = evaluate.figures(labels, probability, np.array(["a", "b", "c", "c"]))
        self.assertEqual((found["wrong"], found["accuracy"]["value"]), (1, 0.75))
        self.assertEqual(found["classes"]["speed limit 20"], {"crops": 2, "recall": 0.5, "precision": 1.0})
        self.assertEqual(found["mistakes"], [{"sign": "speed limit 20", "called": "speed limit 30", "crops": 1}])
        self.assertAlmostEqual(found["calibration_error"], 0.15)
        # Wilson's interval of 3 of 4, worked out by hand.
        self.assertEqual(found["accuracy"]["interval"], [0.3006, 0.9544])

    def test_the_distance_is_about_one_where_it_was_fitted(self):
        model = settled(0)
        # As many crops as there are numbers, so that their covariance means something.
        images = crops(1200)[2:]
        found = novelty.fitted(model, images, np.arange(1198) % 3)
        near = found.of(novelty.all_numbers(model, images))
        far = found.of(novelty.all_numbers(model, self.images[:2]))
        self.assertLess(abs(np.median(near) - 1), 0.4)
        self.assertLess(np.quantile(near, 0.99), far.min())

    def test_sheets_are_read_tile_by_tile(self):
        with tempfile.TemporaryDirectory() as folder:
            sheet = np.zeros((64, 96, 3), np.uint8)
            sheet[32:, 64:] = (10, 200, 30)
            # Whole blocks of one colour keep their colours, apart from rounding.
            Image.fromarray(sheet).save(Path(folder) / "s.jpg", quality=100, subsampling=0)
            with open(Path(folder) / "train.csv", "w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(["sheet", "col", "row", "class_id", "track"])
                table.writerows([["s.jpg", 0, 0, 7, "a"], ["s.jpg", 2, 1, 42, "b"]])
            found = data.read(folder, "train")
        np.testing.assert_allclose(found.images[1].reshape(-1, 3), np.full((1024, 3), (10, 200, 30)), atol=3)
        self.assertEqual(found.images[0].max(), 0)
        self.assertEqual((found.labels.tolist(), found.tracks.tolist()), ([7, 42], ["a", "b"]))
        self.assertEqual(len(found + found), 4)

    def test_golden_crops_are_what_their_names_say(self):
        for name in (*golden.FORMULAS, *golden.DRAWINGS):
            self.assertEqual(golden.crop(name).shape, (32, 32, 3))
        entry, triangle = golden.crop("no entry"), golden.crop("yield")
        self.assertEqual(tuple(entry[16, 16]), golden.WHITE)
        self.assertEqual(tuple(entry[6, 16]), golden.RED)
        self.assertEqual(tuple(entry[0, 0]), golden.BEHIND)
        self.assertEqual(tuple(triangle[12, 16]), golden.WHITE)
        self.assertEqual(tuple(triangle[28, 16]), golden.RED)
        self.assertEqual(tuple(triangle[28, 2]), golden.BEHIND)


if __name__ == "__main__":
    unittest.main()
