# What all rules share.
#
# Needs: `config`, as Snakemake merged it.
# Makes: CONFIG, the validated configuration; where things lie (RESULTS, JOB, SLICES, ...);
#        fingerprint(), the digest of library code for a rule's params; image(), its container;
#        the constraints of all wildcards; one run at a time.

import sys

# Of this file and not of the main Snakefile, which another workflow's can be (`module:`).
HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).resolve()
sys.path.insert(0, str(HERE.parent / "scripts"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from talking_models import config as configuration
from talking_models.config.merge import merge, merged_files
from talking_models.data.names import ALL, SLICES as SLICE_NAMES, TRAIN_SLICES
from talking_models.models.images import PARTS
from talking_models.plan import Plan
from talking_models.plan.jobs import DAY, megabytes
from talking_models.running import elsewhere
from talking_models.running.containers import image as image_name, show
from talking_models.running.fingerprint import fingerprint
from talking_models.running.provenance import note_run
from talking_models.running.run_lock import lock

HOME = HERE.parents[1]


def said():
    """What the files and options of the command line say of the configuration."""
    layers = [HOME / layer for layer in elsewhere.LAYERS]
    own = [file for file in workflow.overwrite_configfiles if Path(file).resolve() not in layers]
    return merge(merged_files(*own), workflow.config_settings.config)


try:
    WHOLE, GIVEN = elsewhere.whole(config, said(), HOME)
    CONFIG = configuration.load(WHOLE)
    PLAN = Plan(CONFIG, GIVEN)
    config = {**config, "plugins": list(CONFIG.plugins)}  # jobs read them there, wherever they run
    elsewhere.prefer_own_library()
    elsewhere.quote_python()
    show([HOME, *PLAN.own_files])  # in a container a job sees the working folder alone
except (configuration.ConfigError, RuntimeError) as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
CANONICAL = "data/{data}"
TASK = f"{RESULTS}/{{data}}/{{split}}/{{task}}"
SLICES = f"{TASK}/slices"
JOB = f"{TASK}/{{experiment}}"
PROBE = f"{TASK}/{{model}}/probe.safetensors"
LOGS, BENCHMARKS = f"{RESULTS}/logs", f"{RESULTS}/benchmarks"
RATINGS, IMAGES = (
    [data for data in CONFIG.data if CONFIG.family(data) == family]
    for family in ("ratings", "images")
)
MODELS = {"models": "models.safetensors", "history": "history.csv", "config": "config.yaml"}
EVIDENCE = {"predictions": "predictions.parquet", "metrics": "metrics.csv"}


def one_of(names):
    """A wildcard's constraint: one of some names."""
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    data=one_of(CONFIG.data),
    split=one_of(CONFIG.protocols),
    task=one_of(
        dict.fromkeys([ALL, *(task for data in CONFIG.data for task in CONFIG.tasks(data))])
    ),
    experiment=one_of(CONFIG.trained),
    model=one_of(CONFIG.models),
    seed=r"\d+",
    table=one_of(CONFIG.tables),
    page=one_of(dict.fromkeys([*CONFIG.tables, *PLAN.pages])),
    figure=one_of(PLAN.figures),
    curve=one_of(id for id, curve in CONFIG.curves.items() if curve.splits),


def image(step):
    """The image of a kind of step, used with `--sdm apptainer`: containers/ has what it is made of."""
    return f"docker://{image_name(step, CONFIG.containers)}"


def each_task(pattern, data, tasks=None):
    """A file for each of some tasks of a data set, or for all; other wildcards stay."""
    return expand(pattern, data=data, task=tasks or CONFIG.tasks(data), allow_missing=True)


def or_stop(plan):
    """An input function: what it refuses ends Snakemake with those words, and no traceback."""

    def of(wildcards):
        try:
            return plan(wildcards)
        except configuration.ConfigError as error:
            raise SystemExit(str(error)) from None

    return of


def per_attempt(amount, per_mb=0):
    """A resource that grows with the megabytes that a job reads, and when a profile has `retries`,
    as clusters kill what asked too little.
    """
    return lambda wildcards, input, attempt: attempt * (amount + int(per_mb * megabytes(input)))


def in_repository(paths):
    """Files of the repository or of the user's, even where all else is in a bucket."""
    return [local(path) for path in paths]


def choice_inputs(shown):
    """What searches chose for a table or curve; a committed choice is the repository's own."""
    found = PLAN.choice_inputs(shown)
    return in_repository(found) if CONFIG.tuning == "committed" else found


def figure_inputs(wildcards):
    """What a figure is drawn from; committed trials are the repository's own."""
    return {
        name: [local(path) if Path(path).is_relative_to(CONFIG.tuned) else path for path in paths]
        for name, paths in PLAN.figure(wildcards.figure)["inputs"].items()
    }


# Snakemake's own lock outlives a killed run and then needs --unlock by hand. This one belongs to
# the process and goes with it, so the profiles set `nolock`.
onstart:
    lock(f"{RESULTS}/.run.lock")
    note_run(RESULTS, CONFIG.model_dump(mode="json"))
