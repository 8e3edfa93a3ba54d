"""CompositionalNets: a generative model of feature maps in which each place may be an occluder's.

Kortylewski, He, Liu, Yuille, "Compositional Convolutional Neural Networks", CVPR 2020; constants and losses as in their
release (code: AdamKortylewski/CompositionalNets). The likelihood stands in ``compositional_model``. It starts from
clusters of what the frozen network makes of the training images: kernels by a von Mises-Fisher mixture of all feature
vectors, mixtures of a class by spectral clustering of its images' encodings, occluders from a white image, noise and
``natural`` clusters. Then kernels and mixtures train on

    L = CE(softmax(2 score), y) + 3 mean_p (1 - max_k cos(f_p, mu_k)) - 3 score_y

The release passes probabilities on to a loss that takes logits, so that they go through the softmax twice; that is
``legacy_double_softmax``. Inferred: the natural occluders are clusters of single places of the training images, because
the release's occluder images are not described.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from occbench.core.options import check_range
from occbench.core.training import Method, TrainingRun
from occbench.methods.clustering import k_means, spectral_clusters, vmf_kernels
from occbench.methods.compositional_model import CompositionalModel
from occbench.methods.fitted import full_precision

__all__ = ["CompositionalNet"]


@dataclass(frozen=True)
class CompositionalNet(Method):
    """Explains every place of a frozen network's feature map by the object or by an occluder.

    Attributes:
        kernels: K of the dictionary, 1 or more. The release: 512.
        mixtures: M of each class, 1 or more. The release: 4.
        kappa: concentration of the kernels, above 0. The release: 30.
        occluded: prior of a place to be occluded, 0 to 1. The release: 0.6.
        natural: clusters of natural occluders, 0 or more. The release: 5.
        vmf: weight of the distance of feature vectors to their kernels, 0 or more. The release: 3.
        mixture: weight of the likelihood of the right class, 0 or more. The release: 3.
        legacy_double_softmax: train on the release's cross-entropy of probabilities instead of log-probabilities.
        sampled: feature vectors that the kernels are clustered from, at most, 1 or more.
        steps: of that clustering, 1 or more.

    Raises:
        ConfigError: an option outside of its range.
    """

    kernels: int = 512
    mixtures: int = 4
    kappa: float = 30.0
    occluded: float = 0.6
    natural: int = 5
    vmf: float = 3.0
    mixture: float = 3.0
    legacy_double_softmax: bool = False
    sampled: int = 20_000
    steps: int = 20

    needs: ClassVar[frozenset[str]] = frozenset({"map"})
    trains_backbone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("kernels", "mixtures", "sampled", "steps"):
            check_range(self, name, 1)
        for name in ("natural", "vmf", "mixture"):
            check_range(self, name, 0.0)
        check_range(self, "kappa", 0.0, above=True)
        check_range(self, "occluded", 0.0, 1.0)

    def build(self, run: TrainingRun) -> nn.Module:  # noqa: ARG002 - sizes come with the images
        """Make the model without its tensors; see ``Method.build``."""
        return CompositionalModel(self.kappa, self.occluded)

    def on_training_start(self, run: TrainingRun) -> None:
        """Cluster the training images' feature vectors and encodings; see ``Method.on_training_start``."""
        model = run.module_of(CompositionalModel)
        with full_precision(run.mean_pixel):
            model.put(kernels=self._clustered_kernels(run).to(run.mean_pixel.device))
            encoded, labels = [], []
            for maps, own in _maps(run):
                encoded.append(_encodings(model, maps).half())  # half the memory
                labels.append(own)
            encodings, classes = torch.cat(encoded), torch.cat(labels)
            mixtures = [self._clustered_mixtures(encodings[classes == label], run) for label in range(run.num_classes)]
            # the last batch tells how large an image is
            backgrounds = self._clustered_backgrounds(run, model, encodings)
            device = run.mean_pixel.device
            model.put(mixtures=torch.stack(mixtures).to(device), backgrounds=backgrounds.to(device))

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the sum of the three terms; see ``Method.loss``."""
        model = run.module_of(CompositionalModel)
        with torch.no_grad():
            maps = run.features(inputs)
        with full_precision(maps):
            cosines = model.cosines(maps)
            scores = model.scores(cosines)
            answers = (2 * scores).softmax(1) if self.legacy_double_softmax else 2 * scores
            total = cross_entropy(answers, labels)
            if self.vmf:
                total = total + self.vmf * (1 - cosines.amax(1)).mean()
            if self.mixture:
                total = total - self.mixture * scores.gather(1, labels[:, None]).mean()
        return total

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return 2 score, whose softmax the release answers with; see ``Method.predict``."""
        model, maps = run.module_of(CompositionalModel), run.features(inputs)
        with full_precision(maps):
            return 2 * model.scores(model.cosines(maps))

    def _clustered_kernels(self, run: TrainingRun) -> Tensor:
        """Return float32[K, D] from a sample of the feature vectors, as many of every image."""
        images = sum(len(labels) for _, labels in run.examples("train"))
        each = -(-self.sampled // images)
        sample = []
        for maps, _ in _maps(run):
            vectors = normalize(maps.flatten(2), dim=1).transpose(1, 2)  # float[B, P, D]
            places = torch.rand(vectors.shape[:2], generator=run.draws).argsort(1)[:, :each]
            sample.append(vectors.gather(1, places[:, :, None].expand(-1, -1, vectors.shape[2])).flatten(0, 1))
        return vmf_kernels(torch.cat(sample)[: self.sampled], self.kernels, self.kappa, self.steps, run.draws)

    def _clustered_mixtures(self, encodings: Tensor, run: TrainingRun) -> Tensor:
        """Return float32[M, K, P] of the encodings [N, K, P] of a class: the mean of each of its clusters.

        Where a class has fewer images, clusters come again; where it has none, every kernel is as likely.
        """
        if not len(encodings):
            return torch.full((self.mixtures, *encodings.shape[1:]), 1 / encodings.shape[1])
        rows = encodings.float()
        members = spectral_clusters(rows.flatten(1), self.mixtures, run.draws)
        means = [rows[members == cluster].mean(0) for cluster in sorted(set(members.tolist()))]
        return torch.stack([means[number % len(means)] for number in range(self.mixtures)])

    def _clustered_backgrounds(self, run: TrainingRun, model: CompositionalModel, encodings: Tensor) -> Tensor:
        """Return float32[2 + natural, K]: of a white image, of noise, and of single places of the training images."""
        shape = run.batch.pixels()[:1].shape
        drawn = torch.rand(shape, generator=run.draws).to(run.mean_pixel.device) * 255
        pixels = torch.cat([torch.full_like(drawn, 255.0), drawn])
        made = _encodings(model, run.features(run.inputs(pixels)).float().cpu()).mean(2)
        if not self.natural:
            return made
        places = encodings.transpose(1, 2).flatten(0, 1)
        chosen = torch.randperm(len(places), generator=run.draws)[: self.sampled]
        return torch.cat([made, k_means(places[chosen].float(), self.natural, run.draws)[0]])


def _maps(run: TrainingRun) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (feature maps float32[B, D, H, W], labels int64[B]) of the training images, on the CPU."""
    for inputs, labels in run.examples("train"):
        yield run.features(inputs).float().cpu(), labels.cpu()


def _encodings(model: CompositionalModel, maps: Tensor) -> Tensor:
    """Return float32[B, K, P] on the CPU: the activations at every place as shares of their sum."""
    activations = model.activations(model.cosines(maps.to(model.kernels.device))).cpu()
    shares: Tensor = activations / activations.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return shares
