"""Stage generate: it replays, asks only for what is missing, and says what is missing when nobody can be asked."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from checkout import Checkout
from llm_server import LanguageModel

from stages import generate
from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.record import read_record
from stages.artifacts.scenes import write_scenes
from stages.artifacts.sentences import read_sentences
from stages.artifacts.types import Clouds, PointCloudDataset, Scene, Scenes
from stages.bundled import build_record
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]
KEY = "sk-secret-0123456789abcdef"
LISTS = yaml.safe_load((ROOT / "prompts/bundled/classes.yaml").read_text())
SETS = ("llm_1200", "llm_four", "llm_four_images", "llm_one_v1_images", "llm_one_v2_images")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The settings and prompts in an empty folder, which is the current one."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/sets.yaml").write_text((ROOT / "prompts/sets.yaml").read_text())
    for name in ("bundled", "commands", "examples", "recorded"):
        (tmp_path / "prompts" / name).mkdir(parents=True)
        for file in (ROOT / "prompts" / name).iterdir():
            if file.name in ("bundled.jsonl", "facts.yaml", "classes.yaml") or name in ("commands", "examples"):
                (tmp_path / "prompts" / name / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    return Checkout(tmp_path)


@pytest.fixture(scope="module")
def running():
    return LanguageModel()


@pytest.fixture
def server(running, project, monkeypatch):
    """A server that the settings name, asked for two sets, and its key in the environment."""
    running.reset()
    running.reply = answer
    set_generate(project, base_url=running.base_url, model="toy", sets=["llm_1200", "llm_four"])
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return running


def set_generate(project, **changes):
    """Change section `generate` of the project's params.yaml."""
    document = yaml.safe_load((project.root / "params.yaml").read_text())
    document["generate"] |= changes
    (project.root / "params.yaml").write_text(yaml.safe_dump(document))


def answer(body):
    """Sentences that name every word of the command, so that they name its class and part."""
    asked = body["messages"][0]["content"]
    return "\n".join(f"{i}. A depth map ({i}) of the {asked[:150]}" for i in range(1, 4))


def points(*classes, part_names=None):
    cloud = np.zeros((len(classes), 4, 3), np.float32)
    parts = None if part_names is None else np.zeros((len(classes), 4), np.int64)
    clouds = Clouds(cloud, np.arange(len(classes)), parts)
    write_points(Paths().points("toy"), PointCloudDataset(classes, "y", {"train": clouds}, part_names))


def written():
    return read_sentences(Paths().sentences("toy"))


def record():
    return [json.loads(line) for line in Paths().record("toy").read_text().splitlines()]


def metrics():
    return json.loads(Paths().sentence_metrics("toy").read_text())


@pytest.mark.parametrize("name", LISTS)
def test_the_bundled_record_replays_every_set_of_every_dataset(name, project):
    listed = LISTS[name]
    parts = tuple(map(tuple, listed.values())) if isinstance(listed, dict) else None
    points(*listed, part_names=parts)
    generate.main("toy")
    wording, found = written(), metrics()
    assert set(wording.sets) == set(found) == set(SETS)
    counts = Counter(zip(wording.sets, wording.class_names, wording.parts, strict=True))
    subjects = [(one, part) for c, one in enumerate(listed) for part in ("", *(parts[c] if parts else ()))]
    for class_name, part in subjects:
        free = 0 if part else 1  # sentences of the sets that describe whole objects only
        assert counts["llm_1200", class_name, part] >= (20 if part else 60)
        assert counts["llm_four", class_name, part] == counts["llm_four_images", class_name, part] == 4
        assert counts["llm_one_v1_images", class_name, part] == counts["llm_one_v2_images", class_name, part] == free
    assert found["llm_1200"]["dollars"] == 0.0
    assert len(set(wording.of("llm_1200", "chair" if "chair" in listed else "bed"))) >= 60
    assert all(wording.class_names[row] == list(listed)[c] for row, c in enumerate(wording.classes))


