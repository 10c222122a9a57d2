"""Training of one network: batches, rate, moving average."""

import copy
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import augment
from data import Set
from network import Signs, standardised

SETTINGS = {
    "rate": 4e-3,
    "decay": 0.02,
    "batch": 128,
    "epochs": 20,
    "last_rate": 6e-4,
    "last_epochs": 3,
    "average": 0.998,
    "smoothing": 0.05,
    "dropout": 0.2,
    "balance": 0.5,
}
STRENGTH = augment.Strength()
# Added to a seed, so that the short cycle draws other numbers than the long one.
REFINED = 1000
GRADIENT_NORM_MAX = 3.0
# Of one cycle: fraction of the steps in which the rate rises, and what it begins and ends at, as parts of the highest.
RISE, FIRST, LAST = 0.2, 1 / 20, 1 / 1000


def drawn(labels, balance, generator):
    """Numbers of the crops of one epoch, with replacement, as many as there are.

    A class of n crops is drawn as often as n ** (1 - balance) says: 0 as they are, 1 all classes alike.
    """
    counts = np.bincount(labels)
    weights = counts[labels] ** -float(balance)
    return generator.choice(len(labels), len(labels), p=weights / weights.sum())


def fit(part, settings, seed, log, judge=None):
    """Trains and returns the moving average of the weights.

    A long cycle on heavily changed crops, then a short one, from the average, on crops that are changed mildly: what
    the network is to see in the end. `judge(network)` gives figures of the average, which are logged now and then.
    """
    torch.manual_seed(seed)
    network = Signs(settings["dropout"]).to(memory_format=torch.channels_last)
    mean = cycle(network, part, settings, STRENGTH, seed, log, judge)
    return refine(mean, part, settings, seed, log, judge)


def refine(mean, part, settings, seed, log, judge=None):
    """The short cycle."""
    torch.manual_seed(seed + REFINED)
    last = settings | {"rate": settings["last_rate"], "epochs": settings["last_epochs"]}
    return cycle(copy.deepcopy(mean), part, last, augment.MILD, seed + REFINED, log, judge)


def cycle(network, part, settings, strength, seed, log, judge):
    """One cycle of the rate; returns the moving average."""
    numbers, changes = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    mean = copy.deepcopy(network).eval()
    plain = [weights for weights in network.parameters() if weights.ndim == 1]
    decayed = [weights for weights in network.parameters() if weights.ndim > 1]
    optimiser = torch.optim.AdamW(
        [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": settings["decay"]}]
    )
    per_epoch = len(part) // settings["batch"]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings["rate"],
        total_steps=per_epoch * settings["epochs"],
        pct_start=RISE,
        div_factor=1 / FIRST,
        final_div_factor=FIRST / LAST,
        cycle_momentum=False,
    )
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    step = 0
    for epoch in range(settings["epochs"]):
        begin, busy, total = time.monotonic(), time.process_time(), 0.0
        network.train()
        order = torch.from_numpy(drawn(part.labels, settings["balance"], numbers))
        for first in range(0, per_epoch * settings["batch"], settings["batch"]):
            chosen = order[first : first + settings["batch"]]
            crops, kinds = augment.changed(images[chosen], labels[chosen], strength, changes)
            crops = standardised(crops).contiguous(memory_format=torch.channels_last)
            # Convolutions in half of the bits: twice as fast on processors that know bfloat16.
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(crops)
            loss = cross_entropy(logits.float(), kinds, label_smoothing=settings["smoothing"])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM_MAX)
            optimiser.step()
            schedule.step()
            step += 1
            # The average begins quickly: at first it forgets the untrained network.
            follow(mean, network, min(settings["average"], (1 + step) / (10 + step)))
            total += loss.item()
        figures = {"epoch": epoch + 1, "loss": total / per_epoch}
        figures |= {"seconds": time.monotonic() - begin, "processor_seconds": time.process_time() - busy}
        if judge and (epoch % 4 == 3 or epoch == settings["epochs"] - 1):
            figures |= judge(mean)
        log(figures)
    return mean


@torch.no_grad()
def follow(mean, network, keep):
    """Moves the average a little towards the network, its batch statistics included."""
    for slow, fast in zip(mean.state_dict().values(), network.state_dict().values()):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - keep)


@torch.inference_mode()
def logits(network, images, rows=256):
    """float32 [n, 43] of uint8 [n, 32, 32, 3]."""
    parts = [
        network(standardised(torch.from_numpy(images[first : first + rows]))) for first in range(0, len(images), rows)
    ]
    return torch.cat(parts).numpy()


def perturbed(part, seed=1):
    """The crops of a split changed once as in training: a harder validation."""
    changes = torch.Generator().manual_seed(seed)
    images, labels = augment.changed(torch.from_numpy(part.images), torch.from_numpy(part.labels), STRENGTH, changes)
    return Set(images.numpy(), labels.numpy(), part.tracks)
