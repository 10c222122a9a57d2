"""Trains the next-item Transformer of one shop, writes it for the plugin, and measures what was written.

    python train.py --sequences sequences.txt --items items.tsv --output DIR
    python train.py --sequences purchases.csv --items catalogue.csv --output DIR
    python train.py --sequences sequences.txt --items items.tsv --choose      validation figures only, test untouched

With --everything the network is first measured as always, and then trained anew on all purchases for as many epochs as
were best: that network is written, for a shop that wants its newest purchases learned too. Its own figures are unknown.

DIR gets network.onnx and items.bin for the plugin, metrics.json and MODEL_CARD.md about them, and network.pt and
items.txt (the item of each number) for scripts that go on with torch.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch

import card
import data
import network
from evaluate import measure, metrics, ranks
from export import to_items, to_onnx

SETTINGS = {
    "size": 64,
    "heads": 2,
    "blocks": 2,
    "dropout": 0.5,
    "item_dropout": 0.1,
    "content": 256,
    "rate": 3e-3,
    "rows": 36,
    "average": 0.99,
    "epochs": 16,
    "patience": 5,
    "seed": 0,
}
# The moving average of the first epoch, a quick one that forgets the random beginning.
FIRST_AVERAGE = 0.9


def build(shop, sequences, settings):
    """A network that has not learned yet, for the items of `shop` and those of them that `sequences` bought."""
    torch.manual_seed(settings["seed"])
    content = data.content(shop, settings["content"], settings["seed"])
    known = data.popularity(sequences, shop.count) > 0
    parts = {name: settings[name] for name in ("size", "heads", "blocks", "dropout", "item_dropout", "seed")}
    return network.Network(content, known, **parts)


def epoch(model, mean, optimiser, batches, average, low):
    """Goes once through `batches`; `mean` follows the weights as a moving average. Returns the mean loss."""
    candidates = torch.where(model.known[:, 0] > 0)[0]
    numbers = torch.zeros(len(model.known), dtype=torch.long)
    numbers[candidates] = torch.arange(len(candidates))
    pairs = list(zip(mean.parameters(), model.parameters()))
    place = torch.arange(data.LENGTH_MAX)
    total, count = 0.0, 0
    model.train()
    for pack in batches:
        items, targets, starts = (torch.as_tensor(part) for part in (pack.items, pack.targets, pack.starts))
        matrix = model.items()
        states = model.states(items, matrix, network.distances(place, starts))
        wanted = targets > 0
        states = model.sharpen(states[wanted])
        loss = network.SoftmaxLoss.apply(states, matrix[candidates], numbers[targets[wanted]], low)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for slow, fast in pairs:
                slow.lerp_(fast, 1 - average)
        total, count = total + loss.item() * len(states), count + len(states)
    return total / max(count, 1)


@torch.inference_mode()
def validate(model, questions):
    model.eval()
    return metrics(ranks(lambda items: model.scores(torch.as_tensor(items)).numpy(), questions))


def train(model, sequences, settings, low):
    """Yields after each epoch its number, its loss, and the moving average of the network."""
    generator = np.random.default_rng(settings["seed"])
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["rate"], betas=(0.9, 0.98), fused=True)
    mean = copy.deepcopy(model)
    for number in range(1, settings["epochs"] + 1):
        for group in optimiser.param_groups:
            group["lr"] = settings["rate"] * (1 - (number - 1) / settings["epochs"])
        batches = data.packs(sequences, settings["rows"], generator)
        average = settings["average"] if number > 1 else FIRST_AVERAGE
        yield number, epoch(model, mean, optimiser, batches, average, low), mean


def fit(model, sequences, questions, settings, low):
    """Trains until validation NDCG@10 has not risen for `patience` epochs.

    Returns the network of the best epoch, the number of that epoch, and a log.
    """
    best, log = None, []
    started = time.perf_counter()
    for number, loss, mean in train(model, sequences, settings, low):
        figures = validate(mean, questions)
        seconds = time.perf_counter() - started
        log.append({"epoch": number, "loss": loss, "seconds": seconds, **figures})
        print(f"{number:3}  loss {loss:.4f}  {card.line(figures)}  ({seconds:.0f} s)", flush=True)
        if best is None or figures["ndcg_at_10"] > log[best - 1]["ndcg_at_10"]:
            best, state = number, copy.deepcopy(mean.state_dict())
        elif number - best >= settings["patience"]:
            break
    mean.load_state_dict(state)
    return mean, best, log


def refit(model, sequences, settings, low, last):
    """Trains for `last` epochs, and looks at nothing."""
    for number, loss, mean in train(model, sequences, settings, low):
        print(f"{number:3}  loss {loss:.4f}", flush=True)
        if number == last:
            return mean.eval()


def write(directory, shop, model, sequences):
    """The network and its items, for the plugin and for torch; `sequences` are those that it has learned."""
    directory.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(model, "foretell next-item Transformer"), directory / "network.onnx")
    with torch.inference_mode():
        vectors = model.items().numpy()
    (directory / "items.bin").write_bytes(to_items(shop, vectors, data.popularity(sequences, shop.count)))
    model.save(directory / "network.pt")
    (directory / "items.txt").write_text("".join(f"{item}\n" for item in shop.items))


def main():
    parser = argparse.ArgumentParser(description="Train the next-item Transformer of one shop and measure it.")
    parser.add_argument("--sequences", required=True, help="purchases: .txt of S3Rec, or .csv customer,item,event_time")
    parser.add_argument("--items", help="catalogue: .tsv or .csv with item, title, brand, category")
    parser.add_argument("--output", type=Path, help="directory for the files")
    parser.add_argument("--choose", action="store_true", help="print validation figures, score no test, write nothing")
    parser.add_argument(
        "--everything", action="store_true", help="write a network that learned all purchases, validation and test too"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of the training")
    parser.add_argument("--exact", action="store_true", help="float32 also where bfloat16 would be faster")
    for name, value in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    if not arguments.choose and arguments.output is None:
        parser.error("--output is needed, or --choose")
    settings = {name: getattr(arguments, name) for name in SETTINGS}
    torch.set_num_threads(arguments.threads)

    shop = data.load(arguments.sequences, arguments.items)
    parts = data.split(shop.sequences)
    print(f"{len(shop.sequences)} customers, {shop.count} items, {settings}", flush=True)
    if not parts.validation:
        raise SystemExit(f"{arguments.sequences}: no customer has 3 purchases or more; nothing could be validated")
    started, busy = time.perf_counter(), time.process_time()
    low = not arguments.exact and network.has_bfloat16()
    model, best, log = fit(build(shop, parts.train, settings), parts.train, parts.validation, settings, low)
    seconds = {"wall": time.perf_counter() - started, "processor": time.process_time() - busy}
    print(f"best epoch {best}  {card.line(log[best - 1])}  ({seconds['wall']:.0f} s)", flush=True)
    if arguments.choose:
        return

    write(arguments.output, shop, model, parts.train)
    bought = data.popularity(parts.train, shop.count)
    report = {
        "customers": len(shop.sequences),
        "items": shop.count,
        "purchases": sum(map(len, shop.sequences)),
        "items_without_training": int((bought[1:] == 0).sum()),
        "settings": settings,
        "bfloat16": low,
        "threads": arguments.threads,
        "best_epoch": best,
        "seconds": seconds,
        "validation": measure(arguments.output / "network.onnx", parts.validation),
        "test": measure(arguments.output / "network.onnx", parts.test),
        "log": log,
    }
    for part in card.PARTS:
        print(f"{part}  {card.line(report[part])}", flush=True)
    if arguments.everything:
        model = refit(build(shop, shop.sequences, settings), shop.sequences, settings, low, best)
        write(arguments.output, shop, model, shop.sequences)
    report["learned"] = "everything" if arguments.everything else "training part"
    (arguments.output / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
    (arguments.output / "MODEL_CARD.md").write_text(card.skeleton(report))


if __name__ == "__main__":
    main()
