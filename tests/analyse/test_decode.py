import json

import numpy as np
import pytest
from PIL import Image

from occbench.analyse.decode import DecodeRequest
from occbench.analyse.decode_report import write_decode
from occbench.analyse.decoder_training import DecoderRule
from occbench.core.errors import ConfigError


def test_a_decoder_is_trained_judged_and_drawn_and_not_trained_again(opened, tmp_path):
    request = DecodeRequest(DecoderRule(16, 16, 2), "20c", 12, 6)
    epochs = []
    made = write_decode(opened, request, tmp_path, lambda epoch, loss: epochs.append((epoch, loss)))
    assert [epoch for epoch, _ in epochs] == [0, 1]
    numbers = json.loads((tmp_path / "decode.json").read_text())
    assert numbers["training_images"] == 12
    assert numbers["held_out_images"] == 6
    errors = numbers["mean_squared_errors"]
    assert all(0 < item["value"] < 1 for item in errors.values())
    guess = errors["occluded image, guessed as the mean under its pattern"]
    assert guess["value"] < errors["occluded image, guessed as the mean training image"]["value"]
    assert np.asarray(Image.open(tmp_path / "decode.png")).std() > 0
    again = write_decode(opened, request, tmp_path, lambda epoch, loss: epochs.append((epoch, loss)))
    assert len(epochs) == 2
    assert again == made


def test_images_that_do_not_fit_into_memory_are_refused_before_work(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("occbench.analyse.decode.memory_bytes", lambda: 10**6)
    with pytest.raises(ConfigError, match="lower --size-px or --train-images"):
        write_decode(opened, DecodeRequest(DecoderRule(256, 16, 1)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_too_few_images_are_refused():
    with pytest.raises(ConfigError, match="2 training and 2 test images or more"):
        DecodeRequest(held_out=1)
