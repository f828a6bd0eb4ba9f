# Tuning: settings chosen on the training rows.
#
# Needs: data.smk's fit and val rows of all genres, and the movies; CONFIG.search, .experiments.
# Makes: {RESULTS}/movielens/{variant}/tuning/{experiment}/, `teacher` being one
#            curves.csv   validation RMSE of every trial, fold and genre along training
#            trials.csv   one row per trial: settings, score, steps, cost
#            chosen.yaml  the choice for each genre
#            journal.log  what a killed search goes on from
#        {RESULTS}/movielens/{variant}/tuning/teacher/fold{fold}.safetensors
#        {RESULTS}/movielens/{variant}/tuned.yaml, all choices, and tuned.csv, all trials:
#            config/tuned/ keeps a copy of both
#
# No rule here has an eval row among its inputs.


rule tuned:
    """Search all settings."""
    input:
        expand(f"{MOVIELENS}/tuned.yaml", variant=CONFIG.movielens.variant),
    localrule: True


rule tune_teacher:
    """Search the teacher's settings on the folds."""
    input:
        rows=expand(f"{TASKS}/all/{{slice}}.parquet", slice=TRAIN_SLICES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
    output:
        curves=f"{TUNING}/teacher/curves.csv",
        trials=f"{TUNING}/teacher/trials.csv",
        chosen=f"{TUNING}/teacher/chosen.yaml",
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/tune_teacher.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/tune_teacher.tsv"
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(240),
    params:
        genres=[],
        config=CONFIG.training_job(configuration.TEACHER),
        choose={},
        search=search_config(configuration.TEACHER),
        code=tuning_code("scratch"),
    script:
        "../scripts/tune_movielens.py"


rule train_fold_teachers:
    """Train a teacher on the fit rows of each fold, for the students' searches."""
    input:
        rows=expand(f"{TASKS}/all/{{slice}}.parquet", slice=TRAIN_SLICES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
        chosen=f"{TUNING}/teacher/chosen.yaml",
    output:
        FOLD_TEACHERS,
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/train_fold_teachers.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/train_fold_teachers.tsv"
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    params:
        config=CONFIG.training_job(configuration.TEACHER),
        own=CONFIG.own(configuration.TEACHER),
        folds=CONFIG.search.folds,
        code=tuning_code("scratch"),
    script:
        "../scripts/train_fold_teachers.py"


rule tune_student:
    """Search the settings of one experiment on all genres' folds."""
    input:
        unpack(search_inputs),
        rows=expand(f"{TASKS}/all/{{slice}}.parquet", slice=TRAIN_SLICES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
    output:
        curves=f"{TUNING}/{{experiment}}/curves.csv",
        trials=f"{TUNING}/{{experiment}}/trials.csv",
        chosen=f"{TUNING}/{{experiment}}/chosen.yaml",
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/tune_student/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/tune_student/{{experiment}}.tsv"
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(720),
    params:
        genres=list(GENRES.values()),
        config=lambda wildcards: CONFIG.training_job(wildcards.experiment),
        choose=lambda wildcards: CONFIG.experiments[wildcards.experiment].choose,
        search=lambda wildcards: search_config(wildcards.experiment),
        code=lambda wildcards: tuning_code(CONFIG.experiments[wildcards.experiment].method),
    script:
        "../scripts/tune_movielens.py"


rule collect_tuned:
    """Collect what all searches tried and chose."""
    input:
        **{
            name: expand(
                f"{TUNING}/{{experiment}}/{file}",
                experiment=[configuration.TEACHER, *SEARCHED],
                allow_missing=True,
            )
            for name, file in (("chosen", "chosen.yaml"), ("trials", "trials.csv"))
        },
    output:
        chosen=f"{MOVIELENS}/tuned.yaml",
        trials=f"{MOVIELENS}/tuned.csv",
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/collect_tuned.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/collect_tuned.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        experiments=[configuration.TEACHER, *SEARCHED],
        search=CONFIG.search.model_dump(),
        code=fingerprint("talking_models.tuning.tuned"),
    script:
        "../scripts/collect_tuned.py"
