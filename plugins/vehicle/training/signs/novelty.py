"""How unlike the training crops a crop is: a distance in what the blocks' maps hold.

Of each block's map, the mean and the standard deviation of every channel over all places; of these numbers the
Mahalanobis distance to the nearest class of the training crops (Lee et al. 2018, arXiv 1807.03888). All classes share
one covariance, shrunk as in Ledoit and Wolf (2004, J. Multivariate Analysis 88); the distance is divided by the root of
the numbers' count, so that a training crop is at about 1. Crops are standardised before they reach the network, so
exposure and contrast do not count. Place, sharpness and compression are made to count little by fitting on crops that
were changed in these.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf

import augment
from network import standardised

# Added to a variance over places: the square root of 0 has no slope, and a uniform map is allowed.
VARIANCE_FLOOR = 1e-6
# A crop of the validation split is beyond the threshold with this chance.
VALIDATION_FLAGGED = 0.02


@dataclass
class Distance:
    """Numbers x [d] become ((x - centre) * scale) @ whitening; the distance is to the nearest of `classes` [k, d]."""

    centre: np.ndarray
    scale: np.ndarray
    whitening: np.ndarray
    classes: np.ndarray

    def of(self, numbers):
        """[n, d] to [n]."""
        white = ((numbers - self.centre) * self.scale) @ self.whitening
        return np.min([np.linalg.norm(white - place, axis=1) for place in self.classes], axis=0)


def numbers(maps):
    """The stem's and the blocks' maps to [n, d]: means of the blocks' maps, then their standard deviations."""
    chosen = maps[1:]
    means = [part.mean((2, 3)) for part in chosen]
    deviations = [
        ((part - mean[:, :, None, None]).square().mean((2, 3)) + VARIANCE_FLOOR).sqrt()
        for part, mean in zip(chosen, means)
    ]
    return torch.cat(means + deviations, dim=1)


@torch.inference_mode()
def all_numbers(network, images, rows=256):
    """`numbers` of uint8 [n, h, w, 3] in the float64 that the fit wants."""
    found = []
    for first in range(0, len(images), rows):
        maps = network.maps(standardised(torch.from_numpy(images[first : first + rows])))
        found.append(numbers(maps).double().numpy())
    return np.concatenate(found)


def passed_on(images, seed):
    """Crops as another camera and a detector's loose box would have them."""
    labels = torch.full((len(images),), -1)
    changes = torch.Generator().manual_seed(seed)
    return augment.changed(torch.from_numpy(images), labels, augment.MILD, changes)[0].numpy()


def fitted(network, images, labels, seed=0):
    """The distance to crops uint8 [n, h, w, 3], each taken as it is and passed on once."""
    found = np.concatenate([all_numbers(network, part) for part in (images, passed_on(images, seed))])
    kinds = np.concatenate([labels, labels])
    centre, deviation = found.mean(axis=0), found.std(axis=0)
    # A channel that never changes in training must not divide by nothing.
    deviation = np.maximum(deviation, 1e-3 * deviation.mean())
    scaled = (found - centre) / deviation
    classes = np.stack([scaled[kinds == kind].mean(axis=0) for kind in np.unique(kinds)])
    covariance, _ = ledoit_wolf(scaled - classes[np.searchsorted(np.unique(kinds), kinds)])
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(values * len(values))
    return Distance(centre, 1 / deviation, whitening, classes @ whitening)


def threshold(plain, passed):
    """The distance beyond which a crop is flagged, from validation crops as they are and passed on."""
    return float(np.quantile(np.concatenate([plain, passed]), 1 - VALIDATION_FLAGGED))
