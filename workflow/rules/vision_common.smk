# What the rules of vision share.
#
# Needs: common.smk; CONFIG.vision.
# Makes: paths below {RESULTS}/vision, inputs that take more than a line, what jobs run on, the
#        constraints of the wildcards dataset, model, seed.

VISION = f"{RESULTS}/vision"
VISION_STUDENT = f"{VISION}/{{dataset}}/students/{{experiment}}/seed{{seed}}"
FINETUNED = f"{VISION}/{{dataset}}/teacher/finetuned"
BACKBONE = f"{VISION}/teacher/backbone.safetensors"
VISION_MODELS = {
    "models": "models.safetensors",
    "history": "history.csv",
    "throughput": "throughput.csv",
    "config": "config.yaml",
}
VISION_EXPERIMENTS = "|".join(CONFIG.vision.experiments) or "none"
VISION_TABLES = "|".join(CONFIG.vision.tables) or "none"
# `auto` is the CPU's: its packages use a GPU that they find, but a cluster must be told
VISION_STEP = f"vision-{CONFIG.vision.device.accelerator.replace('auto', 'cpu')}"
VISION_ENV = f"../../envs/{VISION_STEP}.yaml"
VISION_IMAGE = image(VISION_STEP)
VISION_THREADS = CONFIG.vision.device.threads + CONFIG.vision.device.workers


wildcard_constraints:
    dataset="|".join(CONFIG.vision.datasets),
    model=re.escape(CONFIG.vision.model.name),  # no other file there comes from the hub
    seed=r"\d+",


def vision_device(devices):
    """The resources that a job asks of a cluster for its devices."""
    kind = {"cuda": "gpu", "tpu": "tpu"}.get(CONFIG.vision.device.accelerator)
    return {kind: devices} if kind else {}


def teacher_weights():
    """The file with the teacher's pre-trained weights; none where they are random."""
    weights, name = CONFIG.vision.model.weights, CONFIG.vision.model.name
    if weights == "random":
        return []
    return f"data/vision/weights/{name}.safetensors" if weights == "hub" else weights


def vision_code(method):
    """The digest of the code of a training job, its own method's file among it."""
    return fingerprint("talking_models.training.vision", f"talking_models.methods.{method}")


def vision_training_inputs(wildcards):
    """What a student's training reads: what makes a teacher's outputs only if it has a teacher."""
    method = methods.method_class(CONFIG.vision.experiments[wildcards.experiment].method)
    inputs = {
        "fit": f"{VISION}/{{dataset}}/slices/fit.yaml",
        "minival": f"{VISION}/{{dataset}}/slices/minival.yaml",
        "backbone": BACKBONE,
    }
    if method.has_teacher:
        teacher = CONFIG.vision.teacher_of(wildcards.experiment)
        inputs[teacher] = {
            "probe": f"{VISION}/{{dataset}}/teacher/probe.safetensors",
            "finetuned": f"{FINETUNED}/models.safetensors",
        }[teacher]
    return {name: path.format(dataset=wildcards.dataset) for name, path in inputs.items()}


def vision_files(file, experiments):
    """One file of every student of some experiments, for all data sets and seeds."""
    return expand(
        f"{VISION_STUDENT}/{file}",
        dataset=CONFIG.vision.datasets,
        experiment=dict.fromkeys(experiments),
        seed=range(CONFIG.vision.seeds),
    )


def vision_tables():
    """All vision tables."""
    return expand(
        f"{RESULTS}/tables/{{table}}.{{form}}",
        table=CONFIG.vision.tables,
        form=["csv", "md"],
    )


def vision_against():
    """The experiment that others are compared with, if the configuration has it."""
    return COMPARED_WITH if COMPARED_WITH in CONFIG.vision.experiments else None


def vision_rows(wildcards):
    """The experiments that a table needs: its rows', and what they are compared with."""
    against = vision_against()
    return [*CONFIG.vision.tables[wildcards.table].rows.values(), *([against] if against else [])]


def vision_published(table):
    """The paper's numbers for a table."""
    return [local(table.paper)] if table.paper else []  # local: see published_tables


def vision_steps():
    """Benchmark files of the vision jobs that tables need, by step."""
    steps = {
        "Vision: teacher": [rules.make_backbone, rules.probe_teacher],
        "Vision: students": [rules.train_vision_student],
        "Vision: evaluation": [rules.evaluate_vision_student],
    }
    jobs = {
        "dataset": CONFIG.vision.datasets,
        "experiment": [id for table in CONFIG.vision.tables.values() for id in table.rows.values()],
        "seed": range(CONFIG.vision.seeds),
    }
    return {
        step: list(dict.fromkeys(file for rule in of for file in expand(rule.benchmark, **jobs)))
        for step, of in steps.items()
    }
