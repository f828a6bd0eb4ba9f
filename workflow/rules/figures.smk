# Figures, for a paper's column and in print: PNG (200 dpi) and SVG.
#
# Needs: what each figure says that it needs (talking_models.report.figures); the likeness of states
#        for one of them.
# Makes: {RESULTS}/figures/{figure}.png and .svg
#        {RESULTS}/{data}/{split}/cka/{experiment}.csv
#            linear CKA of a student's states with the teacher's, per task and seed
#
# measure_cka looks at trained models on eval rows, and nothing that trains or chooses reads it.


rule figures:
    """Every figure."""
    input:
        PLAN.figure_files,
    localrule: True


rule draw:
    """Draw one figure."""
    input:
        unpack(figure_inputs),
    output:
        **{
            form: report(
                f"{RESULTS}/figures/{{figure}}.{form}",
                caption="../report/figure.rst",
                category="Figures",
                labels=lambda wildcards, form=form: {
                    "figure": PLAN.figure(wildcards.figure)["title"],
                    "format": form.upper(),
                },
            )
            for form in ("png", "svg")
        },
    log:
        f"{LOGS}/draw/{{figure}}.log",
    benchmark:
        f"{BENCHMARKS}/draw/{{figure}}.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(2000, per_mb=50),
        runtime=per_attempt(10, per_mb=0.1),
    params:
        name=lambda wildcards: PLAN.figure(wildcards.figure)["name"],
        about=lambda wildcards: PLAN.figure(wildcards.figure)["params"],
        caption=lambda wildcards: PLAN.figure(wildcards.figure)["caption"],
        code=lambda wildcards: fingerprint(*PLAN.figure(wildcards.figure)["code"]),
    script:
        "../scripts/draw.py"


rule measure_cka_images:
    """Measure how alike the states of students and a teacher of images are on the eval slice."""
    input:
        unpack(or_stop(lambda wildcards: PLAN.held_beside(*wildcards))),
        examples=f"{RESULTS}/{{data}}/{{split}}/{ALL}/slices/eval.yaml",
    output:
        csv=f"{RESULTS}/{{data}}/{{split}}/cka/{{experiment}}.csv",
    log:
        f"{LOGS}/{{data}}/{{split}}/measure_cka/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/measure_cka/{{experiment}}.tsv"
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
        runtime=per_attempt(60),
    params:
        form=lambda wildcards: CONFIG.form(
            PLAN.teacher_beside(wildcards.data, wildcards.experiment)[0]
        ),
        device=CONFIG.device.of_results(devices=1),
        code=lambda wildcards: fingerprint(
            "talking_models.evidence.cka_images",
            *PLAN.code_of_models(
                *(id for id in CONFIG.models if CONFIG.model_kind(id).family == "images")
            ),
            *PLAN.code_of_data(wildcards.data),
        ),
    script:
        "../scripts/measure_cka_images.py"


for data in RATINGS:

    rule:
        """Measure how alike the states of students and teacher are on the eval rows."""
        name:
            f"measure_cka_{data}"
        input:
            unpack(or_stop(lambda wildcards, data=data: PLAN.held_beside(data, *wildcards))),
            rows=each_task(f"{SLICES}/eval.parquet", data),
            item_table=f"data/{data}/items.parquet",
        output:
            csv=f"{RESULTS}/{data}/{{split}}/cka/{{experiment}}.csv",
        log:
            f"{LOGS}/{data}/{{split}}/measure_cka/{{experiment}}.log",
        benchmark:
            f"{BENCHMARKS}/{data}/{{split}}/measure_cka/{{experiment}}.tsv"
        conda:
            "../../envs/movielens.yaml"
        container:
            image("movielens")
        threads: 1
        resources:
            mem_mb=PLAN.memory_of_training,
            runtime=per_attempt(10, per_mb=1),
        params:
            teacher_seed=lambda wildcards, data=data: PLAN.teacher_beside(
                data, wildcards.experiment
            )[1],
            code=fingerprint(
                "talking_models.evidence.cka",
                *PLAN.code_of_models(
                    *(id for id in CONFIG.models if CONFIG.model_kind(id).family == "ratings")
                ),
            ),
        script:
            "../scripts/measure_cka.py"
