"""What a shop gives to the recipe: purchases in order, a catalogue, and what follows from them."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

# The network looks at this many purchases at most, the newest ones.
LENGTH_MAX = 50
# Names under which the columns of a catalogue are found, the first that is there.
COLUMNS = {
    "item": ("item", "item_id"),
    "title": ("title", "short_name", "name"),
    "brand": ("brand",),
    "category": ("category", "category_path"),
}


@dataclass
class Shop:
    """Items are numbered 1..N in the order of `items`; 0 is no item."""

    items: list[str]
    titles: list[str]
    brands: list[str]
    categories: list[str]
    sequences: list[np.ndarray]
    """One array of item numbers per customer, oldest purchase first."""

    @property
    def count(self):
        return len(self.items)


def load(purchases, catalogue=None):
    """Reads purchases (`sequences.txt` of S3Rec, or a CSV table customer,item,event_time) and a catalogue.

    Items are numbered in the order of the catalogue; those that it does not name follow in the order in which they were
    first bought. A catalogue is a table with a header, `.tsv` without quoting or `.csv`.
    """
    rows = _read_catalogue(catalogue) if catalogue else []
    numbers = {}
    for row in rows:
        if row["item"] in numbers:
            raise SystemExit(f"{catalogue}: the item {row['item']!r} stands there twice; keep one row of it")
        numbers[row["item"]] = len(numbers) + 1
    sequences = _read_sequences(purchases) if Path(purchases).suffix == ".txt" else _read_purchases(purchases)
    coded = [np.array([numbers.setdefault(item, len(numbers) + 1) for item in items]) for items in sequences]
    rows += [{"item": item, "title": "", "brand": "", "category": ""} for item in list(numbers)[len(rows) :]]
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return Shop(columns["item"], columns["title"], columns["brand"], columns["category"], coded)


def _read_sequences(path):
    """`customer item item ...`, a line for each customer."""
    with open(path, encoding="utf-8") as lines:
        return [line.split()[1:] for line in lines if line.strip()]


def _read_purchases(path):
    """`customer,item,event_time`; a purchase without a customer belongs to nobody's sequence."""
    sequences = {}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"customer", "item", "event_time"} - set(reader.fieldnames or ())
        if missing:
            raise SystemExit(f"{path}: no column {', '.join(sorted(missing))}; found {reader.fieldnames}")
        for row in reader:
            if row["customer"] and row["item"]:
                sequences.setdefault(row["customer"], []).append((_moment(row["event_time"]), row["item"]))
    # A stable sort: what was bought at one moment stays in the order of the file.
    return [[item for _, item in sorted(bought, key=lambda each: each[0])] for bought in sequences.values()]


def _moment(text):
    """A time as a number: ISO 8601, or a number already."""
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _read_catalogue(path):
    tabs = Path(path).suffix == ".tsv"
    # Titles contain quote characters, which mean nothing in a .tsv file.
    dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, **dialect)
        found = {name: next((n for n in names if n in reader.fieldnames), None) for name, names in COLUMNS.items()}
        if found["item"] is None:
            raise SystemExit(f"{path}: no column named {' or '.join(COLUMNS['item'])}; found {reader.fieldnames}")
        return [{name: (row.get(column) or "").strip() for name, column in found.items()} for row in reader]


@dataclass
class Split:
    """Leave-one-out: the last purchase is the test target, the one before it the validation target."""

    train: list[np.ndarray]
    validation: list[tuple[np.ndarray, int]]
    """(what the customer bought before, the target)."""
    test: list[tuple[np.ndarray, int]]


def split(sequences):
    """Customers with fewer than 3 purchases are learned from, and not measured."""
    long = [sequence for sequence in sequences if len(sequence) >= 3]
    train = [sequence[:-2] for sequence in long] + [sequence for sequence in sequences if len(sequence) < 3]
    return Split(
        train=train,
        validation=[(sequence[:-2], int(sequence[-2])) for sequence in long],
        test=[(sequence[:-1], int(sequence[-1])) for sequence in long],
    )


def popularity(sequences, count):
    """How often each item was bought, [count + 1]; the first is 0."""
    bought = np.concatenate([*sequences, np.zeros(0, dtype=np.int64)])
    return np.bincount(bought, minlength=count + 1)


def content(shop, size, seed):
    """Features of each item's own description, [count + 1, size], rows of length 1 (or 0 where nothing is told).

    TF-IDF of the words and word pairs of the title, the brand as one word, and each level of the category path as one
    word, reduced by a truncated singular value decomposition. Nothing of it depends on who bought what.
    """

    def words(text):
        return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()

    def terms(item):
        title = words(shop.titles[item])
        levels = [level.strip() for level in shop.categories[item].split(">") if level.strip()]
        brand = [f"brand={shop.brands[item].lower()}"] if shop.brands[item] else []
        pairs = [f"{first} {second}" for first, second in zip(title, title[1:])]
        return title + pairs + brand + [f"category={level.lower()}" for level in levels]

    documents = [terms(item) for item in range(shop.count)]
    features = np.zeros((shop.count + 1, size), dtype=np.float32)
    shared = {term for document in documents for term in set(document)}
    if not shared:
        return features
    weights = TfidfVectorizer(analyzer=lambda terms: terms, min_df=2, sublinear_tf=True)
    try:
        table = weights.fit_transform(documents)
    except ValueError:  # No term stands in two descriptions.
        return features
    rank = min(size, min(table.shape) - 1)
    if rank >= 1:
        reduced = TruncatedSVD(rank, random_state=seed).fit_transform(table)
        features[1:, :rank] = normalize(reduced)
    return features


@dataclass
class Pack:
    """Several sequences side by side in rows of `LENGTH_MAX`, so that short ones leave no padding.

    items, targets: [rows, length], targets 0 where nothing is to be predicted.
    starts: [rows, length], where in the row the sequence of that position begins.
    """

    items: np.ndarray
    targets: np.ndarray
    starts: np.ndarray


def packs(sequences, rows, generator):
    """One epoch: every purchase but the first of each sequence is a target once, in batches of `rows` packed rows.

    Sequences beyond the length are cut into windows; order and neighbours are drawn anew by `generator`.
    """
    windows = []
    for sequence in sequences:
        # Each window repeats the last item of the one before it as its first input.
        for end in range(len(sequence), 1, -LENGTH_MAX):
            windows.append(sequence[max(0, end - LENGTH_MAX - 1) : end])
    packed, filled = [], LENGTH_MAX
    for index in generator.permutation(len(windows)):
        size = len(windows[index]) - 1
        if filled + size > LENGTH_MAX:
            packed.append([])
            filled = 0
        packed[-1].append(windows[index])
        filled += size
    for first in range(0, len(packed), rows):
        yield _pack(packed[first : first + rows])


def _pack(packed):
    shape = (len(packed), LENGTH_MAX)
    # What is left of a row at its end is padding, each position a sequence of its own.
    pack = Pack(np.zeros(shape, int), np.zeros(shape, int), np.tile(np.arange(LENGTH_MAX), (len(packed), 1)))
    for row, windows in enumerate(packed):
        filled = 0
        for window in windows:
            place = slice(filled, filled + len(window) - 1)
            pack.items[row, place] = window[:-1]
            pack.targets[row, place] = window[1:]
            pack.starts[row, place] = filled
            filled = place.stop
    return pack
