"""Components by name: what the package holds, and what a folder of the user's own adds."""

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from talking_models import registry
from talking_models.data import DATA
from talking_models.methods import METHODS, Method
from talking_models.metrics import METRICS
from talking_models.models import MODELS
from talking_models.registry import PLUGINS, PluginError, Registry, file_of

LOUD = """\
from talking_models.methods.base import Method


class Loud(Method):
    has_teacher = False
"""


@pytest.fixture
def folder(tmp_path):
    """A plugin folder: `folder(name=text, ...)` writes files and uses them."""

    def write(**files):
        (tmp_path / "mine").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "mine" / f"{name}.py").write_text(text)
        registry.use([])
        registry.use([tmp_path / "mine"])
        return tmp_path / "mine"

    yield write
    registry.use([])


def test_the_package_holds_the_papers_components():
    assert set(METHODS.names()) >= {"scratch", "ld", "fd", "fitnet", "hybrid", "td"}
    assert set(METRICS.names()) >= {"rmse", "mae", "accuracy", "ndcg"}
    assert set(MODELS.names()) >= {"mlp", "vit"}
    assert set(DATA.names()) >= {"movielens", "tfds", "folder", "digits"}


@pytest.mark.parametrize("components", [METHODS, METRICS, MODELS, DATA], ids=lambda r: r.base)
def test_each_file_holds_one_component(components):
    """And no file that is none, such as the base's own, is listed."""
    for name in components.names():
        found = components.get(name)
        assert found.__module__ == components.module(name) == f"{components.package}.{name}"
        assert components.base in [parent.__name__ for parent in found.__mro__[1:]]


def test_an_unknown_name_lists_those_there_are_and_the_nearest():
    with pytest.raises(KeyError) as caught:
        METHODS.get("fitnets")
    assert f"no Method 'fitnets'; there are {', '.join(METHODS.names())}" in str(caught.value)
    assert "nearest: fitnet" in str(caught.value)


def test_listing_imports_nothing(folder):
    folder(loud=f"raise RuntimeError\n{LOUD}")
    assert "loud" in METHODS.names()


# A folder of the user's own


def test_a_file_in_a_plugin_folder_is_a_component(folder):
    path = folder(loud=LOUD, helper="x = 1")
    assert "loud" in METHODS.names()
    assert "helper" not in METHODS.names()
    assert "loud" not in METRICS.names()
    assert METHODS.module("loud") == f"{PLUGINS}.loud"
    assert METHODS.get("loud").has_teacher is False
    assert issubclass(METHODS.get("loud"), Method)
    assert file_of(f"{PLUGINS}.loud") == path / "loud.py"
    registry.use([])
    assert "loud" not in METHODS.names()


def test_a_plugin_can_import_its_neighbour(folder):
    folder(
        loud=f"from {PLUGINS}.helper import LEVEL\n{LOUD}    level = LEVEL\n", helper="LEVEL = 3"
    )
    assert METHODS.get("loud").level == 3


def test_a_component_can_derive_from_another(folder):
    folder(louder="from talking_models.methods.td import TD\n\n\nclass Louder(TD):\n    pass\n")
    assert METHODS.get("louder").__mro__[1] is METHODS.get("td")


def test_another_folder_takes_the_place_of_the_first(folder, tmp_path):
    folder(loud=LOUD)
    first = METHODS.get("loud")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "loud.py").write_text(LOUD)
    registry.use([tmp_path / "other"])
    assert METHODS.get("loud") is not first


def test_a_file_that_comes_later_is_seen(folder):
    path = folder(loud=LOUD)
    assert "quiet" not in METHODS.names()
    (path / "quiet.py").write_text(LOUD.replace("Loud", "Quiet"))
    assert "quiet" in METHODS.names()


def test_a_process_that_is_spawned_knows_it_too(folder):
    """As soon as it imports any of the library: what it is handed can be of a plugin's class."""
    folder(loud=LOUD, helper="class Kept:\n    level = 3\n")
    kept = importlib.import_module(f"{PLUGINS}.helper").Kept()
    spawned = partial(ProcessPoolExecutor, 1, multiprocessing.get_context("spawn"))
    with spawned(initializer=registry.used) as pool:
        assert pool.submit(getattr, kept, "level").result() == 3
        assert "loud" in pool.submit(METHODS.names).result()
    registry.use([])
    with spawned() as pool:
        assert "loud" not in pool.submit(METHODS.names).result()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"td": LOUD},
            r"mine/td\.py has the name of a Method of the package, ",
        ),
        ({"loud": "def ("}, r"mine/loud\.py is not Python: "),
        ({"loud": f"import nothing_there\n{LOUD}"}, r"loud\.py fails: ModuleNotFoundError: .*noth"),
        ({"loud": f"{LOUD}\n\nclass Two(Method):\n    pass\n"}, r"loud\.py must define one Method"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said_with_its_file(folder, files, said):
    folder(**files)
    with pytest.raises(PluginError, match=said):
        METHODS.get(next(iter(files)))


def test_a_folder_that_is_not_there_and_a_name_twice_are_refused(folder, tmp_path):
    path = folder(loud=LOUD)
    with pytest.raises(PluginError, match=r"plugins: there is no folder .*nowhere"):
        registry.use([tmp_path / "nowhere"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "loud.py").write_text(LOUD)
    with pytest.raises(PluginError, match=r"mine/loud\.py and .*other/loud\.py have the same name"):
        registry.use([path, tmp_path / "other"])


def test_a_registry_of_figures_is_one_too():
    assert "forest" in Registry("talking_models.report.figures", "Figure").names()
