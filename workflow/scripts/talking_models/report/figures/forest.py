"""Figure: how each row of the main table differs from training from scratch, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from talking_models.report.figures.base import Figure, Need

MEAN = "Mean of all"
COLUMNS = ["row", "task", "change", "low", "high"]
PER_ROW = 3


class Forest(Figure):
    """A panel for each task; a filled mark where the interval leaves out zero."""

    title = "Differences from training from scratch"
    caption = """\
How each method changes the metric of the student trained from scratch. Bars are 95% intervals
over users (or images) and seeds, as in the table "significance"; a mark is filled where its
interval leaves out zero. They are not corrected for their number: among 50 intervals, two or
three leave out zero by chance."""

    @classmethod
    def needs(cls, plan, id):
        """See `Figure.needs`."""
        main, scratch = plan.main, plan.scratch_row
        if main is None or scratch is None or len(main.rows) < 2:
            return None
        jobs = plan.jobs(main)
        others = {row: each for row, each in main.rows.items() if each != scratch}
        params = {"rows": others, "scratch": scratch, "metric": plan.config.metric_of(main)}
        return Need({"predictions": plan.evidence("predictions.parquet", jobs)}, params)

    @classmethod
    def run(
        cls,
        *,
        predictions: Sequence[str],
        rows: Mapping[str, str],
        scratch: str,
        metric: str,
        png: str,
        svg: str,
    ) -> None:
        """See `Figure.run`."""
        from talking_models.evidence.intervals import collect
        from talking_models.report.figures import style

        evidence = collect(predictions, metric)
        found = changes(evidence, rows, scratch)
        panels = -(-found["task"].nunique() // PER_ROW)
        with style.figure(png, svg, style.PAGE, 0.5 + panels * (0.45 + 0.17 * len(rows))) as drawn:
            plot(drawn, found, evidence.metric)


def changes(evidence, rows: Mapping[str, str], scratch: str):
    """The metric of each row minus that of the student from scratch: `COLUMNS`, and per row one
    line for the mean over the tasks.
    """
    import pandas as pd

    from talking_models.evidence.intervals import difference

    found = []
    for name, experiment in rows.items():
        change = difference(evidence, experiment, scratch)
        columns = (change.estimate, *change.interval())
        tasks = [data if task == "all" else task for data, task in evidence.columns]
        for task, *values in zip([*tasks, MEAN], *columns, strict=True):
            found.append((name, task, *values))
    return pd.DataFrame(found, columns=COLUMNS)


def plot(drawn, found, metric) -> None:
    """One panel per task of an empty figure; `found` is from `changes`."""
    from matplotlib.ticker import MaxNLocator

    from talking_models.report.figures import style

    rows = list(dict.fromkeys(found["row"]))
    looks = style.looks(reversed(rows))
    tasks = list(dict.fromkeys(found["task"]))
    panels = style.grid(drawn, len(tasks), PER_ROW, sharex=True, sharey=True)
    for task, panel in zip(tasks, panels, strict=True):
        panel.axvline(0, color="black", linewidth=0.8)
        for cell in found[found["task"] == task].itertuples():
            look = looks[cell.row]
            certain = cell.low > 0 or cell.high < 0
            panel.errorbar(
                cell.change,
                rows.index(cell.row),
                xerr=[[cell.change - cell.low], [cell.high - cell.change]],
                color=look.color,
                marker=look.marker,
                markerfacecolor=look.color if certain else "white",
                capsize=2,
            )
        panel.set_title(task, fontweight="bold" if task == MEAN else "normal")
        panel.set_yticks(range(len(rows)), rows)
        panel.grid(False, axis="y")
    panels[0].xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    side = "right" if metric.maximize else "left"
    label = f"{metric.title} minus that of the student from scratch: {side} of the line is better"
    drawn.supxlabel(label, fontsize=8)
