"""What git and other systems are told of the files, and what other processes are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Modules that start a process for each device, or to read images: each imports the script again.
SPAWNING = "training.images|training.probe|tuning.images|image_teacher|predict_images|cka_images"


@pytest.mark.skipif(
    not (shutil.which("git") and (ROOT / ".git").exists()), reason="no git repository"
)
def test_every_text_has_one_form_of_line_ends_on_every_system():
    git = ["git", "-C", str(ROOT)]
    files = subprocess.run([*git, "ls-files", "-z"], capture_output=True, text=True, check=True)
    asked = [*git, "check-attr", "-z", "--stdin", "eol", "binary"]
    found = subprocess.run(asked, input=files.stdout, capture_output=True, text=True, check=True)
    words = found.stdout.split("\0")[:-1]
    said = {(words[i], words[i + 1]): words[i + 2] for i in range(0, len(words), 3)}
    names = files.stdout.split("\0")[:-1]
    assert len(names) > 100
    for name in names:
        binary = said[name, "binary"] == "set"
        assert binary or said[name, "eol"] == "lf", name
        if (ROOT / name).is_file() and not binary:
            assert b"\r\n" not in (ROOT / name).read_bytes(), name


def test_scripts_that_other_processes_import_start_nothing_then():
    scripts = [
        file
        for file in sorted((ROOT / "workflow/scripts").glob("*.py"))
        if re.search(SPAWNING, file.read_text())
    ]
    assert len(scripts) >= 7
    for file in scripts:
        before, guard, after = file.read_text().partition('if __name__ == "__main__":')
        assert guard, file
        assert "start(snakemake)" in after, file
        assert not re.search(r"^\w[\w.]*\(|^\w+ = ", before, re.M), f"{file} does something"


def test_a_target_never_follows_a_configuration_on_the_command_line():
    """Snakemake would read it as a second configuration."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.[my]*")]
    lines = [line for page in pages for line in page.read_text().splitlines()]
    calls = [line for line in lines if "--configfile" in line and "snakemake" in line]
    assert len(calls) >= 5
    for line in calls:
        words = line.partition("--configfile")[2].split()
        files = words[: next((i for i, w in enumerate(words) if w.startswith("-")), len(words))]
        assert not [w for w in files if w.startswith("results/")], line
