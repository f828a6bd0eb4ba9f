"""What a page says of the searches behind its rows."""

import pytest
import yaml

from talking_models.report.searches import NO_TEST, block


def choice(path, values=(), steps=None, **search):
    path.parent.mkdir(parents=True, exist_ok=True)
    training = {"training": {"steps": steps}} if steps else {}
    chosen = {f"t{n}": training | {"validation_rmse": score} for n, score in enumerate(values)}
    path.write_text(yaml.safe_dump({"about": {"search": search}, "chosen": chosen or {"t": {}}}))
    return path


def done(complete=24, bounds=(), score=1.0):
    return {"trials": 24, "complete": complete, "at_bound": list(bounds), "score": score}


def shown(rows, files, like=(), against=None, serves=None, steps=None):
    about = {"rows": rows, "like": dict(like), "against": against}
    steps = steps or [[n] for n in range(len(files))]
    serves = serves or [""] * len(steps)
    choices = [{"serves": s, "steps": n} for s, n in zip(serves, steps, strict=True)]
    return block({**about, "choices": choices}, files)


def test_each_row_has_its_trials_its_validation_and_what_lies_at_an_end(tmp_path):
    files = [
        choice(tmp_path / "ld.yaml", (1.0, 1.1), 325, **done()),
        choice(tmp_path / "fd.yaml", (1.1, 1.2), **done(23, ["settings.weight"])),
        choice(tmp_path / "td.yaml", (0.9, 1.1), best="one", scores={"one": 1.0, "two": 1.1}),
        choice(tmp_path / "one.yaml", (0.9, 1.1), **done()),
        choice(tmp_path / "two.yaml", (1.0, 1.1), **done(23, ["settings.w1"])),
    ]
    rows = {"LD": "ld", "FD": "fd", "TD": "td", "By hand": "hand", "No L_MC": "odd"}
    title, table, note, last = shown(rows, files, {"No L_MC": "td"}, "td")
    assert title == "## What was searched"
    head, _, *lines = table.split("\n")
    assert head.endswith("| Minus that of td, ± standard error over tasks |")
    assert lines == [
        "| LD | none | 325 | 24 of 24 | 1.0500 | +0.0500 ± 0.0500 |",
        "| FD | weight |  | 23 of 24 | 1.1500 | +0.1500 ± 0.0500 |",
        "| TD | none |  | 47 of 48 | 1.0000 |  |",
    ]
    assert last == NO_TEST
    assert note == ("Settings of others, but for what each row changes: those of `td`: No L_MC.")


def test_searches_of_two_splits_are_both_shown(tmp_path):
    files = [
        choice(tmp_path / "latest/tuning/ld/choice.yaml", (1.0,), **done()),
        choice(tmp_path / "ml/share-10-1/ld.yaml", (1.2,), **done(12)),
        choice(tmp_path / "ml/share-10-1/scratch.yaml", (1.3,), **done()),
    ]
    serves = ["100%", "5%, 10%", "5%, 10%"]
    _, table, _ = shown({"LD": "ld"}, files, against="scratch", serves=serves)
    assert table.split("\n")[2:] == [
        "| LD (100%) | none |  | 24 of 24 | 1.0000 |  |",
        "| LD (5%, 10%) | none |  | 12 of 24 | 1.2000 | -0.1000 |",
    ]


def test_a_page_says_for_how_many_steps_each_window_trains(tmp_path):
    files = [
        choice(tmp_path / "rolling-1/ld.yaml", (1.0, 1.1), 125, **done()),
        choice(tmp_path / "rolling-1/td.yaml", (0.9, 1.1), 300, best="one", scores={"one": 1.0}),
        choice(tmp_path / "rolling-1/one.yaml", (0.9, 1.1), 300, **done()),
        choice(tmp_path / "rolling-2/ld.yaml", (1.0, 1.1), 700, **done(1, ["training.steps"])),
        choice(tmp_path / "rolling-2/td.yaml", (1.0, 1.1), 425, best="one", scores={"one": 1.0}),
        choice(tmp_path / "rolling-2/one.yaml", (1.0, 1.1), 425, **done(1)),
    ]
    _, table, _ = shown({"LD": "ld", "TD": "td"}, files, steps=[[0, 3], [1, 4], [2, 5]])
    assert table.split("\n")[2:] == [
        "| LD | steps | 125, 700 | 24 of 24 | 1.0500 |",
        "| TD | none | 300, 425 | 24 of 24 | 1.0000 |",
    ]


@pytest.mark.parametrize(("line", "than"), [(1.024, "better"), (1.02, "**no better**")])
def test_a_teacher_that_is_no_better_than_the_bias_line_says_so(tmp_path, line, than):
    file = choice(tmp_path / "teacher.yaml", (1.0230,), **done(score=1.0230), bias_line=line)
    *_, note, _ = shown({"Teacher": "teacher"}, [file])
    assert note == (
        f"Teacher, chosen for users that it knows: 1.0230 on those, {than} than the bias line's "
        f"{line:.4f}."
    )


def test_nothing_is_said_of_what_was_not_searched(tmp_path):
    assert shown({"By hand": "hand"}, []) == []
    assert shown({"TD": "td"}, [choice(tmp_path / "td.yaml", trials=8)]) == []
