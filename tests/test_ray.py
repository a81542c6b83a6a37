"""Engine `ray` on a real cluster of several raylets on this machine: the bytes of `local`, whoever is killed."""

import os
import signal
import socket
import sys
from importlib.util import find_spec

import pytest
from checkout import contents
from test_shards import begun, done, expected, start, wait_for, whole

os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # seconds, on a machine that is busy
ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = pytest.mark.slow
STORE_BYTES = 80_000_000
HAS_CLIENT = find_spec("grpc") is not None  # what Ray's client needs beside Ray
with socket.create_server(("127.0.0.1", 0)) as free:
    CLIENT_PORT = free.getsockname()[1]
assert expected  # a fixture of this module too


@pytest.fixture(scope="module")
def cluster():
    """A head without cores, and two raylets with one each."""
    options = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    head = {"num_cpus": 0, **options} | ({"ray_client_server_port": CLIENT_PORT} if HAS_CLIENT else {})
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    yield made
    made.shutdown()


def on(cluster, *arguments):
    """Arguments that run the toy job on the cluster."""
    return "engine=ray", f"address={cluster.address}", "workers=2", *arguments


@pytest.mark.parametrize("loads_model", ["false", "true"])
def test_tasks_and_actors_make_the_bytes_of_local_although_a_worker_is_killed(loads_model, expected, cluster, tmp_path):
    run = start(tmp_path, *on(cluster, f"loads_model={loads_model}", "ends=00004.h5"))
    assert run.wait(timeout=500) == 0, run.stderr.read()
    assert whole(tmp_path) == expected
    assert begun(tmp_path).count("00004.h5") == 2 and len(begun(tmp_path)) == 11


def test_a_killed_raylet_loses_no_finished_shard(expected, cluster, tmp_path):
    lost = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    run = start(tmp_path, *on(cluster, "workers=3", "seconds=8"))
    wait_for(lambda: len(done(tmp_path)) >= 3 and len(begun(tmp_path)) >= 6, run)
    cluster.remove_node(lost, allow_graceful=False)
    assert run.wait(timeout=500) == 0, run.stderr.read()
    assert whole(tmp_path) == expected
    assert len(begun(tmp_path)) <= 11  # the one that the lost raylet had was begun again


def test_a_killed_driver_goes_on_and_two_do_not_meet(expected, cluster, tmp_path):
    run = start(tmp_path, *on(cluster, "seconds=500"))
    wait_for(lambda: len(done(tmp_path)) >= 3, run)
    second = start(tmp_path, *on(cluster))
    assert second.wait(timeout=500) == 1 and "another run is at work on it" in second.stderr.read()
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept, before = done(tmp_path), len(begun(tmp_path))
    again = start(tmp_path, *on(cluster))
    assert again.wait(timeout=500) == 0, again.stderr.read()
    assert whole(tmp_path) == expected
    assert not kept & set(begun(tmp_path)[before:])


def test_wrong_input_is_its_own_line_and_so_is_a_cluster_that_is_not_there(cluster, tmp_path):
    run = start(tmp_path, *on(cluster, "ends=wrong input"))
    assert run.wait(timeout=500) == 1 and run.stderr.read().splitlines()[-1].startswith("error: 0000")
    run = start(tmp_path, "engine=ray", "address=nonsense")
    assert run.wait(timeout=500) == 1
    assert run.stderr.read().splitlines()[-1].startswith("error: params.yaml: run.address 'nonsense': no Ray cluster")


@pytest.mark.skipif(not HAS_CLIENT, reason="Ray's client is not installed (pip install 'ray[client]')")
@pytest.mark.usefixtures("cluster")
def test_a_client_of_a_cluster_makes_the_bytes_of_local_although_a_worker_is_killed(expected, tmp_path):
    address = f"address=ray://127.0.0.1:{CLIENT_PORT}"
    run = start(tmp_path, "engine=ray", address, "workers=2", "loads_model=true", "ends=00004.h5")
    assert run.wait(timeout=500) == 0, run.stderr.read()
    assert whole(tmp_path) == expected
    assert begun(tmp_path).count("00004.h5") == 2 and len(begun(tmp_path)) == 11


def test_without_an_address_a_cluster_is_started_here_for_the_run(expected, tmp_path):
    run = start(tmp_path, "engine=ray", "address=null", "workers=2", "ends=00004.h5")
    assert run.wait(timeout=500) == 0, run.stderr.read()
    assert whole(tmp_path) == expected
    assert begun(tmp_path).count("00004.h5") == 2 and len(begun(tmp_path)) == 11


@pytest.mark.skipif(HAS_CLIENT, reason="Ray's client is installed")
def test_without_rays_client_its_address_is_one_line(tmp_path):
    run = start(tmp_path, "engine=ray", "address=ray://127.0.0.1:1")
    assert run.wait(timeout=500) == 1
    [line] = run.stderr.read().splitlines()
    assert line.startswith("error: params.yaml: run.address 'ray://127.0.0.1:1': no Ray cluster: ")
    assert "ray[client]" in line and line.endswith("or null for one that is started here")


def test_stages_write_the_bytes_of_one_process(cluster, tiny, tmp_path):
    copy = tiny.copy(tmp_path / "copy")
    copy.set_params({"run.shard_samples": 5})
    outs = ("data/depth/home_objects", "data/features/home_objects/bundled/depth.h5")
    calls = [("stages.render", "home_objects"), ("stages.extract", "home_objects", "bundled")]

    def run():
        for call in calls:
            copy.run(sys.executable, "-m", *call)
        return contents(copy.root, outs)

    here = run()
    copy.set_params({"run.engine": "ray", "run.address": cluster.address, "run.workers": 2})
    assert run() == here
    copy.set_params({"run.engine": "local", "run.workers": 2, "run.address": None})
    assert run() == here
