"""The twelve classes: six pairs that share every part but the discriminative one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing import animals, household, vehicles
from occbench.sources.toyparts_drawing.outlines import Layer

__all__ = ["CLASSES", "CLASS_NAMES", "ObjectClass"]


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """How a class looks.

    Attributes:
        draw: makes the layers of one object, in its own coordinates; part names are the same at every call.
        discriminative: the part that tells the class from its twin.
        twin: the class that shares the other parts.
    """

    draw: Callable[[Stream], tuple[Layer, ...]]
    discriminative: str
    twin: str


#: class name -> how it looks, in label order.
CLASSES: Final[Mapping[str, ObjectClass]] = MappingProxyType(
    {
        "car": ObjectClass(vehicles.car, "cabin", "pickup"),
        "cat": ObjectClass(animals.cat, "ears", "rabbit"),
        "church": ObjectClass(household.church, "steeple", "house"),
        "giraffe": ObjectClass(animals.giraffe, "neck", "horse"),
        "horse": ObjectClass(animals.horse, "neck", "giraffe"),
        "house": ObjectClass(household.house, "chimney", "church"),
        "pickup": ObjectClass(vehicles.pickup, "cabin", "car"),
        "rabbit": ObjectClass(animals.rabbit, "ears", "cat"),
        "sailboat": ObjectClass(vehicles.sailboat, "sails", "steamboat"),
        "steamboat": ObjectClass(vehicles.steamboat, "cabin", "sailboat"),
        "teapot": ObjectClass(household.teapot, "spout", "watering_can"),
        "watering_can": ObjectClass(household.watering_can, "spout", "teapot"),
    }
)
#: In label order.
CLASS_NAMES: Final = tuple(CLASSES)
