"""Single test images and what every row of a table answered."""

from dataclasses import dataclass

__all__ = ["ExampleAnswer", "ExamplePrediction"]


@dataclass(frozen=True, slots=True)
class ExampleAnswer:
    """What one row answered.

    Attributes:
        label: of the row.
        class_name: the answer.
        right: whether that is right.
        confidence: softmax probability of the answer, 0 to 1; None where the stored predictions cannot say.
    """

    label: str
    class_name: str
    right: bool
    confidence: float | None


@dataclass(frozen=True, slots=True)
class ExamplePrediction:
    """One test image under one condition and what every row answered.

    Attributes:
        key: of the clean image.
        class_name: the right answer.
        condition: name of the condition.
        group: of the condition.
        png: the picture, as a PNG file.
        answers: one per row.
    """

    key: str
    class_name: str
    condition: str
    group: str
    png: bytes
    answers: tuple[ExampleAnswer, ...]
