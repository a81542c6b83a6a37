"""A process that has imported DVC, every stage and every command once, and forks a child for each program that is run.

`python stage_server.py <socket>` answers what the Python of `fake_python` sends: arguments, folder, environment and the
three standard streams. Environment variables of the server:
NARROW_CLIP a folder of open_clip configurations that take the place of those of the same names,
WEIGHT_HOST an address that takes the place of OpenAI's,
ASKED_HOSTS a file to which every host that is not this machine is written, which is then refused.
"""

import array
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]
STREAMS = 3
CLIENT = f"""
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
job = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
streams = array.array("i", range({STREAMS}))
server.sendmsg([len(job).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.sendall(job)
status = server.recv(1)
os._exit(status[0] if status else 1)
"""


def fake_python(folder: Path, address: Path) -> Path:
    """A program `python` in `folder` that has its modules run by the server at `address`."""
    folder.mkdir(parents=True)
    (folder / "client.py").write_text(CLIENT)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{folder}/client.py" "{address}" "$@"\n')
    python.chmod(0o755)
    return python


def main(address: str) -> None:
    sys.path.insert(0, str(ROOT))
    _refuse_other_hosts(Path(os.environ["ASKED_HOSTS"]))
    _narrow_clip(Path(os.environ["NARROW_CLIP"]), os.environ["WEIGHT_HOST"])
    for path in sorted([*(ROOT / "stages").glob("*.py"), *(ROOT / "stages/commands").glob("*.py")]):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    import torch

    for name in ("dvc.cli", "dvc.commands.repro", "dvc.repo.reproduce", "dvc.__main__", "stages.backbones.loading"):
        importlib.import_module(name)
    from stages.commands import rates
    from stages.config.params import load_params

    rates.measure(load_params(ROOT), torch.device("cpu"), root=ROOT)  # what is compiled and allocated once, is for all
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _serve(client)
            client.close()


def _serve(client: socket.socket) -> None:
    """Be the program that the client asked for; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    header, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(STREAMS * 4))
    streams = array.array("i")
    streams.frombytes(ancillary[0][2])
    job = b""
    while len(job) < int.from_bytes(header, "big"):
        job += client.recv(1 << 16)
    arguments, folder, environment = json.loads(job)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_die_with, args=(client,), daemon=True).start()
    status = _run(arguments)
    client.sendall(bytes([status]))
    os._exit(status)


def _run(arguments: list[str]) -> int:
    """What `python -m <module> ...` does; its exit status."""
    assert arguments[0] == "-m", arguments
    sys.argv = arguments[1:]
    sys.executable = os.environ["FAKE_PYTHON"]
    status = 1
    try:
        program = "dvc.__main__" if arguments[1] == "dvc" else arguments[1]
        sys.modules.pop(program, None)  # which is run anew
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _die_with(client: socket.socket) -> None:
    """A client that was killed takes the program with it, and what that has started."""
    if not client.recv(1):
        os.killpg(0, signal.SIGKILL)


def _refuse_other_hosts(log: Path) -> None:
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse(host: str) -> None:
        if host not in ("127.0.0.1", "localhost", "::1", None, ""):
            with log.open("a") as file:
                file.write(f"{host}\n")
            raise OSError(f"{host} is not this machine")

    def connect_here(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0])
        return connect(self, address)

    def look_up_here(host, *arguments, **options):
        refuse(host)
        return look_up(host, *arguments, **options)

    socket.socket.connect, socket.getaddrinfo = connect_here, look_up_here


def _narrow_clip(configurations: Path, weight_host: str) -> None:
    """open_clip's names stand for narrow models, and OpenAI's addresses for files of `weight_host` by their hash."""
    import open_clip
    from open_clip import pretrained

    for path in sorted(configurations.glob("*.json")):
        open_clip.add_model_config(path)
    hashes = json.loads((configurations / "hashes").read_text())  # file -> SHA-256
    for tags in pretrained._PRETRAINED.values():
        tag = tags.get("openai")
        if tag and (file := tag["url"].rpartition("/")[2]) in hashes:
            tag["url"] = f"{weight_host}/openaipublic/{hashes[file]}/{file}"


if __name__ == "__main__":
    main(sys.argv[1])
