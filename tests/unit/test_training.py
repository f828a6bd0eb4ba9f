import copy
import dataclasses
import math

import pandas as pd
import pytest
import torch
from torch.nn import functional as F
from toys import (
    EVERY_METHOD,
    FEATURES,
    LOG,
    SMALL_TD,
    STUDENT,
    TEACHER,
    TRAINING,
    PlainMLP,
    fit_config,
    movielens,
    rating_batch,
    rating_problem,
)

from talking_models.data.features import Vocabulary, encode
from talking_models.data.parquet import write
from talking_models.methods import Method
from talking_models.methods.base import Loss
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Streams
from talking_models.models.network import RatingMLP
from talking_models.training import loop
from talking_models.training import ratings as job
from talking_models.training import teacher as teaching
from talking_models.training.batches import RatingData
from talking_models.training.loop import train
from talking_models.training.shared import TrainingDiverged, gradient_norms, shuffled_rows
from talking_models.training.teacher import FrozenTeacher


def run(
    problem,
    steps=3,
    batches=None,
    learning_rate=0.01,
    weight_decay=0.0,
    seeds=(0, 1, 2),
    **config,
):
    """The training loop on a toy problem."""
    training = {"steps": steps, "learning_rate": learning_rate, "weight_decay": weight_decay}
    training["clip"] = 1.0
    return train(
        problem.student,
        problem.method,
        problem.teachers,
        batches or (rating_batch((len(seeds),), seed=s) for s in range(steps)),
        fit_config("a test") | {"training": training} | config,
        seeds,
        LOG,
    )


@pytest.fixture(scope="module")
def teacher():
    train, _, items = movielens()
    return job.fit(train, items, fit_config("scratch", seeds=2, hidden=TEACHER), {}, LOG)[0]


# --- rows


@pytest.mark.parametrize(("n", "size"), [(10, 3), (10, 10), (3, 10), (7, 1), (12, 4)])
@pytest.mark.parametrize("stacked", [True, False])
def test_every_epoch_holds_every_row_once_and_every_batch_is_full(n, size, stacked):
    order = Streams([4, 9] if stacked else [4], "order", stacked)
    rows, epochs = shuffled_rows(n, size, order), 6
    batches = [next(rows) for _ in range(math.ceil(epochs * n / size))]
    assert {tuple(b.shape) for b in batches} == {(2, size) if stacked else (size,)}
    together = torch.cat(batches, -1)[..., : epochs * n].unflatten(-1, (epochs, n))
    assert torch.equal(together.sort(-1).values, torch.arange(n).expand_as(together))
    if n > 5:  # each epoch, and each model, has an order of its own
        orders = {tuple(o) for o in together.flatten(0, -2).tolist()}
        assert len(orders) == epochs * (2 if stacked else 1)


def test_a_batch_is_the_rows_asked_for():
    train, _, items = movielens(30)
    vocabulary = Vocabulary.of(train, items)
    data = RatingData(encode(train, items, vocabulary))
    assert len(data) == 30
    rows = torch.tensor([[4, 4, 29], [0, 7, 1]])
    batch = data.batch(rows)
    assert torch.equal(batch.rows, rows)
    for i, r in [(i, r) for i in range(2) for r in range(3)]:
        row = train.iloc[int(rows[i, r])]
        item = items[items["item"] == row["item"]].iloc[0]
        assert vocabulary.users[batch.user[i, r] - 1] == row["user"]
        assert vocabulary.items[batch.item[i, r] - 1] == row["item"]
        assert batch.target[i, r] == row["rating"]
        words = batch.title[i, r][batch.title_weight[i, r] > 0]
        assert all(vocabulary.words[w - 1] in item["title"].lower() for w in words)
        names = [
            g for g, w in zip(vocabulary.categories, batch.categories[i, r], strict=True) if w > 0
        ]
        assert names == sorted(item["categories"])
    in_order = list(data.in_order(size=8))
    assert torch.cat([b.rows for b in in_order]).tolist() == list(range(30))
    assert torch.cat([b.target for b in in_order]).tolist() == train["rating"].tolist()


