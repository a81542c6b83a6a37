"""What reruns after an edit in each package and after a change of each section of params.yaml, as DVC tells.

    python tests/benchmarks/measure_reruns.py > reports/experiments/reruns.md

In a copy of the checkout with tiny settings whose stages have run: a comment is added to one module of the package, or
one key of the section is changed, and `dvc status` names the stages that would run. Those after them follow from
dvc.yaml.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
from checkout import Checkout, commit, new_checkout, overlap

CODE = {  # what is edited -> the module that gets a comment
    "stages/datasets/": "stages/datasets/folder.py",
    "stages/projection/": "stages/projection/kernels.py",
    "stages/language/prompts/": "stages/language/prompts/templates.py",
    "stages/language/llm/": "stages/language/llm/client.py",
    "stages/backbones/": "stages/backbones/clip.py",
    "stages/zeroshot/": "stages/zeroshot/metrics.py",
    "stages/prompt_search/": "stages/prompt_search/greedy.py",
    "stages/fewshot/": "stages/fewshot/adapter.py",
    "stages/segmentation/": "stages/segmentation/part_search.py",
    "stages/detection/": "stages/detection/boxes.py",
    "stages/reporting/": "stages/reporting/tables.py",
    "stages/artifacts/boxes.py": "stages/artifacts/boxes.py",
    "stages/artifacts/files.py": "stages/artifacts/files.py",
    "stages/config/render.py": "stages/config/render.py",
    "stages/core/": "stages/core/errors.py",
    "stages/commands/, stages/bundled/": "stages/bundled/rooms.py",
    "any README.md": "stages/projection/README.md",
}
SECTIONS = {  # key of params.yaml -> another value
    "download.seed": 1,
    "render.smooth.sigma": 1.0,
    "generate.warn_days": 91,
    "extract.batch_size": 250,
    "embed.waffle_seed": 1,
    "search.sweeps": 2,
    "evaluate.bootstrap_seed": 1,
    "train.epochs": 3,
    "patches.search_shapes": 4,
    "segment.sweeps": 2,
    "detect.seed": 1,
    "report.sheet_objects": 3,
}


def main() -> None:
    """Print both tables as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = new_checkout(Path(folder) / "checkout")
        with contextlib.redirect_stdout(sys.stderr):
            for stage in checkout.stages():
                checkout.run_stage(stage)
        checkout.commit_outputs()
        commit(checkout, "first run")
        rows = [(name, *reruns_after_edit(checkout, file)) for name, file in CODE.items()]
        print_table(("edit in", "reruns", "then, where an output changed"), rows)
        rows = [(key, *reruns_after_change(checkout, key, value)) for key, value in SECTIONS.items()]
        print()
        print_table(("change of", "reruns", "then, where an output changed"), rows)


def reruns_after_edit(checkout: Checkout, file: str) -> tuple[str, str]:
    """What DVC would run after a comment in `file`."""
    path = checkout.root / file
    text = path.read_text()
    path.write_text(text + "\n# a remark\n")
    names = changed_stages(checkout)
    path.write_text(text)
    return names


def reruns_after_change(checkout: Checkout, key: str, value: object) -> tuple[str, str]:
    """What DVC would run after `key` of params.yaml is set to `value`."""
    path = checkout.root / "params.yaml"
    text = path.read_text()
    checkout.set_params({key: value})
    names = changed_stages(checkout)
    path.write_text(text)
    return names


def changed_stages(checkout: Checkout) -> tuple[str, str]:
    """Names of the stages that DVC finds changed, and of those that depend on their outputs."""
    status = json.loads(checkout.run("dvc", "status", "--json").stdout)
    stages = checkout.stages()
    reached = {stage.name for stage in stages if stage.name in status}
    later = [stage for stage in stages if stage.name not in reached]
    outs = [out for stage in stages if stage.name in reached for out in stage.outs]
    after = []
    for stage in later:  # each comes after those that it depends on
        if any(overlap(dependency, out) for dependency in stage.deps for out in outs):
            after.append(stage.name)
            outs += stage.outs
    direct = [stage.name for stage in stages if stage.name in reached]
    return listed(direct) or "nothing", listed([name for name in after if kind(name) not in map(kind, direct)])


def listed(names: list[str]) -> str:
    """The stages of `names` without their datasets, each once."""
    return ", ".join(dict.fromkeys(map(kind, names)))


def kind(name: str) -> str:
    """A stage's name without its dataset and backbone."""
    return name.split("@")[0]


def print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows as Markdown, the first column as code."""
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for name, *cells in rows:
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
