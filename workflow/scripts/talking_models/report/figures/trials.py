"""Figure: the best validation score that each method's search had found after so many trials."""

from talking_models.report.figures.base import Figure, Need


class Trials(Figure):
    """A line per method, a mark where a trial was better than all before it."""

    title = "Validation score by number of trials"
    caption = """\
The lowest validation score that the search of each method had found after so many trials, mean
over tasks, folds and seeds; trials that diverged count. The search of training from scratch, which
chooses how all methods train, and grids of a few values have numbers of their own. Teachers are
left out: their score is of other rows. A line that still falls at its end says that the method had
not converged in its budget."""

    @classmethod
    def needs(cls, plan, id):
        trials, rows = plan.trials
        rows = {row: id for row, id in rows.items() if not plan.config.is_teacher(id)}
        if not (trials and rows):
            return None
        units = {plan.config.data[data].unit or "" for data, _ in plan.places} - {""}
        return Need({"trials": trials}, {"rows": rows, "unit": " or ".join(sorted(units))})

    @classmethod
    def draw(cls, trials, rows, unit):
        from pathlib import Path

        import pandas as pd

        from talking_models.report.figures import style

        frames = {path: pd.read_csv(path) for path in trials}
        for path, frame in frames.items():
            if "experiment" not in frame:  # of one search, in the experiment's folder
                frame["experiment"] = Path(path).parent.name
        searches = dict(list(pd.concat(frames.values()).groupby("experiment")))
        rows = {row: searches[id] for row, id in rows.items() if id in searches}
        looks = style.looks(reversed(rows))
        drawn, (axes,) = style.panels(1, 1, 3.4, width=4.6)
        for name, search in rows.items():
            best, look = best_so_far(search), looks[name]
            axes.step(best.index, best, where="post", **look | {"marker": ""})
            better = best[best < best.shift(fill_value=float("inf"))]
            axes.plot(better.index, better, **look | style.NO_LINE)
            axes.plot([], [], **look, label=name)
        axes.set_xlabel("trials")
        axes.set_ylabel("best validation RMSE so far" + (f" ({unit})" if unit else ""))
        axes.set_xlim(left=0.5)
        style.legend(axes, 3)
        return drawn


def best_so_far(trials):
    """The lowest score of complete trials by number of trials; NaN before there is one."""
    ordered = trials.sort_values("trial", ignore_index=True)
    best = ordered["score"].where(ordered["state"] == "complete").cummin().ffill()
    best.index += 1
    return best
