"""Training: batches, schedule, moving average, checkpoints."""

import copy
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

import augment
from data import IGNORED
from loss import loss

SETTINGS = {
    "rate": 1e-3,
    # Of matrices; biases and normalisations do not decay.
    "decay": 0.02,
    "batch": 16,
    "epochs": 14,
    # Side of the pictures but for the last epochs, in pixels.
    "side": 416,
    # Epochs at the end without mosaic and with little change, and their side.
    "gentle": 5,
    "gentle_side": 512,
    "average": 0.998,
}
# Threads that share a batch.
THREADS = 2
# Steps in which the rate rises from 0.
WARMUP = 100
GRADIENT_NORM_MAX = 10.0
# The average is judged after so many epochs, and after the last.
JUDGED_EVERY = 2


def batches(pool, size, side, strength, generator):
    """One epoch of (images float [n, 3, side, side], boxes [n, k, 4], classes [n, k], known [n, 8]) as tensors."""
    order = generator.permutation(len(pool.pictures))
    for first in range(0, len(order) - size + 1, size):
        chosen = order[first : first + size]
        part = [augment.changed(pool, index, side, strength, generator) for index in chosen]
        most = max(1, max(len(picture.classes) for picture in part))
        boxes = torch.zeros(len(part), most, 4)
        classes = torch.full((len(part), most), IGNORED)
        for number, picture in enumerate(part):
            count = len(picture.classes)
            boxes[number, :count] = torch.from_numpy(picture.boxes)
            classes[number, :count] = torch.from_numpy(picture.classes)
        images = torch.from_numpy(np.stack([picture.image for picture in part])).permute(0, 3, 1, 2).float()
        images = augment.coloured(images, strength, generator).contiguous(memory_format=torch.channels_last)
        yield images, boxes, classes, torch.from_numpy(np.stack([picture.known for picture in part]))


def gradients(network, learned, images, boxes, classes, known):
    """(gradients of the loss of part of a batch, its parts)."""
    value, parts = loss(network(images), network.centres(), boxes, classes, known)
    return torch.autograd.grad(value, learned), {name: part.item() for name, part in parts.items()}


def steps_of(epoch, network, learned, threads):
    """Sets the gradients of each batch in turn, and gives the parts of its loss.

    Each thread takes its share of the batch with single-threaded operations. Two threads that wait for each other in
    every operation lose most of their time on a machine that compiles beside the training. The next batch is made
    meanwhile.
    """
    epoch = iter(epoch)
    batch = next(epoch, None)
    while batch is not None:
        parts = zip(*(part.chunk(THREADS) for part in batch))
        shares = [threads.submit(gradients, network, learned, *part) for part in parts]
        batch = next(epoch, None)
        found = [share.result() for share in shares]
        for weights, *each in zip(learned, *(gradient for gradient, _ in found)):
            weights.grad = sum(each) / len(each)
        yield {name: sum(parts[name] for _, parts in found) / len(found) for name in found[0][1]}


def factor(step, steps):
    """Of the learning rate: a rise, then half a cosine down to a hundredth."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * min(1.0, (step - WARMUP) / max(1, steps - WARMUP))))


def optimiser_of(learned, settings):
    """AdamW; biases and normalisations do not decay."""
    groups = [
        {"params": [weights for weights in learned if (weights.ndim > 1) == large], "weight_decay": decay}
        for large, decay in ((True, settings["decay"]), (False, 0.0))
    ]
    return torch.optim.AdamW(groups, lr=settings["rate"])


@torch.no_grad()
def averaged(mean, network, keep):
    """Moves the average a step towards the network."""
    for slow, fast in zip(mean.parameters(), network.parameters()):
        slow.lerp_(fast, 1 - keep)


def fit(network, pictures, settings, seed, checkpoint, judge, log):
    """Trains the network and returns the moving average of its weights.

    `checkpoint`: file that an interrupted training goes on from. `judge(network)` gives figures of the average.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    mean, learned = copy.deepcopy(network), list(network.parameters())
    optimiser = optimiser_of(learned, settings)
    steps = len(pictures) // settings["batch"] * settings["epochs"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: factor(step, steps))
    first, step = 0, 0
    if Path(checkpoint).exists():
        state = torch.load(checkpoint, weights_only=False)
        network.load_state_dict(state["network"])
        mean.load_state_dict(state["mean"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.bit_generator.state = state["generator"]
        first, step = state["epoch"], state["step"]
    pool = augment.Pool(pictures)
    threads = ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,))
    for epoch in range(first, settings["epochs"]):
        begin, busy = time.monotonic(), time.process_time()
        totals, count = {}, 0
        gentle = epoch >= settings["epochs"] - settings["gentle"]
        strength = augment.GENTLE if gentle else augment.STRONG
        network.resize(settings["gentle_side" if gentle else "side"])
        epoch_batches = batches(pool, settings["batch"], network.side, strength, generator)
        for parts in steps_of(epoch_batches, network, learned, threads):
            torch.nn.utils.clip_grad_norm_(learned, GRADIENT_NORM_MAX)
            optimiser.step()
            schedule.step()
            step += 1
            # The average begins quickly: what the first steps overturn is soon forgotten.
            averaged(mean, network, min(settings["average"], (1 + step) / (10 + step)))
            for name, part in parts.items():
                totals[name] = totals.get(name, 0.0) + part
            count += 1
        figures = {"epoch": epoch + 1} | {name: round(total / count, 4) for name, total in totals.items()}
        figures |= {"seconds": time.monotonic() - begin, "processor_seconds": time.process_time() - busy}
        if (epoch + 1) % JUDGED_EVERY == 0 or epoch == settings["epochs"] - 1:
            figures |= judge(mean)
        log(figures)
        save(checkpoint, network, mean, optimiser, schedule, generator, epoch + 1, step)
    return mean


def save(path, network, mean, optimiser, schedule, generator, epoch, step):
    """Writes all that a training goes on from; the old file stays until the new one is whole."""
    state = {
        "network": network.state_dict(),
        "mean": mean.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "generator": generator.bit_generator.state,
        "epoch": epoch,
        "step": step,
    }
    fresh = Path(path).with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)
