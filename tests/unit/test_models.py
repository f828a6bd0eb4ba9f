import pytest
import torch
from safetensors.torch import save_file
from toys import (
    FEATURES,
    SIZES,
    STUDENT,
    TEACHER,
    PlainMLP,
    TokenModel,
    assert_same_gradients,
    doubled,
    movielens,
    one,
    rating_batch,
    rating_model,
    token_batch,
)

from talking_models.data.features import Vocabulary, encode
from talking_models.models.base import LayeredModel, Widths
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Streams
from talking_models.models.network import RatingMLP
from talking_models.training.batches import RatingData

SEEDS = (3, 1, 4)


def stack_of(hidden=STUDENT, **options) -> RatingMLP:
    return rating_model(Streams(SEEDS, "student"), hidden, **options)


def bare(hidden=STUDENT, **options) -> RatingMLP:
    return rating_model(Streams([3], "student", stacked=False), hidden, **options)


def test_each_model_of_a_stack_is_the_plain_mlp_of_its_weights():
    model, batch = stack_of().double(), doubled(rating_batch((3,)))
    states = model(batch)
    losses = []
    for i in range(3):
        plain = PlainMLP(model, i)(one(batch, i))
        for name, wanted in vars(plain).items():
            torch.testing.assert_close(getattr(states, name)[i], wanted, msg=name)
        losses.append((plain.output - batch.target[i]).square().sum())
    found = (states.output - batch.target).square().sum((1,))
    assert_same_gradients(found, torch.stack(losses), dict(model.named_parameters()))


def test_a_model_without_the_stacks_axis_is_the_first_of_a_stack():
    batch = rating_batch((3,))
    alone, stack = bare()(one(batch, 0)), stack_of()(batch)
    for name, value in vars(alone).items():
        torch.testing.assert_close(value, getattr(stack, name)[0])
    assert alone.output.shape == (11,)


def test_a_model_without_the_stacks_axis_takes_the_batch_of_a_stack():
    """The one teacher answers all students, each with a batch of its own."""
    batch, model = rating_batch((3,)), bare(TEACHER)
    together = model(batch)
    for i in range(3):
        for name, value in vars(model(one(batch, i))).items():
            torch.testing.assert_close(getattr(together, name)[i], value)


@pytest.mark.parametrize("hidden", [STUDENT, TEACHER], ids=["student", "teacher"])
@pytest.mark.parametrize("stacked", [True, False])
def test_upper_of_the_true_lower_state_is_the_forwards_higher_state(stacked, hidden):
    model = (stack_of if stacked else bare)(hidden, dropout=0.4, id_dropout=0.4).eval()
    batch = rating_batch((3,) if stacked else ())
    states, low = model(batch), model.lower(batch)
    assert torch.equal(low, states.low)
    assert torch.equal(model.upper(low), states.high)
    assert torch.equal(model.head(states.high), states.output)


def test_the_cut_of_the_token_model_is_right_too():
    """It has the forward pass of `LayeredModel`, which any model without a ReLU can keep."""
    model, batch = TokenModel(6, seed=1), token_batch()
    states = model(batch)
    assert torch.equal(model.upper(model.lower(batch)), states.high)
    assert states.low_pre is states.low
    assert states.high_pre is states.high
    assert states.low.shape == (12, 5, 6)
    assert states.output.shape == (12, 4)


def test_states_are_what_follows_the_relu_of_what_precedes_it():
    model = stack_of(dropout=0.3)
    states = model(rating_batch((3,)))
    assert torch.equal(states.low, states.low_pre.clamp(min=0))
    assert torch.equal(states.high, states.high_pre.clamp(min=0))
    assert (states.low_pre < 0).any()
    assert (states.high_pre < 0).any()
    assert model.widths == Widths(10, 8, nonnegative=True)


def test_dropout_acts_on_what_enters_a_part_so_that_the_states_stay_whole():
    model = stack_of(dropout=0.5)
    low = torch.ones(3, 400, 10)
    first, second = model.upper(low), model.upper(low)
    assert not torch.equal(first, second)
    assert torch.equal(low, torch.ones(3, 400, 10))
    outputs = [model.head(torch.ones(3, 400, 8)) for _ in range(2)]
    assert not torch.equal(*outputs)
    model.eval()
    assert torch.equal(model.upper(low), model.upper(low))


def test_the_paper_sizes_give_the_paper_number_of_weights():
    """46,849 and 285,697 weights besides the embeddings; 300 features come in (spec 2.1)."""
    sizes = dict.fromkeys(SIZES, 3)
    features = {"user": 100, "item": 100, "title": 50, "categories": 50}
    for hidden, wanted in (([128, 64], 46_849), ([512, 256], 285_697)):
        model = RatingMLP(sizes, features, hidden, Streams([0], "student", stacked=False))
        others = [p for n, p in model.named_parameters() if not n.startswith("embeddings")]
        assert sum(p.numel() for p in others) == wanted


def test_the_output_starts_at_the_mean_rating_and_every_seed_differs():
    model = stack_of(mean_rating=3.5)
    assert (model.output.bias == 3.5).all()
    for name, p in model.named_parameters():
        if name != "output.bias":
            assert not torch.equal(p[0], p[1]), name


