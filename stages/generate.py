"""Sentences about the classes of one dataset: `python -m stages.generate <dataset> [--dry-run]`.

Asks the language model for what the record lacks and for nothing else; without a server it replays the record.
"""

import os
import sys
from datetime import date
from pathlib import Path

from stages import artifacts, settings
from stages.errors import run_stage
from stages.language import corpora, generation
from stages.language.asking import ask
from stages.language.commands import Family, parse_family
from stages.language.cost import estimate, price_table
from stages.language.requests import Dialect, Example

COMMANDS, EXAMPLES = Path("prompts/commands"), Path("prompts/examples")


def main(dataset: str, *, dry_run: bool = False) -> None:
    """Write data/sentences/<dataset>.parquet and reports/prompts/<dataset>.json; new answers go to the record.

    A dry run prints how many requests are missing and what they would take, and touches nothing.
    """
    params = settings.load()
    config, path = params.generate, artifacts.record_path(dataset)
    with artifacts.open_points(artifacts.points_path(dataset)) as points:  # scans too: only names are read
        classes, part_names = points.classes, points.part_names
    planned = generation.plan(
        config.sets,
        generation.subjects_of(classes, part_names),
        families=_families(),
        examples=tuple(Example(name, artifacts.read_bytes(EXAMPLES / f"{name}.png")) for name in config.examples),
        dialect=Dialect(model=config.model, token_limit=config.token_limit, temperature=config.temperature),
    )
    bundled = artifacts.Record(artifacts.record_path("bundled")).answers
    if dry_run:
        missing = generation.missing(planned, bundled | artifacts.Record(path).answers)
        print(price_table(estimate(missing), config.prices))
        return
    with artifacts.open_record(path) as record:
        if missing := generation.missing(planned, bundled | record.answers):
            key = os.environ.get(config.key_variable)
            ask(missing, config, key=key, today=date.today(), save=record.add, warn=_warn)
    from stages.backbones.tokens import count_tokens  # here, since it brings torch: all before starts fast

    kept = generation.keep(
        planned, bundled | record.answers, count_tokens=count_tokens, price=config.prices.get(config.model)
    )
    published = generation.imported(
        config.sets,
        config.corpora.datasets.get(dataset),
        fetch=lambda file: _fetch(file, config.corpora),
        classes=classes,
        part_names=part_names,
    )
    wording = generation.wording(kept.sentences | published.sentences, classes)
    artifacts.write_sentences(artifacts.sentences_path(dataset), wording)
    artifacts.write_json(artifacts.sentence_metrics_path(dataset), kept.figures | published.figures)


def _families() -> dict[str, Family]:
    return {path.stem: parse_family(path.read_text(), source=str(path)) for path in sorted(COMMANDS.glob("*.yaml"))}


def _fetch(file: settings.CorpusFile, facts: settings.Corpora) -> bytes:
    """A file of PointCLIP V2's repository, from its local copy or the network, when it is the expected one."""
    if facts.folder is None:
        source = facts.url.replace("{path}", file.path)
        return corpora.check_blob(corpora.download(source), file.blob, source=source)
    source = Path(facts.folder) / file.path
    return corpora.check_blob(artifacts.read_bytes(source), file.blob, source=str(source))


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
