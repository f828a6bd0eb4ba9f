"""Figure: the best validation score that each method's search had found after so many trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from talking_models.report.figures.base import Figure, Need


class Trials(Figure):
    """Validation score by number of trials"""

    title = "Validation score by number of trials"
    caption = """\
The lowest validation score that the search of each method had found after so many trials, mean
over tasks, folds and seeds. All methods have the same number of trials; pruned and failed trials
count. A line that still falls at its end says that the method had not converged in its budget."""

    @classmethod
    def needs(cls, plan, id):
        """See `Figure.needs`."""
        trials, rows = plan.trials
        return Need({"trials": trials}, {"rows": rows}) if trials and rows else None

    @classmethod
    def run(cls, *, trials: Sequence[str], rows: Mapping[str, str], png: str, svg: str) -> None:
        """See `Figure.run`."""
        from pathlib import Path

        import pandas as pd

        from talking_models.report.figures import style

        frames = [
            frame if "experiment" in frame else frame.assign(experiment=Path(path).parent.name)
            for path, frame in ((path, pd.read_csv(path)) for path in trials)
        ]
        found = pd.concat(frames, ignore_index=True)
        parts = {row: found[found["experiment"] == id] for row, id in rows.items()}
        with style.figure(png, svg, 4.6, 3.4) as drawn:
            draw(drawn, {row: part for row, part in parts.items() if len(part)})


def best_so_far(trials):
    """The lowest score among the complete trials up to each one; NaN before the first.

    Args:
        trials: columns trial, state, score; pruned and failed trials count as tried.

    Returns:
        By number of trials: 1, 2, ...
    """
    ordered = trials.sort_values("trial", ignore_index=True)
    scores = ordered["score"].where(ordered["state"] == "complete")
    best = scores.cummin().ffill()
    best.index += 1
    return best


def draw(drawn, searches: Mapping) -> None:
    """A line per method, a mark where a trial was better than all before it."""
    from talking_models.report.figures import style

    looks = style.looks(reversed(list(searches)))
    axes = drawn.subplots()
    for name, trials in searches.items():
        look, best = looks[name], best_so_far(trials)
        axes.step(best.index, best, where="post", color=look.color, linestyle=look.line)
        better = best[best < best.shift(fill_value=float("inf"))]
        axes.plot(better.index, better, look.marker, color=look.color)
        axes.plot([], [], look.marker, color=look.color, linestyle=look.line, label=name)
    axes.set_xlabel("trials")
    axes.set_ylabel("best validation RMSE so far (stars)")
    axes.set_xlim(left=0.5)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
