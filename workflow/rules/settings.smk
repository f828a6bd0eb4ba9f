# Which settings a training or tuning job has, and where it gets them.
#
# Needs: common.smk; CONFIG.experiments, .student, .teacher, .tuning, .search.
# Makes: the params of movielens.smk and tuning.smk, and those inputs that hold chosen settings.


def training_config(experiment, task="all"):
    """The effective settings of one training job, but for what a search in this run chooses."""
    chosen = [committed_choice(id, task) for id in starts_from(experiment) if id in TUNED]
    return CONFIG.training_job(experiment, *chosen)


def committed_choice(experiment, task):
    """What the committed search chose for one job."""
    if task not in TUNED[experiment]:
        raise WorkflowError(
            f"{CONFIG.tuned} has no choice for {experiment} on {task!r}, only on "
            f"{', '.join(TUNED[experiment])}: search with these genres (`tuning: search`, or "
            "`make tuned`), or do without (`tuning: none`)"
        )
    return TUNED[experiment][task]


def starts_from(experiment):
    """The experiments whose tuned settings an experiment takes: those it is like, and its own."""
    if experiment == configuration.TEACHER:
        return [experiment]
    found = CONFIG.experiments[experiment]
    return [found.like, *([experiment] if found.choose else [])] if found.like else [experiment]


def own_settings(experiment):
    """What an experiment says itself, where a job lays it on what a search in this run chooses."""
    return CONFIG.own(experiment) if CONFIG.tuning == "search" else {}


def chosen_in_this_run(*experiments):
    """The files of a search in this run that say what it chose for experiments."""
    searched = CONFIG.tuning == "search"
    return [f"{TUNING}/{id}/chosen.yaml" for id in experiments] if searched else []


def search_config(experiment):
    """How one experiment is searched; an ablation keeps its steps."""
    search = CONFIG.search.model_dump()
    steps = search.pop("teacher_steps")
    if experiment == configuration.TEACHER:
        search["steps"] = steps
    elif CONFIG.experiments[experiment].choose:
        search |= {"steps": None, "every": None}
    return search


def search_inputs(wildcards):
    """What a student's search reads of the searches before it."""
    experiment = CONFIG.experiments[wildcards.experiment]
    has_teacher = methods.method_class(experiment.method).has_teacher
    before = [experiment.like] if experiment.like else [SCRATCH] if has_teacher and SCRATCH else []
    return {
        "teachers": FOLD_TEACHERS if has_teacher else [],
        "chosen": [f"{TUNING}/{id}/chosen.yaml" for id in before],
    }


def training_code(method):
    """The digest of the code of a training job, its own method's file among it."""
    return fingerprint(
        "talking_models.training.movielens",
        "talking_models.tuning.tuned",
        f"talking_models.methods.{method}",
    )


def tuning_code(method):
    """The digest of the code of a search."""
    return fingerprint(
        "talking_models.tuning.jobs",
        "talking_models.tuning.space",
        f"talking_models.methods.{method}",
    )


def teacher_of(wildcards):
    """The teacher's checkpoint, if the experiment's method has a teacher."""
    method = methods.method_class(CONFIG.experiments[wildcards.experiment].method)
    return [f"{MOVIELENS}/teacher/models.safetensors"] if method.has_teacher else []
