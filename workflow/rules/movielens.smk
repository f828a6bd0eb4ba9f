# MovieLens: the teacher on all genres, a student for each experiment and genre.
#
# Needs: data.smk's tasks and movies; settings.smk, and tuning.smk's choices where a run searches.
# Makes: {RESULTS}/movielens/{variant}/teacher/ and .../students/{experiment}/{task}/
#            models.safetensors  all seeds' models, as one stack
#            history.csv         loss parts over training
#            config.yaml         the effective settings
#
# Training reads fit and val rows and nothing later.


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
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
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
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    params:
        config=lambda wildcards: training_config(wildcards.experiment, wildcards.task),
        own=lambda wildcards: own_settings(wildcards.experiment),
        task="{task}",
        code=lambda wildcards: training_code(CONFIG.experiments[wildcards.experiment].method),
    script:
        "../scripts/train_movielens.py"
