# What all rules share.
#
# Needs: `config`, as Snakemake merged it.
# Makes: CONFIG, the validated configuration; RESULTS, where results go, and paths below it;
#        fingerprint(), the digest of library code for a rule's params; image(), its container;
#        inputs that take more than a line; the constraints of all wildcards; one run at a time.

import sys

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from talking_models import config as configuration
from talking_models import methods
from talking_models.data.names import SLICES, TRAIN_SLICES, slug, task_names
from talking_models.data.vision_sets import SLICES as VISION_SLICES
from talking_models.evaluation.names import REFERENCES
from talking_models.fingerprint import fingerprint
from talking_models.images import image as image_name
from talking_models.provenance import note_run
from talking_models.report.claim_list import EXPERIMENTS as CLAIMED, PAPER_TABLES
from talking_models.report.stamp import stamp, vision_stamp
from talking_models.run_lock import RunLock

try:
    CONFIG = configuration.load(config)
    TUNED = configuration.read_tuned(CONFIG.tuned) if CONFIG.tuning == "committed" else {}
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
MOVIELENS = f"{RESULTS}/movielens/{{variant}}"
TASKS = f"{MOVIELENS}/tasks"
GENRES = {slug(genre): genre for genre in CONFIG.movielens.genres}
TUNING = f"{MOVIELENS}/tuning"
FOLD_TEACHERS = [f"{TUNING}/teacher/fold{fold}.safetensors" for fold in range(CONFIG.search.folds)]
SEARCHED = [id for id, e in CONFIG.experiments.items() if e.like is None or e.choose]
# training from scratch, whose search also chooses what all methods share
SCRATCH = next((id for id in SEARCHED if CONFIG.experiments[id].method == "scratch"), None)
if CONFIG.tuning == "committed" and (untuned := [id for id in SEARCHED if id not in TUNED]):
    logger.warning(f"{CONFIG.tuned} has no choice for {', '.join(untuned)}: not tuned")
MODELS = ["models.safetensors", "history.csv", "config.yaml"]
SHOWN = list(dict.fromkeys(id for table in CONFIG.tables.values() for id in table.rows.values()))
COMPARED_WITH = "td"
JUDGED = [id for id in CLAIMED if id in (configuration.TEACHER, *CONFIG.experiments)]


wildcard_constraints:
    variant=CONFIG.movielens.variant,
    experiment="|".join(CONFIG.experiments) or "none",
    task="|".join(task_names(CONFIG.movielens.genres)),
    table="|".join(CONFIG.tables) or "none",
    page="[a-z0-9-]+",


def image(step):
    """The image of a kind of step, used with `--sdm apptainer`: containers/ has what it is made of."""
    return f"docker://{image_name(step, CONFIG.images)}"


def per_attempt(amount):
    """A resource that grows when a profile has `retries`, as clusters kill what asked too little."""
    return lambda wildcards, attempt: attempt * amount


def movielens_mem_mb(wildcards, attempt):
    """Measured: 170 MB for 100k, 620 MB for 5 million ratings. TensorFlow, if it runs, adds 1 GB."""
    return attempt * (6_000 if wildcards.variant in ("20m", "25m") else 1_500)


def evaluated(file, experiments):
    """One file of the evaluation of experiments, or `teacher`, on every genre."""
    base = MOVIELENS.format(variant=CONFIG.movielens.variant)
    folders = [
        id if id == configuration.TEACHER else f"students/{id}" for id in dict.fromkeys(experiments)
    ]
    return [f"{base}/{folder}/{task}/{file}" for folder in folders for task in GENRES]


def table_metrics(wildcards):
    """The metrics of every cell of a table."""
    return evaluated("metrics.csv", CONFIG.tables[wildcards.table].rows.values())


def published(wildcards):
    """The paper's numbers for a table."""
    return [paper for paper in published_tables() if paper == CONFIG.tables[wildcards.table].paper]


def published_tables():
    """The paper's numbers for all tables; they are about 100k alone."""
    papers = dict.fromkeys(table.paper for table in CONFIG.tables.values())
    # local: part of the repository, even where all else is in a bucket
    return [local(p) for p in papers if p and CONFIG.movielens.variant == "100k"]


def predictions_of(*experiments):
    """The predictions of experiments, or `teacher`, on every genre."""
    return evaluated("predictions.parquet", experiments)


def settings_of(experiment):
    """The experiments in tables that differ from one in settings and not in method."""
    method = {id: found.method for id, found in CONFIG.experiments.items()}
    return [id for id in SHOWN if id in method and method[id] == method.get(experiment)]


def statistics():
    """The files of statistics.smk that the configuration can have."""
    compared = [f"{RESULTS}/tables/significance.md"] if COMPARED_WITH in CONFIG.experiments else []
    return [*compared, f"{RESULTS}/claims.md"]


def pages(vision=CONFIG.vision.in_all):
    """The report's pages, each with the Markdown that it shows; with or without vision's tables."""
    names = [*CONFIG.tables, *(CONFIG.vision.tables if vision else []), "compute"]
    tables = expand(f"{RESULTS}/tables/{{table}}.md", table=names)
    return {Path(file).stem: file for file in [*tables, *statistics()]}


# Snakemake's own lock outlives a killed run and then needs --unlock by hand. This one belongs to
# the process and goes with it, so the profiles set `nolock`.
run_lock = RunLock(f"{RESULTS}/.run.lock")


onstart:
    run_lock.acquire()
    note_run(RESULTS, CONFIG.model_dump(mode="json"))