# --- the teacher


@pytest.mark.parametrize("room", [1 << 30, 0], ids=["cached", "anew"])
@pytest.mark.parametrize("n", [120, 5000])
def test_the_states_of_the_teacher_are_those_of_a_forward_pass(teacher, monkeypatch, n, room):
    """5000 rows are more than one chunk; the teacher's vocabulary is its own."""
    monkeypatch.setattr(teaching, "CACHE_BYTES", room)
    rows, later, items = movielens(n)
    rows = pd.concat([later, rows.sample(frac=1, random_state=0)], ignore_index=True)
    data = RatingData(encode(rows, items, teacher.vocabulary))
    frozen = FrozenTeacher(teacher.first(), data)
    places = torch.randint(0, len(rows), (3, 50), generator=torch.Generator().manual_seed(0))
    # the student's own encoding must not matter
    answer = frozen(dataclasses.replace(data.batch(places), user=None, item=None, title=None))
    plain = PlainMLP(teacher.stack(), 0)
    for i in range(3):
        wanted = plain(data.batch(places[i]))
        for name, value in vars(wanted).items():
            torch.testing.assert_close(getattr(answer, name)[i], value, msg=name)
            assert not getattr(answer, name).requires_grad
    low = answer.low.clone().requires_grad_()
    torch.testing.assert_close(frozen.upper(low), answer.high)
    frozen.upper(low).sum().backward()
    assert low.grad.any()
    assert (frozen.widths.low, frozen.widths.high) == tuple(TEACHER)


def test_the_teacher_computes_its_states_only_when_they_are_read_and_once(teacher):
    rows, _, items = movielens()
    data = RatingData(encode(rows, items, teacher.vocabulary))
    frozen = FrozenTeacher(teacher.first(), data)
    calls = []
    frozen.model.register_forward_hook(lambda *_: calls.append(None))
    answer, other = frozen(data.batch(torch.arange(5))), frozen(data.batch(torch.arange(3)))
    frozen.chunks()
    assert calls == []
    assert answer.low.shape == (5, 14)
    assert other.low.shape == (3, 14)
    assert len(calls) == 1  # 120 rows are one chunk
    with pytest.raises(AttributeError):
        _ = answer.lower


def test_a_student_learns_from_what_the_teacher_says_of_the_same_ratings():
    """The teacher knows all tasks, the student one: each encodes a rating in its own way."""
    rows, _, items = movielens()
    teacher, _ = job.fit(rows, items, fit_config("scratch", seeds=1, hidden=TEACHER), {}, LOG)
    drama = items["item"][["Drama" in genres for genres in items["categories"]]]
    rows = rows[rows["item"].isin(drama) & (rows["user"] > 12)].reset_index(drop=True)
    config = fit_config("ld", {"weight": 0.5}, dropout=0.0, id_dropout=0.0, steps=1)
    student, history = job.fit(rows, items, config, {"teacher": teacher}, LOG)
    assert teacher.vocabulary != student.vocabulary
    data = {
        who: RatingData(encode(rows, items, of.vocabulary))
        for who, of in (("student", student), ("teacher", teacher))
    }
    streams, mean = Streams([0, 1], "model/student"), float(rows["rating"].mean())
    start = RatingMLP(student.vocabulary.sizes, FEATURES, STUDENT, streams, mean_rating=mean)
    places = next(
        shuffled_rows(len(rows), TRAINING["batch_size"], Streams([0, 1], "order/student"))
    )
    said = PlainMLP(teacher.stack(), 0)
    losses = [
        F.mse_loss(
            PlainMLP(start, i)(data["student"].batch(places[i])).output,
            said(data["teacher"].batch(places[i])).output,
        )
        for i in range(2)
    ]
    logit = history.loc[history["name"] == "logit", "value"].item()
    assert logit == pytest.approx(0.5 * sum(losses).item() / 2, rel=1e-5)


