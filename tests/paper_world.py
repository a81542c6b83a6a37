"""What the published run finds outside: archives in the official layouts, the model hub and OpenAI's host, all small.

A `World` is a loopback server with all of them, and a checkout whose params.yaml knows their lengths and hashes. What
the server does not have is 404.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import open_clip
import torch
import yaml
from checkout import TOP
from fault_server import QuietHandler
from raw_layouts import clouds, write_h5, write_shard
from safetensors.torch import save
from stage_server import fake_python
from test_backbones import torchscript

from stages.config.params import set_key
from stages.datasets import scanobjectnn, shapenetpart

ROOT = Path(__file__).parents[1]
POINTS, VIEWS = 256, 10
CLASSES = ("chair", "tv_stand", "xbox")  # of ModelNet40's
TRANSFORMER = {"layers": 1, "width": 32, "head_width": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
NARROW = {  # by open_clip's name: the file at OpenAI's, and the image tower
    "RN50-quickgelu": ("RN50.pt", RESNET),
    "RN101-quickgelu": ("RN101.pt", RESNET | {"layers": [1, 1, 2, 1]}),
    "ViT-B-32-quickgelu": (
        "ViT-B-32.pt",
        TRANSFORMER | {"image_size": 64, "patch_size": 32},
    ),
    "ViT-B-16-quickgelu": (
        "ViT-B-16.pt",
        TRANSFORMER | {"image_size": 64, "patch_size": 16},
    ),
}
ON_HUB = {"RN50-quickgelu": "timm/resnet50_clip.openai", "ViT-B-16-quickgelu": "timm/vit_base_patch16_clip_224.openai"}
BACKBONES = ("rn50", "rn101", "vit_b32", "vit_b16")
CORPUS = {"modelnet40": CLASSES, "scanobjectnn": scanobjectnn.CLASSES}
TINY = {  # key of params.yaml -> value, in the published selection too
    "render.resolution": 64,
    "search.candidates": ["simple", "llm_four"],
    "search.sweeps": 1,
    "search.folds": 2,
    "train.methods": ["tip_adapter"],
    "train.shots": [1],
    "train.seeds": [0],
    "train.validation_fraction": 0.5,
    "train.epochs": 1,
    "train.as_published.epochs": 2,
    "evaluate.protocols": {"class_name": "class_name", "template": "depth_map", "ensemble": "simple"},
    "evaluate.bootstrap_samples": 50,
    "patches.search_shapes": 1,
    "segment.candidates": ["parts", "llm_four"],
    "report.sheet_objects": 2,
    "report.projection_objects": 2,
    "sweep.text_inputs.values": [["llm_four"]],
    "sweep.kernels.values": ["mish"],
}
LEFT_OUT = ("llm_1200", "depth_80", "llm_four_images", "llm_one_v1_images", "v2_few_shot", "waffle")


class World:
    """The outside at `url`, and the checkout at `root`, whose data/raw is empty but for what is bound to a form."""

    def __init__(self, folder: Path):
        self.folder, self.root, self.home = folder, folder / "checkout", folder / "home"
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.splits: dict[str, dict[str, int]] = {}
        self._archives()
        self._weights()
        self._corpora()
        self._checkout()
        self._server = self._start_stage_server()

    def close(self) -> None:
        """Stop both servers."""
        self._server.kill()
        self._server.wait()
        self._http.shutdown()
        self._http.server_close()

    def paper(self, *options: str, root: Path | None = None, check: bool = True) -> subprocess.CompletedProcess:
        """Run the published selection, `make paper`'s command."""
        command = [self._python, "-m", "stages.commands.reproduce", *options]
        where = {"cwd": root or self.root, "env": self.environment(), "text": True, "capture_output": True}
        done = subprocess.run(command, check=False, **where)
        if check and done.returncode:
            raise AssertionError(f"ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done

    def start(self, *options: str, root: Path) -> subprocess.Popen:
        """The same in a process group of its own, not waited for."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        command = [self._python, "-m", "stages.commands.reproduce", *options]
        return subprocess.Popen(command, cwd=root, env=self.environment(), **quiet)

    def environment(self) -> dict[str, str]:
        """A home without git's identity and with no cache; the model hub is the loopback server."""
        gone = ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "OPENAI_API_KEY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "http_proxy")
        kept = {name: value for name, value in os.environ.items() if name not in gone and "GIT_" not in name}
        return kept | {
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hub"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "FAKE_PYTHON": str(self._python),
            "NARROW_CLIP": str(self.folder / "narrow"),
            "WEIGHT_HOST": self.url,
            "ASKED_HOSTS": str(self.folder / "asked"),
            "OMP_NUM_THREADS": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def asked_hosts(self) -> list[str]:
        """Hosts other than this machine that any program asked for."""
        path = self.folder / "asked"
        return path.read_text().split() if path.exists() else []

    def copy(self, name: str, *, with_form: bool = True) -> Path:
        """A checkout as it was before any run."""
        target = self.folder / name
        shutil.copytree(self.folder / "fresh", target)
        if not with_form:
            shutil.rmtree(target / "data/raw/scanobjectnn")
        return target

    def _archives(self) -> None:
        made = self.folder / "made"
        for name, write in (
            ("modelnet40", _modelnet),
            ("scanobjectnn", _scanobjectnn),
            ("shapenetpart", _shapenetpart),
        ):
            (made / name).mkdir(parents=True)
            self.splits[name] = write(made / name)
        zips = {name: _zipped(made / name) for name in self.splits}
        hub = "/datasets/Msun/modelnet40/resolve/main/modelnet40_ply_hdf5_2048.zip"
        parts = "shapenetcore_partanno_segmentation_benchmark_v0_normal.zip"
        self.files[hub] = zips["modelnet40"]
        self.files[f"/datasets/wangps/shapenet_segmentation/resolve/main/{parts}"] = zips["shapenetpart"]
        self.form_bound = zips["scanobjectnn"]

    def _weights(self) -> None:
        narrow, hashes = self.folder / "narrow", {}
        narrow.mkdir()
        for seed, (name, (file, vision)) in enumerate(NARROW.items()):
            config = {"embed_dim": 16, "quick_gelu": True, "vision_cfg": vision, "text_cfg": TEXT}
            (narrow / f"{name}.json").write_text(json.dumps(config))
            (narrow / f"{name.removesuffix('-quickgelu')}.json").write_text(json.dumps(config | {"quick_gelu": False}))
            torch.manual_seed(seed)
            state = open_clip.CLIP(**config).state_dict()
            if name in ON_HUB:
                self.files[f"/{ON_HUB[name]}/resolve/main/open_clip_model.safetensors"] = save(
                    {key: value.contiguous() for key, value in state.items()}
                )
            marks = {"input_resolution": vision["image_size"], "context_length": 77, "vocab_size": 49408}
            half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
            torchscript(half | {key: torch.tensor(value) for key, value in marks.items()}, narrow / file)
            content = (narrow / file).read_bytes()
            hashes[file] = hashlib.sha256(content).hexdigest()
            self.files[f"/openaipublic/{hashes[file]}/{file}"] = content
        (narrow / "hashes").write_text(json.dumps(hashes))

    def _corpora(self) -> None:
        searched, weights = {}, [1.0] * VIEWS
        for name, classes in CORPUS.items():
            corpus = {c: [f"A grey depth map of a {c}.", f"A {c} of many points."] for c in classes}
            self.files[f"/corpora/zeroshot_cls/prompts/{name}_1000.json"] = json.dumps(corpus).encode()
            for backbone in BACKBONES:
                searched[f"{name}_{backbone}_test_prompts"] = [f"A depth map of the {c}." for c in classes]
                searched[f"{name}_{backbone}_test_weights"] = weights
        parts = {
            category: {part: [f"the {part} of it"] for part in names} for category, names in shapenetpart.PARTS.items()
        }
        best = {category: [f"a {part}" for part in names] for category, names in shapenetpart.PARTS.items()}
        literals = {"best_prompt": best, "best_vweight": dict.fromkeys(best, weights)}
        self.files["/corpora/zeroshot_seg/prompts/shapenetpart_700.json"] = json.dumps(parts).encode()
        self.files["/corpora/zeroshot_cls/trainers/best_param.py"] = _python_literals({"best_prompt_weight": searched})
        self.files["/corpora/zeroshot_seg/best_param.py"] = _python_literals(literals)

    def _checkout(self) -> None:
        for name in TOP:
            source, target = ROOT / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        raw = self.root / "data/raw/scanobjectnn"
        raw.mkdir(parents=True)
        (raw / "h5_files.zip").write_bytes(self.form_bound)
        path = self.root / "params.yaml"
        document = yaml.safe_load(path.read_text())
        _fit(document, self)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        shutil.copytree(self.root, self.folder / "fresh")

    def _start_stage_server(self) -> subprocess.Popen:
        address = self.folder / "socket"
        self._python = fake_python(self.folder / "bin", address)
        command = [sys.executable, Path(__file__).with_name("stage_server.py"), address]
        server = subprocess.Popen(command, env=self.environment(), stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "ready\n"
        return server


def _fit(document: dict, world: World) -> None:
    """Settings that make every stage small, lengths and hashes of the small files, and the server's addresses."""
    published = document["reproduce"]["overrides"]
    for key, value in TINY.items():
        published[key] = value
        if not key.startswith("sweep."):
            set_key(document, key, value, source="params.yaml")
    for key in ("generate.sets", "embed.sets"):
        published[key] = [name for name in published[key] if name not in LEFT_OUT]
    for name, reader in (("modelnet40", "modelnet40"), ("shapenetpart", "shapenetpart")):
        entry = document["dataset"][name]
        entry |= {"points": POINTS, "splits": world.splits[reader]}
        [file] = entry["files"]
        file["mirrors"] = [mirror for mirror in file["mirrors"] if mirror.startswith("hf://")]
        [content] = [content for path, content in world.files.items() if path.endswith(file["file"])]
        if "checksum" in file:
            file |= {"bytes": len(content), "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    for name, entry in document["dataset"].items():
        if name.startswith("scanobjectnn"):
            entry |= {"points": POINTS, "splits": world.splits["scanobjectnn"]}
            entry["files"][0] |= {
                "bytes": len(world.form_bound),
                "checksum": f"md5:{hashlib.md5(world.form_bound).hexdigest()}",
            }
        if entry.get("num_points"):
            entry["num_points"] = POINTS // 2
    corpora = document["generate"]["corpora"]
    corpora["url"] = f"{world.url}/corpora/{{path}}"
    for corpus in corpora["datasets"].values():
        for file in (corpus["sentences"], corpus["searched"]):
            content = world.files[f"/corpora/{file['path']}"]
            file["blob"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _modelnet(root: Path) -> dict[str, int]:
    """`modelnet40_ply_hdf5_2048`: list files and shards of three classes."""
    folder = root / "modelnet40_ply_hdf5_2048"
    folder.mkdir()
    (folder / "shape_names.txt").write_text("\n".join(CLASSES) + "\n")
    labels = {"train": [0, 1, 2] * 3, "test": [0, 1, 2]}
    for seed, (split, numbers) in enumerate(labels.items()):
        (folder / f"{split}_files.txt").write_text(f"data/modelnet40_ply_hdf5_2048/ply_data_{split}0.h5\n")
        write_shard(folder / f"ply_data_{split}0.h5", clouds(numbers, seed, points=POINTS))
    return {split: len(numbers) for split, numbers in labels.items()}


def _scanobjectnn(root: Path) -> dict[str, int]:
    """`h5_files` with the three variants."""
    classes = len(scanobjectnn.CLASSES)
    labels = {"training": [*range(classes)] * 2, "test": [*range(classes)]}
    for folder, end in scanobjectnn.VARIANTS.values():
        for seed, (name, numbers) in enumerate(labels.items()):
            points, classes_of, _ = clouds(numbers, seed, points=POINTS)
            mask = np.zeros(points.shape[:2], "i4")
            write_h5(
                root / "h5_files" / folder / f"{name}_{end}", data=points, label=classes_of.astype("i4"), mask=mask
            )
    return {"train": len(labels["training"]), "test": len(labels["test"])}


def _shapenetpart(root: Path) -> dict[str, int]:
    """Text files with normals: a shape a category and split."""
    folder = root / "shapenetcore_partanno_segmentation_benchmark_v0_normal"
    (folder / "train_test_split").mkdir(parents=True)
    counts = [len(names) for names in shapenetpart.PART_NAMES]
    first = np.cumsum([0, *counts[:-1]])
    for seed, split in enumerate(("train", "val", "test")):
        lines = []
        for label, synset in enumerate(shapenetpart.SYNSETS):
            points = clouds([label], seed, points=POINTS)[0][0]
            part = first[label] + np.arange(POINTS) % counts[label]
            (folder / synset).mkdir(exist_ok=True)
            np.savetxt(folder / synset / f"{split}.txt", np.column_stack([points, points, part]), fmt="%.6f")
            lines.append(f"shape_data/{synset}/{split}")
        (folder / f"train_test_split/shuffled_{split}_file_list.json").write_text(json.dumps(lines))
    return dict.fromkeys(("train", "val", "test"), len(shapenetpart.SYNSETS))


LAYOUTS = {"modelnet40": _modelnet, "scanobjectnn": _scanobjectnn, "shapenetpart": _shapenetpart}


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def _python_literals(values: dict[str, dict]) -> bytes:
    lines = []
    for name, entries in values.items():
        lines.append(f"{name} = {{}}")
        lines += [f"{name}[{key!r}] = {value!r}" for key, value in entries.items()]
    return ("\n".join(lines) + "\n").encode()


def _handler(world: World) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def _answer(self, *, with_body: bool):
            path = self.path.partition("?")[0]
            world.log.append((self.command, path))
            content = world.files.get(path)
            status, content = (404, b"") if content is None else (200, content)
            self.send_response(status)
            etag = hashlib.sha256(content).hexdigest()
            for name, value in {"ETag": f'"{etag}"', "X-Repo-Commit": "0" * 40, "Content-Length": len(content)}.items():
                self.send_header(name, str(value))
            if status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if with_body:
                self.wfile.write(content)

    return Handler
