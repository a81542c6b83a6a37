"""Figures of the literature (reports/published.yaml), read strictly: what ours is compared with, and its sources."""

from stages.core.errors import InputError
from stages.core.strict import strict_dataclass
from stages.core.yaml import load_yaml


@strict_dataclass
class Accuracy:
    """Zero-shot or few-shot accuracy in percent, before and after prompt search; absent keys do not apply."""

    source: str
    backbone: str
    dataset: str = "modelnet40"
    kernel: str | None = None
    method: str | None = None
    shots: int | None = None
    before: float | None = None
    after: float


@strict_dataclass
class PartFigures:
    """Accuracy and mean IoU of one ShapeNetPart category in percent."""

    source: str
    category: str
    accuracy: float
    iou: float


@strict_dataclass
class TextInput:
    """Accuracy in percent and seconds of search with one kind of sentences; `set` is our prompt set of that kind."""

    source: str
    method: str
    set: str | None = None
    accuracy: float
    seconds: float


@strict_dataclass
class Boxes:
    """Mean average precision in percent at IoU 0.25 and 0.5."""

    source: str
    method: str
    map25: float
    map50: float


@strict_dataclass
class Peer:
    """Accuracy in percent of another method."""

    source: str
    method: str
    dataset: str
    setting: str
    accuracy: float


@strict_dataclass
class MeanIoU:
    """Class mean IoU in percent of another run of the published segmentation."""

    source: str
    method: str
    iou: float


@strict_dataclass
class Published:
    """The whole file: sources by id, and one list a table."""

    sources: dict[str, str]
    zeroshot: tuple[Accuracy, ...]
    kernels: tuple[Accuracy, ...]
    few_shot: tuple[Accuracy, ...]
    shots: tuple[Accuracy, ...]
    segmentation: tuple[PartFigures, ...]
    text_inputs: tuple[TextInput, ...]
    detection: tuple[Boxes, ...]
    peers: tuple[Peer, ...]
    class_miou: tuple[MeanIoU, ...]


def parse_published(text: str, *, source: str) -> Published:
    """Read the file's text; InputError naming `source` and the first wrong key."""
    published = load_yaml(text, Published, source=source)
    lists = (getattr(published, name) for name in Published.__dataclass_fields__ if name != "sources")
    unknown = {entry.source for entries in lists for entry in entries} - set(published.sources)
    if unknown:
        raise InputError(f"{source}: sources: no entry '{sorted(unknown)[0]}', which a figure names")
    return published
