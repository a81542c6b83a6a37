"""Small datasets in the official layouts, written as their makers would; each writer gives what a reader must find.

A writer takes an empty folder and returns per split (points f4 [N, P, 3], labels i8 [N], parts i8 [N, P] or None).
"""

import gzip
import json

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import trimesh

from stages.datasets import scanobjectnn, shapenetpart

POINTS = 16
MODELNET = ("chair", "night_stand")


def clouds(labels, seed, *, points=POINTS):
    """Random clouds of the given labels, rounded so that text keeps them."""
    drawn = np.random.default_rng(seed).normal(size=(len(labels), points, 3)).round(6).astype("f4")
    return drawn, np.array(labels, np.int64), None


def joined(*shards):
    """Shards one after the other."""
    return tuple(None if one[0] is None else np.concatenate(one) for one in zip(*shards, strict=True))


def write_h5(path, **keys):
    """An HDF5 file of these keys; None leaves one out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, values in keys.items():
            if values is not None:
                file[key] = values


def write_shard(path, cloud, **changes):
    """A shard of the common layout."""
    write_h5(path, **{"data": cloud[0], "label": cloud[1][:, None].astype("u1")} | changes)


def modelnet_hdf5(root):
    """Two train shards, listed in the other order, and one test shard, with the paths that the list files have."""
    (root / "shape_names.txt").write_text("\n".join(MODELNET) + "\n")
    (root / "train_files.txt").write_text("data/modelnet/train1.h5\ndata/modelnet/train0.h5\n")
    (root / "test_files.txt").write_text("data/modelnet/test0.h5\n")
    shards = {"train0": clouds([0, 1, 1], 0), "train1": clouds([1, 0], 1), "test0": clouds([0], 2)}
    for name, shard in shards.items():
        write_shard(root / f"{name}.h5", shard)
    return {"train": joined(shards["train1"], shards["train0"]), "test": shards["test0"]}


def modelnet_text(root):
    """`normal_resampled`: comma-separated x, y, z and normal."""
    (root / "modelnet40_shape_names.txt").write_text("\n".join(MODELNET) + "\n")
    found = {"train": clouds([1, 0, 1], 0), "test": clouds([0, 1], 1)}
    number = 0
    for split, (points, labels, _) in found.items():
        names = []
        for cloud, label in zip(points, labels, strict=True):
            number += 1
            names.append(f"{MODELNET[label]}_{number:04}")
            path = root / MODELNET[label] / f"{names[-1]}.txt"
            path.parent.mkdir(exist_ok=True)
            np.savetxt(path, np.hstack([cloud, np.ones_like(cloud)]), fmt="%.6f", delimiter=",")
        (root / f"modelnet40_{split}.txt").write_text("\n".join(names) + "\n")
    return found


def scanobjectnn_h5(root, variant="obj_bg"):
    """One variant below `h5_files`, as its archive unpacks, with the mask that is not used."""
    folder, end = scanobjectnn.VARIANTS[variant]
    found = {"training": clouds([14, 0, 3], 0), "test": clouds([5], 1)}
    for name, cloud in found.items():
        labels = cloud[1].astype("i4")
        mask = np.zeros(cloud[0].shape[:2], "i4")
        write_h5(root / "h5_files" / folder / f"{name}_{end}", data=cloud[0], label=labels, mask=mask)
    return {"train": found["training"], "test": found["test"]}


def offsets():
    """The number of the first part of each category among all 50."""
    counts = [len(names) for names in shapenetpart.PART_NAMES]
    return np.cumsum([0, *counts[:-1]])


def with_parts(labels, seed):
    """Clouds with a random part at every point."""
    points, labels, _ = clouds(labels, seed)
    rng = np.random.default_rng(seed)
    counts = [len(shapenetpart.PART_NAMES[label]) for label in labels]
    return points, labels, np.stack([rng.integers(count, size=POINTS) for count in counts])


def shapenetpart_h5(root, *, lists=True):
    """Two train shards, a val and a test shard, with list files or without."""
    names = {"train": ("ply_data_train0.h5", "ply_data_train1.h5"), "val": ("ply_data_val0.h5",)}
    names["test"] = ("ply_data_test0.h5",)
    found, seed = {}, 0
    for split, files in names.items():
        shards = []
        for file in files:
            seed += 1
            shards.append(with_parts([15, 0, 8, seed], seed))
            points, labels, parts = shards[-1]
            numbers = (parts + offsets()[labels][:, None]).astype("u1")
            write_shard(root / file, (points, labels), pid=numbers)
        found[split] = joined(*shards)
        if lists:
            (root / f"{split}_hdf5_file_list.txt").write_text("\n".join(files) + "\n")
    return found


def shapenetpart_text(root):
    """One text file a shape: x, y, z, normal and the part's number among all 50."""
    found = {}
    (root / "train_test_split").mkdir()
    for seed, split in enumerate(("train", "val", "test")):
        points, labels, parts = found[split] = with_parts([2, 14, seed], seed)
        lines = []
        for row, (cloud, label, local) in enumerate(zip(points, labels, parts, strict=True)):
            folder = root / shapenetpart.SYNSETS[label]
            folder.mkdir(exist_ok=True)
            lines.append(f"shape_data/{folder.name}/{split}{row}")
            rows = np.column_stack([cloud, np.ones_like(cloud), local + offsets()[label]])
            np.savetxt(folder / f"{split}{row}.txt", rows, fmt="%.6f")
        (root / f"train_test_split/shuffled_{split}_file_list.json").write_text(json.dumps(lines))
    return found


