"""Metrics and examples -> tables, figures and one HTML page: `python -m stages.report`."""

from collections.abc import Sequence
from pathlib import Path

from stages.artifacts.files import write_bytes, write_text
from stages.artifacts.paths import Paths
from stages.config.params import Params, as_yaml, load_params
from stages.core.cli import run_stage
from stages.reporting import collect
from stages.reporting.page import Section, page, weights_table
from stages.reporting.tables import FORMATS


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Write every table to reports/tables, every figure to reports/figures and the page; print the page's path."""
    params, paths = params or load_params(root), Paths(root)
    sections = collect.gather(params, paths)
    used = dict.fromkeys((*params.select.backbones, *params.select.segmentation_backbones))
    _write(sections, paths)
    document = page(
        sections,
        title="PointCLIP V2, as a pipeline",
        summary="What was measured here, compared with what others published. Every table is also in reports/tables.",
        weights=weights_table({name: params.backbone_entry(name) for name in used}),
        parameters=as_yaml(params),
    )
    write_text(paths.page(), document)
    viewer = collect.scene_viewer(params, paths)
    if viewer is not None:
        write_text(paths.scene(), viewer)
    print(f"the whole report: {paths.page().resolve()}")


def _write(sections: Sequence[Section], paths: Paths) -> None:
    for section in sections:
        for table in section.tables:
            for form, written in FORMATS.items():
                write_text(paths.table(table.name, form), written(table))
        for picture in section.pictures:
            write_bytes(paths.figure(picture.name), picture.png)


if __name__ == "__main__":
    run_stage(main)
