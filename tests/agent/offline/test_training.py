"""The committed arrays are what training on our own phrases gives."""

import numpy as np

from agent.models.offline.classifier import ARRAYS, classifier
from agent.models.offline.phrases import GRAMMAR, examples
from agent.models.offline.train import train


def test_training_again_gives_the_committed_arrays() -> None:
    labels, weights, bias = train()
    with np.load(ARRAYS, allow_pickle=False) as arrays:
        assert list(arrays["labels"]) == labels
        np.testing.assert_allclose(arrays["weights"].astype(np.float32), weights.astype(np.float32), atol=2e-2)
        np.testing.assert_allclose(arrays["bias"].astype(np.float32), bias.astype(np.float32), atol=2e-2)


def test_the_arrays_are_small_enough_to_commit() -> None:
    assert ARRAYS.stat().st_size < 1_000_000


def test_every_kind_of_request_has_phrases_and_they_are_the_same_every_time() -> None:
    found = examples(5)
    assert {label for label, _ in found} == set(GRAMMAR)
    assert found == examples(5)


def test_the_model_tells_a_question_about_the_past_from_one_about_now() -> None:
    model = classifier()
    assert model.best(["what", "happened", "last", "night"])[0] == "ask_past"
    assert model.best(["is", "the", "<name>", "locked"])[0] == "ask_state"