def folder(root):
    """`<split>/<class>/<name>.npy`, with a hidden file and a file of another kind that are left alone."""
    found = {"train": clouds([0, 0, 1], 0), "test": clouds([0, 1], 1)}
    for split, (points, labels, _) in found.items():
        for row, (cloud, label) in enumerate(zip(points, labels, strict=True)):
            path = root / split / MODELNET[label] / f"{row}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, cloud)
    (root / "train/chair/.hidden.npy").write_text("not read")
    (root / "train/chair/notes.md").write_text("not read")
    return found


def modelnet_off(root):
    """Boxes of another size each, below the archive's own folder; gives the sizes in the place of the clouds."""
    found = {}
    for split, labels in (("train", [0, 0, 1]), ("test", [0, 1])):
        sizes = [(1 + row, 2, 3 + label) for row, label in enumerate(labels)]
        for row, (label, extents) in enumerate(zip(labels, sizes, strict=True)):
            path = root / "ModelNet2" / MODELNET[label] / split / f"{MODELNET[label]}_{row:04}.off"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = trimesh.creation.box(extents).export(file_type="off")
            path.write_text(text.replace("OFF\n", "OFF", 1))  # as many of ModelNet40's files begin
        found[split] = (np.array(sizes), np.array(labels), None)
    return found


def modelnet40_c(root):
    """ModelNet40-C with two of its 75 files, one of fewer points, and labels [N, 1]."""
    test = clouds([3, 0, 39], 0)
    np.save(root / "label.npy", test[1][:, None])
    found = {"test": test, "rotation_1": clouds([3, 0, 39], 1), "cutout_2": clouds([3, 0, 39], 2, points=12)}
    for split, (points, _, _) in found.items():
        np.save(root / f"data_{'original' if split == 'test' else split}.npy", points)
    return found


def openshape(root):
    """OpenShape's list, with the paths of its makers' disk, and files of a pickled dictionary."""
    found = clouds([1, 0, 1], 0)
    listed = []
    for row, (cloud, label) in enumerate(zip(found[0], found[1], strict=True)):
        file = root / f"Objaverse/000-00{row}/uid{row}.npy"
        file.parent.mkdir(parents=True)
        np.save(file, {"xyz": cloud, "rgb": np.ones_like(cloud), "text": ["a thing"], "group": np.int64(row)})
        made_at = f"/mnt/data/objaverse-processed/merged_for_training_final/{file.relative_to(root)}"
        listed.append({"uid": f"uid{row}", "category": MODELNET[label], "data_path": made_at, "group": "0"})
    (root / "meta_data/split").mkdir(parents=True)
    (root / "meta_data/split/lvis.json").write_text(json.dumps(listed))
    return {"test": found}


def parquet_rows(points, labels, **more):
    """A Parquet table of clouds and the names of their classes."""
    columns = {"points": list(points.reshape(len(points), -1)), "label": [MODELNET[label] for label in labels]}
    return pa.table(columns | more)


def parquet(root):
    """Two files, one of two row groups that hold both splits."""
    train, test = clouds([0, 1, 1, 0], 0), clouds([1, 0], 1)
    pq.write_table(parquet_rows(train[0][:1], train[1][:1], split=["train"]), root / "a.parquet")
    points, labels, _ = joined(tuple(part if part is None else part[1:] for part in train), test)
    table = parquet_rows(points, labels, split=["train"] * 3 + ["test"] * 2)
    pq.write_table(table, root / "b.parquet", row_group_size=4)
    return {"train": train, "test": test}


def objaverse(root):
    """Boxes in the layout of Objaverse's package, of which one was not downloaded; gives the sizes for the clouds."""
    sizes, paths, uids_of = [], {}, {"mug": ["b", "a"], "Bible": ["c", "missing"]}
    for number, uid in enumerate(("c", "a", "b")):  # by class and uid
        paths[uid] = f"glbs/000-00{number}/{uid}.glb"
        sizes.append((1 + number, 2, 3))
        (root / paths[uid]).parent.mkdir(parents=True)
        trimesh.creation.box(sizes[-1]).export(root / paths[uid])
    paths["missing"] = "glbs/000-009/missing.glb"
    for name, content in (("object-paths", paths), ("lvis-annotations", uids_of)):
        (root / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    return {"test": (np.array(sizes), np.array([0, 1, 1]), None)}


LAYOUTS = {  # by reader; those whose clouds come out as they went in
    "modelnet_hdf5": modelnet_hdf5,
    "modelnet_text": modelnet_text,
    "scanobjectnn": scanobjectnn_h5,
    "shapenetpart_hdf5": shapenetpart_h5,
    "shapenetpart_text": shapenetpart_text,
    "folder": folder,
    "modelnet40_c": modelnet40_c,
    "objaverse_openshape": openshape,
    "parquet": parquet,
}
OPTIONS = {"scanobjectnn": {"variant": "obj_bg"}, "shapenetpart_text": {"points": POINTS}}
