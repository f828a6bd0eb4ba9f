"""Figure: how alike the states of student and teacher are, method by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from talking_models.report.figures.base import Figure, Need

PAIRS = (("lower", "lower"), ("higher", "higher"))


class CKA(Figure):
    """Likeness of student and teacher states"""

    title = "Likeness of student and teacher states"
    caption = """\
Linear CKA (Kornblith et al., 2019) between the student's lower and higher states and the
teacher's, on the evaluation rows of each task: 1 for states that are the same up to rotation and
scale. Marks are tasks (mean over seeds), the line their mean. The student from scratch, which
never saw the teacher, says how alike two models are that merely learn the same ratings. The
estimate is biased upwards where rows are few: compare methods within a task."""

    @classmethod
    def needs(cls, plan, id):
        """See `Figure.needs`."""
        students = plan.students
        if not students:
            return None
        files = [plan.cka_file(place, each) for place in plan.places for each in students.values()]
        return Need({"similarity": files}, {"rows": students}) if files else None

    @classmethod
    def run(cls, *, similarity: Sequence[str], rows: Mapping[str, str], png: str, svg: str) -> None:
        """See `Figure.run`."""
        import pandas as pd

        from talking_models.report.figures import style

        found = pd.concat([pd.read_csv(path) for path in similarity], ignore_index=True)
        with style.figure(png, svg, style.PAGE, 1.2 + 0.34 * len(rows)) as drawn:
            draw(drawn, found, rows)


def draw(drawn, similarity, methods: Mapping[str, str]) -> None:
    """A panel per state: marks are tasks (mean over seeds), the upright line is their mean.

    Args:
        drawn: an empty figure.
        similarity: in the columns of `evidence.cka.COLUMNS`.
        methods: row names with experiment ids, in order.
    """
    from talking_models.report.figures import style

    tasks = list(dict.fromkeys(similarity["task"]))
    keys = ["student_state", "teacher_state", "experiment", "task"]
    scores = similarity.groupby(keys)["cka"].mean()
    looks = style.looks(tasks)
    axes = drawn.subplots(1, len(PAIRS), sharey=True, sharex=True)
    lowest = scores.min() - 0.03
    for pair, panel in zip(PAIRS, axes, strict=True):
        cells = scores.loc[pair].unstack("task").reindex(index=list(methods.values()))
        places = range(len(methods))
        for place in places:
            panel.axhspan(place - 0.4, place + 0.4, color="0.95", linewidth=0)
        for i, task in enumerate(tasks):
            shift = 0.6 * ((i + 0.5) / len(tasks) - 0.5)
            panel.plot(
                cells[task],
                [place + shift for place in places],
                looks[task].marker,
                color=looks[task].color,
                markersize=4,
                label=task,
            )
        means = cells.mean(axis=1)
        panel.vlines(
            means, [y - 0.4 for y in places], [y + 0.4 for y in places], color="black", label="mean"
        )
        panel.set_yticks(places, list(methods))
        panel.set_title(f"{pair[0]} states")
        panel.set_xlabel("linear CKA with the teacher")
        panel.set_xlim(lowest, 1.03)
        panel.grid(False, axis="y")
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=5)
