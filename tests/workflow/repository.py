"""A workspace that is a git repository, in which DVC runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from workspace import SECONDS, Workspace


class Repository(Workspace):
    """A git repository with DVC's stage for one configuration."""

    def begin(self, config: str, results: str = "results") -> None:
        """Have the stage make a configuration, of which nothing is recorded, and commit that."""
        self.replace("dvc.yaml", "config: config/config.yaml\n", f"config: {config}\n")
        self.replace("dvc.yaml", "results: results\n", f"results: {results}\n")
        (self.path / "dvc.lock").unlink(missing_ok=True)  # of the paper's run
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("the project")

    def run(self, *command: str, status: int | None = 0) -> str:
        """What a command says; its exit status must be `status`, if that is not None."""
        place = self.path.parent
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")} | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CORES": "2",
            # nothing of the user's, and nothing left behind
            **{
                f"DVC_{name}_DIR": str(place / "dvc" / name)
                for name in ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")
            },
            "GIT_CONFIG_GLOBAL": os.devnull,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        }
        seconds = 4 * SECONDS  # DVC calls Snakemake for its stage
        result = subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=seconds
        )
        said = result.stdout + result.stderr
        assert status is None or result.returncode == status, f"{' '.join(command)}:\n{said}"
        return said

    def git(self, *arguments: str) -> str:
        """A git command."""
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        return self.run("git", *identity, *arguments).strip()

    def commit(self, message: str) -> str:
        """Commit everything that git does not ignore; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def dvc(self, *arguments: str, status: int | None = 0) -> str:
        """A DVC command."""
        return self.run(sys.executable, "-m", "dvc", *arguments, status=status)

    def changed(self) -> list[str]:
        """The stages that DVC finds changed."""
        return list(json.loads(self.dvc("status", "--json")))

    def bring(self, how: str, *, status: int = 0) -> str:
        """What `make pull` and `make checkout` run."""
        script = "workflow/scripts/bring_results.py"
        return self.run(sys.executable, script, how, status=status)

    def clone(self, path: Path, remote: list[list[str]]) -> "Repository":
        """A fresh clone with a DVC remote."""
        self.git("clone", "--quiet", ".", str(path))
        clone = Repository(path)
        clone.add_remote(remote)
        return clone

    def add_remote(self, remote: list[list[str]]) -> None:
        """Make a remote known to this clone, and not to git."""
        for arguments in remote:
            self.dvc("remote", *arguments)

    def lock(self) -> dict:
        """What DVC has recorded."""
        return yaml.safe_load((self.path / "dvc.lock").read_text())["stages"]
