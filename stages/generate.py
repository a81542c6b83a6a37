"""Sentences about the classes of one dataset: `python -m stages.generate <dataset> [--dry-run]`.

Asks the language model for what the record lacks and for nothing else; without a server it replays the record.
"""

import os
import sys
from datetime import date
from pathlib import Path

from stages.artifacts.files import read_bytes, write_json
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.record import Record, open_record
from stages.artifacts.sentences import write_sentences
from stages.config.generate import Corpora, CorpusFile
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.language.llm import corpora, generation
from stages.language.llm.commands import Family, parse_family
from stages.language.llm.cost import estimate, price_table
from stages.language.llm.query import ask
from stages.language.llm.requests import Dialect, Example


def main(dataset: str, *, dry_run: bool = False, params: Params | None = None, root: Path = Path()) -> None:
    """Write data/sentences/<dataset>.parquet and reports/prompts/<dataset>.json; new answers go to the record.

    A dry run prints how many requests are missing and what they would take, and touches nothing.
    """
    params, paths = params or load_params(root), Paths(root)
    config, path = params.generate, paths.record(dataset)
    with open_points(paths.points(dataset)) as points:  # scans too: only names are read
        classes, part_names = points.classes, points.part_names
    planned = generation.plan(
        config.sets,
        generation.subjects_of(classes, part_names),
        families=_families(paths),
        examples=tuple(
            Example(name, read_bytes(paths.example_picture(name), hint="params.yaml: generate.examples names it"))
            for name in config.examples
        ),
        dialect=Dialect(model=config.model, token_limit=config.token_limit, temperature=config.temperature),
    )
    bundled = Record(paths.record("bundled")).answers
    if dry_run:
        missing = generation.missing(planned, bundled | Record(path).answers)
        print(price_table(estimate(missing), config.prices))
        return
    with open_record(path) as record:
        if missing := generation.missing(planned, bundled | record.answers):
            key = os.environ.get(config.key_variable)
            ask(missing, config, key=key, today=date.today(), save=record.add, warn=_warn)
    from stages.backbones.tokens import count_tokens

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
    write_sentences(paths.sentences(dataset), wording)
    write_json(paths.sentence_metrics(dataset), kept.figures | published.figures)


def _families(paths: Paths) -> dict[str, Family]:
    return {
        path.stem: parse_family(path.read_text(), source=str(path)) for path in sorted(paths.commands.glob("*.yaml"))
    }


def _fetch(file: CorpusFile, facts: Corpora) -> bytes:
    """A file of PointCLIP V2's repository, from its local copy or the network, when it is the expected one."""
    if facts.folder is None:
        source = facts.url.replace("{path}", file.path)
        return corpora.check_blob(corpora.download(source), file.blob, source=source)
    source = Path(facts.folder) / file.path
    return corpora.check_blob(read_bytes(source), file.blob, source=str(source))


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
