import numpy as np
import pytest
import torch

from occbench.analyse.decode_errors import Decoded, decoded_errors
from occbench.analyse.decoder_data import Decodable


def grey(*values):
    """Images of one pixel: values in 0..1 of N x M."""
    return torch.tensor(values)[..., None, None, None].expand(-1, -1, 3, 1, 1)


def test_errors_are_those_computed_by_hand():
    training = Decodable(torch.zeros(2, 3, 4), (grey([0.0, 1.0, 1.0], [1.0, 1.0, 0.0]) * 255).to(torch.uint8))
    judged = Decodable(torch.zeros(2, 3, 4), (grey([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]) * 255).to(torch.uint8))
    decoded = Decoded(grey([0.5, 1.0, 1.0], [1.0, 0.0, 0.5]), grey([1.0, 0.0], [0.5, 0.5]))
    found = decoded_errors(training, judged, decoded, (np.array([1.0, 0.0]), np.array([0.5, 0.5])))
    assert found.clean == pytest.approx([0.25, 0.0])
    assert found.occluded == pytest.approx([0.5, 0.125])
    assert found.pseudo == pytest.approx([0.0, 0.25])
    mean = (0.5 + 1.0 + 0.5) / 3
    assert found.clean_guess == pytest.approx([mean**2, (1 - mean) ** 2])
    assert found.occluded_guess == pytest.approx([((1 - mean) ** 2 + mean**2) / 2, mean**2])
    assert found.pattern_guess == pytest.approx([(0 + 0.25) / 2, (1 + 0.25) / 2]), "patterns' means are 1 and 0.5"
