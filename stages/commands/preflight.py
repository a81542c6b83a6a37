"""What a run needs, looked at before anything is spent: every mirror, the disk, the device, keys and weights.

A finding has a state: `ok`; `missing`, without which the rest runs; `stop`, without which nothing is started.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests
import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url

from stages.backbones import pretrained
from stages.backbones.loading import weights_tag
from stages.config.backbone import Backbone
from stages.config.dataset import Dataset, RawFile
from stages.config.params import Params
from stages.core.errors import InputError, reason
from stages.datasets import archives

GIGA = 1e9
SECONDS = 10  # to wait for a mirror's answer
OK, MISSING, STOP = "ok", "missing", "stop"


@dataclass(frozen=True)
class Finding:
    """One line of the table: what was looked at, its state, what was found, what to do; bytes still to be fetched.

    `entry` is the id of the dataset or backbone that is missing with it.
    """

    what: str
    state: str
    found: str
    do: str = ""
    fetch: int = 0
    entry: str | None = None


def find(params: Params, *, root: Path) -> list[Finding]:
    """Every finding about what `params` selects but the disk, mirrors asked at the same time."""
    select = params.select
    backbones = dict.fromkeys((*select.backbones, *select.segmentation_backbones))
    with ThreadPoolExecutor(16) as pool:
        datasets = pool.map(lambda name: dataset_finding(name, params.dataset_entry(name), root=root), select.datasets)
        weights = pool.map(lambda name: backbone_finding(name, params.backbone_entry(name), root=root), backbones)
        corpora, model = pool.submit(_corpora, params, root), pool.submit(_language_model, params)
        found = [*datasets, *weights, *corpora.result(), model.result()]
    return [*found, *_without_anything(found, params), device_finding(), git_finding(root)]


def dataset_finding(name: str, entry: Dataset, *, root: Path) -> Finding:
    """Whether the raw files of a dataset are there, or which mirror offers them."""
    what, folder = f"dataset {name}", root / "data/raw" / (entry.folder or name)
    if entry.path is not None:
        there = (root / entry.path).exists()
        do = "" if there else f"put it there{f', after signing at {entry.url}' if entry.url else ''}"
        found = f"{entry.path}{'' if there else ' is not there'}"
        return Finding(what, OK if there else MISSING, found, do, entry=None if there else name)
    wanted = [raw for raw in entry.files if not _is_there(folder / raw.file)]
    if not wanted:
        return Finding(what, OK, f"in {_shown(folder, root)}")
    files = ", ".join(raw.file for raw in wanted)
    if entry.signed_form:
        do = f"sign the form at {entry.url}, then put it there"
        found = f"its form-bound {files} is not in {_shown(folder, root)}"
        return Finding(what, MISSING, found, do, entry=name)
    sizes, places = [], []
    for raw in wanted:
        place, size, said = first_offer(raw)
        if place is None:
            do = f"put {raw.file} into {_shown(folder, root)} by hand"
            return Finding(what, MISSING, f"{raw.file}: no mirror gives it ({said})", do, entry=name)
        sizes.append(size or 0)
        places.append(place)
    return Finding(what, OK, f"{_gigabytes(sum(sizes))} from {', '.join(places)}", fetch=sum(sizes))


def _is_there(target: Path) -> bool:
    unpacked = archives.is_archive(target) and (target.parent / archives.stem(target)).is_dir()
    return target.is_file() or unpacked


def first_offer(raw: RawFile) -> tuple[str | None, int | None, str]:
    """The first mirror that offers the file, as host, and its bytes; or None and what every mirror said."""
    said = []
    for mirror in raw.mirrors:
        try:
            size = _hub_size(mirror) if mirror.startswith("hf://") else _length(mirror)
        except Exception as error:  # what a transport raises depends on the library's version
            said.append(f"{_host(mirror)}: {reason(error)}")
            continue
        if size is not None and raw.bytes is not None and size != raw.bytes:
            said.append(f"{_host(mirror)}: offers {size} bytes, expected {raw.bytes}")
            continue
        return _host(mirror), size, ""
    return None, None, "; ".join(said) or "params.yaml names none"


def backbone_finding(name: str, entry: Backbone, *, root: Path) -> Finding:
    """Whether the weights of a backbone are local or cached, or which address offers them."""
    what = f"backbone {name}"
    if (root / entry.pretrained).is_file():
        return Finding(what, OK, f"local file {entry.pretrained}")
    if (tag := weights_tag(entry)) is None:
        do = f"expected a local file or a tag of {entry.architecture} in backbone.{name}.pretrained"
        return Finding(what, MISSING, f"{entry.pretrained}: no such file or tag", do, entry=name)
    if pretrained.cached(tag) is not None:
        return Finding(what, OK, f"'{entry.pretrained}' is cached")
    try:
        offer = pretrained.offer(tag)
    except InputError as error:
        do = f"put the file into data/weights and its path into backbone.{name}.pretrained"
        return Finding(what, MISSING, f"no address gives it ({error})", do, entry=name)
    size = "unknown length" if offer.bytes is None else _gigabytes(offer.bytes)
    return Finding(what, OK, f"{size} from {_host(offer.address)}", fetch=offer.bytes or 0)


def device_finding() -> Finding:
    """The device that `auto` takes, its memory and its driver; a machine without one is told what that means."""
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        driver = _said_by("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") or "unknown"
        found = f"{facts.name}, {_gigabytes(facts.total_memory)}, driver {driver}, CUDA {torch.version.cuda}"
        return Finding("device", OK, found)
    if torch.backends.mps.is_available():
        return Finding("device", OK, "MPS", "CUDA is faster")
    driver = _said_by("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    if driver:
        return Finding(
            "device", OK, f"{driver}, but this torch has no CUDA", "install torch with CUDA: this takes days"
        )
    return Finding("device", OK, f"no CUDA, {os.cpu_count()} cores", "this takes DAYS; a GPU makes it hours")


def disk_finding(needed: float, *, root: Path) -> Finding:
    """Whether `needed` bytes are free below `root`."""
    free = shutil.disk_usage(root).free
    found = f"{_gigabytes(free)} free, {_gigabytes(needed)} needed"
    return Finding("disk", OK, found) if free >= needed else Finding("disk", STOP, found, "make room, or select less")


def git_finding(root: Path) -> Finding:
    """The git identity, which the run does not need."""
    known = all(_said_by("git", "-C", str(root), "config", key) for key in ("user.name", "user.email"))
    return Finding("git identity", OK, "set" if known else "not set; this run needs none")


def table(findings: Sequence[Finding]) -> str:
    """The findings as lines, with what to do below those that are to be done."""
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:8}{finding.what:{width}}  {finding.found}")
        if finding.do:
            lines.append(f"{'':8}{'':{width}}  -> {finding.do}")
    return "\n".join(lines)


def _corpora(params: Params, root: Path) -> list[Finding]:
    """PointCLIP V2's own sentences, where a selected set is one of them."""
    config, what = params.generate.corpora, "PointCLIP V2's sentences"
    used = [config.datasets[name] for name in params.select.datasets if name in config.datasets]
    if not used or not any(name.startswith("v2_") for name in params.generate.sets):
        return []
    files = dict.fromkeys(file.path for corpus in used for file in (corpus.sentences, corpus.searched))
    if config.folder is not None:
        absent = [file for file in files if not (root / config.folder / file).is_file()]
        found = f"{config.folder}{f' lacks {absent[0]}' if absent else ''}"
        do = "check generate.corpora.folder" if absent else ""
        return [Finding(what, STOP if absent else OK, found, do)]
    for file in files:
        address = config.url.replace("{path}", file)
        try:
            _length(address)
        except requests.RequestException as error:
            do = "try again, or clone its repository and name the folder in generate.corpora.folder"
            return [Finding(what, STOP, f"{file} of {_host(address)}: {reason(error)}", do)]
    return [Finding(what, OK, f"{len(files)} files from {_host(config.url)}")]


