"""Figures of the literature (reports/published.yaml), read strictly: what ours is compared with, and its sources."""

from stages.core.errors import InputError
from stages.core.strict import strict_dataclass
from stages.core.yaml import load_yaml


@strict_dataclass
class Cell:
    """What every published figure has: its source, and by their names in `notes` what is odd about it or not stated.

    `not_comparable` names why no run of ours can repeat it.
    """

    source: str
    note: str | None = None
    not_comparable: str | None = None


@strict_dataclass
class Accuracy(Cell):
    """Zero-shot or few-shot accuracy in percent, before and after prompt search; absent keys do not apply.

    `protocol` is ours that repeats `after` where that is not our search.
    """

    backbone: str
    dataset: str = "modelnet40"
    kernel: str | None = None
    method: str | None = None
    shots: int | None = None
    before: float | None = None
    after: float
    protocol: str | None = None


@strict_dataclass
class PartFigures(Cell):
    """Accuracy and mean IoU of one ShapeNetPart category in percent."""

    category: str
    accuracy: float
    iou: float


@strict_dataclass
class TextInput(Cell):
    """Accuracy in percent and seconds of search with one kind of sentences; `set` is our prompt set of that kind.

    `models` are beginnings of the names of the models that wrote them; `protocol` is ours that repeats it, for a
    few-shot cell the method `few_shot`.
    """

    method: str
    set: str | None = None
    models: tuple[str, ...] = ()
    protocol: str | None = None
    few_shot: str | None = None
    accuracy: float
    seconds: float


@strict_dataclass
class Boxes(Cell):
    """Mean average precision in percent at IoU 0.25 and 0.5."""

    method: str
    map25: float
    map50: float


@strict_dataclass
class Peer(Cell):
    """Accuracy in percent of another method."""

    method: str
    dataset: str
    setting: str
    accuracy: float


@strict_dataclass
class MeanIoU(Cell):
    """Class mean IoU in percent of another run of the published segmentation; `protocol` is ours that repeats it."""

    method: str
    protocol: str
    iou: float


@strict_dataclass
class Published:
    """The whole file: sources and notes by id, and one list a table."""

    sources: dict[str, str]
    notes: dict[str, str]
    zeroshot: tuple[Accuracy, ...]
    kernels: tuple[Accuracy, ...]
    few_shot: tuple[Accuracy, ...]
    shots: tuple[Accuracy, ...]
    segmentation: tuple[PartFigures, ...]
    text_inputs: tuple[TextInput, ...]
    detection: tuple[Boxes, ...]
    peers: tuple[Peer, ...]
    class_miou: tuple[MeanIoU, ...]


def noted(cell: Cell, published: Published) -> dict[str, str | None]:
    """The text of a figure's note and why it is not comparable, None where there is none."""
    notes = published.notes
    return {"note": notes.get(cell.note), "not_comparable": notes.get(cell.not_comparable)}


def count_cells(published: Published) -> int:
    """How many published figures a verdict is given on: those of the report's tables, without seconds of a search."""
    accuracies = (*published.zeroshot, *published.kernels, *published.few_shot)
    pairs = (*published.segmentation, *published.detection)
    return sum(1 + (one.before is not None) for one in accuracies) + len(published.text_inputs) + 2 * len(pairs)


def parse_published(text: str, *, source: str) -> Published:
    """Read the file's text; InputError naming `source` and the first wrong key."""
    published = load_yaml(text, Published, source=source)
    lists = (getattr(published, name) for name in Published.__dataclass_fields__ if name not in ("sources", "notes"))
    cells = [cell for cells in lists for cell in cells]
    named = {
        "sources": {cell.source for cell in cells},
        "notes": {name for cell in cells for name in (cell.note, cell.not_comparable) if name is not None},
    }
    for key, names in named.items():
        if unknown := sorted(names - getattr(published, key).keys()):
            raise InputError(f"{source}: {key}: no entry '{unknown[0]}', which a figure names")
    return published
