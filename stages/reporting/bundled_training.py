"""How the bundled backbone was trained: its loss, and its accuracy on what it is not trained on, as it went on."""

from collections.abc import Mapping

from stages.reporting.page import Section
from stages.reporting.tables import Table, number

MEASURED = {"held_out_names": "names never trained on, top-1 %", "known_train": "modelnet10 train part, top-1 %"}
WIDTH = 100  # steps of which the mean loss is recorded


def section(history: Mapping) -> Section:
    """One row per kept state: steps so far, mean loss of the last steps, and the accuracies (`history` as recorded)."""
    losses = history["mean_loss_per_100_steps"]
    rows = [
        (
            str(state["step"]),
            number(losses[-(-state["step"] // WIDTH) - 1]),
            *(number(100 * state[name]) if name in state else "" for name in MEASURED),
        )
        for state in history["scores"]
    ]
    held_out = ", ".join(history["held_out_names"])
    table = Table(
        "bundled_training",
        "The bundled backbone's training",
        ("steps", "mean loss", *MEASURED.values()),
        tuple(rows),
        numeric_from=0,
        notes=(f"Names never trained on: {held_out}.", "Each of their objects is told from 50 names (chance 2 %)."),
    )
    text = (
        "The weights that every other table is measured with, in the course of their training. No shape of "
        "home_objects was trained on or looked at; modelnet10's train part and the held-out names were looked at."
    )
    return Section("bundled", "The bundled backbone", text, "python -m stages.bundled.pretrain", (table,))
