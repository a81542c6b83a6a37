"""Metrics and examples -> tables, figures and one HTML page: `python -m stages.report`."""

from collections.abc import Sequence

from stages import artifacts, settings
from stages.errors import run_stage
from stages.reporting import collect
from stages.reporting.behind import weights_table
from stages.reporting.page import Section, page
from stages.reporting.tables import FORMATS, markdown


def main() -> None:
    """Write every table to reports/tables, every figure to reports/figures and the page; print the headline table."""
    params = settings.load()
    sections = collect.gather(params)
    used = dict.fromkeys((*params.select.backbones, *params.select.segmentation_backbones))
    _write(sections)
    document = page(
        sections,
        title="PointCLIP V2, as a pipeline",
        summary="What the last run measured, beside what others published. Every table is also in reports/tables.",
        weights=weights_table({name: params.backbone_entry(name) for name in used}),
        parameters=settings.as_yaml(params),
    )
    artifacts.write_text(artifacts.page_path(), document)
    viewer = collect.scene_viewer(params)
    if viewer is not None:
        artifacts.write_text(artifacts.scene_path(), viewer)
    print(markdown(sections[0].tables[0]), end="")
    print(f"\nthe whole report: {artifacts.page_path()}")


def _write(sections: Sequence[Section]) -> None:
    for section in sections:
        for table in section.tables:
            for form, written in FORMATS.items():
                artifacts.write_text(artifacts.table_path(table.name, form), written(table))
        for picture in section.pictures:
            artifacts.write_bytes(artifacts.figure_path(picture.name), picture.png)


if __name__ == "__main__":
    run_stage(main)
