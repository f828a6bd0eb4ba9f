from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import assert_same_gradients, dense, weights

from talking_models.models.layers import Dropout, Layers, RelativeNoise, Streams
from talking_models.models.network import Embedding

SEEDS = (4, 0, 7)
SHAPES = {"batch": (6,), "tokens": (2, 5)}  # between the stack's axis and the features


def layers_of(stacked: bool) -> tuple[Layers, list[int | None]]:
    """A stack of three and its places, or a single model."""
    streams = Streams(SEEDS if stacked else SEEDS[:1], "test", stacked)
    return Layers(streams), list(range(len(SEEDS))) if stacked else [None]


def some_input(layers: Layers, *shape: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    stack = layers.init.shape
    return torch.randn(*stack, *shape, generator=draw, dtype=torch.float64, requires_grad=True)


def assert_equals_single_layers(module, x, places, plain):
    """Value and gradients of a stacked layer are those of `plain(x[i], i)` for every model."""
    found = module(x)
    wanted = [plain(x if i is None else x[i], i) for i in places]
    wanted = wanted[0] if places == [None] else torch.stack(wanted)
    torch.testing.assert_close(found, wanted)
    some = torch.linspace(-1, 2, found.numel(), dtype=x.dtype).view(found.shape)
    parameters = {"x": x, **dict(module.named_parameters())}
    assert_same_gradients(found * some, wanted * some, parameters)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("stacked", [True, False])
def test_linear_is_torch_linear_for_each_model(stacked, shape, bias):
    layers, places = layers_of(stacked)
    module = layers.linear(4, 3, bias=bias).double()
    x = some_input(layers, *shape, 4)
    assert_equals_single_layers(module, x, places, lambda x, i: dense(x, module, i))
    assert (module.bias is not None) == bias


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("stacked", [True, False])
def test_layer_norm_is_torch_layer_norm_without_scale_and_shift(stacked, shape):
    layers, places = layers_of(stacked)
    module = layers.layer_norm()
    assert list(module.parameters()) == []
    plain = nn.LayerNorm(4, elementwise_affine=False)
    assert_equals_single_layers(
        module, some_input(layers, *shape, 4), places, lambda x, i: plain(x)
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("stacked", [True, False])
def test_batch_norm_is_torch_batch_norm_in_training_for_each_model(stacked, shape):
    layers, places = layers_of(stacked)
    module = layers.batch_norm(4).double()
    for p in module.parameters():
        p.data = torch.rand(
            p.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
        )

    def plain(x, i):
        w, flat = weights(module, i), x.flatten(0, -2)
        normal = F.batch_norm(flat, None, None, w.weight.flatten(), w.bias, training=True)
        return normal.view(x.shape)

    assert_equals_single_layers(module, some_input(layers, *shape, 4), places, plain)


def test_new_norms_are_those_of_torch():
    layers, _ = layers_of(False)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 1e-2  # so that eps counts
    torch.testing.assert_close(layers.layer_norm()(x), nn.LayerNorm(3)(x))
    torch.testing.assert_close(layers.batch_norm(3)(x), nn.BatchNorm1d(3).train()(x))


@pytest.mark.parametrize("stacked", [True, False])
def test_embedding_is_torch_embedding_for_each_model(stacked):
    layers, places = layers_of(stacked)
    table = Embedding(5, 3, 1.0, 0.0, layers).double()
    ids = torch.randint(0, 5, (*layers.init.shape, 8), generator=torch.Generator().manual_seed(2))
    wanted = [
        F.embedding(ids if i is None else ids[i], table.weight if i is None else table.weight[i])
        for i in places
    ]
    wanted = torch.stack(wanted) if stacked else wanted[0]
    found = table(ids)
    assert torch.equal(found, wanted)
    some = torch.linspace(-1, 2, found.numel(), dtype=torch.float64).view(found.shape)
    assert_same_gradients(found * some, wanted * some, dict(table.named_parameters()))


@pytest.mark.parametrize("stacked", [True, False])
def test_bag_is_torch_embedding_bag_for_each_model(stacked):
    layers, places = layers_of(stacked)
    table = Embedding(5, 3, 1.0, 0.0, layers).double()
    draw = torch.Generator().manual_seed(2)
    ids = torch.randint(0, 5, (*layers.init.shape, 8, 4), generator=draw)
    scale = torch.rand(ids.shape, generator=draw, dtype=torch.float64)
    wanted = []
    for i in places:
        bag = nn.EmbeddingBag(5, 3, mode="sum", dtype=torch.float64)
        bag.weight = nn.Parameter((table.weight if i is None else table.weight[i]).detach())
        at = () if i is None else i
        wanted.append(bag(ids[at], per_sample_weights=scale[at]))
    torch.testing.assert_close(table.bag(ids, scale), torch.stack(wanted) if stacked else wanted[0])


def test_an_id_is_replaced_by_the_unknown_one_at_the_given_rate_in_training_only():
    layers, _ = layers_of(True)
    table = Embedding(9, 1, 1.0, 0.25, layers)
    ids = torch.full((3, 20_000), 8)
    unknown = table(ids)[..., 0] == table.weight[:, :1, 0]
    rates = unknown.double().mean(1)
    assert ((rates - 0.25).abs() < 4 * (0.25 * 0.75 / 20_000) ** 0.5).all()
    assert not torch.equal(unknown[0], unknown[1])
    table.eval()
    assert (table(ids)[..., 0] == table.weight[:, 8:, 0]).all()


# --- distance


@pytest.mark.parametrize("stacked", [True, False])
def test_mean_squared_is_the_mean_over_everything_but_the_stack(stacked):
    layers, _ = layers_of(stacked)
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    found = layers.mean_squared(torch.from_numpy(a), torch.from_numpy(b))
    wanted = [((x - y) ** 2).mean() for x, y in zip(a, b, strict=True)]
    assert found.shape == layers.init.shape
    np.testing.assert_allclose(found, wanted if stacked else np.mean(wanted))
    np.testing.assert_allclose(
        layers.mean(torch.from_numpy(a)), a.mean((1, 2)) if stacked else a.mean()
    )


def test_mean_squared_by_hand():
    layers, _ = layers_of(True)
    a = torch.tensor([[1.0, 2.0], [0.0, 0.0], [5.0, 5.0]])
    b = torch.tensor([[1.0, 4.0], [3.0, 4.0], [5.0, 5.0]])
    assert layers.mean_squared(a, b).tolist() == [2.0, 12.5, 0.0]


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("needed", [(True, True), (True, False), (False, True)])
def test_mean_squared_has_the_numerical_gradient(stacked, needed):
    layers, _ = layers_of(stacked)
    a, b = some_input(layers, 4, 2), some_input(layers, 4, 2).detach().flip(-1)
    a, b = a.detach().requires_grad_(needed[0]), b.requires_grad_(needed[1])
    assert torch.autograd.gradcheck(layers.mean_squared, (a, b))


def test_mean_squared_of_one_tensor_with_a_function_of_itself_has_the_numerical_gradient():
    layers, _ = layers_of(True)
    x = some_input(layers, 3)
    assert torch.autograd.gradcheck(lambda x: layers.mean_squared(x, x.flip(1)), (x,))


def test_second_derivatives_of_mean_squared_are_right_or_refused():
    layers, _ = layers_of(False)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(layers.mean_squared(x, torch.zeros(2)), x, create_graph=True)
    penalty = gradient.square().sum() + 3 * x.sum()  # the gradient is x: x^2 + 3 x, of which 2x + 3
    try:
        (second,) = torch.autograd.grad(penalty, x)
    except RuntimeError:
        return
    assert second.tolist() == [5.0, 7.0]


def test_mean_squared_refuses_to_broadcast():
    layers, _ = layers_of(True)
    with pytest.raises(ValueError, match="shapes"):
        layers.mean_squared(torch.zeros(3, 4, 1), torch.zeros(3, 4, 5))


# --- random numbers


DRAWS = {
    "uniform": lambda s: s.uniform((4, 5), -1, 3),
    "normal": lambda s: s.normal((4, 5)),
    "keep": lambda s: s.keep((40, 5), 0.4),
    "permutation": lambda s: s.permutation(30),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_seed_draws_the_same_alone_and_in_any_stack(draw):
    stack, other = draw(Streams(range(5), "init")), draw(Streams([9, 3], "init"))
    alone, bare = draw(Streams([3], "init")), draw(Streams([3], "init", stacked=False))
    assert torch.equal(stack[3], alone[0])
    assert torch.equal(stack[3], other[1])
    assert torch.equal(stack[3], bare)
    assert all(not torch.equal(stack[i], stack[j]) for i in range(5) for j in range(i))


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_streams_of_other_purposes_are_other_numbers_and_do_not_disturb(draw):
    streams = Streams([1, 2], "student")
    fork = streams.fork("noise")
    before = draw(fork)
    streams.normal((100,))
    fork_of_used = streams.fork("noise")
    assert torch.equal(draw(fork_of_used), before)
    assert not torch.equal(draw(Streams([1, 2], "student")), before)
    assert not torch.equal(draw(Streams([1, 2], "method").fork("noise")), before)
    assert not torch.equal(draw(fork), before)  # a stream goes on


def test_draws_have_the_distribution_asked_for():
    streams = Streams([1, 2], "test")
    uniform = streams.uniform((50_000,), -1, 3)
    assert uniform.dtype == torch.float32
    assert uniform.min() >= -1
    assert uniform.max() < 3
    torch.testing.assert_close(uniform.mean(1), torch.ones(2), atol=0.03, rtol=0)
    torch.testing.assert_close(uniform.std(1), torch.full((2,), 4 / 12**0.5), atol=0.03, rtol=0)
    normal = streams.normal((50_000,))
    torch.testing.assert_close(normal.mean(1), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(normal.std(1), torch.ones(2), atol=0.02, rtol=0)
    order = streams.permutation(500)
    assert (order.sort(1).values == torch.arange(500)).all()


def test_a_single_model_takes_one_seed():
    with pytest.raises(ValueError, match="one seed"):
        Streams([1, 2], "test", stacked=False)


@pytest.mark.parametrize("dropped", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_keep_drops_at_the_given_rate(dropped):
    rate = 1 - Streams([5], "test").keep((100_000,), dropped).double().mean().item()
    assert rate == pytest.approx(dropped, abs=1 / 512 + 4 * (0.25 / 100_000) ** 0.5)


def test_initial_weights_fill_the_range_of_torch_linear():
    layers, _ = layers_of(True)
    module = layers.linear(16, 2000)
    for p in module.parameters():
        assert p.abs().max() <= 0.25
        assert p.min() < -0.249
        assert p.max() > 0.249
        torch.testing.assert_close(p.mean(), torch.tensor(0.0), atol=0.005, rtol=0)
    assert module.weight.shape == (3, 16, 2000)
    embedding = Embedding(200, 50, 0.05, 0.0, layers).weight
    torch.testing.assert_close(embedding.std((1, 2)), torch.full((3,), 0.05), atol=0.002, rtol=0)


# --- layers that act in training only


class EveryByte:
    """A generator that draws each of the 256 bytes once: rates become exact."""

    bit_generator = SimpleNamespace(
        random_raw=lambda words: np.arange(8 * words, dtype="uint8").view("uint64")
    )


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.77])
def test_dropout_keeps_the_expectation_exactly(p):
    draw = Streams([1], "test")
    draw.generators = [EveryByte()]
    x = torch.ones(1, 256, dtype=torch.float64)
    y = Dropout(p, draw)(x)
    assert (y == 0).double().mean().item() == pytest.approx(p, abs=1 / 512)
    assert y.mean().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("training", [True, False])
def test_relu_dropout_is_relu_then_dropout(stacked, p, training):
    twins = [layers_of(stacked)[0] for _ in range(2)]  # of the same seeds: the same masks
    apart, both = twins[0].dropout(p).train(training), twins[1].relu_dropout(p).train(training)
    x, same_x = (some_input(layers, 40, 5) for layers in twins)
    y, same_y = apart(x.relu()), both(same_x)
    assert torch.equal(y, same_y)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=y.dtype)
    (y * weight).sum().backward()
    (same_y * weight).sum().backward()
    assert torch.equal(x.grad, same_x.grad)
    assert torch.equal(same_x, x)


def test_dropout_zeroes_each_feature_alone_and_scales_the_others_alike():
    layers, _ = layers_of(True)
    dropout = layers.dropout(0.25)
    x = torch.rand(3, 2000, 4, generator=torch.Generator().manual_seed(0)) + 1
    y = dropout(x)
    kept = y != 0
    torch.testing.assert_close((y / x)[kept], torch.full((int(kept.sum()),), 1 / 0.75))
    torch.testing.assert_close(kept.float().mean(1), torch.full((3, 4), 0.75), atol=0.04, rtol=0)
    assert not torch.equal(dropout(x) != 0, kept)
    assert torch.equal(dropout.eval()(x), x)
    assert torch.equal(layers.dropout(0.0)(x), x)


def test_noise_is_relative_to_each_models_own_deviation_and_has_no_gradient_of_its_own():
    streams = Streams([1, 2], "test")
    x = torch.randn(2, 100, 50, generator=torch.Generator().manual_seed(0))
    x = (x * torch.tensor([1.0, 20.0])[:, None, None] + 3).requires_grad_()
    module = RelativeNoise(0.1, streams)
    noise = module(x) - x
    ratio = noise.std((1, 2)) / x.std((1, 2))
    torch.testing.assert_close(ratio, torch.full((2,), 0.1), atol=0.004, rtol=0)
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    assert torch.equal(gradient, torch.ones_like(x))
    assert torch.equal(module.eval()(x), x)
    assert torch.equal(RelativeNoise(0.0, streams)(x), x)


def test_a_layer_refuses_another_width():
    for stacked in (True, False):
        layers, _ = layers_of(stacked)
        with pytest.raises(ValueError, match="takes 4 features, not 3"):
            layers.linear(4, 2)(some_input(layers, 6, 3).float())
