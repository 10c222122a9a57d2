"""Words about a trained network: a line of figures, and the skeleton of its model card."""


PARTS = ("validation", "test")

LEARNED = {
    "training part": "The network has learned the training part alone, so the figures below are its own.",
    "everything": "After that it was trained anew on all purchases for as many epochs; the figures are those before.",
}


def line(figures):
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if "_at_" in name)


def skeleton(report):
    """MODEL_CARD.md with everything that the recipe knows; what only people know is left to be filled in."""
    parts = {part: [f"{value:.4f}" for name, value in report[part].items() if "_at_" in name] for part in PARTS}
    rows = "\n".join(f"| {part} | {' | '.join(figures)} |" for part, figures in parts.items())
    settings = ", ".join(f"{name} {value}" for name, value in report["settings"].items())
    return f"""# network.onnx, items.bin: next item, Transformer

Ranks every item of one catalogue by how likely a customer buys it next, from the customer's last 50 purchases.

## Who must not rely on it
It knows one shop, and that shop's customers until the day of the export. FILL IN: what it must not be used for.

## Data and licence
FILL IN: whose purchases, from when to when, under which licence.

{report["customers"]} customers, {report["items"]} items, {report["purchases"]} purchases;
{report["items_without_training"]} items were not bought in the training part and are known by their description alone.

## Recipe
`plugins/retail/next-item/training`, best epoch {report["best_epoch"]}, {report["seconds"]["wall"]:.0f} s, of these
{report["seconds"]["processor"]:.0f} s of processor time:
{settings}.
{LEARNED[report["learned"]]}

## Metrics
Last purchase of each customer = test, last but one = validation, the rest = training. Ranked among all items but the
customer's own: {report["test"]["reachable"]:.3f} of the test targets were new to the customer, the others are misses.

| part | HR@5 | NDCG@5 | HR@10 | NDCG@10 |
|---|---|---|---|---|
{rows}

## Known failure modes
FILL IN.
"""
