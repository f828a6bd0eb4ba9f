# Reference lines: what needs no network, and of images no training but that of a classifier.
#
# Needs: data.smk's slices; of images, models.smk's untouched models and their probes.
# Makes: {RESULTS}/{data}/{split}/{task}/references/
#            predictions.parquet one row per eval example and line
#            metrics.csv         each metric of each line

for data in RATINGS:

    rule:
        """Fit the reference lines of every task, and predict its eval rows."""
        name:
            f"fit_references_{data}"
        input:
            **{slice: each_task(f"{SLICES}/{slice}.parquet", data) for slice in SLICE_NAMES},
            whole=lambda wildcards, data=data: PLAN.rows_of_all(data, wildcards.split),
        output:
            **{
                name: each_task(f"{TASK}/references/{file}", data)
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
            names=CONFIG.metrics_of(data),
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
        **PLAN.device(),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        forms=lambda wildcards: {
            id: CONFIG.form(model) for id, model in PLAN.probed(wildcards.data).items()
        },
        about=lambda wildcards: dict(wildcards),
        names=lambda wildcards: CONFIG.metrics_of(wildcards.data),
        device=CONFIG.device.of_results(devices=1),
        code=lambda wildcards: fingerprint(
            "talking_models.evidence.predict_images",
            *PLAN.code_of_models(*PLAN.probed(wildcards.data).values()),
            *PLAN.code_of_data(wildcards.data),
            *PLAN.metric_code(CONFIG.metrics_of(wildcards.data)),
        ),
    script:
        "../scripts/evaluate_probes.py"
