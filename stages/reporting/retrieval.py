"""Searches in a library: what each pooling over views finds, and how right the floor is, on labelled objects."""

from stages.artifacts.figures import RetrievalFigures
from stages.reporting.classification import Runs
from stages.reporting.page import Section
from stages.reporting.tables import Table, number
from stages.retrieval.evaluation import chosen_pooling
from stages.retrieval.floor import RATE
from stages.retrieval.pooling import DEFAULT, POOLINGS

SPLITS = ("train", "test")
HEADER = ("dataset", "backbone", "split", "pooling", "words, mAP", "words, first right %", "objects, mAP")


def section(runs: Runs) -> Section:
    """One row per run, split and pooling; which pooling is the best on each train split."""
    rows = [
        (
            *key,
            split,
            f"{pooling} (default)" if pooling == DEFAULT else pooling,
            *_cells(metrics.retrieval[split][pooling]),
        )
        for key, metrics in runs.items()
        for split in SPLITS
        if split in metrics.retrieval
        for pooling in POOLINGS
    ]
    notes = [
        f"Chosen on the train split of {dataset} with {backbone}, by the mean average precision of words: "
        f"{chosen_pooling(metrics.retrieval['train'])}."
        for (dataset, backbone), metrics in runs.items()
        if "train" in metrics.retrieval
    ]
    table = Table(
        "retrieval",
        "Searches by a class's words and by an object",
        (*HEADER, "above the floor %", f"false positives % (set for {100 * RATE:g})"),
        tuple(rows),
        numeric_from=4,
        notes=tuple(notes),
    )
    text = (
        "Every class's words are looked for among the objects of a split, and every object among the others. `mean` is "
        "the mean direction of the views, `max` the view nearest to the query, `best` the one view that is nearest to "
        "the mean. Above the floor: classes whose words are taken to match; false positives: the same when all objects "
        "of the class are taken away."
    )
    return Section("retrieval", "Search", text, "dvc repro evaluate report", (table,))


def _cells(figures: RetrievalFigures) -> tuple[str, ...]:
    return tuple(
        number(value)
        for value in (
            figures.words_map,
            figures.words_first,
            figures.objects_map,
            figures.above_floor,
            figures.false_positives,
        )
    )
