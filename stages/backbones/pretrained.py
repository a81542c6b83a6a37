"""Files of open_clip's pretrained tags: whether they are cached, where they are asked for, and how they are fetched.

A tag is asked for at the model hub, and at its own address (OpenAI's) where the hub does not give it.
"""

import os
from pathlib import Path
from typing import NamedTuple

import requests
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from open_clip.pretrained import download_pretrained

from stages.core.errors import InputError, reason

SECONDS = 10  # to wait for an answer
CLIP_CACHE = "~/.cache/clip"  # where open_clip puts what is not the hub's


class Offer(NamedTuple):
    """An address that offers a file, and the file's bytes where it says them."""

    address: str
    bytes: int | None


def cached(tag: dict) -> Path | None:
    """The file of `tag` on this machine, or None."""
    repository, files = _hub_files(tag)
    for file in files:
        if isinstance(path := try_to_load_from_cache(repository, file), str):
            return Path(path)
    path = Path(CLIP_CACHE).expanduser() / os.path.basename(tag.get("url") or "")
    return path if tag.get("url") and path.is_file() else None


def offer(tag: dict) -> Offer:
    """The first address that offers the file of `tag`; InputError with what every host said."""
    said = []
    repository, files = _hub_files(tag)
    for file in files:
        address = hf_hub_url(repository, file)
        try:
            return Offer(address, get_hf_file_metadata(address, timeout=SECONDS).size)
        except Exception as error:  # what a transport raises depends on the library's version
            said.append(f"{address.split('/')[2]}: {reason(error)}")
    if tag.get("url"):
        try:
            response = requests.head(tag["url"], timeout=SECONDS, allow_redirects=True)
            response.raise_for_status()
            length = response.headers.get("Content-Length")
            return Offer(tag["url"], None if length is None else int(length))
        except requests.RequestException as error:
            said.append(f"{tag['url'].split('/')[2]}: {reason(error)}")
    raise InputError("; ".join(dict.fromkeys(said)))


def fetch(tag: dict) -> Path:
    """The file of `tag`, downloaded where it is not cached; the last address's error where none gives it."""
    if (path := cached(tag)) is not None and is_hubs(path):
        return path
    if path is None and tag.get("hf_hub"):
        try:
            return Path(download_pretrained(tag))
        except (OSError, HfHubHTTPError):
            if not tag.get("url"):
                raise
    return Path(download_pretrained(tag, prefer_hf_hub=False))  # which checks the hash that the address names


def is_hubs(path: Path) -> bool:
    """Whether a cached file came from the model hub, and not from a tag's own address."""
    return path.parent != Path(CLIP_CACHE).expanduser()


def _hub_files(tag: dict) -> tuple[str, tuple[str, ...]]:
    """The hub's repository of `tag`, and the names that its file may have there."""
    repository, file = os.path.split(tag.get("hf_hub") or "")
    names = (file,) if file else (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME)
    return repository, names if repository else ()
