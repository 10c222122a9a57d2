"""Training of one network: batches, losses, moving average, checkpoints."""

import copy
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate

import augment
import data
from network import built, standardised

CHEST = {
    "size": 160,
    "depth": 13,
    "frozen": 4,
    "dropout": 0.2,
    "rate": 1e-3,
    "decay": 0.02,
    "batch": 32,
    "epochs": 6,
    "average": 0.99,
    "smoothing": 0.05,
}
BRAIN = {
    "size": 192,
    "frozen": 2,
    "dropout": 0.3,
    "rate": 6e-4,
    "decay": 0.02,
    "batch": 24,
    "epochs": 11,
    "average": 0.99,
    "smoothing": 0.05,
    "tumour_weight": 10.0,
}
STRENGTHS = {"chest": augment.CHEST, "brain": augment.BRAIN}
SETTINGS = {"chest": CHEST, "brain": BRAIN}
# Fraction of the steps in which the rate rises from 0.
WARMUP = 0.05
GRADIENT_NORM_MAX = 3.0
# What the pre-trained body learns at rate 1 the new layers learn at this one.
NEW_RATE = 3.0


def balanced(groups, generator):
    """Numbers of the pictures of one epoch: as many of each class as the rarest has, in random order.

    Chest groups 1 and 2 are the two subtypes of one class, and share its half.
    """
    kinds, counts = np.unique(groups, return_counts=True)
    normal = counts[kinds == 0][0]
    wanted = {0: normal, 1: normal // 2, 2: normal - normal // 2}
    chosen = [generator.choice(np.flatnonzero(groups == kind), wanted[kind], replace=False) for kind in kinds]
    return generator.permutation(np.concatenate(chosen))


def batches(kind, part, settings, generator):
    """One epoch of (images uint8 [n, h, w], labels [n], masks float [n, 1, h, w] or None) as tensors."""
    order = balanced(part.groups, generator) if kind == "chest" else generator.permutation(len(part))
    for first in range(0, len(order) - settings["batch"] + 1, settings["batch"]):
        chosen = order[first : first + settings["batch"]]
        pairs = [
            augment.changed(
                part.images[index],
                None if part.masks is None else part.masks[index],
                settings["size"],
                STRENGTHS[kind],
                generator,
            )
            for index in chosen
        ]
        images = torch.from_numpy(np.stack([image for image, _ in pairs]))
        masks = None
        if part.masks is not None:
            masks = torch.from_numpy(np.stack([mask for _, mask in pairs])).float()[:, None] / 255
        yield images, torch.from_numpy(part.labels[chosen]), masks


def chest_loss(logits, labels, settings):
    """Binary cross-entropy with softened labels."""
    wanted = settings["smoothing"] / 2 + labels.float() * (1 - settings["smoothing"])
    return binary_cross_entropy_with_logits(logits, wanted)


def outline_loss(outline, masks, weight):
    """Binary cross-entropy plus 1 - Dice of each picture (Milletari et al. 2016, arXiv 1606.04797), at full size.

    Tumour is 2 % of the pixels. Unless they are given `weight`, the outline stays empty for many epochs.
    """
    logits = interpolate(outline, scale_factor=2, mode="bilinear", align_corners=False)
    likely = logits.sigmoid()
    shared = (likely * masks).sum((1, 2, 3))
    dice = (2 * shared + 1) / (likely.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)
    cross = binary_cross_entropy_with_logits(logits, masks, pos_weight=torch.tensor(weight))
    return cross + (1 - dice).mean()


def rates(settings, steps):
    """Factor of the learning rate at a step: a rise, then half a cosine to 0."""
    rise = max(1, round(WARMUP * steps))

    def factor(step):
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + np.cos(np.pi * min(1.0, (step - rise) / max(1, steps - rise))))

    return factor


def fit(kind, constants, part, settings, seed, checkpoint, judge, log):
    """Trains and returns the moving average of the weights.

    `checkpoint`: file that an interrupted training goes on from. `judge(network)` gives figures of the average, which
    are logged after every third epoch and the last.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = built(kind, constants, settings)
    mean = copy.deepcopy(network)
    old = [weights for weights in network.body.parameters() if weights.requires_grad]
    new = [weights for name, weights in network.named_parameters() if not name.startswith("body.")]
    learned = old + new
    rate = settings["rate"]
    optimiser = torch.optim.AdamW(
        [{"params": old, "lr": rate}, {"params": new, "lr": rate * NEW_RATE}], weight_decay=settings["decay"]
    )
    per_epoch = length(kind, part) // settings["batch"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rates(settings, per_epoch * settings["epochs"]))
    first, step = 0, 0
    if checkpoint and Path(checkpoint).exists():
        state = torch.load(checkpoint, weights_only=False)
        network.load_state_dict(state["network"])
        mean.load_state_dict(state["mean"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.bit_generator.state = state["generator"]
        torch.set_rng_state(state["torch"])
        first, step = state["epoch"], state["step"]
    for epoch in range(first, settings["epochs"]):
        begin, busy, total, count = time.monotonic(), time.process_time(), 0.0, 0
        network.train()
        for images, labels, masks in batches(kind, part, settings, generator):
            if kind == "chest":
                loss = chest_loss(network(standardised(images)), labels, settings)
            else:
                logits, outline = network(standardised(images))
                loss = cross_entropy(logits, labels, label_smoothing=settings["smoothing"])
                loss = loss + outline_loss(outline, masks, settings["tumour_weight"])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, GRADIENT_NORM_MAX)
            optimiser.step()
            schedule.step()
            step += 1
            # The average begins quickly: at first it forgets the untrained head.
            keep = min(settings["average"], (1 + step) / (10 + step))
            with torch.no_grad():
                for slow, fast in zip(mean.parameters(), network.parameters()):
                    slow.lerp_(fast, 1 - keep)
            total, count = total + loss.item(), count + 1
        figures = {"epoch": epoch + 1, "loss": total / count}
        figures |= {"seconds": time.monotonic() - begin, "processor_seconds": time.process_time() - busy}
        if epoch % 3 == 2 or epoch == settings["epochs"] - 1:
            mean.eval()
            figures |= judge(mean)
        log(figures)
        if checkpoint:
            save(checkpoint, network, mean, optimiser, schedule, generator, epoch + 1, step)
    mean.eval()
    return mean


def length(kind, part):
    """Pictures of an epoch."""
    return len(balanced(part.groups, np.random.default_rng(0))) if kind == "chest" else len(part)


def save(path, network, mean, optimiser, schedule, generator, epoch, step):
    """Writes all that a training goes on from; the old file stays until the new one is whole."""
    state = {
        "network": network.state_dict(),
        "mean": mean.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "generator": generator.bit_generator.state,
        "torch": torch.get_rng_state(),
        "epoch": epoch,
        "step": step,
    }
    fresh = Path(path).with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def perturbed(kind, part, size, seed=1):
    """The pictures of a split changed as in training, without blanked parts: a harder validation."""
    strength = augment.replace(STRENGTHS[kind], holes=0)
    generator = np.random.default_rng(seed)
    masks = part.masks if part.masks is not None else [None] * len(part)
    pairs = [augment.changed(image, mask, size, strength, generator) for image, mask in zip(part.images, masks)]
    changed_masks = None
    if part.masks is not None:
        changed_masks = np.stack([mask > 127 for _, mask in pairs]).astype(np.uint8)
    return data.Set(np.stack([image for image, _ in pairs]), part.labels, part.groups, changed_masks, part.files)
