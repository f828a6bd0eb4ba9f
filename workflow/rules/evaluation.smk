# Evaluation: what the trained models, and the reference lines, predict for the eval rows.
#
# Needs: movielens.smk's models; data.smk's slices and movies.
# Makes: beside each student's models, and for the teacher in a folder for each genre,
#            predictions.parquet one row per eval rating and seed
#            metrics.csv         RMSE of each seed
#        {RESULTS}/movielens/{variant}/references/{task}/ with the same two.
#
# These rules, and cka.smk's, are the only ones with eval rows among their inputs.


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
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
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
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
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
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.evaluation.references"),
    script:
        "../scripts/fit_references.py"
