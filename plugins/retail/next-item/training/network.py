"""The network: embeddings with content, causal Transformer blocks, and the softmax over the whole catalogue."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from data import LENGTH_MAX

# Attention beyond its own sequence, or into the future.
OUTSIDE = LENGTH_MAX
# Positions whose scores over the catalogue are in memory at a time.
CHUNK = 256


def has_bfloat16():
    """Whether the processor multiplies bfloat16 matrices faster than float32 ones."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class Dropout(nn.Module):
    """Dropout with masks of random bytes: torch draws one number at a time, which took a fifth of the training."""

    def __init__(self, chance, generator):
        super().__init__()
        self.chance, self.generator = chance, generator

    def forward(self, values):
        if not self.training or not self.chance:
            return values
        bytes_ = torch.from_numpy(self.generator.integers(0, 256, values.shape, dtype=np.uint8))
        return values * ((bytes_ >= round(self.chance * 256)) / (1 - self.chance))


class Block(nn.Module):
    """Causal self-attention with a bias for each distance, then two dense layers; normalised after each sum."""

    def __init__(self, size, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.mixed = nn.Linear(size, 3 * size)
        self.joined = nn.Linear(size, size)
        self.wide = nn.Linear(size, 4 * size)
        self.narrow = nn.Linear(4 * size, size)
        self.first_norm = nn.LayerNorm(size)
        self.second_norm = nn.LayerNorm(size)
        self.distance = nn.Parameter(torch.zeros(heads, LENGTH_MAX))

    def forward(self, states, distances):
        batch, length, size = states.shape
        shape = (batch, length, 3, self.heads, size // self.heads)
        queries, keys, values = self.mixed(states).view(shape).permute(2, 0, 3, 1, 4)
        table = functional.pad(self.distance, (0, 1), value=float("-inf"))
        bias = table[:, distances].transpose(0, 1)
        weights = (queries @ keys.transpose(-1, -2) / math.sqrt(size // self.heads) + bias).softmax(-1)
        attended = self.joined((self.dropout(weights) @ values).transpose(1, 2).reshape(batch, length, size))
        states = self.first_norm(states + self.dropout(attended))
        hidden = self.dropout(functional.gelu(self.wide(states)))
        return self.second_norm(states + self.dropout(self.narrow(hidden)))


class Network(nn.Module):
    """Scores of every item after every position of a sequence.

    An item's vector is its own, learned from purchases, plus a projection of its content. `known` [count + 1] tells
    which items were bought in training: the others have their content alone, and stay out of the softmax.
    """

    def __init__(self, content, known, *, size, heads, blocks, dropout, item_dropout, seed=0):
        super().__init__()
        self.parts = {"size": size, "heads": heads, "blocks": blocks, "dropout": dropout, "item_dropout": item_dropout}
        count = len(known)
        self.item_dropout = item_dropout
        self.dropout = Dropout(dropout, np.random.Generator(np.random.SFC64(seed)))
        self.own = nn.Parameter(torch.randn(count, size) * 0.02)
        self.register_buffer("content", torch.as_tensor(content, dtype=torch.float32))
        self.register_buffer("known", torch.as_tensor(known, dtype=torch.float32)[:, None])
        self.projection = nn.Linear(content.shape[1], size, bias=False)
        self.norm = nn.LayerNorm(size)
        self.blocks = nn.ModuleList([Block(size, heads, self.dropout) for _ in range(blocks)])
        self.sharpness = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def items(self):
        """The vector of every item, [count + 1, size], each of length 1."""
        own = self.own * self.known
        if self.training and self.item_dropout:
            # An item that stands there by its content alone teaches the projection to serve unknown items.
            own = own * (torch.rand(len(own), 1) >= self.item_dropout)
        return functional.normalize(own + self.projection(self.content), dim=-1)

    def states(self, items, matrix, distances):
        """What the network knows after each position, [batch, length, size]."""
        states = self.dropout(self.norm(matrix[items]))
        for block in self.blocks:
            states = block(states, distances)
        return states

    def sharpen(self, states):
        """States whose products with the item vectors are the scores: cosines over a learned temperature."""
        return functional.normalize(states, dim=-1) * self.sharpness.exp()

    def scores(self, items):
        """Scores after the last position, [batch, count + 1]; 0 before the first item is padding."""
        matrix = self.items()
        place = torch.arange(items.shape[1])
        starts = (items == 0).sum(dim=1, keepdim=True).expand(items.shape)
        states = self.states(items, matrix, distances(place, starts))[:, -1]
        return self.sharpen(states) @ matrix.T

    def save(self, path):
        torch.save({"parts": self.parts, "state": self.state_dict()}, path)

    @classmethod
    def load(cls, path):
        """The network that `save` wrote, ready to score."""
        saved = torch.load(path)
        state = saved["state"]
        network = cls(state["content"], state["known"][:, 0], **saved["parts"])
        network.load_state_dict(state)
        return network.eval()


def distances(place, starts):
    """How many purchases ago, [batch, length, length]; `OUTSIDE` for the future and for what is before `starts`.

    A position always sees itself: one that sees nothing would become NaN, and padding is never asked anyway.
    """
    ago = place[:, None] - place[None, :]
    seen = (ago >= 0) & (place >= starts[:, :, None]) | (ago == 0)
    return torch.where(seen, ago, OUTSIDE)


class SoftmaxLoss(torch.autograd.Function):
    """Mean cross-entropy of `targets` under softmax(states @ matrix.T), with gradients computed on the way.

    The scores of all positions over the catalogue would be gigabytes. So each chunk of positions is scored, turned
    into the gradient (softmax minus one-hot) and multiplied back at once. The three products take bfloat16 where `low`
    is set, which processors with AVX512-BF16 or AMX do about three times as fast; sums over chunks stay float32.
    """

    @staticmethod
    def forward(context, states, matrix, targets, low):
        kind = torch.bfloat16 if low else torch.float32
        columns = matrix.to(kind)
        state_gradient = torch.empty_like(states)
        matrix_gradient = torch.zeros_like(matrix)
        loss = 0.0
        for first in range(0, len(states), CHUNK):
            part = slice(first, first + CHUNK)
            rows = states[part].to(kind)
            chances = torch.softmax(rows @ columns.T, dim=1)
            wanted = (torch.arange(len(rows)), targets[part])
            chance = chances[wanted].float()
            loss -= chance.clamp(min=1e-30).log().sum()
            chances[wanted] = (chance - 1).to(kind)
            state_gradient[part] = chances @ columns
            matrix_gradient += chances.T @ rows
        context.save_for_backward(state_gradient / len(states), matrix_gradient / len(states))
        return loss / len(states)

    @staticmethod
    def backward(context, gradient):
        states, matrix = context.saved_tensors
        return states * gradient, matrix * gradient, None, None
