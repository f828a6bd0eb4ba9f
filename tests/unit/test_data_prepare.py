"""What is asked of TFDS's builders, with a builder that only notes it: TensorFlow is not here."""

import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from talking_models.data import tfds_prepare
from talking_models.errors import SourceError

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


class Builder:
    """Notes what it is asked, and what lies in its folders while it prepares."""

    def __init__(self, name, data_dir, file_format):
        self.name, self.data_dir, self.file_format = (
            name,
            Path(data_dir, name, "1.0.0"),
            file_format,
        )
        self.info = SimpleNamespace(features={"image": 0, "label": 1})
        if name.startswith("movielens"):
            self.info.features = {"user_id": 0}
        if name.startswith("text"):
            self.info.features = {"text": 0, "label": 1}
        self.asked = None

    def download_and_prepare(self, download_dir, download_config):
        manual = download_config.manual_dir
        there = {p.name: p.read_bytes() for p in Path(manual).glob("*")} if manual else {}
        self.asked = SimpleNamespace(download_dir=download_dir, manual=manual, there=there)
        if self.name == "broken":
            raise KeyError("half")
        self.data_dir.mkdir(parents=True)


@pytest.fixture
def builders(monkeypatch, tmp_path):
    """All builders that were made."""
    made = []
    tfds = ModuleType("tensorflow_datasets")

    def builder(*arguments, **keys):
        made.append(Builder(*arguments, **keys))
        return made[-1]

    tfds.builder = builder
    tfds.download = SimpleNamespace(DownloadConfig=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tfds)
    monkeypatch.setattr(tfds_prepare, "probe", lambda: None)
    monkeypatch.setattr(tfds_prepare.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield made
    assert not list((tmp_path / "temporary").iterdir()), "something was left behind"


def test_images_are_prepared_as_array_record_with_a_place_for_files_by_hand(builders, tmp_path):
    folder = tfds_prepare.prepare("cifar10", tmp_path)
    (builder,) = builders
    assert folder == tmp_path / "cifar10/1.0.0"
    assert builder.file_format == "array_record"
    assert builder.asked.download_dir is None
    assert builder.asked.manual == f"{tmp_path}/downloads/manual"


def test_a_set_without_images_is_refused_before_anything_is_downloaded(builders, tmp_path):
    with pytest.raises(SourceError, match="text is no image classification set") as error:
        tfds_prepare.prepare("text", tmp_path)
    assert error.value.found == "label, text"
    assert builders[0].asked is None


def test_what_fails_in_tfds_is_an_error_with_advice(builders, tmp_path):
    with pytest.raises(SourceError, match="TFDS could not prepare broken") as error:
        tfds_prepare.prepare("broken", tmp_path)
    assert error.value.found == "KeyError: 'half'"
    assert f"{tmp_path}/downloads/manual" in error.value.advice


def test_movielens_is_downloaded_into_a_folder_that_goes(builders, tmp_path):
    tfds_prepare.prepare("movielens/100k-ratings", tmp_path)
    (builder,) = builders
    assert builder.asked.download_dir.startswith(f"{tmp_path}/temporary")


def test_an_archive_that_is_there_is_not_downloaded(builders, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_prepare, "probe", lambda: "no network")
    with pytest.raises(SourceError, match="100k-ratings cannot be downloaded") as error:
        tfds_prepare.prepare("movielens/100k-ratings", tmp_path)
    assert f"{tmp_path}/downloads/manual" in error.value.advice
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "ml-100k.zip").write_bytes(b"good")
    tfds_prepare.prepare("movielens/100k-ratings", tmp_path)
    assert builders[0].asked.there == {"ml-100k.zip": b"good"}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--variant", "1m"], "movielens/1m-ratings"),
        ([], "movielens/100k-ratings"),
        (["--dataset", "pets"], "pets"),
    ],
)
def test_the_command_prints_the_folder(arguments, name, builders, tmp_path, monkeypatch, capsys):
    command = ["prepare_tfds", *arguments, "--data-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_path(str(SCRIPTS / "prepare_tfds.py"), run_name="__main__")
    assert capsys.readouterr().out == f"prepared {tmp_path}/{name}/1.0.0\n"


def test_a_command_that_fails_says_why(builders, tmp_path, monkeypatch):
    command = ["x", "--dataset", "text", "--data-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit, match="prepare_tfds: text is no image classification"):
        runpy.run_path(str(SCRIPTS / "prepare_tfds.py"), run_name="__main__")


def test_the_command_starts_without_the_main_environment():
    code = (
        "import builtins, runpy, sys\n"
        "real = builtins.__import__\n"
        "def bare(name, *rest):\n"
        "    if name.split('.')[0] in ('numpy', 'pandas', 'pydantic', 'yaml', 'torch', 'PIL'):\n"
        "        raise ImportError(name)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = bare\n"
        f"sys.argv = ['x', '--help']; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        f"runpy.run_path({str(SCRIPTS / 'prepare_tfds.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--data-dir" in done.stdout
