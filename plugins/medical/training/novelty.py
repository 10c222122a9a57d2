"""How unlike the training pictures a picture is: a distance in what the body's maps hold.

Of some maps, the mean and the standard deviation of every channel over all places; of these numbers the Mahalanobis
distance to the training pictures, with a covariance shrunk as in Ledoit and Wolf (2004, J. Multivariate Analysis 88),
divided by the root of their count, so that a training picture is at about 1 (after Lee et al. 2018, arXiv 1807.03888,
who take the means alone). The pictures are standardised before they reach the body, so exposure and contrast do not
count. What does count is made insensitive to compression and sharpness by fitting on pictures changed in these.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageFilter
from sklearn.covariance import ledoit_wolf

import augment
from network import standardised

# Maps of the body that are looked at: outputs of these blocks (1 is the first), sides /4, /8, /16 and /16.
MAPS = (3, 6, 10, 13)
# Added to a variance over places: the square root of 0 has no slope, and a uniform map is allowed.
VARIANCE_FLOOR = 1e-6
# A picture of the validation split is beyond the threshold with this chance.
VALIDATION_FLAGGED = 0.01


@dataclass
class Distance:
    """The distance of numbers x [d] is the length of ((x - centre) * scale) @ whitening, which is [d, d]."""

    centre: np.ndarray
    scale: np.ndarray
    whitening: np.ndarray

    def of(self, numbers):
        """[n, d] to [n]."""
        return np.linalg.norm(((numbers - self.centre) * self.scale) @ self.whitening, axis=1)


def numbers(maps):
    """The body's maps to [n, d]: means of all maps, then standard deviations of all maps."""
    chosen = [maps[index] for index in MAPS]
    means = [part.mean((2, 3)) for part in chosen]
    deviations = [
        ((part - mean[:, :, None, None]).square().mean((2, 3)) + VARIANCE_FLOOR).sqrt()
        for part, mean in zip(chosen, means)
    ]
    return torch.cat(means + deviations, dim=1)


@torch.inference_mode()
def all_numbers(body, images, rows=32):
    """`numbers` of uint8 [n, h, w] in the float64 that the fit wants."""
    found = []
    for first in range(0, len(images), rows):
        maps, _ = body(standardised(torch.from_numpy(images[first : first + rows])))
        found.append(numbers(maps).double().numpy())
    return np.concatenate(found)


def passed_on(images, generator):
    """Pictures after what the way from the scanner to a file may do to them: JPEG, a softer or a sharper resizing."""
    changed = []
    for image in images:
        kind = generator.random()
        if kind < 0.3:
            picture = Image.fromarray(image).filter(ImageFilter.GaussianBlur(generator.uniform(0.2, 0.6)))
            image = np.asarray(picture)
        elif kind < 0.7:
            percent = int(generator.integers(20, 90))
            image = np.asarray(Image.fromarray(image).filter(ImageFilter.UnsharpMask(1, percent, 0)))
        if generator.random() < 0.5:
            image = augment.recompressed(image, int(generator.integers(40, 96)))
        changed.append(image)
    return np.stack(changed)


def fitted(body, images, generator):
    """The distance to pictures uint8 [n, h, w], each taken as it is and passed on once."""
    found = np.concatenate([all_numbers(body, images), all_numbers(body, passed_on(images, generator))])
    centre, deviation = found.mean(axis=0), found.std(axis=0)
    # A channel that never changes in training must not divide by nothing.
    deviation = np.maximum(deviation, 1e-3 * deviation.mean())
    covariance, _ = ledoit_wolf((found - centre) / deviation)
    values, vectors = np.linalg.eigh(covariance)
    return Distance(centre, 1 / deviation, vectors / np.sqrt(values * len(values)))


def threshold(plain, passed):
    """The distance beyond which a picture is flagged, from validation pictures as they are and passed on."""
    return float(np.quantile(np.concatenate([plain, passed]), 1 - VALIDATION_FLAGGED))
