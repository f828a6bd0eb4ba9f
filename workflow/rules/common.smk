# What all rules share.
#
# Needs: `config`, as Snakemake merged it.
# Makes: CONFIG, the validated configuration; RESULTS, where results go, and paths below it;
#        fingerprint(), the digest of library code for a rule's params; the inputs and params that
#        take more than a line; the constraints of all wildcards; one run at a time.

import sys

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.exceptions import WorkflowError
from talking_models import config as configuration
from talking_models import methods
from talking_models.data.names import SLICES, TRAIN_SLICES, slug, task_names
from talking_models.evaluation.names import REFERENCES
from talking_models.fingerprint import fingerprint
from talking_models.report.stamp import stamp
from talking_models.run_lock import RunLock

try:
    CONFIG = configuration.load(config)
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
MOVIELENS = f"{RESULTS}/movielens/{{variant}}"
TASKS = f"{MOVIELENS}/tasks"
GENRES = {slug(genre): genre for genre in CONFIG.movielens.genres}
MODELS = ["models.safetensors", "history.csv", "config.yaml"]


wildcard_constraints:
    variant=CONFIG.movielens.variant,
    experiment="|".join(CONFIG.experiments) or "none",
    task="|".join(task_names(CONFIG.movielens.genres)),
    table="|".join(CONFIG.tables) or "none",


def movielens_mem_mb(wildcards, attempt):
    """Measured: 170 MB for 100k, 620 MB for 5 million ratings. TensorFlow, if it runs, adds 1 GB."""
    return attempt * (6_000 if wildcards.variant in ("20m", "25m") else 1_500)


def training_config(experiment):
    """The effective settings of one training job."""
    is_teacher = experiment == configuration.TEACHER
    model = CONFIG.teacher if is_teacher else CONFIG.student
    chosen = None if is_teacher else CONFIG.experiments[experiment]
    return {
        "seeds": CONFIG.seeds,
        "features": CONFIG.features.model_dump(),
        "hidden": list(model.hidden),
        "training": CONFIG.training(experiment).model_dump(),
        "method": "scratch" if is_teacher else chosen.method,
        "settings": {} if is_teacher else chosen.settings,
    }


def training_code(method):
    """The digest of the code of a training job, its own method's file among it."""
    return fingerprint(
        "talking_models.training.movielens", f"talking_models.methods.{method}"
    )


def teacher_of(wildcards):
    """The teacher's checkpoint, if the experiment's method has a teacher."""
    method = methods.method_class(CONFIG.experiments[wildcards.experiment].method)
    return [f"{MOVIELENS}/teacher/models.safetensors"] if method.has_teacher else []


def table_metrics(wildcards):
    """The metrics of every cell of a table."""
    base = MOVIELENS.format(variant=CONFIG.movielens.variant)
    ids = CONFIG.tables[wildcards.table].rows.values()
    folders = [id if id == configuration.TEACHER else f"students/{id}" for id in ids]
    return [
        f"{base}/{folder}/{task}/metrics.csv" for folder in folders for task in GENRES
    ]


def published(wildcards):
    """The paper's numbers, which are about 100k alone."""
    paper = CONFIG.tables[wildcards.table].paper
    return [paper] if paper and CONFIG.movielens.variant == "100k" else []


# Snakemake's own lock outlives a killed run and then needs --unlock by hand. This one belongs to
# the process and goes with it, so the profiles set `nolock`.
run_lock = RunLock(f"{RESULTS}/.run.lock")


onstart:
    run_lock.acquire()
