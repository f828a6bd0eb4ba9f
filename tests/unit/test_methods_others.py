"""DIST, RKD, SRD and VID: against their equations in NumPy, and against torchdistill's losses."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from torchdistill.losses import mid_level
from toys import one, rating_problem, token_problem

SEEDS = (0, 1, 2)


def states(problem):
    """The states of each model of a stack and of its teacher, as NumPy has them."""
    with torch.no_grad():
        found = problem.student(problem.batch), problem.teacher(problem.batch)
    for i in range(len(SEEDS)):
        yield [{k: v[i].numpy() for k, v in vars(each).items()} for each in found]


def parts(problem):
    """The loss's parts but for the label's, (S,) each."""
    found = problem.eval().loss().parts
    return {name: part.detach().numpy() for name, part in found.items() if name != "label"}


def own(problem, name, i):
    """A module's weights of model `i` by their names."""
    return {k: p[i].detach().numpy() for k, p in problem.own()[name].named_parameters()}


# --- DIST


def test_dist_of_ratings_is_one_minus_the_correlation_over_examples():
    problem = rating_problem("dist", {"intra": 2.0}, SEEDS)
    found = parts(problem)
    wanted = [2 * (1 - np.corrcoef(g["output"], h["output"])[0, 1]) for g, h in states(problem)]
    assert list(found) == ["intra"]
    assert found["intra"] == pytest.approx(wanted, rel=1e-5)


def test_dist_of_classes_is_torchdistills():
    problem = token_problem("dist", {"inter": 0.5, "intra": 2.0, "temperature": 3.0})
    with torch.no_grad():
        ours, theirs = (m(problem.batch).output for m in (problem.student, problem.teacher))
    loss = mid_level.DISTLoss("s", "output", "s", "output", beta=0.5, gamma=2.0, tau=3.0)
    wanted = loss({"s": {"output": ours}}, {"s": {"output": theirs}})
    assert sum(parts(problem).values()) == pytest.approx(wanted.item(), rel=1e-4)


def test_dist_does_not_mind_scale_and_shift_and_a_constant_tells_nothing():
    problem = rating_problem("dist", {})
    x = torch.randn(2, 7, generator=torch.Generator().manual_seed(0)).double()
    from talking_models.methods.dist import correlation

    torch.testing.assert_close(correlation(x, 3 * x + 1, -1), torch.ones(2).double())
    assert correlation(x, torch.ones_like(x), -1).tolist() == [0, 0]
    assert problem.own() == {}


@pytest.mark.parametrize("classes", [2, 5, 10, 100])
def test_dist_leaves_a_new_classifier_to_the_labels(classes):
    """Its outputs are all 0, and so is what they must be moved by."""
    from talking_models.methods.dist import correlation

    for axis in (-1, -2):
        logits = torch.zeros(32, classes, requires_grad=True)
        taught = torch.randn(32, classes, generator=torch.Generator().manual_seed(0)).softmax(-1)
        correlation(logits.softmax(-1), taught, axis).sum().backward()
        assert (logits.grad == 0).all()


# --- RKD


def test_rkd_is_hubers_loss_of_relative_distances():
    problem = rating_problem("rkd", {"weight": 3.0}, SEEDS)
    wanted = []
    for g, h in states(problem):
        ours, theirs = (squareform(pdist(x["high"]) / pdist(x["high"]).mean()) for x in (g, h))
        apart = np.abs(ours - theirs)
        wanted.append(3 * np.where(apart < 1, apart**2 / 2, apart - 0.5).mean())
    assert parts(problem)["distances"] == pytest.approx(wanted, rel=1e-3)


def test_rkd_is_torchdistills():
    problem = token_problem("rkd", {})
    with torch.no_grad():
        ours, theirs = (m(problem.batch).high for m in (problem.student, problem.teacher))
    loss = mid_level.RKDLoss("s", "s", dist_factor=1.0, angle_factor=0.0, reduction="mean")
    wanted = loss({"s": {"output": ours}}, {"s": {"output": theirs}})
    assert parts(problem)["distances"] == pytest.approx(wanted.item(), rel=1e-3)


def test_rkd_has_a_gradient_where_two_examples_are_the_same():
    method = rating_problem("rkd", {}, (0,)).method
    same = torch.ones(1, 3, 4, requires_grad=True)
    other = torch.cat((same[:, :2], 2 * same[:, 2:]), 1)
    method.distances(other)[0, 0].sum().backward()
    assert torch.isfinite(same.grad).all()


# --- SRD


def normalised(x):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-8)