def _language_model(params: Params) -> Finding:
    config, what = params.generate, "language model"
    if config.base_url is None:
        return Finding(what, OK, "none is asked: answers come from prompts/recorded alone, no cost")
    if not os.environ.get(config.key_variable):
        do = f"set the environment variable {config.key_variable}, or generate.base_url to null"
        return Finding(what, STOP, f"{config.model} at {_host(config.base_url)}: no key", do)
    names = ", ".join(params.select.datasets)
    do = f"its cost: `python -m stages.generate <dataset> --dry-run` for each of {names}"
    try:
        requests.head(config.base_url, timeout=SECONDS)
    except requests.RequestException as error:
        return Finding(what, STOP, f"{_host(config.base_url)}: {reason(error)}", "check generate.base_url")
    return Finding(what, OK, f"{config.model} at {_host(config.base_url)}, key in {config.key_variable}", do)


def _without_anything(found: Sequence[Finding], params: Params) -> Iterator[Finding]:
    """A `stop` where no dataset or no backbone of the selection is left."""
    missing = {finding.entry for finding in found}
    kinds = {"datasets": params.select.datasets, "backbones": params.select.backbones}
    for kind, names in kinds.items():
        if missing.issuperset(names):
            yield Finding(kind, STOP, "none is left to run", "see above")


def _length(address: str) -> int | None:
    """Bytes that a HEAD of `address` promises; requests' error where it fails."""
    headers = {"Accept-Encoding": "identity"}
    response = requests.head(address, timeout=SECONDS, allow_redirects=True, headers=headers)
    response.raise_for_status()
    length = response.headers.get("Content-Length")
    return None if length is None else int(length)


def _hub_size(mirror: str) -> int | None:
    _, owner, repository, file = mirror.removeprefix("hf://").split("/", 3)
    address = hf_hub_url(f"{owner}/{repository}", file, repo_type="dataset")
    return get_hf_file_metadata(address, timeout=SECONDS).size


def _host(address: str) -> str:
    """`huggingface.co/<owner>/<repository>` of the hub's, else the host."""
    if address.startswith("hf://"):
        return "the model hub: " + "/".join(address.split("/")[3:5])
    return address.split("/")[2]


def _said_by(*command: str) -> str:
    """The first line of a command's output; empty where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().partition("\n")[0] if not done.returncode else ""


def _gigabytes(size: float) -> str:
    return f"{size / GIGA:.2f} GB"


def _shown(folder: Path, root: Path) -> str:
    return str(folder.relative_to(root))
