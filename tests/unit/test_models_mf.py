"""Matrix factorisation: what it computes, that it learns, and that it teaches and is taught."""

import numpy as np
import pandas as pd
import pytest
import torch
from toys import EVERY_METHOD, LOG, SIZES, TEACHER, fit_config, movielens, one, rating_batch

from talking_models.data.features import encode
from talking_models.models import MODELS
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Streams
from talking_models.predictor import RatingPredictor
from talking_models.training import optimizer
from talking_models.training import ratings as job
from talking_models.training.batches import RatingData, predict_all
from talking_models.training.optimizer import Optimizer
from talking_models.training.teacher import FrozenTeacher

MF = MODELS.get("mf")
FORM = {"kind": "mf", "width": 5}
SEEDS = (3, 1, 4)


def model_of(seeds=SEEDS, stacked=True, **options):
    return MF.build(FORM, SIZES, Streams(seeds, "student", stacked), **options)


def config(method, settings=None, **changed):
    return fit_config(method, settings, **changed) | {"student": FORM}


def moved(model):
    """The model with every weight away from where it starts."""
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=draw)
    return model.eval()


@pytest.fixture(scope="module")
def mf_teacher():
    rows, _, items = movielens()
    return job.fit(rows, items, config("scratch"), {}, LOG)[0]


@pytest.fixture(scope="module")
def mlp_teacher():
    rows, _, items = movielens()
    return job.fit(rows, items, fit_config("scratch", hidden=TEACHER), {}, LOG)[0]


def test_its_settings_are_those_of_its_entry():
    entry = MF.Settings(kind="mf")
    assert (entry.width, entry.training.dropout, entry.training.steps) == (32, 0.0, 500)


def test_a_new_one_is_the_biased_factorisation_of_numpy():
    model, batch = model_of(mean_rating=3.5), rating_batch((3,))
    with torch.no_grad():  # biases start at 0: give them values
        for table in model.tables().values():
            assert not table.weight[..., -1].any()
            table.weight[..., -1] = torch.arange(table.weight.shape[1]) / 10
    states = model(batch)
    for i in range(3):
        user, item = (
            table.weight[i].detach().double().numpy()[ids[i].numpy()]
            for table, ids in zip(model.tables().values(), (batch.user, batch.item), strict=True)
        )
        p, b_u, q, b_i = user[:, :-1], user[:, -1], item[:, :-1], item[:, -1]
        expected = 3.5 + b_u + b_i + np.einsum("nk,nk->n", p, q)
        np.testing.assert_allclose(states.output[i].detach(), expected, rtol=1e-5)
        low = np.concatenate([p, q, b_u[:, None], b_i[:, None]], 1)
        np.testing.assert_allclose(states.low[i].detach(), low, rtol=1e-6)
        high = np.concatenate([p * q, b_u[:, None], b_i[:, None]], 1)
        np.testing.assert_allclose(states.high[i].detach(), high, rtol=1e-6)
    assert (model.widths.low, model.widths.high) == (12, 7)


