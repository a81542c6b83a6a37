"""Makes the bundled record: `python -m stages.bundled.build_record`, from prompts/bundled and prompts/commands.

Every request that params.yaml's sets send about a known class is answered with sentences written for this project, so
that a fresh clone replays all of them without a network. The sentences of a family are spread over its requests.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

from stages.artifacts.paths import Paths
from stages.artifacts.record import write_record
from stages.bundled.sentences import Facts, load_facts, sentences
from stages.config.params import load_params
from stages.datasets.registry import read
from stages.language.llm.client import recorded
from stages.language.llm.commands import parse_family
from stages.language.llm.generation import plan
from stages.language.llm.requests import FOUR, SETS, Dialect, Example, Request, Subject
from stages.language.prompts.templates import display_name

BUNDLED = "bundled"  # the model's name in params.yaml and the record's name in prompts/recorded
PROMPTS = Path("prompts")
SENTENCES = {"class": 18, "part": 7}  # of each family


def main() -> None:
    """Write prompts/recorded/bundled.jsonl."""
    params = load_params()
    source = PROMPTS / "bundled/facts.yaml"
    facts = load_facts(source.read_text(), source=str(source))
    planned = plan(
        SETS,
        _subjects(read("home_objects", params.dataset_entry("home_objects")).classes),
        families={
            path.stem: parse_family(path.read_text(), source=str(path)) for path in PROMPTS.glob("commands/*.yaml")
        },
        examples=tuple(
            Example(name, (PROMPTS / f"examples/{name}.png").read_bytes()) for name in params.generate.examples
        ),
        dialect=Dialect(
            model=BUNDLED, token_limit=params.generate.token_limit, temperature=params.generate.temperature
        ),
    )
    answers = {}
    for by_subject in planned.values():
        for subject, requests in by_subject.items():
            answers |= {line["key"]: line for line in _answers(subject, requests, facts)}
    write_record(Paths().record(BUNDLED), answers)
    print(f"{Paths().record(BUNDLED)}: {len(answers)} answers")


def _subjects(home_classes: tuple[str, ...]) -> list[Subject]:
    """Every class and part once; names that are written alike in a sentence are one."""
    lists = yaml.safe_load((PROMPTS / "bundled/classes.yaml").read_text())
    subjects = {}
    for names in (home_classes, *lists.values()):
        for name in names:
            for part in ("", *(names[name] if isinstance(names, dict) else ())):
                subjects.setdefault((display_name(name), part), Subject(name, part))
    return list(subjects.values())


def _answers(subject: Subject, requests: list[Request], facts: Facts) -> Iterator[dict]:
    """An answer to each request: the sentences of its family, dealt out one after the other."""
    by_family = defaultdict(list)
    for request in requests:
        by_family[request.family].append(request)
    for family, asked in by_family.items():
        texts = _texts(subject, family, facts, count=1 if asked[0].sentences == 1 else SENTENCES[subject.kind])
        for i, request in enumerate(asked):
            answer = "\n".join(texts[i :: len(asked)])
            yield recorded(request, answer=answer, finish_reason="stop", model=BUNDLED, tokens=(0, 0))


def _texts(subject: Subject, family: str, facts: Facts, *, count: int) -> list[str]:
    if family in FOUR:
        part = subject.part or None
        return sentences(facts, family=family, class_name=subject.class_name, part=part, count=count)
    about = facts.classes[display_name(subject.class_name)]
    if family == "completion":
        return [f"A depth map of {about.called} would show {about.silhouette[0]}, with {about.features[0]}."]
    return [f"It is {about.silhouette[0]}, in which one makes out {about.features[0]} and {about.features[1]}."]


if __name__ == "__main__":
    main()
