"""Figure: the parts of TD's loss over training, and how hard each pulls at the student."""

from collections.abc import Iterable

from talking_models.report.figures.base import Figure, Need

PARTS = ("label", "interact", "state_consistency", "message_consistency")
NAMES = {"interact": "interaction"}
SHARES = tuple(k / 10 for k in range(1, 11))  # of training; a history has ten rows per part


class Losses(Figure):
    """Loss parts on the left, gradient norms on the right: mean and range over the tasks."""

    title = "The parts of a loss over training"
    caption = """\
The parts of the loss of the method that the main table compares with, along training (left; as
minimised, weights included), and the norm of the gradient that each part has over the student's
weights, its output layer left out (right). Geometric mean over the tasks, with their range; log
scales. The norms say which part moves the student, and which is absorbed by the method's own
modules."""

    @classmethod
    def needs(cls, plan, id):
        main = plan.main
        if main is None or main.against not in plan.config.experiments:
            return None
        jobs = [job for job in plan.jobs(main) if job[-1] == main.against]
        return Need({"histories": plan.evidence("history.csv", main, jobs)}, {})

    @classmethod
    def draw(cls, histories):
        import numpy as np
        import pandas as pd

        from talking_models.report.figures import style

        found = [pd.read_csv(path) for path in histories]
        labels = {"value": "loss part, weighted", "gradient_norm": "norm of its gradient, student"}
        looks = style.looks([*PARTS, *curves(found, "value")])
        drawn, panels = style.panels(2, 2, 2.9, sharex=True)
        percent = [100 * share for share in SHARES]
        for (column, label), panel in zip(labels.items(), panels, strict=True):
            for name, rows in curves(found, column).items():
                mean, look = np.exp(np.log(rows).mean(0)), looks[name]
                panel.plot(percent, mean, **look, label=NAMES.get(name, name.replace("_", " ")))
                band = {"color": look["color"], "alpha": 0.15, "linewidth": 0}
                panel.fill_between(percent, rows.min(0), rows.max(0), **band)
            panel.set(yscale="log", xlabel="training steps done (%)", ylabel=label)
        style.legend(panels[0], 4)
        return drawn


def curves(histories: Iterable, column: str) -> dict:
    """Each part's values at `SHARES` of the training, one row per history that has the part.

    Jobs differ in their number of steps, so that their share is what compares. Values between two
    rows are interpolated; NaN where a value is not above 0 or before a history begins.
    """
    import numpy as np

    found: dict[str, list] = {}
    for history in histories:
        share = history["step"] / history["step"].max()
        parts = history.assign(share=share).dropna(subset="gradient_norm")  # monitors have none
        for name, part in parts.groupby("name", sort=False):
            values = np.log(part[column].where(part[column] > 0))
            curve = np.interp(SHARES, part["share"], values, left=np.nan)
            found.setdefault(name, []).append(np.exp(curve))
    return {name: np.array(rows) for name, rows in found.items()}