def test_a_trained_one_is_what_numpy_computes_of_its_weights():
    model, batch = moved(model_of()), rating_batch((3,))
    weights = {k: v.double().numpy() for k, v in model.state_dict().items()}
    for i in range(3):
        user = weights["embeddings.user.weight"][i][batch.user[i].numpy()]
        item = weights["embeddings.item.weight"][i][batch.item[i].numpy()]
        high = np.concatenate([user[:, :-1] * item[:, :-1], user[:, -1:], item[:, -1:]], 1)
        output = high @ weights["output.weight"][i][:, 0] + weights["output.bias"][i][0, 0]
        states = model(batch)
        np.testing.assert_allclose(states.high[i].detach(), high, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(states.output[i].detach(), output, rtol=1e-4, atol=1e-5)


def test_upper_and_head_answer_a_state_that_somebody_else_wrote():
    model, batch = moved(model_of()), rating_batch((3,))
    states = model(batch)
    assert torch.equal(model.upper(states.low), states.high)
    assert torch.equal(model.head(states.high), states.output)
    low = torch.randn(3, 11, model.widths.low, requires_grad=True)
    high = model.upper(low)
    torch.testing.assert_close(high[..., :5], low[..., :5] * low[..., 5:10])
    assert torch.equal(high[..., 5:], low[..., 10:])
    high.square().sum().backward()
    assert (low.grad != 0).all()


def test_a_model_alone_is_the_first_of_a_stack_and_answers_a_stacks_batch():
    batch, alone, stack = rating_batch((3,)), model_of((3,), stacked=False), model_of()
    together = alone(batch)
    for name, value in vars(alone(one(batch, 0))).items():
        torch.testing.assert_close(value, getattr(stack(batch), name)[0])
        torch.testing.assert_close(value, getattr(together, name)[0])


def test_ids_are_unknown_to_vector_and_bias_at_once():
    model = model_of(training={"id_dropout": 0.5}).train()
    batch, seen = rating_batch((3,)), set()
    with torch.no_grad():
        for table in model.tables().values():
            table.weight[..., 0, :], table.weight[..., 1:, :] = 2, 3
    for _ in range(5):
        low = model.lower(batch)
        seen |= {tuple(state) for state in low[..., [0, -3, -2, -1]].flatten(0, 1).tolist()}
    assert seen == {(2, 2, 2, 2), (2, 3, 2, 3), (3, 2, 3, 2), (3, 3, 3, 3)}


@pytest.mark.parametrize("large", [0, optimizer.LARGE])
def test_row_by_row_training_is_adamw_of_whole_tables(large, monkeypatch):
    """What `tables()` promises: rows that no batch reads go on as torch's AdamW moves them."""
    monkeypatch.setattr(optimizer, "LARGE", large)
    by_row, whole = (model_of(mean_rating=3.0).double().train() for _ in range(2))
    options = {"lr": 0.02, "decay": 0.1, "steps": 9}
    mine = Optimizer(by_row, torch.nn.ModuleDict(), **options)
    assert bool(mine.rows) == (large == 0)
    # as the optimizer has it: no decay of what has one row for each model
    groups = [
        {"params": [p for n, p in whole.named_parameters() if n != "output.bias"]},
        {"params": [whole.output.bias], "weight_decay": 0.0},
    ]
    torch_own = torch.optim.AdamW(groups, lr=0.02, weight_decay=0.1)
    for step in range(9):
        batch = rating_batch((3,), n=2, seed=step)
        mine.expect(batch)
        for model in (by_row, whole):
            (model(batch).output - batch.target).square().sum().backward()
        mine.step()
        mine.zero_grad()
        torch_own.step()
        torch_own.zero_grad()
    mine.settle()
    for (name, found), (_, wanted) in zip(
        by_row.state_dict().items(), whole.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6, msg=name)


def test_training_beats_the_mean():
    """Ratings that a factorisation explains: half of their variance at least is learnt."""
    draw = np.random.default_rng(0)
    users, items = np.divmod(np.arange(600), 20)
    vectors = draw.normal(size=(2, 30, 2))
    rating = 3 + draw.normal(size=30)[users] + (vectors[0][users] * vectors[1][items]).sum(1)
    rows = pd.DataFrame({"user": users, "item": items, "rating": rating, "time": 0})
    listing = pd.DataFrame({"item": range(20), "title": "", "categories": [[]] * 20})
    training = {"steps": 400, "batch_size": 100, "dropout": 0.0, "id_dropout": 0.0}
    trained, history = job.fit(rows, listing, config("scratch", **training), {}, LOG)
    data = RatingData(encode(rows, listing, trained.vocabulary))
    error = (predict_all(trained.stack(), data, 2) - data.rating).square().mean(-1)
    assert (error < 0.5 * rating.var()).all(), (error, rating.var())
    label = history.loc[history["name"] == "label", "value"].to_list()
    assert label[-1] < 0.5 * label[0]


@pytest.mark.parametrize("paired", ["first", "paired"])
@pytest.mark.parametrize("name", EVERY_METHOD)
def test_every_method_has_it_as_student_and_as_teacher(name, paired, mf_teacher, mlp_teacher):
    rows, _, items = movielens()
    method, settings = name.split("-")[0], EVERY_METHOD[name]
    pairs = ((config, mlp_teacher), (fit_config, mf_teacher), (config, mf_teacher))
    for student, teacher in pairs:
        teachers = {} if method == "scratch" else {"teacher": teacher}
        asked = student(method, settings, steps=3) | {"teacher_seed": paired}
        trained, history = job.fit(rows, items, asked, teachers, LOG)
        assert all(torch.isfinite(w).all() for w in trained.weights.values())
        parts = history[history["gradient_norm"].notna()]
        assert set(parts["step"]) == {1, 2, 3}
        assert (parts["gradient_norm"] >= 0).all()
        if method != "scratch":
            assert len(set(parts["name"])) > 1


def test_what_is_written_is_what_is_read(mf_teacher, tmp_path):
    _rows, later, items = movielens()
    mf_teacher.save(tmp_path / "models.safetensors")
    found = Checkpoint.load(tmp_path / "models.safetensors")
    assert found.form == FORM
    data = RatingData(encode(later, items, found.vocabulary))
    wanted = predict_all(mf_teacher.stack(), data, 2)
    assert torch.equal(predict_all(found.stack(), data, 2), wanted)
    torch.testing.assert_close(
        FrozenTeacher(found.first(), data)(data.batch(torch.arange(5))).output, wanted[0, :5]
    )


def test_unknown_users_and_items_get_the_row_that_stands_for_them(mf_teacher):
    predictor = RatingPredictor(mf_teacher)
    known = int(mf_teacher.vocabulary.users[0])
    pairs = pd.DataFrame({"user": [known, 999, 1000, 999], "item": [2, 2, 2, 77]})
    found = predictor.predict(pairs)["prediction"]
    assert found[1] == found[2]
    assert len({found[0], found[1], found[3]}) == 3
    weights = {k: v.double() for k, v in mf_teacher.weights.items()}
    nobody, nothing = (weights[f"embeddings.{k}.weight"][:, 0] for k in ("user", "item"))
    high = torch.cat((nobody[:, :-1] * nothing[:, :-1], nobody[:, -1:], nothing[:, -1:]), -1)
    output = torch.einsum("sf,sfo->s", high, weights["output.weight"])
    assert found[3] == pytest.approx(float((output + weights["output.bias"].flatten()).mean()))