def test_dropout_rates_leave_the_initial_weights_as_they_are():
    plain, other = stack_of(), stack_of(dropout=0.3, id_dropout=0.2)
    for (name, a), b in zip(plain.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_the_backbone_is_all_but_the_output_layer():
    model = stack_of()
    names = {id(p): name for name, p in model.named_parameters()}
    found = {names[id(p)] for p in model.backbone()}
    assert set(names.values()) - found == {"output.weight", "output.bias"}
    states = model(rating_batch((3,)))
    gradients = torch.autograd.grad(states.high.sum(), model.backbone())
    assert all(g.abs().sum() > 0 for g in gradients)


def test_the_row_of_unknown_ids_is_trained_by_replacing_known_ones():
    batch = rating_batch((3,), n=200)
    known = {"user": batch.user.clamp(min=1), "item": batch.item.clamp(min=1)}
    batch = type(batch)(**vars(batch) | known | {"title": batch.title.clamp(min=1)})
    for rate, trained in ((0.0, False), (0.3, True)):
        model = stack_of(id_dropout=rate)
        model(batch).output.sum().backward()
        for name in ("user", "item", "title"):
            row = model.embeddings[name].weight.grad[:, 0]
            assert (row.abs().sum(-1) > 0).all() == trained, name
    assert model.embeddings["categories"].weight.grad.abs().sum((1, 2)).all()


def test_every_unknown_user_and_item_is_the_same_one():
    train, later, items = movielens()
    vocabulary = Vocabulary.of(train, items)
    data = RatingData(encode(later, items, vocabulary))
    unseen = ~later["user"].isin(train["user"])
    assert (~later["item"].isin(train["item"])).any()
    assert unseen.any()
    assert not unseen.all()
    streams = Streams([0], "student", stacked=False)
    model = RatingMLP(vocabulary.sizes, FEATURES, STUDENT, streams).eval()
    (batch,) = data.in_order()
    assert (batch.user == 0).tolist() == unseen.tolist()
    features = model.inputs(batch)
    user, item = FEATURES["user"], FEATURES["item"]
    for part, ids, name in (
        (features[:, :user], batch.user, "user"),
        (features[:, user : user + item], batch.item, "item"),
    ):
        row = model.embeddings[name].weight[0]
        assert torch.equal(part[ids == 0], row.expand(int((ids == 0).sum()), -1))


# --- checkpoints


@pytest.fixture
def checkpoint() -> Checkpoint:
    train, _, items = movielens()
    vocabulary = Vocabulary.of(train, items)
    model = RatingMLP(vocabulary.sizes, FEATURES, STUDENT, Streams(SEEDS, "student"))
    weights = {name: p.detach() for name, p in model.state_dict().items()}
    form = {"kind": "mlp", "features": FEATURES, "hidden": STUDENT}
    listing = items.set_index("item").loc[vocabulary.items].to_dict("list")
    return Checkpoint(list(SEEDS), form, vocabulary, listing, weights)


def test_a_checkpoint_comes_back_as_it_was(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "models.safetensors")
    loaded = Checkpoint.load(tmp_path / "models.safetensors")
    for name in ("seeds", "form", "vocabulary", "listing"):
        assert getattr(loaded, name) == getattr(checkpoint, name)
    assert loaded.weights.keys() == checkpoint.weights.keys()
    for name, tensor in loaded.weights.items():
        assert torch.equal(tensor, checkpoint.weights[name])
        assert len(tensor) == 3


def test_the_same_checkpoint_gives_the_same_bytes(checkpoint, tmp_path):
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name)
    Checkpoint.load(tmp_path / "a").save(tmp_path / "c")
    first, *others = ((tmp_path / name).read_bytes() for name in "abc")
    assert others == [first, first]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_stack_and_the_first_model_are_those_of_the_weights(checkpoint):
    train, _, items = movielens()
    data = RatingData(encode(train, items, checkpoint.vocabulary))
    (batch,) = data.in_order()
    stack, first = checkpoint.stack(), checkpoint.first()
    rows = torch.arange(len(data)).expand(3, -1)
    together = stack(data.batch(rows)).output
    for i in range(3):
        torch.testing.assert_close(together[i], PlainMLP(stack, i)(batch).output)
    torch.testing.assert_close(first(batch).output, together[0])
    assert not stack.training
    assert not first.training


def test_another_file_is_no_checkpoint(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no model of ours, not rating models"):
        Checkpoint.load(tmp_path / "other.safetensors")


def test_weights_that_are_missing_or_too_many_are_an_error(checkpoint):
    checkpoint.weights["more"] = torch.zeros(3, 1)
    with pytest.raises(RuntimeError, match="more"):
        checkpoint.stack()
    del checkpoint.weights["more"], checkpoint.weights["output.bias"]
    with pytest.raises(RuntimeError, match=r"output\.bias"):
        checkpoint.stack()


def test_a_model_is_asked_for_its_three_parts():
    model = LayeredModel()
    for part in (model.lower, model.upper, model.head):
        with pytest.raises(NotImplementedError):
            part(torch.zeros(1))
