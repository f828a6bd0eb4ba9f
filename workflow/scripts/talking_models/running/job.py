"""What every adapter in `workflow/scripts/` does first: its log and its record get their places."""

import atexit
import gc
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from talking_models import registry
from talking_models.running import provenance

# What the adapter imports after this stays: to look for garbage in it takes a sixth of `import
# torch`. `start` ends the pause.
gc.disable()


def start(snakemake: Any) -> logging.Logger:
    """Log to the rule's `log:` file, an uncaught error included (its last line goes to standard
    error, too, where Snakemake shows it); take components from the configuration's plugin folders;
    have a job that ends well leave a record, see `running.provenance`. Returns the logger.
    """
    gc.freeze()
    gc.enable()
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(filename=path, filemode="w", level=logging.INFO, format=form, force=True)
    logging.captureWarnings(True)
    log = logging.getLogger("talking_models")

    def report(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        atexit.unregister(provenance.finish)  # though its outputs may be there
        log.critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
        print(f"{kind.__name__}: {error}\n(details in {path})", file=sys.stderr)

    sys.excepthook = report
    registry.use(snakemake.config.get("plugins") or ())
    provenance.places(path)[1].unlink(missing_ok=True)  # of an earlier run
    atexit.register(provenance.finish, snakemake)
    return log


def arguments(snakemake: Any) -> dict[str, Any]:
    """What a rule names: its inputs, outputs and params but for `code`, which are arguments of the
    function that its adapter calls. `TypeError` if two have one name.
    """
    params = {name: value for name, value in snakemake.params.items() if name != "code"}
    return dict(**snakemake.input, **snakemake.output, **placed(snakemake, params))


def placed(snakemake: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Params or a config; the `device` of an image job with the CPU `threads` of each of its
    processes, and the `workers` of each, which it has as resources: they change no result.
    """
    if "device" not in found:
        return dict(found)
    device, workers = found["device"], snakemake.resources.workers
    threads = max(1, snakemake.threads // device["devices"] - workers)
    return {**found, "device": {**device, "workers": workers, "threads": threads}}
