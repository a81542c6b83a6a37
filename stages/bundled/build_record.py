"""Makes the bundled record: `python -m stages.bundled.build_record`, from prompts/bundled and prompts/commands.

Every request that the prompt sets send about a known class is answered with sentences written for this project, so
that a fresh clone replays all of them without a network. The sentences of a family are spread over its requests.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from stages.artifacts.paths import Paths
from stages.artifacts.record import write_record
from stages.bundled.sentences import ONE_SENTENCE, Facts, every_sentence, load_facts, sentences
from stages.config.params import load_params
from stages.core.yaml import load_yaml
from stages.datasets.registry import read
from stages.generate import read_library
from stages.language.llm.answers import record_line
from stages.language.llm.generation import plan_requests
from stages.language.llm.requests import Request, RequestFormat
from stages.language.llm.subjects import Subject
from stages.language.prompts.templates import display_name

BUNDLED = "bundled"  # the model's name in params.yaml and the record's name in prompts/recorded
FOLDER = Path("prompts/bundled")
SENTENCES = {"class": 18, "part": 7}  # of each family
ClassLists = dict[str, list[str] | dict[str, list[str]]]  # by dataset: class names, or part names by class


def main() -> None:
    """Write prompts/recorded/bundled.jsonl."""
    params, paths = load_params(), Paths()
    config, source = params.generate, FOLDER / "facts.yaml"
    facts = load_facts(source.read_text(), source=str(source))
    library = read_library(paths, examples=config.examples)
    plan = plan_requests(
        library.sets,
        _subjects(read("home_objects", params.dataset_entry("home_objects")).classes),
        library=library,
        request_format=RequestFormat(model=BUNDLED, token_limit=config.token_limit, temperature=config.temperature),
    )
    answers = {}
    for by_subject in plan.values():
        for subject, requests in by_subject.items():
            answers |= {line["key"]: line for line in _answers(subject, requests, facts)}
    write_record(paths.record(BUNDLED), answers.values())
    print(f"{paths.record(BUNDLED)}: {len(answers)} answers")


def _subjects(home_classes: tuple[str, ...]) -> list[Subject]:
    """Every class and part once; names that are written alike in a sentence are one."""
    source = FOLDER / "classes.yaml"
    lists = load_yaml(source.read_text(), ClassLists, source=str(source))
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
    for family, of_family in by_family.items():
        count = 1 if of_family[0].sentences == 1 else SENTENCES[subject.kind]
        texts = _texts(subject, family, facts, count=count)
        for i, request in enumerate(of_family):
            answer = "\n".join(texts[i :: len(of_family)])
            yield record_line(request, answer=answer, finish_reason="stop", model=BUNDLED, tokens=(0, 0))


def _texts(subject: Subject, family: str, facts: Facts, *, count: int) -> list[str]:
    if family in ONE_SENTENCE:
        return every_sentence(facts, family=family, class_name=subject.class_name, part=None)
    part = subject.part or None
    return sentences(facts, family=family, class_name=subject.class_name, part=part, count=count)


if __name__ == "__main__":
    main()
