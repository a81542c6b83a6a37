"""Writes into dvc.yaml the code that every stage depends on: `python -m stages.commands.dag`.

A stage depends on its module, on the folder of every package that its imports reach, and of two packages that all
stages share (`artifacts`, `config`) on the files alone: an edit of one artifact's module reruns the stages that
read or write this artifact. Of `config` these are the sections that the stage reads, or the folder where it reads all.
"""

import argparse
import ast
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import get_args

import yaml

from stages.config.params import Params
from stages.core.cli import run_command

SHARED = (("artifacts",), ("config",))  # packages of which a stage depends on single files, a list each
ALL_SECTIONS = Path("stages/config/params.py")  # imports every section; a stage depends on those that it reads
WIDTH = 118


def main(root: Path = Path()) -> None:
    """Write the code dependencies of every stage; all else in dvc.yaml stays as it is."""
    path = root / "dvc.yaml"
    path.write_text(with_code_dependencies(path.read_text(), root=root))


def with_code_dependencies(text: str, *, root: Path) -> str:
    """`text` of a dvc.yaml with the paths below stages/ in every stage's deps replaced by what its code reaches."""
    stages, blocks = yaml.safe_load(text)["stages"], re.split(r"(?m)^(?= {0,2}\w+:$)", text)
    for i, block in enumerate(blocks):
        name = block.partition(":")[0]
        if name.startswith("  "):
            stage = stages[name.strip()]
            data = [dependency for dependency in stage["deps"] if not dependency.startswith("stages/")]
            lines = _dependency_lines([data, *code_dependencies(root, stage["cmd"])])
            blocks[i] = re.sub(r"(?m)^    deps:.*\n(?:      .*\n)*", lambda _, lines=lines: lines, block, count=1)
    return "".join(blocks)


def code_dependencies(root: Path, command: str) -> list[list[str]]:
    """What the stage that `command` runs depends on: its module and folders, then the files of each shared package."""
    module = module_of(command)
    reached = reached_files(root, module)
    sections = sections_read(root, module)
    needed = reached | {_section_file(section) for section in sections}
    shared = {path for path in needed if any(path.parts[1] in packages for packages in SHARED)}
    if sections == set(Params.__dataclass_fields__):
        shared = {path for path in shared if path.parent != ALL_SECTIONS.parent}
    folders = {_room(path) for path in needed - shared}
    files = [sorted(path.as_posix() for path in shared if path.parts[1] in packages) for packages in SHARED]
    return [[module.as_posix(), *sorted(folders)], *files]


def module_of(command: str) -> Path:
    """The file of the module that `python -m <module> ...` runs, below the project's root."""
    return Path(*command.split()[2].split(".")).with_suffix(".py")


def reached_files(root: Path, module: Path, *, whole: bool = False) -> set[Path]:
    """Every file of the project that importing `module` brings in; not the packages' docstrings.

    Unless `whole`, the sections of params.yaml that are only loaded beside others are left out (see above). `module`
    itself is in it where it reaches itself.
    """
    reached, waiting = set(), [module]
    while waiting:
        file = waiting.pop()
        imported = imported_files(root, file)
        if file == ALL_SECTIONS and not whole:
            imported = {path for path in imported if path.parent != ALL_SECTIONS.parent or path.stem == "section"}
        waiting += imported - reached
        reached |= imported
    return reached


def imported_files(root: Path, file: Path) -> set[Path]:
    """The project's files that `file` imports, anywhere in it."""
    found = set()
    for module, name in imported_names((root / file).read_text()):
        for candidate in (module, f"{module}.{name}"):
            path = Path(*candidate.split(".")).with_suffix(".py")
            if candidate.startswith("stages.") and (root / path).is_file():
                found.add(path)
    return found


@cache
def imported_names(source: str) -> tuple[tuple[str, str | None], ...]:
    """(module, name taken from it or None) of every import statement anywhere in a module's text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module, alias.name) for alias in node.names]
    return tuple(found)


def sections_read(root: Path, module: Path) -> set[str]:
    """Sections of params.yaml that a stage reads: the attributes of arguments of type Params in all code it reaches.

    A call of `as_yaml` reads all.
    """
    sections: set[str] = set()
    for file in {module, *reached_files(root, module)} - {ALL_SECTIONS}:
        source = (root / file).read_text()
        if "Params" in source:
            sections |= _sections_in(source)
    return sections


@cache
def _sections_in(source: str) -> frozenset[str]:
    known, found, tree = set(Params.__dataclass_fields__), set(), ast.parse(source)
    if any(isinstance(node, ast.Call) and ast.unparse(node.func) == "as_yaml" for node in ast.walk(tree)):
        return frozenset(known)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = {argument.arg for argument in _arguments(function) if "Params" in _annotation(argument)}
            found |= {
                node.attr.removesuffix("_entry")
                for node in ast.walk(function)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
            }
    return frozenset(found & known)


def _section_file(section: str) -> Path:
    """The module that defines the section's class; entries by name have it behind `dict[str, ...]`."""
    declared = Params.__dataclass_fields__[section].type
    return module_of(f"python -m {(get_args(declared) or (declared,))[-1].__module__}")


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _annotation(argument: ast.arg) -> str:
    return ast.unparse(argument.annotation) if argument.annotation else ""


def _room(path: Path) -> str:
    """The folder that is a dependency for `path`: its package's, below the one of stages/."""
    return path.parent.as_posix() if len(path.parts) > 2 else path.as_posix()


def _dependency_lines(groups: list[list[str]]) -> str:
    """The `deps` of a stage as YAML's flow list, a line or more for each group."""
    options = {"initial_indent": " " * 6, "subsequent_indent": " " * 6, "break_on_hyphens": False}
    quoted = [", ".join(f'"{name}"' if "{" in name else name for name in group) for group in groups if group]
    lines = [line for group in quoted for line in textwrap.wrap(f"{group},", WIDTH, **options)]
    return "\n".join(["    deps: [", *lines]).removesuffix(",") + " ]\n"


if __name__ == "__main__":
    run_command(
        main, argparse.ArgumentParser(prog="python -m stages.commands.dag", description=__doc__.splitlines()[0])
    )