def test_home_objects_is_replayed_too(project):

    with h5py.File(ROOT / "data/bundled/home_objects.h5") as file:
        classes = json.loads(file.attrs["classes"])
    points(*classes)
    generate.main("toy")
    assert metrics()["llm_1200"]["fewest"] >= 60
    assert Paths().record("toy").read_text() == ""  # nothing had to be asked


def test_the_bundled_record_is_what_its_builder_makes_and_is_marked(project, monkeypatch):
    before = Paths().record("bundled").read_bytes()
    (project.root / "data/bundled").mkdir(parents=True)
    (project.root / "data/bundled/home_objects.h5").symlink_to(ROOT / "data/bundled/home_objects.h5")
    build_record.main()
    assert Paths().record("bundled").read_bytes() == before
    lines = [line for of_key in read_record(Paths().record("bundled")).values() for line in of_key]
    assert {line["model"] for line in lines} == {"bundled"}


def test_a_file_of_scans_is_read_for_its_classes(project):
    scene = Scene("scan", np.zeros((1, 3), np.float32), np.zeros((1, 6), np.float32), np.zeros(1, np.int64))
    scenes = Scenes(("bed", "garbage bin"), "z", {"train": (scene,)})
    write_scenes(Paths().points("toy"), scenes)
    generate.main("toy")
    assert set(written().class_names) == {"bed", "garbage bin"}


def test_what_is_missing_without_a_server_is_one_line_with_its_cost(project):
    points("chair", "kayak")
    with pytest.raises(InputError) as caught:
        generate.main("toy")
    line = str(caught.value)
    assert line.startswith("42 answers of model 'bundled' are missing in the record (about ")
    assert "set generate.base_url in params.yaml and the environment variable OPENAI_API_KEY" in line
    assert line.endswith("to do without empty generate.sets")
    assert "\n" not in line
    assert not Paths().sentences("toy").exists() and not Paths().record("toy").exists()


def test_without_a_key_nothing_is_sent(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    points("kayak")
    with pytest.raises(InputError, match="36 answers of model 'toy' are missing in the record .*, at a price not in"):
        generate.main("toy")
    assert server.seen == []


def test_a_dry_run_prints_the_price_table_and_touches_nothing(server, project):
    points("kayak")
    before = sorted(project.root.rglob("*"))
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['generate', 'toy', '--dry-run']\n"
        "from stages.generate import main, run_stage\n"
        "run_stage(main)\n"
        "print('torch' in sys.modules or 'openai' in sys.modules)"
    )
    done = project.run("python", "-c", script)
    first, *prices, slow = done.stdout.splitlines()
    # each of 32 answers with 2400 tokens, cut off at that, at 9600 and at 16384, and 4 with 120, 2048 and 8192
    assert first.startswith("36 requests are missing: about ")
    assert first.endswith(
        f"{32 * (2400 + 9600 + 16384) + 4 * (120 + 2048 + 8192)} if every answer were cut off and "
        "asked for again up to its highest limit"
    )
    assert [line.split(":")[0].strip() for line in prices] == ["bundled", "gpt-4.1", "gpt-4.1-mini"]
    assert all(line.endswith(" dollars") for line in prices)
    assert slow == "False"  # neither torch nor the client is loaded
    assert server.seen == [] and sorted(project.root.rglob("*")) == before


def test_a_run_asks_for_what_is_missing_and_for_nothing_else(server, project):
    points("chair", "lamp")
    generate.main("toy")
    assert len(server.seen) == len(record()) == 72
    assert all(request["model"] == "toy" and request["n"] == 1 for request in server.seen)
    generate.main("toy")
    assert len(server.seen) == 72
    points("chair", "kayak", "lamp")
    generate.main("toy")
    assert len(server.seen) == 108
    assert all("kayak" in request["messages"][0]["content"] for request in server.seen[72:])
    path = project.root / "prompts/commands/question.yaml"
    path.write_text(path.read_text().replace("recognise", "know"))
    generate.main("toy")
    again = [request["messages"][0]["content"] for request in server.seen[108:]]
    assert len(again) == 6 and all(text.startswith("How would you know a") for text in again)
    assert [line["key"] for line in record()] == sorted({line["key"] for line in record()})
    everything = [file.read_bytes() for file in project.root.rglob("*") if file.is_file()]
    assert not [content for content in everything if KEY.encode() in content]


