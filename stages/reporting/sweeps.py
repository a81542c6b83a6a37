"""A sweep of one parameter (reports/experiments/<name>.csv, written by command `sweep`) as our figures by value."""

from collections.abc import Callable, Sequence

from stages.artifacts.experiments import SweepRow
from stages.core.errors import InputError
from stages.reporting.classification import AFTER, HONEST
from stages.reporting.comparison import Figures, Key

SHOWN = {"search_train": HONEST, "search_test": AFTER}
Before = Callable[[str], str | None]


def sweep_figures(rows: Sequence[SweepRow], *, source: str, before: Before) -> dict[Key, Figures]:
    """Top-1 in percent before the searches and after, and seconds if timed, by (dataset, backbone, value).

    `before` names the protocol that stands before them under a value, None where there is none.
    InputError when `source`, where the rows are from, has none of a protocol for some value.
    """
    figures: dict[Key, Figures] = {}
    for row in rows:
        found = figures.setdefault((row.dataset, row.backbone, row.value), {})
        shown = _shown(row.value, before)
        if row.protocol in shown:
            found[shown[row.protocol]] = row.top1
            if row.protocol == "search_test":
                found["seconds"] = row.seconds
    for key, found in figures.items():
        missing = set(_shown(key[-1], before).values()) - set(found)
        if missing:
            raise InputError(f"{source}: {', '.join(key)}: no row for {sorted(missing)[0]}")
    if not figures:
        raise InputError(f"{source}: no rows, expected one a value and protocol")
    return figures


def _shown(value: str, before: Before) -> dict[str, str]:
    """The column of every protocol that is shown under `value`."""
    protocol = before(value)
    return SHOWN if protocol is None else {protocol: "before", **SHOWN}
