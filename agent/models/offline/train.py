"""Trains the planner's classifier on our own phrases: `python -m agent.models.offline.train` writes the arrays."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from agent.models.offline.classifier import ARRAYS
from agent.models.offline.features import vector
from agent.models.offline.phrases import GRAMMAR, examples


def train(per_template: int = 40) -> tuple[list[str], NDArray[np.float16], NDArray[np.float16]]:
    """Labels (sorted), weights (labels x features) and bias; the same numbers on every run."""
    labelled = examples(per_template)
    labels = sorted(GRAMMAR)
    x = np.stack([vector(words) for _, words in labelled])
    y = np.array([labels.index(label) for label, _ in labelled])
    model = LogisticRegression(C=20.0, max_iter=120, tol=1e-4, class_weight="balanced")
    model.fit(x, y)
    return labels, model.coef_.astype(np.float16), model.intercept_.astype(np.float16)


def write(path: Path = ARRAYS) -> None:
    labels, weights, bias = train()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, labels=np.array(labels), weights=weights, bias=bias)


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{ARRAYS} {ARRAYS.stat().st_size} bytes\n")