def test_a_line_of_the_record_says_all(server):
    points("chair")
    generate.main("toy")
    line = record()[0]
    assert set(line) == {
        *("key", "class", "part", "command", "sample", "request", "model", "answer", "finish_reason"),
        *("prompt_tokens", "completion_tokens"),
    }
    assert line["request"] in server.seen
    assert (line["class"], line["model"], line["prompt_tokens"], line["completion_tokens"]) == ("chair", "toy", 11, 7)


def test_a_prompt_set_is_added_by_one_entry_of_a_file(server, project):
    path = project.root / "prompts/sets.yaml"
    path.write_text(path.read_text() + "mine:\n  families: [caption, words]\n")
    set_generate(project, sets=["mine"])
    points("chair")
    generate.main("toy")
    assert len(server.seen) == len(record()) == 2
    assert set(written().sets) == set(metrics()) == {"mine"}


def test_a_set_that_nobody_knows_is_one_line(project):
    set_generate(project, sets=["mine"])
    points("chair")
    with pytest.raises(InputError, match=r"params.yaml: generate.sets: 'mine': expected one of llm_1200, llm_four, "):
        generate.main("toy")


def test_parts_are_asked_for_by_name(server):
    points("chair", part_names=(("back", "leg"),))
    generate.main("toy")
    wording = written()
    assert set(wording.parts) == {"", "back", "leg"}
    assert all("back" in text and "chair" in text for text in wording.of("llm_1200", "chair", part="back"))


def test_every_drop_is_counted(server):
    points("chair")
    server.faults.extend(["foreign", "long", "echo"])
    generate.main("toy")
    dropped = Counter()
    for found in metrics().values():
        dropped.update(found["dropped"])
    lines = sum(len(line["answer"].splitlines()) for line in record())
    assert dropped["all"] == sum(count for reason, count in dropped.items() if reason != "all")
    assert {"other language", "too long"} <= set(dropped)
    assert lines == sum(found["sentences"] + found["dropped"]["all"] for found in metrics().values())
    assert metrics()["llm_1200"]["prompt_tokens"] == 32 * 11


def test_a_class_without_a_sentence_is_an_error_that_names_it(server):
    server.reply = lambda body: "I'm sorry, I can't."
    points("chair")
    with pytest.raises(InputError, match=r"set llm_1200: no sentence is left for class 'chair' \(refusal 32\)"):
        generate.main("toy")
    assert len(record()) == 36 * 3  # each is asked again twice; all are paid for
    assert not Paths().sentences("toy").exists()


def test_requests_without_a_sentence_are_one_line_and_the_run_goes_on(server, capsys):
    server.rules.append(lambda body: "null message" if "far" in str(body) else None)
    points("chair")
    generate.main("toy")
    line = capsys.readouterr().err
    assert line.startswith("warning: 6 requests gave no sentence (empty 6), the first is caption about class 'chair'; ")
    assert line.count("\n") == 1
    figures = metrics()["llm_1200"]
    assert (figures["requests"], figures["attempts"], figures["unanswered"]) == (32, 32 + 2 * 6, 6)
    assert figures["prompt_tokens"] == 11 * (32 + 2 * 6)
    assert figures["dropped"]["empty"] == 6
    server.rules.clear()
    generate.main("toy")
    assert capsys.readouterr().err == ""
    assert "unanswered" not in metrics()["llm_1200"]


