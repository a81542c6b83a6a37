"""Lists the objects that the bundled backbone learns from: `python -m stages.bundled.build_training_objects`.

Reads the clouds (params.yaml: pretrain.objects) and prompts/bundled/training_names.yaml, and writes
data/bundled/bundled_training_objects.csv: the name and the use of every object. 15 % of the names are held out, and so
is every object that is a near duplicate of one of `home_objects`: only here do the two collections meet.
"""

import argparse
import hashlib
import re
from pathlib import Path

import numpy as np

from stages.artifacts.files import complete_file
from stages.artifacts.paths import Paths
from stages.bundled.pretraining.captions import known_names
from stages.bundled.pretraining.near_duplicates import NEAR, distances, signature
from stages.bundled.pretraining.objects import (
    HELD_OUT,
    NEAR_DUPLICATE,
    TRAIN,
    UNNAMED,
    Listed,
    RawObjects,
    read_objects,
    write_list,
)
from stages.bundled.sentences import load_facts
from stages.config.params import Params, load_params
from stages.core.cli import run_command
from stages.core.errors import InputError
from stages.core.strict import strict_dataclass
from stages.core.yaml import load_yaml
from stages.datasets.registry import read

LIST = "bundled_training_objects.csv"
NAMES, FACTS = "prompts/bundled/training_names.yaml", "prompts/bundled/facts.yaml"
HELD_OUT_SHARE = 0.15  # of the names


@strict_dataclass
class Names:
    """Whose models they are, and what to call those of each raw name."""

    maker: str
    site: str
    licence: str
    packs: tuple[str, ...]
    names: dict[str, str | None]


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Write the list of training objects."""
    params, paths = params or load_params(root), Paths(root)
    names = load_yaml((root / NAMES).read_text(), Names, source=NAMES)
    objects = read_objects(root / params.pretrain.objects)
    home = read("home_objects", params.dataset_entry("home_objects"), root=root)
    others = np.concatenate([split.points for split in home.splits.values()])
    facts = load_facts((root / FACTS).read_text(), source=FACTS).classes
    parts = {name for about in facts.values() for part in (about.parts or {}).values() for name in part.names}
    others = np.stack([signature(cloud) for cloud in others])
    rows = listed(objects, names.names, others=others, known=known_names() | set(facts) | parts)
    with complete_file(paths.bundled(LIST)) as temporary:
        write_list(temporary, rows)
    counts = {use: sum(row.use == use for row in rows) for use in (TRAIN, HELD_OUT, UNNAMED, NEAR_DUPLICATE)}
    print(f"{paths.bundled(LIST)}: {', '.join(f'{count} {use}' for use, count in counts.items())}")


def listed(objects: RawObjects, names: dict[str, str | None], *, others: np.ndarray, known: set[str]) -> list[Listed]:
    """A row for every object; `others` [M, 24] are signatures of shapes that no training object may be near."""
    if unknown := sorted(set(objects.names) - set(names)):
        raise InputError(f"{NAMES}: names: '{unknown[0]}' is missing")
    held = held_out_names({name for name in names.values() if name}, known=known)
    rows = []
    for row, raw in enumerate(objects.names):
        name, shape = names[raw] or "", signature(objects.cloud(row))
        use = HELD_OUT if name in held else TRAIN if name else UNNAMED
        if use == TRAIN and distances(shape[None], others).min() < NEAR:
            use = NEAR_DUPLICATE
        rows.append(Listed(objects.packs[row], objects.files[row], name, use, tuple(shape.tolist())))
    return rows


def held_out_names(names: set[str], *, known: set[str]) -> set[str]:
    """15 % of `names` by their hash: of those that are not `known` from elsewhere, nor a word of another name."""
    others = names | known
    free = [
        name
        for name in names - known
        if not any(re.search(rf"\b{re.escape(name)}\b", other) for other in others - {name})
    ]
    by_hash = sorted(free, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return set(by_hash[: round(HELD_OUT_SHARE * len(names))])


if __name__ == "__main__":
    run_command(main, argparse.ArgumentParser(prog="python -m stages.bundled.build_training_objects"))
