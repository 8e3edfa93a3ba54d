"""The roles of training: a method, and what it is given while a classifier learns and is asked.

As in ``core.interfaces``, a player is a frozen dataclass whose fields are its options.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, TypeVar

from occbench.core.tasks import SINGLE_LABEL, Task

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Generator, Tensor, nn

    Module = TypeVar("Module", bound=nn.Module)

__all__ = ["Batch", "Method", "TrainingRun"]

#: What ``Method.needs`` may name.
NEEDS: Final = frozenset({"map", "masks", "overlays", "pairs"})
#: What ``TrainingRun.examples`` yields images of.
Part: TypeAlias = Literal["train", "validation", "occluded_validation"]


class Method:
    """An occlusion-robustness method: how a classifier is trained and asked. An empty subclass is plain fine-tuning.

    A method is a frozen dataclass whose fields are its options. It keeps nothing between calls: what must be remembered
    during an epoch (a table of difference vectors, say) goes into ``run.memory``, a dict of the run's own, and what is
    learned beside the backbone into the module that ``build`` makes.
    """

    #: What the method must be given: ``pairs`` (clean images with their occluded twins), ``overlays`` (the pairs'
    #: occlusions, to be put on any image), ``masks`` (silhouettes of the labelled parts or objects), ``map`` (feature
    #: maps before pooling).
    needs: ClassVar[frozenset[str]] = frozenset()
    #: False where backbone and head stay as they are, in evaluation mode, and only what ``build`` makes is trained.
    trains_backbone: ClassVar[bool] = True
    #: False where nothing is learned step by step: there are no epochs, and ``loss`` is never asked. What is learned in
    #: one go is the business of ``on_training_end``.
    has_epochs: ClassVar[bool] = True
    #: True where the network adapts to the test images: an answer depends on the images beside it in its batch and may
    #: depend on those before it in its test column. Such a method is scored column by column, whole columns only, in
    #: a mixed order of images.
    adapts: ClassVar[bool] = False
    #: Family whose occluded twin of every training image is trained on beside it, with the same label; empty for none.
    #: An arm may name another family, or give this one options.
    twins: ClassVar[str] = ""
    #: Names of the tasks (``core.tasks``) whose targets the method understands. One whose loss is made of
    #: ``run.task.loss``, or that has no loss of its own, understands every task: ``core.tasks.EVERY_TASK``.
    tasks: ClassVar[frozenset[str]] = frozenset({SINGLE_LABEL.name})

    def build(self, run: "TrainingRun") -> "nn.Module | None":  # noqa: ARG002 - for those who override it
        """Make what is learned beside the backbone; called once, under the training seed, before any weight is loaded.

        Its parameters train at the head's learning rate, its state is kept with the backbone's, and it is found again
        as ``run.module``.

        Args:
            run: offers ``dim``, ``num_classes`` and ``side_dim``; nothing has been computed yet.
        """
        return None

    def augment(
        self,
        run: "TrainingRun",  # noqa: ARG002 - for those who override it
        images: "Tensor",
        labels: "Tensor",
    ) -> "tuple[Tensor, Tensor]":
        """Change the pixels of a training batch after its geometric augmentation, and its targets with them.

        Args:
            run: its ``draws`` decide; ``run.batch.masks()`` are the silhouettes under the same geometry.
            images: float32[B, 3, S, S] in 0..255, on the device; leave it as it is and return a new tensor.
            labels: int64[B]; multi-label float32[B, C] of 0 and 1, nan where nothing is known.

        Returns:
            The images, and targets as ``loss`` gets them: int64[B], or float32[B, C] that sum to 1; multi-label
            float32[B, C] in 0..1 or nan.
        """
        return images, labels

    def on_training_start(self, run: "TrainingRun") -> None:
        """Fill ``run.module`` from the images before anything is trained; evaluation mode, no gradients.

        Called once, before the first epoch, when the network has the weights that training starts from. Its parameters
        may change their sizes here, in place. A training that is resumed after an epoch does not call it again.
        """

    def on_training_end(self, run: "TrainingRun") -> None:
        """Fill ``run.module`` from the images after everything is trained; evaluation mode, no gradients.

        Called when the network has the weights of the chosen epoch. What it puts into parameters and buffers of
        ``run.module`` is stored with them and there when ``predict`` is called. Called twice, it must do the same.
        """

    def on_epoch_start(self, run: "TrainingRun") -> None:
        """Prepare an epoch; called once before its first batch, with the model in evaluation mode and no gradients."""

    def loss(self, run: "TrainingRun", inputs: "Tensor", labels: "Tensor") -> "Tensor":
        """Return the scalar loss of a batch; the trainer takes the gradient step.

        Args:
            run: the model (``run.vectors``, ``run.head``), the epoch, the random draws, the memory.
            inputs: the batch as the model takes it: pass it to ``run.vectors`` unopened.
            labels: the targets as ``augment`` gets them; what it made of them where a method overrides it.
        """
        return run.task.loss(run.head(run.vectors(inputs)), labels)

    def predict(self, run: "TrainingRun", inputs: "Tensor") -> "Tensor":
        """Return logits float[B, C] of a batch at test time, with the model in evaluation mode and no gradients.

        Where the method ``adapts``, ``run.memory`` is empty at the first batch of a test column and kept to its last.
        """
        return run.head(run.vectors(inputs))


class Batch(ABC):
    """The images behind the inputs that a method is given, for methods that look at more than deep feature vectors.

    Attributes:
        names: one name for each image as it stands, augmentation and occlusion included, or None where it was drawn
            afresh and never comes again. Equal names are equal pixels within a run.
    """

    names: Sequence[str] | None

    @abstractmethod
    def pixels(self) -> "Tensor":
        """Return float32[B, 3, S, S] in 0..255 on the device: what the inputs were made of; not to be written to."""

    @abstractmethod
    def masks(self) -> "Tensor":
        """Return float32[B, 1, S, S] in 0..1: silhouettes (union of the parts, else the object), in the same geometry.

        Raises:
            ConfigError: the source knows neither parts nor objects.
        """


class TrainingRun(ABC):
    """What a method may touch while it trains; the trainer's side of the bargain.

    Attributes:
        epoch: number of the present epoch, from 0.
        draws: torch generator of the method's own on the CPU; using it disturbs neither data order nor augmentation.
        memory: the method's notes of this epoch; empty when ``on_epoch_start`` is called, so that a resumed run does
            not differ from an uninterrupted one.
        batch: the images behind the present inputs.
        task: what labels mean; gives losses and probabilities.
    """

    task: Task = SINGLE_LABEL
    epoch: int
    draws: "Generator"
    memory: dict[str, Any]
    batch: Batch

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length D of a deep feature vector."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Number of channels K of a feature map before pooling."""

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Number of classes C."""

    @property
    @abstractmethod
    def mean_pixel(self) -> "Tensor":
        """float32[3] in 0..255, on the device: the colour that the model's normalisation maps to 0."""

    @property
    @abstractmethod
    def module(self) -> "nn.Module":
        """What the method's ``build`` made.

        Raises:
            ConfigError: it made nothing.
        """

    def module_of(self, kind: "type[Module]") -> "Module":
        """Return ``module``, which is of the class that the method's ``build`` made.

        Raises:
            ConfigError: it made nothing.
            TypeError: it made something else.
        """
        module = self.module
        if not isinstance(module, kind):
            raise TypeError(f"the method was given a {type(module).__name__} instead of its {kind.__name__}")
        return module

    @abstractmethod
    def vectors(self, inputs: "Tensor") -> "Tensor":
        """Return the deep feature vectors float[B, D] of a batch, with gradients where the trunk trains."""

    @abstractmethod
    def features(self, inputs: "Tensor") -> "Tensor":
        """Return the feature maps float[B, K, H, W] before pooling; for methods that need ``map``."""

    @abstractmethod
    def pool(self, feature_map: "Tensor") -> "Tensor":
        """Return the deep feature vectors float[B, D] of feature maps.

        Raises:
            ConfigError: the network does not pool its feature map (a class token).
        """

    @abstractmethod
    def head(self, vectors: "Tensor") -> "Tensor":
        """Return logits float[B, C] of deep feature vectors."""

    @abstractmethod
    def held_statistics(self) -> "AbstractContextManager[None]":
        """Return a context in which BatchNorm normalises with its running statistics and leaves them as they are.

        For inputs that are no photographs: they must not move what photographs are normalised with at test time.
        """

    @abstractmethod
    def adaptable(self) -> "AbstractContextManager[list[nn.Parameter]]":
        """Return a context for learning from test images, with the scales and shifts of BatchNorm, layer by layer.

        Inside it BatchNorm normalises with the statistics of the batch and leaves the running ones as they are; the
        network is otherwise in evaluation mode, gradients are on, and reach these parameters alone. At the end of it
        the parameters are what they were before. Layers that did not train are not among them, and stay as they are.
        """

    @abstractmethod
    def inputs(self, pixels: "Tensor") -> "Tensor":
        """Return what ``vectors`` takes for images float32[B, 3, S, S] in 0..255 of the method's own making."""

    @abstractmethod
    def pairs(self) -> "Iterator[tuple[Tensor, Tensor]]":
        """Yield every clean image with its occluded twins: (inputs of 1 clean image, inputs of its P occluded ones).

        Both are prepared and normalised alike and never augmented.
        """

    @abstractmethod
    def examples(self, part: Part) -> "Iterator[tuple[Tensor, Tensor]]":
        """Yield all images of a part in batches, in order: (inputs, labels int64[B]); never augmented.

        Nothing is yielded where no image is held out to validate.

        Args:
            part: ``train``, all that the arm trains on; ``validation``, those held out to choose by; the same, each
                under one of the pairs' occlusions.
        """

    @abstractmethod
    def occluded_inputs(self, views: int = 0) -> "Tensor":
        """Return the inputs of the present training batch with every image under one of the pairs' conditions.

        The condition is drawn by ``draws`` for each image anew; the geometric augmentation is that of the batch.

        Args:
            views: draw among so many conditions of an image's own, so that what a frozen network makes of it comes
                again and is kept; 0 draws among all.
        """

    @abstractmethod
    def masked_inputs(self, masks: int) -> "Tensor":
        """Return the inputs of the present batch with a hole mask on every image, drawn by ``draws`` for each anew.

        The masks are a bank of the pairs' conditions, and lie on the images after their geometric augmentation, which
        they do not follow.

        Args:
            masks: size of the bank, for each condition; drawn once for all seeds.

        Raises:
            ConfigError: the pairs' occlusions need to know more of an image than its size.
        """

    @abstractmethod
    def overlays(self) -> "Tensor":
        """Return uint8[K, 4, S, S] on the device: the overlays of the pairs' conditions, of families that images share.

        Raises:
            ConfigError: the pairs' occlusions depend on the image.
        """

    @abstractmethod
    def side_dim(self, extractor: str, options: Mapping[str, Any]) -> int:
        """Return the length E of ``side_vectors``."""

    @abstractmethod
    def side_vectors(self, extractor: str, options: Mapping[str, Any]) -> "Tensor":
        """Return float32[B, E]: what an extractor makes of the present batch's pixels, rounded to half precision.

        Images that come again (``batch.names``) are computed once.

        Args:
            extractor: name of an ``Extractor``.
            options: its options.
        """
