# Evaluation: what the trained models predict for the eval rows.
#
# Needs: train.smk's models; data.smk's slices and items.
# Makes: beside each job's models, and for a teacher in a folder for each task,
#            predictions.parquet one row per eval example and seed
#            metrics.csv         each metric of each seed
#
# These rules, those of references.smk, and figures.smk's measure_cka, are the only ones with eval
# rows among their inputs.

# Rules for each data set, as their tasks differ: one job for all tasks of an experiment that are
# shown somewhere.
for data, of in [(data, of) for data in RATINGS for of in PLAN.evaluations(data)]:

    rule:
        """Predict the eval rows of some tasks with one experiment's models."""
        name:
            f"evaluate_{data}" + of["mark"]
        input:
            models=lambda wildcards, data=data, of=of: PLAN.models_of(data, of["tasks"], wildcards),
            rows=each_task(f"{SLICES}/eval.parquet", data, of["tasks"]),
            item_table=f"data/{data}/items.parquet",
        output:
            **{
                name: each_task(f"{JOB}/{file}", data, of["tasks"])
                for name, file in EVIDENCE.items()
            },
        log:
            f"{LOGS}/{data}/{{split}}/{of['step']}/{{experiment}}.log",
        benchmark:
            f"{BENCHMARKS}/{data}/{{split}}/{of['step']}/{{experiment}}.tsv"
        wildcard_constraints:
            split=one_of(of["splits"]),
            experiment=one_of(of["experiments"]),
        conda:
            "../../envs/movielens.yaml"
        container:
            image("movielens")
        threads: 1
        resources:
            mem_mb=PLAN.memory_of_training,
            runtime=per_attempt(10, per_mb=1),
        params:
            about=lambda wildcards, data=data: {**dict(wildcards), "data": data},
            names=CONFIG.metrics_of(data),
            seeds=lambda wildcards: PLAN.seeds_on(wildcards.split),
            code=lambda wildcards, data=data: fingerprint(
                *PLAN.evaluation_code(data, wildcards.experiment)
            ),
        script:
            "../scripts/evaluate.py"


rule evaluate_images:
    """Predict the eval examples of a set of images with one student."""
    input:
        models=lambda wildcards: PLAN.model_files(*wildcards)[0],
        teacher=lambda wildcards: PLAN.first_teacher(wildcards)[1],
        examples=f"{SLICES}/eval.yaml",
    output:
        **{name: f"{JOB}/seed{{seed}}/{file}" for name, file in EVIDENCE.items()},
    log:
        f"{LOGS}/{{data}}/{{split}}/evaluate_images/{{experiment}}/{{task}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/evaluate_images/{{experiment}}/{{task}}/seed{{seed}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: PLAN.image_threads
    resources:
        **PLAN.device(),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        form=lambda wildcards: PLAN.first_teacher(wildcards)[0],
        about=lambda wildcards: dict(wildcards),
        names=lambda wildcards: CONFIG.metrics_of(wildcards.data),
        device=CONFIG.device.of_results(devices=1),
        code=lambda wildcards: fingerprint(
            *PLAN.evaluation_code(wildcards.data, wildcards.experiment)
        ),
    script:
        "../scripts/evaluate_images.py"