def test_a_teacher_and_its_student_do_not_begin_alike():
    """Of the same rows and seed they would have the same embeddings, before anything is learnt."""
    rows, _, items = movielens()
    begun = {
        name: job.begin(rows, items, fit_config("scratch", seeds=1) | {"model": name}, {})
        for name in ("student", "teacher")
    }
    mine, theirs = (one.student.state_dict()["embeddings.user.weight"] for one in begun.values())
    assert mine.shape == theirs.shape
    assert not torch.isclose(mine, theirs).any()
    config = fit_config("ld", seeds=1) | {"model": "student"}
    frozen = job.fit(rows, items, fit_config("scratch", seeds=1), {}, LOG)[0]
    taught = job.begin(rows, items, config, {"teacher": frozen})
    first = [next(one.batches(16)).target for one in (*begun.values(), taught)]
    assert not torch.equal(*first[:2]), "nor do they see the rows in one order"
    assert torch.equal(first[0], first[2]), "a student taught or not does"


# --- the loop


def test_a_stack_trains_as_plain_pytorch_trains_one_model(teacher):
    """Scratch and LD, without dropout: torch.optim.AdamW on `PlainMLP`, one model at a time."""
    rows, _, items = movielens()
    steps, decay = 20, 0.1
    vocabulary = Vocabulary.of(rows, items)
    data = RatingData(encode(rows, items, vocabulary))
    taught = PlainMLP(teacher.stack(), 0)
    own = RatingData(encode(rows, items, teacher.vocabulary))
    for method, weight in (("scratch", 0.0), ("ld", 0.5)):
        settings = {"weight": weight} if weight else {}
        config = fit_config(
            method, settings, 3, dropout=0.0, id_dropout=0.0, steps=steps, weight_decay=decay
        )
        stack, _ = job.fit(rows, items, config, {"teacher": teacher}, LOG)
        for seed in range(3):
            streams = Streams([seed], "model/student", stacked=False)
            mean = float(rows["rating"].mean())
            model = RatingMLP(vocabulary.sizes, FEATURES, STUDENT, streams, mean_rating=mean)
            plain = PlainMLP(model)
            matrices = [p for n, p in model.named_parameters() if n.endswith("weight")]
            biases = [p for n, p in model.named_parameters() if n.endswith("bias")]
            groups = [
                {"params": matrices, "weight_decay": decay},
                {"params": biases, "weight_decay": 0.0},
            ]
            optimizer = torch.optim.AdamW(groups, lr=TRAINING["learning_rate"])
            order = shuffled_rows(
                len(data), TRAINING["batch_size"], Streams([seed], "order/student", False)
            )
            for _ in range(steps):
                places = next(order)
                batch = data.batch(places)
                output = plain(batch).output
                loss = ((output - batch.target) ** 2).mean()
                if weight:
                    answer = taught(own.batch(places)).output.detach()
                    loss = loss + weight * ((output - answer) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), TRAINING["clip"])
                optimizer.step()
            for name, p in model.named_parameters():
                torch.testing.assert_close(
                    stack.weights[name][seed], p.detach(), rtol=1e-4, atol=2e-5, msg=name
                )


class Shrink(Method):
    """A loss whose gradient is zero everywhere: what moves, moves by weight decay."""

    def build(self, layers, student, teachers):
        self.net = layers.sequential(layers.linear(4, 3), layers.batch_norm(3))

    def loss(self, batch, student, teachers, step):
        parameters = [*student.parameters(), *self.net.parameters()]
        return Loss({"nothing": sum(0 * p.flatten(1).sum(1) for p in parameters)}, {})


