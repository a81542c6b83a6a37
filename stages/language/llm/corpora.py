"""PointCLIP V2's own sentences, imported at run time: never part of this repository, never executed.

Its repository has a JSON corpus for each dataset, and Python files of literals with the sentences and view weights that
its search chose on the test set. A file is taken only when its git blob id is the expected one.
"""

import ast
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stages.config.generate import Corpora, Corpus, CorpusFile
from stages.core.errors import InputError
from stages.language.llm.subjects import Subject
from stages.language.prompts.published import CORPUS, SEARCHED

SECONDS = 60


class Searched(NamedTuple):
    """Chosen sentences by class and part, and view weights [V] by class (for classification the same for all)."""

    sentences: dict[Subject, list[str]]
    view_weights: dict[str, list[float]]


def import_set(
    prompt_set: str,
    corpus: Corpus,
    *,
    fetch: Callable[[CorpusFile], bytes],
    classes: tuple[str, ...],
    part_names: tuple[tuple[str, ...], ...] | None,
) -> Searched:
    """The sentences of `prompt_set` for `classes`; the corpus has no view weights. `fetch` gives a file's content."""
    names = {"classes": classes, "part_names": part_names}
    if prompt_set == CORPUS:
        file = corpus.sentences
        return Searched(parse_corpus(fetch(file), source=file.path, **names), {})
    file, backbone = corpus.searched, prompt_set.removeprefix(SEARCHED)
    return parse_searched(fetch(file), name=corpus.name, backbone=backbone, source=file.path, **names)


def download(url: str) -> bytes:
    """The file at `url`; InputError when it cannot be had."""
    import requests  # here, since hardly any run downloads and it takes a sixth of a second to import

    try:
        response = requests.get(url, timeout=SECONDS)
        response.raise_for_status()
    except requests.RequestException as error:
        raise InputError(f"{url}: {' '.join(str(error).split())} (or set generate.corpora.folder)") from error
    return response.content


def check_blob(content: bytes, blob: str, *, source: str) -> bytes:
    """`content`, when its git blob id is `blob`; else InputError."""
    actual = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if actual != blob:
        raise InputError(f"{source}: git blob id {actual}, expected {blob}")
    return content


def fetch(file: CorpusFile, published: Corpora) -> bytes:
    """A file of PointCLIP V2's repository, from its local copy or the network, when it is the expected one."""
    if published.folder is None:
        source = published.url.replace("{path}", file.path)
        return check_blob(download(source), file.blob, source=source)
    path = Path(published.folder) / file.path
    if not path.is_file():
        raise InputError(f"{path}: no such file; params.yaml: generate.corpora.folder names its folder")
    return check_blob(path.read_bytes(), file.blob, source=str(path))


def read_literals(content: bytes, *, source: str) -> dict[str, object]:
    """Values of a JSON object, or of a Python file's assignments of literals to names and to keys of dictionaries.

    `x = {}` followed by `x["a"] = [1]` gives {"x": {"a": [1]}}. Anything else than such an assignment is an InputError.
    """
    text = content.decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        pass
    values = {}
    try:
        for statement in ast.parse(text).body:
            target, value = _assignment(statement)
            if isinstance(target, ast.Name):
                values[target.id] = value
            else:
                values[target.value.id][ast.literal_eval(target.slice)] = value
    except (ValueError, SyntaxError, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            f"{source}: expected assignments of Python literals ({' '.join(str(error).split())})"
        ) from error
    return values


def parse_corpus(
    content: bytes,
    *,
    classes: tuple[str, ...],
    part_names: tuple[tuple[str, ...], ...] | None,
    source: str,
) -> dict[Subject, list[str]]:
    """Sentences by class, or by class and part: their j-th part is the one of our j-th label.

    Their names may be written apart, together or with underscores. InputError names a class that is not there.
    """
    matched = _matched(read_literals(content, source=source), classes, part_names, source=source)
    return {subject: list(texts) for subject, texts in matched.items()}


def parse_searched(
    content: bytes,
    *,
    name: str,
    backbone: str,
    classes: tuple[str, ...],
    part_names: tuple[tuple[str, ...], ...] | None,
    source: str,
) -> Searched:
    """What PointCLIP V2's search chose: classes in the order of their labels, parts in the order of their labels.

    Classification has one choice a dataset `name` and backbone, segmentation one for all backbones. Accepts the JSON
    form of the same values.
    """
    values = read_literals(content, source=source)
    if "best_vweight" in values:
        by_part = {theirs: dict(enumerate(texts)) for theirs, texts in values["best_prompt"].items()}
        texts = _matched(by_part, classes, part_names, source=source)
        weights = _matched(values["best_vweight"], classes, None, source=source)
        return Searched(
            {subject: [text] for subject, text in texts.items()},
            {subject.class_name: values for subject, values in weights.items()},
        )
    values = values.get("best_prompt_weight", values)
    keys = tuple(f"{name}_{backbone}_test_{kind}" for kind in ("prompts", "weights"))
    if keys[0] not in values or keys[1] not in values:
        raise InputError(f"{source}: no {keys[0]}; backbone {backbone} of {name} was not searched there")
    texts, weights = (values[key] for key in keys)
    if len(texts) != len(classes):
        raise InputError(f"{source}: {keys[0]}: {len(texts)} sentences, expected {len(classes)}, one a class")
    return Searched(
        {Subject(c): [text] for c, text in zip(classes, texts, strict=True)}, dict.fromkeys(classes, weights)
    )


def _assignment(statement: ast.stmt) -> tuple[ast.expr, object]:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise ValueError(f"line {statement.lineno} is no assignment")
    return statement.targets[0], ast.literal_eval(statement.value)


def _matched(
    values: dict[str, object],
    classes: tuple[str, ...],
    part_names: tuple[tuple[str, ...], ...] | None,
    *,
    source: str,
) -> dict[Subject, object]:
    """`values` under our names: by class, and where a class has a dictionary by its parts in their order."""
    by_name = {_squeezed(name): value for name, value in values.items()}
    matched = {}
    for c, name in enumerate(classes):
        value = by_name.get(_squeezed(name))
        if value is None:
            raise InputError(f"{source}: no sentences for class '{name}'; it has {', '.join(values)}")
        if isinstance(value, dict):
            parts = part_names[c] if part_names else tuple(value)
            matched |= {Subject(name, part): texts for part, texts in zip(parts, value.values(), strict=False)}
        else:
            matched[Subject(name)] = value
    return matched


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