def test_srd_is_the_logarithm_of_a_sum_of_powers():
    problem = rating_problem("srd", {"weight": 0.5, "exponent": 3.0}, SEEDS)
    wanted = []
    for i, (g, h) in enumerate(states(problem)):
        w = own(problem, "projector", i)
        projected = g["high"] @ w["weight"] + w["bias"]
        apart = np.abs(normalised(projected) - normalised(h["high"]))
        wanted.append(0.5 * np.log((apart**3).sum()))
    assert parts(problem)["projected"] == pytest.approx(wanted, rel=1e-5)


def test_srd_is_torchdistills_but_for_its_logits():
    problem = token_problem("srd", {"weight": 2.0})
    with torch.no_grad():
        ours, theirs = (m(problem.batch) for m in (problem.student, problem.teacher))
        norm = torch.nn.BatchNorm1d(theirs.high.shape[-1], eps=1e-8, affine=False).double()
        features = (
            norm(problem.method.projector(ours.high.mean(1)).double()),
            norm(theirs.high.mean(1).double()),
        )
    loss = mid_level.SRDLoss(*("f", "output") * 2, *("l", "output") * 2, exponent=4.0)
    same = torch.zeros(2, 3)
    wanted = loss(*({"f": {"output": f}, "l": {"output": same}} for f in features))
    assert parts(problem)["projected"] == pytest.approx(wanted.item(), rel=1e-4)


# --- VID


def predicted(w, x):
    for layer in ("0", "2", "4"):
        x = x @ w[f"{layer}.weight"] + w[f"{layer}.bias"]
        x = x if layer == "4" else np.maximum(x, 0)
    return x


def test_vid_is_the_negative_log_likelihood_of_the_teachers_states():
    problem = rating_problem("vid", {"weight": 0.5, "variance": 2.0}, SEEDS)
    alpha = problem.own()["alpha"]
    with torch.no_grad():
        for each in alpha.values():
            each.add_(torch.randn_like(each))
    wanted = []
    for i, (g, h) in enumerate(states(problem)):
        total = 0
        for name in ("low", "high"):
            variance = np.log1p(np.exp(alpha[name][i].detach().numpy())) + 1e-5
            target = h[name] / np.sqrt(h[name].var(0).mean())
            apart = target - predicted(own(problem, name, i), g[name])
            total += 0.5 * (apart**2 / variance + np.log(variance)).mean()
        wanted.append(0.5 * total)
    assert parts(problem)["information"] == pytest.approx(wanted, rel=1e-5)


def test_vid_starts_where_a_student_that_knows_nothing_is_right():
    """With no other variance does the mean of the teacher's states say more of them."""
    method, draw = rating_problem("vid", {}).method, torch.Generator().manual_seed(0)
    states = 3 + 0.04 * torch.randn(3, 500, 12, generator=draw).double()
    unit = method.variance(states).sqrt().view(3, 1, 1)
    mean = (states / unit).mean(1, keepdim=True).expand_as(states)
    alpha = method.alpha["high"].detach().requires_grad_()
    method.surprise(states, mean, alpha).sum().backward()
    assert alpha.grad.sum() == pytest.approx(0, abs=1e-4)


def test_vid_starts_with_the_variance_that_is_asked_for_and_is_torchdistills():
    problem = token_problem("vid", {"weight": 1.0, "variance": 5.0})
    with torch.no_grad():
        ours, theirs = (m(problem.batch) for m in (problem.student, problem.teacher))
        m = problem.method
        pairs = {name: {"student": name, "teacher": name} for name in ("low", "high")}
        unit = {n: m.variance(getattr(theirs, n)).sqrt() for n in pairs}
        given = [
            {n: (getattr(m, n)(getattr(ours, n)), torch.tensor(5.0)) for n in pairs},
            {n: getattr(theirs, n) / unit[n] for n in pairs},
        ]
    loss = mid_level.VIDLoss(pairs)
    original, mid_level._extract_feature_map = mid_level._extract_feature_map, dict.__getitem__
    try:
        wanted = loss(*given)
    finally:
        mid_level._extract_feature_map = original
    assert parts(problem)["information"] == pytest.approx(wanted.item(), rel=1e-4)


# --- all of them


@pytest.mark.parametrize("method", ["dist", "rkd", "srd", "vid"])
def test_a_stack_is_its_models_side_by_side(method):
    whole = rating_problem(method, {}, SEEDS)
    for i, seed in enumerate(SEEDS):
        alone = rating_problem(method, {}, (seed,))
        batch = one(whole.batch, i)
        alone.batch = type(batch)(**{k: v.unsqueeze(0) for k, v in vars(batch).items()})
        for name, part in parts(alone).items():
            assert part[0] == pytest.approx(parts(whole)[name][i], rel=1e-6)
