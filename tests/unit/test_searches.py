"""What a page says of the searches behind its rows."""

import pytest
import yaml

from talking_models.report.searches import said


def choice(path, **search):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"about": {"search": search}, "chosen": {}}))
    return path


def done(complete=24, bounds=()):
    done = {"trials": 24, "complete": complete, "at_bound": list(bounds)}
    return done | {"score": 1.02304, "stderr": 0.00051}


def test_trials_and_bounds_are_said_by_row(tmp_path):
    files = [
        choice(tmp_path / "ld.yaml", **done()),
        choice(
            tmp_path / "tuning/fd/choice.yaml", **done(23, ["settings.weight", "training.steps"])
        ),
        choice(tmp_path / "td.yaml", best="one", scores={"one": 1.0, "two": 1.1}),
        choice(tmp_path / "one.yaml", **done()),
        choice(tmp_path / "two.yaml", **done(23, ["settings.w1"])),
    ]
    rows = {"LD": "ld", "FD": "fd", "TD": "td", "By hand": "hand", "No L_MC": "odd"}
    assert said({"rows": rows, "like": {"No L_MC": "td"}}, files) == (
        "Searched: 24 of 24 trials complete (LD); 23 of 24 trials complete (FD); 47 of 48 trials "
        "complete (TD). Validation scores of what was chosen, in brackets the standard error of "
        "the difference to the mean trial: LD 1.0230 (0.0005), FD 1.0230 (0.0005), TD 1.0230 "
        "(0.0005). At an end of what was searched: FD's weight, FD's steps. Settings of "
        "others, but for what each row changes: those of `td`: No L_MC."
    )


def test_searches_of_two_splits_are_both_said(tmp_path):
    files = [
        choice(tmp_path / "ld.yaml", **done()),
        choice(tmp_path / "share-10-1/ld.yaml", **done(12, ["settings.weight"])),
    ]
    assert said({"rows": {"LD": "ld"}, "like": {}}, files) == (
        "Searched: 24 of 24 trials complete (LD); 12 of 24 trials complete (LD). Validation "
        "scores of what was chosen, in brackets the standard error of the difference to the mean "
        "trial: LD 1.0230 (0.0005), LD 1.0230 (0.0005). At an end of what was searched: LD's "
        "weight."
    )


def test_nothing_is_said_of_what_was_not_searched(tmp_path):
    assert said({"rows": {"By hand": "hand"}, "like": {}}, []) == ""
    assert said({"rows": {"TD": "td"}, "like": {}}, [choice(tmp_path / "td.yaml", trials=8)]) == ""


@pytest.mark.parametrize(("line", "than"), [(1.024, "better"), (1.02, "**no better**")])
def test_a_teacher_that_is_no_better_than_the_bias_line_says_so(tmp_path, line, than):
    file = choice(tmp_path / "teacher.yaml", **done(), bias_line=line)
    words = (
        f"Teacher 1.0230 (0.0005) on users that it knows, {than} than the bias line's {line:.4f}"
    )
    assert words in said({"rows": {"Teacher": "teacher"}, "like": {}}, [file])
