"""Linear CKA: against its definition by Gram matrices, by hand, and on models."""

import numpy as np
import pandas as pd
import pytest
import torch
from toys import FEATURES, STUDENT, TEACHER, movielens

from talking_models.data.features import Vocabulary
from talking_models.data.parquet import write
from talking_models.evidence.cka import COLUMNS, linear_cka, run, similarity
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Streams
from talking_models.models.network import RatingMLP


def by_gram_matrices(x, y):
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with linear kernels (Kornblith et al., eq. 1)."""
    n = len(x)
    centre = np.eye(n) - np.ones((n, n)) / n

    def hsic(k, other):
        return np.trace(k @ centre @ other @ centre) / (n - 1) ** 2

    k, other = x @ x.T, y @ y.T
    return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


@pytest.fixture
def states():
    random = np.random.default_rng(0)
    shared = random.normal(size=(40, 3))
    x = shared @ random.normal(size=(3, 7)) + 0.5 * random.normal(size=(40, 7)) + 2
    y = shared @ random.normal(size=(3, 4)) + 0.5 * random.normal(size=(40, 4)) - 1
    return x, y


@pytest.mark.parametrize("shape", [(40, 7, 4), (5, 12, 30), (200, 1, 1)])
def test_it_is_the_ratio_of_hsics(shape):
    n, p, q = shape
    random = np.random.default_rng(n)
    x, y = random.normal(3, 1, (n, p)), random.normal(size=(n, q))
    y[:, 0] += x[:, 0]
    assert linear_cka(x, y) == pytest.approx(by_gram_matrices(x, y), rel=1e-10)


def test_of_single_features_it_is_their_squared_correlation(states):
    x, y = (state[:, :1] for state in states)
    assert linear_cka(x, y) == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)


def test_by_hand():
    x = np.array([[1.0, 0], [-1, 0], [0, 0], [0, 0]])
    y = np.array([[1.0], [0], [-1], [0]])
    # centred already: Y'X = (1, 0), X'X = diag(2, 0), Y'Y = 2
    assert linear_cka(x, y) == pytest.approx(1 / 4)


def test_it_is_between_0_and_1_and_1_with_itself(states):
    x, y = states
    assert 0 < linear_cka(x, y) < 1
    assert linear_cka(x, x) == pytest.approx(1)
    assert linear_cka(x, y) == pytest.approx(linear_cka(y, x))


def test_rotation_scale_and_shift_change_nothing_and_other_maps_do(states):
    x, y = states
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))
    assert linear_cka(3 * x @ rotation + 5, y) == pytest.approx(linear_cka(x, y))
    assert linear_cka(x @ rotation, x) == pytest.approx(1)
    stretched = x * np.array([10, 1, 1, 1, 1, 1, 1])
    assert linear_cka(stretched, x) < 0.9


def test_a_large_common_offset_costs_no_digits(states):
    x, y = (state.astype(np.float32) for state in states)
    far = x.astype(np.float64) + 1e4
    assert linear_cka(far, y) == pytest.approx(linear_cka(x, y), rel=1e-6)


def test_a_state_without_variation_has_no_similarity(states):
    x, _ = states
    assert np.isnan(linear_cka(x, np.zeros((40, 2))))
    assert np.isnan(linear_cka(np.full((40, 2), 3.0), x))


# --- on models


def checkpoint(seeds, hidden=STUDENT, rows=None):
    train, _, items = movielens()
    vocabulary = Vocabulary.of(train if rows is None else rows, items)
    model = RatingMLP(vocabulary.sizes, FEATURES, hidden, Streams(seeds, "student"))
    weights = {name: p.detach() for name, p in model.state_dict().items()}
    form = {"kind": "mlp", "features": FEATURES, "hidden": list(hidden)}
    listing = items.set_index("item").loc[vocabulary.items].to_dict("list")
    return Checkpoint(list(seeds), form, vocabulary, listing, weights)


def test_a_model_is_like_itself_and_not_like_another():
    _, later, items = movielens()
    found = similarity(checkpoint([0, 1]), checkpoint([0, 5]), later, items, "first")
    assert list(found) == COLUMNS[2:]
    assert len(found) == 2 * 2 * 2
    assert set(found["n_rows"]) == {len(later)}
    cka = found.set_index(["seed", "student_state", "teacher_state"])["cka"]
    for state in ("lower", "higher"):
        assert cka[0, state, state] == pytest.approx(1, rel=1e-5)
        assert cka[1, state, state] < 0.99
    assert cka[0, "lower", "higher"] < 0.999


def test_paired_students_are_compared_with_the_teachers_of_their_seeds():
    _, later, items = movielens()
    both = checkpoint([0, 1])

    def alike(which):
        found = similarity(both, both, later, items, which)
        return found[found["student_state"] == found["teacher_state"]]

    assert alike("paired")["cka"].tolist() == pytest.approx([1.0] * 4)
    first = alike("first").set_index(["seed", "student_state"])["cka"]
    assert first[0].tolist() == pytest.approx([1.0] * 2)
    assert (first[1] < 0.999).all()
    few, many = checkpoint([0, 1]), checkpoint([0, 1, 2])
    found = similarity(many, few, later, items, "all")  # as one, however many there are
    assert found["seed"].nunique() == 3
    assert (found["cka"] < 0.999).all()


def test_states_are_those_of_evaluation_with_each_models_own_vocabulary():
    train, later, items = movielens()
    student = checkpoint([3], rows=train.iloc[:20])  # knows fewer users and items
    teacher = checkpoint([0], TEACHER)
    found = similarity(student, teacher, later, items, "first").set_index(
        ["student_state", "teacher_state"]
    )["cka"]
    from talking_models.data.features import encode
    from talking_models.training.batches import RatingData

    states = []
    for one in (student, teacher):
        data = RatingData(encode(later, items, one.vocabulary))
        with torch.no_grad():
            states.append(one.first()(data.batch(torch.arange(len(later)))))
    for own, mine in (("lower", "low"), ("higher", "high")):
        for other, theirs in (("lower", "low"), ("higher", "high")):
            x, y = getattr(states[0], mine).numpy(), getattr(states[1], theirs).numpy()
            expected = by_gram_matrices(x.astype(float), y.astype(float))
            assert found[own, other] == pytest.approx(expected, rel=1e-4)


def test_from_files_to_a_file(tmp_path):
    _, later, items = movielens()
    checkpoint([0, 1]).save(tmp_path / "student")
    checkpoint([7], TEACHER).save(tmp_path / "teacher")
    for task in ("Drama", "War"):
        write(later, tmp_path / f"{task}.parquet", {"slice": "eval", "task": task})
    write(items, tmp_path / "items.parquet")
    run(
        "td",
        [tmp_path / "student"] * 2,
        [tmp_path / "teacher"],
        [tmp_path / "Drama.parquet", tmp_path / "War.parquet"],
        tmp_path / "items.parquet",
        tmp_path / "cka.csv",
        teacher_seed="first",
    )
    found = pd.read_csv(tmp_path / "cka.csv")
    assert list(found) == COLUMNS
    assert set(found["experiment"]) == {"td"}
    assert list(found["task"].unique()) == ["Drama", "War"]
    assert len(found) == 2 * 2 * 4
    assert found["cka"].between(0, 1).all()
