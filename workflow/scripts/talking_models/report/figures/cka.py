"""Figure: how alike the states of student and teacher are, method by method."""

from itertools import product

from talking_models.report.figures.base import Figure, Need


class CKA(Figure):
    """A panel per state: marks are tasks (mean over seeds), the upright line is their mean."""

    family = "ratings"
    title = "Likeness of student and teacher states"
    caption = """\
Linear CKA (Kornblith et al., 2019) between the student's lower and higher states and the
teacher's, on the evaluation rows of each task: 1 for states that are the same up to rotation and
scale. Marks are tasks (mean over seeds), the line their mean. The student from scratch, which
never saw the teacher, says how alike two models are that merely learn the same ratings. The
estimate is biased upwards where rows are few: compare methods within a task."""

    @classmethod
    def needs(cls, plan, id):
        if (table := plan.likeness(cls.family)) is None:
            return None
        rows = {row: id for row, id in table.rows.items() if id in plan.config.experiments}
        pairs = product(rows.values(), plan.places_of(table))
        files = [plan.path(*place, "cka", f"{id}.csv") for id, place in pairs]
        return Need({"similarity": files}, {"rows": rows}, cls.family == "ratings")

    @classmethod
    def draw(cls, similarity, rows):
        import pandas as pd

        from talking_models.report.figures import style

        # of .../{data}/{split}/cka/{experiment}.csv
        parts = {str(path): style.read([path]) for path in similarity}
        if cls.family == "images":
            parts = {p: part.assign(task=p.split("/")[-4]) for p, part in parts.items()}
        found = pd.concat(parts.values(), ignore_index=True)
        tasks, places = list(dict.fromkeys(found["task"])), range(len(rows))
        looks = style.looks(tasks)
        keys = ["student_state", "teacher_state", "experiment", "task"]
        scores = found.groupby(keys)["cka"].mean()
        drawn, panels = style.panels(2, 2, 0.34 * len(rows), 1.2, sharex=True, sharey=True)
        for state, panel in zip(("lower", "higher"), panels, strict=True):
            cells = scores[state, state].unstack("task").reindex(index=list(rows.values()))
            for place in places:
                panel.axhspan(place - 0.4, place + 0.4, color="0.95", linewidth=0)
            for i, task in enumerate(tasks):
                heights = [place + 0.6 * ((i + 0.5) / len(tasks) - 0.5) for place in places]
                look = looks[task] | style.NO_LINE
                panel.plot(cells[task], heights, **look, markersize=4, label=task)
            low, high = ([place + half for place in places] for half in (-0.4, 0.4))
            panel.vlines(cells.mean(axis=1), low, high, color="black", label="mean")
            panel.set_yticks(places, list(rows))
            panel.set_title(f"{state} states")
            panel.set_xlabel("linear CKA with the teacher")
            panel.set_xlim(scores.min() - 0.03, 1.03)
            panel.grid(False, axis="y")
        panels[0].invert_yaxis()
        style.legend(panels[0], 5)
        return drawn
