"""Peers: figures of other methods, each as its authors or a re-run report it."""

from stages.reporting.page import Section
from stages.reporting.published import Published
from stages.reporting.tables import Table, number


def section(published: Published) -> Section:
    """One row a method, dataset and setting, with its source."""
    rows = tuple(
        (peer.method, peer.dataset, peer.setting, number(peer.accuracy), published.sources[peer.source])
        for peer in published.peers
    )
    header = ("method", "dataset", "setting", "top-1 %", "source")
    table = Table("peers", "Peers, top-1 %, as published", header, rows, numeric_from=len(header))
    text = "None of these was measured here. 3D-pretrained methods have seen 3D data, ours has not."
    return Section("peers", "Peers", text, "reports/published.yaml", (table,))
