# Tuning: settings chosen on the training rows.
#
# Needs: data.smk's fit and val rows of all tasks, and the items; CONFIG.search, .experiments.
# Makes: {RESULTS}/{data}/{split}/tuning/{experiment}/, a teacher being one
#            curves.csv   validation RMSE of every trial, fold and task along training
#            trials.csv   one row per trial: settings, score, steps, cost
#            chosen.yaml  the choice for each task
#            choice.yaml  the same with what it is for, as config/tuned/ keeps it
#            journal.log  what a killed search goes on from
#        {RESULTS}/{data}/{split}/tuning/{experiment}/fold{fold}.safetensors, of a teacher
#
# `tuned` makes all of them for ratings, `tuned_images` for images, `tuned_EXPERIMENT` those of one
# experiment. With `tuning: committed` the choices that one builds on, the teacher's and that of
# training from scratch, are then the committed ones.
#
# No rule here has an eval row among its inputs.

TUNING = f"{RESULTS}/{{data}}/{{split}}/tuning/{{experiment}}"
# Those that take the best choice of some others.
BEST = [id for id, experiment in CONFIG.experiments.items() if experiment.best_of]
SEARCHED = {
    search: TUNING.format(**dict(zip(("data", "split", "experiment"), search)))
    for search in [*PLAN.searches, *PLAN.image_searches]
}


rule tuned:
    """Search all settings."""
    input:
        [
            f"{SEARCHED[search]}/{file}"
            for search in PLAN.searches
            for file in ("choice.yaml", "trials.csv")[: 1 if search[-1] in BEST else 2]
        ],
    localrule: True


rule tuned_images:
    """Search all settings of images."""
    input:
        [f"{SEARCHED[search]}/choice.yaml" for search in PLAN.image_searches],
    localrule: True


for one in dict.fromkeys(id for *_, id in SEARCHED):

    rule:
        """Search the settings of one experiment, wherever they are chosen."""
        name:
            f"tuned_{one}"
        input:
            [f"{folder}/choice.yaml" for (*_, id), folder in SEARCHED.items() if id == one],
        localrule: True


ruleorder: take_choice > choose_best > tune


rule tune:
    """Search the settings of one experiment on the folds of all tasks."""
    input:
        unpack(or_stop(PLAN.search_inputs)),
        rows=lambda wildcards: PLAN.rows_of_all(wildcards.data, wildcards.split),
        item_table=f"{CANONICAL}/items.parquet",
    output:
        **{
            name: f"{TUNING}/{name}.{form}"
            for name, form in {
                "curves": "csv",
                "trials": "csv",
                "chosen": "yaml",
                "choice": "yaml",
            }.items()
        },
    log:
        f"{LOGS}/{{data}}/{{split}}/tune/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/tune/{{experiment}}.tsv"
    wildcard_constraints:
        data=one_of(RATINGS),
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=PLAN.memory_of_training,
        runtime=PLAN.minutes_of_search,
    params:
        tasks=PLAN.searched_tasks,
        config=lambda wildcards: CONFIG.training_job(wildcards.experiment, wildcards.data),
        like=lambda wildcards: CONFIG.experiment(wildcards.experiment).like,
        choose=lambda wildcards: CONFIG.experiment(wildcards.experiment).choose,
        own=lambda wildcards: CONFIG.own(wildcards.experiment),
        search=PLAN.search,
        seed=lambda wildcards: CONFIG.experiment(wildcards.experiment).search_seed,
        about=lambda wildcards: PLAN.basis(wildcards.data, wildcards.split),
        code=lambda wildcards: fingerprint(
            *PLAN.search_code("jobs", wildcards.data, wildcards.experiment)
        ),
        # what a journal's scores are of
        scored=lambda wildcards: fingerprint(
            *PLAN.search_code("folds", wildcards.data, wildcards.experiment)
        ),
    script:
        "../scripts/tune.py"


rule train_fold_teachers:
    """Train a teacher on the fit rows of each fold, for the students' searches."""
    input:
        rows=lambda wildcards: PLAN.rows_of_all(wildcards.data, wildcards.split),
        item_table=f"{CANONICAL}/items.parquet",
        chosen=lambda wildcards: PLAN.choices_in_run(*wildcards),
    output:
        expand(
            f"{TUNING}/fold{{fold}}.safetensors",
            fold=range(CONFIG.search.folds),
            allow_missing=True,
        ),
    log:
        f"{LOGS}/{{data}}/{{split}}/train_fold_teachers/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/train_fold_teachers/{{experiment}}.tsv"
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=PLAN.memory_of_training,
        runtime=PLAN.minutes_of_search,
    params:
        config=lambda wildcards: CONFIG.training_job(wildcards.experiment, wildcards.data),
        own=lambda wildcards: PLAN.own(wildcards.experiment),
        folds=CONFIG.search.folds,
        per_user=lambda wildcards: PLAN.by_user(wildcards.split),
        code=lambda wildcards: fingerprint(
            "talking_models.tuning.folds", *PLAN.training_code(wildcards.experiment)
        ),
    script:
        "../scripts/train_fold_teachers.py"
