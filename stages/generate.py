"""Sentences about the classes of one dataset: `python -m stages.generate <dataset> [--dry-run]`.

Asks the language model for what the record lacks and for nothing else; without a server it replays the record.
"""

import os
import sys
from datetime import date
from pathlib import Path

from stages.artifacts.files import read_bytes, read_text, write_json
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.record import Record, open_record, read_record
from stages.artifacts.sentences import write_sentences
from stages.config.generate import Generate
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.language.llm import corpora, generation
from stages.language.llm.answers import Lines, most_received
from stages.language.llm.commands import parse_family
from stages.language.llm.cost import estimate, price_table
from stages.language.llm.requests import Example, PromptLibrary, RequestFormat
from stages.language.llm.sets import parse_prompt_sets
from stages.language.llm.subjects import subjects_of


def main(dataset: str, *, dry_run: bool = False, params: Params | None = None, root: Path = Path()) -> None:
    """Write data/sentences/<dataset>.parquet and reports/prompts/<dataset>.json; new answers go to the record.

    A dry run prints how many requests are missing and what they would take, and touches nothing.
    """
    params, paths = params or load_params(root), Paths(root)
    config, path = params.generate, paths.record(dataset)
    with open_points(paths.points(dataset)) as points:  # scans too: only names are read
        classes, part_names = points.classes, points.part_names
    library = read_library(paths, examples=config.examples)
    plan = generation.plan_requests(
        config.sets, subjects_of(classes, part_names), library=library, request_format=RequestFormat.from_params(config)
    )
    bundled = read_record(paths.record("bundled"))
    if dry_run:
        _print_cost(plan, bundled | Record(path).lines, config)
        return
    with open_record(path) as record:
        _ask_for_missing(plan, bundled, record, config)
    lines = bundled | record.lines
    if message := generation.unanswered(plan, lines):
        _warn(message)
    written = generation.clean_answers(plan, lines, prompt_sets=library.sets, price=config.prices.get(config.model))
    published = generation.import_published(
        config.sets,
        config.corpora.datasets.get(dataset),
        fetch=lambda file: corpora.fetch(file, config.corpora),
        classes=classes,
        part_names=part_names,
    )
    write_sentences(paths.sentences(dataset), generation.sentence_table(written, published, classes))
    write_json(paths.sentence_metrics(dataset), written.figures | published.figures)


def read_library(paths: Paths, *, examples: tuple[str, ...]) -> PromptLibrary:
    """The prompt sets, command families and example pictures below prompts/."""
    sets = read_text(paths.prompt_sets, hint="expected the prompt sets that a language model is asked for")
    return PromptLibrary(
        sets=parse_prompt_sets(sets, source=str(paths.prompt_sets)),
        families={
            path.stem: parse_family(path.read_text(), source=str(path))
            for path in sorted(paths.commands.glob("*.yaml"))
        },
        examples=tuple(
            Example(name, read_bytes(paths.example_picture(name), hint="params.yaml: generate.examples names it"))
            for name in examples
        ),
    )


def _ask_for_missing(plan: generation.RequestPlan, bundled: Lines, record: Record, config: Generate) -> None:
    """Ask for what is in no record; InputError where that is something and there is no server to ask."""
    lines = bundled | record.lines
    key = os.environ.get(config.key_variable, "").strip()
    if config.base_url is None or not key:
        if missing := generation.missing_requests(plan, lines):
            raise InputError(generation.explain_missing(missing, config))
    elif requests := generation.requests_to_ask(plan, lines, longest_answer=config.longest_answer):
        from stages.language.llm.query import ask  # here, so that a replay does not wait a second for the client

        ask(requests, config, key=key, history=lines, today=date.today(), save=record.add, warn=_warn)


def _print_cost(plan: generation.RequestPlan, lines: Lines, config: Generate) -> None:
    limits = {"longest_answer": config.longest_answer}
    requests = generation.requests_to_ask(plan, lines, **limits)
    at_most = sum(
        most_received(request, lines.get(request.key, []), reasks=config.reasks, **limits) for request in requests
    )
    print(price_table(estimate(requests), config.prices, at_most=at_most))


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