def test_weights_and_embeddings_decay_but_biases_and_norms_do_not():
    problem = rating_problem(Shrink, {}, double=False)
    for p in problem.parameters().values():  # norms start at 1 and 0
        p.data.add_(0.5)
    before = {n: p.detach().clone() for n, p in problem.parameters().items()}
    run(problem, steps=4, learning_rate=0.1, weight_decay=0.5)
    for name, p in problem.parameters().items():
        norm = name.startswith("net.1")
        kept = 1.0 if norm or name.endswith("bias") else (1 - 0.1 * 0.5) ** 4
        torch.testing.assert_close(p.detach(), kept * before[name], msg=name)
    assert sum(n.endswith("weight") for n in before) == 4 + 3 + 2


class Breaks(Method):
    """Its part `extra` is not a number for the second model at the third step."""

    value = float("nan")

    def loss(self, batch, student, teachers, step):
        label = self.objective.label_loss(student(batch).output, batch.target)
        bad = torch.tensor([0.0, self.value if step == 2 else 0.0, 0.0])
        return Loss({"label": label, "extra": label * 0 + bad}, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_stops_training_and_says_where(monkeypatch, value):
    monkeypatch.setattr(Breaks, "value", value)
    problem = rating_problem(Breaks, {}, double=False)
    with pytest.raises(TrainingDiverged) as error:
        run(problem, steps=5, seeds=(5, 17, 6), method="breaks", settings={"w": 0.125})
    for words in ("'extra'", "step 2", "seed 17", "0.125", "breaks", str(value)):
        assert words in str(error.value)
    assert isinstance(error.value, ArithmeticError)


def test_a_training_job_that_diverges_names_its_settings(teacher):
    rows, _, items = movielens()
    config = fit_config("ld", {"weight": 0.25}, learning_rate=1e30, steps=30)
    with pytest.raises(TrainingDiverged, match=r"seed \d.*'weight': 0.25.*learning_rate"):
        job.fit(rows, items, config, {"teacher": teacher}, LOG)


def test_the_history_tells_the_mean_over_the_stack_and_the_gradient_norm():
    problem = rating_problem("ld", {"weight": 0.5}, double=False)
    batch, before = rating_batch((3,)), copy.deepcopy(problem.student)
    history = run(problem, steps=1, batches=iter([batch]))
    states = before(batch)
    with torch.no_grad():
        taught = problem.teacher(batch)
    label = (states.output - batch.target).square().mean(1)
    logit = 0.5 * (states.output - taught.output).square().mean(1)
    for name, part in (("label", label), ("logit", logit)):
        row = history[history["name"] == name].iloc[0]
        parameters = [p for n, p in before.named_parameters() if not n.startswith("output")]
        found = torch.autograd.grad(part.sum(), parameters, retain_graph=True)
        norm = torch.cat([g.flatten() for g in found]).norm().item()
        assert row["step"] == 1
        assert row["value"] == pytest.approx(part.mean().item(), rel=1e-5)
        assert row["gradient_norm"] == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize(("steps", "reported"), [(3, [1, 2, 3]), (11, [5, 10, 11]), (8, [4, 8])])
def test_the_history_has_evenly_spaced_steps_and_always_the_last(monkeypatch, steps, reported):
    monkeypatch.setattr(loop, "LOG_LINES", 2 if steps > 3 else 20)
    problem = rating_problem("scratch", {}, double=False)
    history = run(problem, steps)
    assert history["step"].tolist() == reported
    assert history.columns.tolist() == ["step", "name", "value", "gradient_norm"]


def test_reading_gradient_norms_does_not_disturb_training():
    """The same steps give the same weights however often the norms are read."""
    problem = rating_problem("td", SMALL_TD, double=False)
    loss = problem.loss()
    gradient_norms(loss.parts, problem.student)
    loss.total.sum().backward()
    other = rating_problem("td", SMALL_TD, double=False)
    other.loss().total.sum().backward()
    for name, p in problem.parameters().items():
        assert torch.equal(p.grad, other.parameters()[name].grad), name


def test_training_is_in_training_mode_and_ends_in_evaluation_mode():
    problem = rating_problem("td", SMALL_TD, double=False).eval()
    modules = [problem.student, *problem.own().values()]
    loss, modes = problem.method.loss, []

    def recorded(*args):
        modes.extend(m.training for part in modules for m in part.modules())
        return loss(*args)

    problem.method.loss = recorded
    run(problem, steps=1)
    assert all(modes)
    assert not any(m.training for part in modules for m in part.modules())


# --- whole jobs


@pytest.mark.parametrize("name", ["scratch", "hybrid-gated", "td"])
def test_the_same_job_twice_gives_the_same_bytes(teacher, tmp_path, name):
    rows, _, items = movielens()
    write(rows[:90], tmp_path / "fit.parquet", {"slice": "fit"})
    write(rows[90:], tmp_path / "val.parquet", {"slice": "val"})
    write(items, tmp_path / "items.parquet")
    teacher.save(tmp_path / "teacher")
    config = fit_config(name.split("-")[0], EVERY_METHOD[name])
    found = []
    deterministic = torch.are_deterministic_algorithms_enabled()
    for k in range(2):
        torch.manual_seed(k)  # the global generator must not matter
        outputs = {f: tmp_path / str(k) / f for f in ("models", "history", "config")}
        slices = [tmp_path / "fit.parquet", tmp_path / "val.parquet"]
        taught = {"teacher": tmp_path / "teacher"}
        job.run(slices, tmp_path / "items.parquet", config, outputs, LOG, taught)
        found.append([path.read_bytes() for path in outputs.values()])
    torch.use_deterministic_algorithms(deterministic)
    assert found[0] == found[1]
    loaded = Checkpoint.load(tmp_path / "0" / "models")
    assert loaded.seeds == [0, 1]
    direct, history = job.fit(rows, items, config, {"teacher": teacher}, LOG)
    for key, tensor in direct.weights.items():
        assert torch.equal(tensor, loaded.weights[key])
    assert len(pd.read_csv(tmp_path / "0" / "history")) == len(history)


def test_watching_a_validation_slice_gives_its_rmse_and_does_not_disturb_training(teacher):
    rows, later, items = movielens()
    config = fit_config("td", EVERY_METHOD["td"], steps=7)
    unwatched, history = job.fit(rows, items, config, {"teacher": teacher}, LOG)
    validation = job.Validation(later, every=3)
    watched, same = job.fit(rows, items, config, {"teacher": teacher}, LOG, validation)
    assert history.equals(same)
    for name, tensor in unwatched.weights.items():
        assert torch.equal(tensor, watched.weights[name]), name
    assert len(validation.curve) == 2  # after steps 3 and 6
    short = job.fit(
        rows, items, fit_config("td", EVERY_METHOD["td"], steps=6), {"teacher": teacher}, LOG
    )[0]
    (batch,) = RatingData(encode(later, items, short.vocabulary)).in_order()
    for i, found in enumerate(validation.curve[1]):
        errors = PlainMLP(short.stack(), i)(batch).output - batch.target
        assert found == pytest.approx(errors.square().mean().sqrt().item(), rel=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_lowers_the_error_on_the_training_rows(precision):
    """In bfloat16 too: the weights' rounded copies must follow the weights."""
    rows, _, items = movielens()
    config = fit_config("scratch", steps=150, batch_size=60, dropout=0.0, id_dropout=0.0)
    found, history = job.fit(rows, items, config | {"precision": precision}, {}, LOG)
    assert {weight.dtype for weight in found.weights.values()} == {torch.float32}
    assert history["value"].iloc[-1] < 0.5 * rows["rating"].var()


@pytest.mark.parametrize(("has", "taken"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_where_the_processor_has_it(monkeypatch, has, taken):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: has)
    rows, _, items = movielens()
    config = fit_config("scratch", steps=3, batch_size=60)
    losses = {}
    for precision in ("auto", "float32", "bfloat16"):
        _, history = job.fit(rows, items, config | {"precision": precision}, {}, LOG)
        losses[precision] = history["value"].tolist()
    assert losses["float32"] != losses["bfloat16"]
    assert losses["auto"] == losses[taken]
