"""Which kind of request a clause is: a linear model over hashed n-grams, read from committed arrays."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.models.offline.features import vector

ARRAYS = Path(__file__).parent / "arrays" / "intents.npz"


class Classifier:
    """`labels` in the order of the weights' rows."""

    def __init__(self, labels: Sequence[str], weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self.labels = tuple(labels)
        self._weights, self._bias = weights, bias

    def probabilities(self, words: Sequence[str]) -> dict[str, float]:
        """The probability of each label for masked words."""
        scores = self._weights @ vector(words) + self._bias
        powers = np.exp(scores - scores.max())
        powers /= powers.sum()
        return {label: float(p) for label, p in zip(self.labels, powers, strict=True)}

    def best(self, words: Sequence[str], allowed: Collection[str] | None = None) -> tuple[str, float]:
        """The likeliest label among `allowed` (all when `None`) with its probability; `("other", 0.0)` for none."""
        found = [
            (p, label) for label, p in self.probabilities(words).items() if allowed is None or label in allowed
        ]  # fmt: skip
        return (max(found)[1], max(found)[0]) if found else ("other", 0.0)


@lru_cache(maxsize=1)
def classifier() -> Classifier:
    """The trained model of this installation."""
    with np.load(ARRAYS, allow_pickle=False) as arrays:
        labels = [str(label) for label in arrays["labels"]]
        return Classifier(labels, arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32))