def test_a_record_with_blanks_is_replayed_without_a_server(server, project, capsys):
    server.rules.append(lambda body: "null message" if "far" in str(body) else None)
    points("chair")
    generate.main("toy")
    before = Paths().sentences("toy").read_bytes()
    set_generate(project, base_url=None)
    generate.main("toy")
    assert Paths().sentences("toy").read_bytes() == before
    assert "6 requests gave no sentence" in capsys.readouterr().err


def test_knobs_that_are_set_are_sent_and_part_of_the_key(server, project):
    points("chair")
    generate.main("toy")
    set_generate(project, reasoning_effort="low", extra_body={"top_k": 20})
    generate.main("toy")
    assert len(server.seen) == 72
    assert all("top_k" not in body for body in server.seen[:36])
    assert all((body["reasoning_effort"], body["top_k"]) == ("low", 20) for body in server.seen[36:])


def test_a_field_that_generate_sets_is_refused_in_extra_body(project):
    set_generate(project, extra_body={"model": "other"})
    with pytest.raises(InputError, match="params.yaml: generate.extra_body.model: expected no field that generate"):
        generate.main("toy")


def test_an_experiment_reads_and_keeps_the_main_workspaces_answers(server, project, monkeypatch):
    points("chair")
    generate.main("toy")
    assert len(server.seen) == 36
    # as `dvc exp run --temp` does: a copy of what git holds, which is not the record of the run before
    for name, kept in (("standalone/tmp1", True), ("tmp2", False)):
        temporary = project.root / ".dvc/tmp/exps" / name
        shutil.copytree(project.root / "prompts", temporary / "prompts", ignore=shutil.ignore_patterns("toy*"))
        shutil.copy(project.root / "params.yaml", temporary)
        monkeypatch.chdir(temporary)
        points(*(("chair", "lamp") if kept else ("chair", "lamp", "sofa")))
        generate.main("toy")
        assert len(server.seen) == (72 if kept else 108)  # the new class alone
        lines = record()
        assert len(lines) == len(server.seen)
        monkeypatch.chdir(project.root)
        shutil.rmtree(temporary)  # as DVC does with a failed one
    points("chair", "lamp", "sofa")
    generate.main("toy")
    assert len(server.seen) == len(record()) == 108


def test_pointclip_v2s_sentences_come_from_a_local_copy(project, tmp_path):
    folder = tmp_path / "theirs"
    corpus, best = (
        b'{"chair": ["One chair.", "Two."], "night stand": ["A stand."]}',
        (
            b"best_prompt_weight = {}\n"
            b"best_prompt_weight['toy_vit_b16_test_prompts'] = ['Best chair.', 'Best stand.']\n"
            b"best_prompt_weight['toy_vit_b16_test_weights'] = [0.25, 1.0]\n"
        ),
    )
    files = {}
    for kind, name, content in (("sentences", "c.json", corpus), ("searched", "best.py", best)):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        files[kind] = {"path": name, "blob": blob}
    document = yaml.safe_load((project.root / "params.yaml").read_text())
    document["generate"]["sets"] = ["v2_corpus", "v2_searched_vit_b16"]
    document["generate"]["corpora"] |= {"folder": str(folder), "datasets": {"toy": {"name": "toy", **files}}}
    (project.root / "params.yaml").write_text(yaml.safe_dump(document))
    points("chair", "night_stand")
    generate.main("toy")
    assert written().of("v2_corpus", "chair") == ["One chair.", "Two."]
    assert written().of("v2_searched_vit_b16", "night_stand") == ["Best stand."]
    weights = {"chair": [0.25, 1.0], "night_stand": [0.25, 1.0]}
    assert metrics()["v2_searched_vit_b16"]["view_weights"] == weights
    assert written().view_weights == {"v2_searched_vit_b16": weights}
    (folder / "c.json").write_bytes(corpus + b" ")
    with pytest.raises(InputError, match="c.json: git blob id"):
        generate.main("toy")
