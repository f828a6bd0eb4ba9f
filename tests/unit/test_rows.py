"""`RowAdamW` against torch's AdamW on whole tables."""

import math

import pytest
import torch

from talking_models.models.layers import Layers, Streams
from talking_models.models.network import Embedding
from talking_models.training.optimizer import RowAdamW

ROWS, WIDTH, STEPS = 30, 4, 60


def table_of(seeds=(0, 1)):
    return Embedding(ROWS, WIDTH, 0.05, 0.0, Layers(Streams(seeds, "test")))


def ids_of(seeds, steps=STEPS):
    """What each model reads in each step: few rows, some of them twice; row 7 in the first only."""
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    for step in range(steps):
        ids = torch.stack([torch.randint(8, ROWS, (5,), generator=draw) for draw in draws])
        ids[:, 0] = 7 if step == 0 else ids[:, 1]
        yield ids


def gradient_of(shape, step):
    """Numbers of many sizes and both signs, different in each step, none as small as eps."""
    scale = 10.0 ** ((step * 7) % 4 - 3) * (-1) ** (step // 2)
    return torch.linspace(0.5, 2, math.prod(shape)).view(shape) * scale


def loss_of(table, ids, step):
    """A loss that gives what is read the gradient `gradient_of`."""
    rows = table(ids)
    return (rows * gradient_of(rows.shape, step)).sum()


def trained(seeds=(0, 1), decay=0.1, look=lambda rows: None):
    """A table after `STEPS` steps by row."""
    table = table_of(seeds)
    rows = RowAdamW(table, lr=0.01, decay=decay, steps=STEPS)
    for step, ids in enumerate(ids_of(seeds)):
        table.zero_grad()
        rows.expect(ids)
        loss_of(table, ids, step).backward()
        rows.step()
        look(rows)
    rows.settle()
    return table.weight.detach()


def trained_whole(seeds=(0, 1), decay=0.1):
    """The same by torch."""
    table = table_of(seeds)
    optimizer = torch.optim.AdamW(table.parameters(), lr=0.01, weight_decay=decay)
    for step, ids in enumerate(ids_of(seeds)):
        optimizer.zero_grad()
        loss_of(table, ids, step).backward()
        optimizer.step()
    return table.weight.detach()


@pytest.mark.parametrize("decay", [0.0, 0.1, 5.0])
def test_rows_end_where_adamw_on_the_whole_table_ends(decay):
    found, start = trained(decay=decay), table_of().weight.detach()
    torch.testing.assert_close(found, trained_whole(decay=decay), rtol=1e-4, atol=2e-6)
    left = start[:, :7] * (1 - 0.01 * decay) ** STEPS  # rows that nobody reads only decay
    torch.testing.assert_close(found[:, :7], left)
    # row 7 too goes on, which has one gradient and then none
    assert ((found - start)[:, 7:].abs().amax(-1) > 1e-3).all()


def test_looking_at_the_settled_weights_changes_nothing():
    seen = []

    def look(rows):
        rows.settle()
        seen.append(rows.flat.clone())

    last = trained(look=look)
    assert torch.equal(last, trained())
    assert torch.equal(seen[-1].view_as(last), last)
    assert not torch.equal(seen[0], seen[1])


def test_a_table_that_is_read_twice_in_a_step_gets_the_sum_of_both_gradients():
    once, twice = table_of(), table_of()
    ids = torch.tensor([[8, 9], [9, 9]])
    for table, reads in ((once, [ids]), (twice, [ids[:, :1], ids[:, 1:]])):
        rows = RowAdamW(table, lr=0.01, decay=0.1, steps=2)
        for scale in (1.0, -0.1):
            table.zero_grad()
            rows.expect(ids)
            sum(scale * table(part).square().sum() for part in reads).backward()
            rows.step()
        rows.settle()
    torch.testing.assert_close(once.weight, twice.weight)


def test_a_loss_on_the_whole_table_moves_every_row():
    found, wanted = table_of(), table_of()
    rows = RowAdamW(found, lr=0.01, decay=0.1, steps=3)
    optimizer = torch.optim.AdamW(wanted.parameters(), lr=0.01, weight_decay=0.1)
    for step in range(3):
        for table, taker in ((found, rows), (wanted, optimizer)):
            table.zero_grad()
            rows.expect(torch.tensor([[8], [9]]))
            loss = table(torch.tensor([[8], [9]])).sum()
            (loss + step * table.weight.square().sum()).backward()
            taker.step()
    rows.settle()
    torch.testing.assert_close(found.weight, wanted.weight)


def test_a_step_without_a_gradient_is_no_step():
    table = table_of()
    rows = RowAdamW(table, lr=0.01, decay=0.1, steps=2)
    table(torch.tensor([[8], [9]])).sum().backward()
    rows.step()
    rows.settle()
    before = table.weight.clone()
    table.zero_grad()
    rows.step()
    rows.settle()
    assert torch.equal(table.weight, before)


def test_each_model_of_a_stack_is_trained_as_it_is_alone():
    together = trained(seeds=(3, 5, 8))
    for i, seed in enumerate((3, 5, 8)):
        alone = table_of((seed,))
        assert torch.equal(alone.weight[0], table_of((3, 5, 8)).weight[i])
        rows = RowAdamW(alone, lr=0.01, decay=0.1, steps=STEPS)
        for step, ids in enumerate(ids_of((3, 5, 8))):
            alone.zero_grad()
            rows.expect(ids[i : i + 1])
            read = alone(ids[i : i + 1])
            (read[0] * gradient_of((3, *read.shape[1:]), step)[i]).sum().backward()
            rows.step()
        rows.settle()
        torch.testing.assert_close(alone.weight[0], together[i], rtol=1e-6, atol=1e-8)
