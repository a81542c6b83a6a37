"""Prompts: what the prompt sets of every dataset consist of and cost, from the metrics of `generate`."""

from collections.abc import Mapping

from stages.reporting.page import Section
from stages.reporting.tables import Table, number


def section(sentence_metrics: Mapping[str, dict]) -> Section:
    """One row a dataset and prompt set that a language model was asked for; `sentence_metrics` by dataset."""
    rows = tuple(
        (
            dataset,
            name,
            str(figures["requests"]),
            str(figures["sentences"]),
            str(figures["dropped"]["all"]),
            str(figures["prompt_tokens"] + figures["completion_tokens"]),
            number(figures["dollars"]),
        )
        for dataset, sets in sentence_metrics.items()
        for name, figures in sets.items()
        if "requests" in figures
    )
    header = ("dataset", "prompt set", "requests", "sentences kept", "dropped", "tokens", "cost, $")
    table = Table("prompts", "Cost of prompts", header, rows, numeric_from=2)
    text = "Every answer of the language model is in prompts/recorded; answers of the model `bundled` cost nothing."
    return Section("prompts", "Prompts", text, "dvc repro generate", (table,))
