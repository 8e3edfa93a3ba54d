"""Classical training is cross-entropy of head and trunk, and nothing else."""

import torch
from torch.nn.functional import cross_entropy

from occbench.bench.training.training_run import Prediction
from occbench.core.training import Method
from occbench.methods.fine_tune import FineTune


def test_the_loss_is_cross_entropy_and_the_answer_the_heads(make_pipeline, tiny_materials):
    pipeline, images = make_pipeline(), tiny_materials().train
    pipeline.model.eval()
    run, inputs, labels = Prediction(pipeline), pipeline.inputs(images.images[:5]), images.labels[:5]
    logits = pipeline.model(inputs)
    assert torch.equal(FineTune().loss(run, inputs, labels), cross_entropy(logits, labels))
    assert torch.equal(FineTune().predict(run, inputs), logits)


def test_nothing_is_drawn_or_remembered(make_pipeline, tiny_materials):
    pipeline, images = make_pipeline(), tiny_materials().train
    run = Prediction(pipeline)
    before = run.draws.get_state()
    FineTune().on_epoch_start(run)
    FineTune().loss(run, pipeline.inputs(images.images[:4]), images.labels[:4])
    assert torch.equal(run.draws.get_state(), before)
    assert run.memory == {}
    assert FineTune().needs == frozenset()


def test_it_is_what_an_empty_method_does():
    assert all(getattr(FineTune, name) is getattr(Method, name) for name in ("loss", "predict", "on_epoch_start"))
