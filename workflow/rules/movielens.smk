# MovieLens: the teacher on all genres, a student for each experiment and genre, their predictions.
#
# Needs: data.smk's tasks and movies; CONFIG.seeds, .features, .teacher, .student, .experiments.
# Makes: {RESULTS}/movielens/{variant}/teacher/ and .../students/{experiment}/{task}/
#            models.safetensors  all seeds' models, as one stack
#            history.csv         loss parts over training
#            config.yaml         the effective settings
#        and beside them (for the teacher in a folder for each genre)
#            predictions.parquet one row per eval rating and seed
#            metrics.csv         RMSE of each seed
#        {RESULTS}/movielens/{variant}/references/{task}/ with the latter two.
#
# Training reads fit and val rows. Only the evaluate rules and the reference lines read eval rows.


rule train_teacher:
    """Train the teacher on all genres, all seeds at once."""
    input:
        rows=expand(f"{TASKS}/all/{{slice}}.parquet", slice=TRAIN_SLICES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
        chosen=chosen_in_this_run(configuration.TEACHER),
    output:
        expand(f"{MOVIELENS}/teacher/{{file}}", file=MODELS, allow_missing=True),
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/train_teacher.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/train_teacher.tsv"
    conda:
        "../../envs/movielens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=training_config(configuration.TEACHER),
        own=own_settings(configuration.TEACHER),
        task="all",
        code=training_code("scratch"),
    script:
        "../scripts/train_movielens.py"


rule train_student:
    """Train the students of one experiment on one genre, all seeds at once."""
    input:
        rows=expand(
            f"{TASKS}/{{task}}/{{slice}}.parquet",
            slice=TRAIN_SLICES,
            allow_missing=True,
        ),
        movies="data/movielens/{variant}/movies.parquet",
        teacher=teacher_of,
        chosen=lambda wildcards: chosen_in_this_run(*starts_from(wildcards.experiment)),
    output:
        expand(
            f"{MOVIELENS}/students/{{experiment}}/{{task}}/{{file}}",
            file=MODELS,
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/train_student/{{experiment}}/{{task}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/train_student/{{experiment}}/{{task}}.tsv"
    conda:
        "../../envs/movielens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=lambda wildcards: training_config(wildcards.experiment, wildcards.task),
        own=lambda wildcards: own_settings(wildcards.experiment),
        task="{task}",
        code=lambda wildcards: training_code(CONFIG.experiments[wildcards.experiment].method),
    script:
        "../scripts/train_movielens.py"


rule evaluate_students:
    """Predict the eval rows of every genre with one experiment's students."""
    input:
        models=expand(
            f"{MOVIELENS}/students/{{experiment}}/{{task}}/models.safetensors",
            task=GENRES,
            allow_missing=True,
        ),
        rows=expand(f"{TASKS}/{{task}}/eval.parquet", task=GENRES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
    output:
        predictions=expand(
            f"{MOVIELENS}/students/{{experiment}}/{{task}}/predictions.parquet",
            task=GENRES,
            allow_missing=True,
        ),
        metrics=expand(
            f"{MOVIELENS}/students/{{experiment}}/{{task}}/metrics.csv",
            task=GENRES,
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/evaluate_students/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/evaluate_students/{{experiment}}.tsv"
    conda:
        "../../envs/movielens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        experiment="{experiment}",
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.evaluation.predict"),
    script:
        "../scripts/evaluate_movielens.py"


rule evaluate_teacher:
    """Predict the eval rows of every genre with the teacher."""
    input:
        models=f"{MOVIELENS}/teacher/models.safetensors",
        rows=expand(f"{TASKS}/{{task}}/eval.parquet", task=GENRES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
    output:
        predictions=expand(
            f"{MOVIELENS}/teacher/{{task}}/predictions.parquet",
            task=GENRES,
            allow_missing=True,
        ),
        metrics=expand(
            f"{MOVIELENS}/teacher/{{task}}/metrics.csv",
            task=GENRES,
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/evaluate_teacher.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/evaluate_teacher.tsv"
    conda:
        "../../envs/movielens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        experiment=configuration.TEACHER,
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.evaluation.predict"),
    script:
        "../scripts/evaluate_movielens.py"


rule fit_references:
    """The reference lines of every genre: its mean, and user and movie biases."""
    input:
        **{
            slice: expand(f"{TASKS}/{{task}}/{slice}.parquet", task=GENRES, allow_missing=True)
            for slice in SLICES
        },
    output:
        predictions=expand(
            f"{MOVIELENS}/references/{{task}}/predictions.parquet",
            task=GENRES,
            allow_missing=True,
        ),
        metrics=expand(
            f"{MOVIELENS}/references/{{task}}/metrics.csv",
            task=GENRES,
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/fit_references.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/fit_references.tsv"
    conda:
        "../../envs/movielens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.evaluation.references"),
    script:
        "../scripts/fit_references.py"
