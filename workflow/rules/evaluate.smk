# Evaluation: what the trained models, and the reference lines, predict for the eval rows.
#
# Needs: train.smk's models; data.smk's slices and items.
# Makes: beside each job's models, and for a teacher in a folder for each task,
#            predictions.parquet one row per eval example and seed
#            metrics.csv         each metric of each seed
#        {RESULTS}/{data}/{split}/{task}/references/ with the same two; of images, of linear probes
#
# These rules, and figures.smk's measure_cka, are the only ones with eval rows among their inputs.

# Rules for each data set, as their tasks differ: one job for all tasks of an experiment that are
# shown somewhere.
for data, number, of in [
    (data, n, of) for data in RATINGS for n, of in enumerate(PLAN.evaluations(data))
]:

    rule:
        """Predict the eval rows of some tasks with one experiment's models."""
        name:
            f"evaluate_{data}" + (f"_{number + 1}" if number else "")
        input:
            models=lambda wildcards, data=data, of=of: PLAN.models_of(data, of["tasks"], wildcards),
            rows=expand(f"{SLICES}/eval.parquet", data=data, task=of["tasks"], allow_missing=True),
            item_table=f"data/{data}/items.parquet",
        output:
            **{
                name: expand(f"{JOB}/{file}", data=data, task=of["tasks"], allow_missing=True)
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
            metrics=CONFIG.metrics_of(data),
            seeds=lambda wildcards: PLAN.seeds_on(wildcards.split),
            code=lambda wildcards, data=data: fingerprint(
                *PLAN.evaluation_code(data, wildcards.experiment)
            ),
        script:
            "../scripts/evaluate.py"


for data in RATINGS:

    rule:
        """Fit the reference lines of every task, and predict its eval rows."""
        name:
            f"fit_references_{data}"
        input:
            **{
                slice: expand(
                    f"{SLICES}/{slice}.parquet",
                    data=data,
                    task=CONFIG.tasks(data),
                    allow_missing=True,
                )
                for slice in SLICE_NAMES
            },
            whole=lambda wildcards, data=data: PLAN.rows_of_all(data, wildcards.split),
        output:
            **{
                name: expand(
                    f"{TASK}/references/{file}",
                    data=data,
                    task=CONFIG.tasks(data),
                    allow_missing=True,
                )
                for name, file in EVIDENCE.items()
            },
        log:
            f"{LOGS}/{data}/{{split}}/fit_references.log",
        benchmark:
            f"{BENCHMARKS}/{data}/{{split}}/fit_references.tsv"
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
            seed=lambda wildcards: CONFIG.protocols[wildcards.split].get("draw", 0),
            metrics=CONFIG.metrics_of(data),
            code=fingerprint(
                "talking_models.evidence.references", *PLAN.metric_code(CONFIG.metrics_of(data))
            ),
        script:
            "../scripts/fit_references.py"


rule evaluate_probes:
    """Predict the eval examples of a set of images with linear probes of untouched models."""
    input:
        backbones=lambda wildcards: [
            PLAN.backbone(model) for model in PLAN.probed(wildcards.data).values()
        ],
        probes=lambda wildcards: [
            PROBE.format(**wildcards, model=model)
            for model in PLAN.probed(wildcards.data).values()
        ],
        examples=f"{SLICES}/eval.yaml",
    output:
        **{name: f"{TASK}/references/{file}" for name, file in EVIDENCE.items()},
    log:
        f"{LOGS}/{{data}}/{{split}}/evaluate_probes/{{task}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/evaluate_probes/{{task}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: PLAN.image_threads
    resources:
        **PLAN.device(1),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        forms=lambda wildcards: {
            id: CONFIG.form(model) for id, model in PLAN.probed(wildcards.data).items()
        },
        about=lambda wildcards: dict(wildcards),
        metrics=lambda wildcards: CONFIG.metrics_of(wildcards.data),
        device=CONFIG.device.model_dump(),
        code=lambda wildcards: fingerprint(
            "talking_models.evidence.predict_images",
            *PLAN.code_of_models(*PLAN.probed(wildcards.data).values()),
            *PLAN.code_of_data(wildcards.data),
            *PLAN.metric_code(CONFIG.metrics_of(wildcards.data)),
        ),
    script:
        "../scripts/evaluate_probes.py"


rule evaluate_images:
    """Predict the eval examples of a set of images with one student."""
    input:
        models=f"{JOB}/seed{{seed}}/models.safetensors",
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
        **PLAN.device(1),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        teacher=lambda wildcards: PLAN.first_teacher(wildcards)[0],
        about=lambda wildcards: dict(wildcards),
        metrics=lambda wildcards: CONFIG.metrics_of(wildcards.data),
        device=CONFIG.device.model_dump(),
        code=lambda wildcards: fingerprint(
            *PLAN.evaluation_code(wildcards.data, wildcards.experiment)
        ),
    script:
        "../scripts/evaluate_images.py"
