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
        rows = {
            row: list(of) for row, of in plan.trials.items() if not plan.config.is_teacher(of[1])
        }
        if not rows:
            return None
        units = {plan.config.data[data].unit or "" for data, _ in plan.places} - {""}
        files = list(dict.fromkeys(file for file, _ in rows.values()))
        return Need({"trials": files}, {"rows": rows, "unit": " or ".join(sorted(units))})

    @classmethod
    def draw(cls, trials, rows, unit):
        import pandas as pd

        from talking_models.report.figures import style

        frames = {file: pd.read_csv(file) for file in trials}
        looks = style.looks(reversed(rows))
        drawn, (axes,) = style.panels(1, 1, 3.4, width=4.6)
        for name, (file, id) in rows.items():
            search = frames[file]
            if "experiment" in search:  # of several searches, as they are committed
                search = search[search["experiment"] == id]
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
