# Data sets: canonical tables, and the slices that a split cuts each task into.
#
# Needs: CONFIG.data, .splits; a package index or, for MovieLens from TFDS, a prepared data set in
#        TFDS_DATA_DIR; images prepared there, or a folder of them.
# Makes: data/{data}/ratings.parquet
#            user, item, rating, time, ordered by (time, user, item)
#        data/{data}/items.parquet
#            item, title, categories, ordered by item
#        {RESULTS}/{data}/{split}/{task}/slices/{slice}.parquet
#            rating rows; task: `all` or a task's id; slice: fit, val, eval. The slices are separate
#            files, so that the DAG shows which job can see which rows; each says what it is.
#        {RESULTS}/{data}/{split}/all/slices/{slice}.yaml
#            of images: which examples they are


rule prepare_ratings:
    """Bring ratings into canonical form and check them."""
    input:
        files=lambda wildcards: in_repository(PLAN.files(wildcards.data)),
    output:
        ratings=f"{CANONICAL}/ratings.parquet",
        item_table=f"{CANONICAL}/items.parquet",
    log:
        f"{LOGS}/{{data}}/prepare_ratings.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/prepare_ratings.tsv"
    wildcard_constraints:
        data=one_of(RATINGS),
    conda:
        "../../envs/data.yaml"
    container:
        image("data")
    threads: 1
    resources:
        mem_mb=PLAN.memory_of_ratings,
        runtime=per_attempt(240),
    params:
        settings=lambda wildcards: PLAN.data(wildcards.data),
        code=lambda wildcards: fingerprint(
            "talking_models.data.canonical", *PLAN.code_of_data(wildcards.data)
        ),
    script:
        "../scripts/prepare_ratings.py"


# A rule for each data set, as their tasks differ.
for data in RATINGS:

    rule:
        """Cut each task of a data set into fit, val and eval rows."""
        name:
            f"split_{data}"
        input:
            ratings=f"data/{data}/ratings.parquet",
            item_table=f"data/{data}/items.parquet",
        output:
            expand(
                f"{SLICES}/{{slice}}.parquet",
                data=data,
                task=list(PLAN.tasks(data)["tasks"]),
                slice=SLICE_NAMES,
                allow_missing=True,
            ),
        log:
            f"{LOGS}/{data}/{{split}}/split.log",
        benchmark:
            f"{BENCHMARKS}/{data}/{{split}}/split.tsv"
        conda:
            "../../envs/data.yaml"
        container:
            image("data")
        threads: 1
        resources:
            mem_mb=PLAN.memory_of_ratings,
            runtime=per_attempt(30, per_mb=1),
        params:
            tasks=PLAN.tasks(data),
            protocol=lambda wildcards: CONFIG.protocols[wildcards.split],
            code=fingerprint("talking_models.data.splits"),
        script:
            "../scripts/split_ratings.py"


rule split_images:
    """Say which examples of a set of images are fit, val and eval."""
    input:
        files=lambda wildcards: in_repository(PLAN.files(wildcards.data)),
    output:
        expand(f"{SLICES}/{{slice}}.yaml", task=ALL, slice=SLICE_NAMES, allow_missing=True),
    log:
        f"{LOGS}/{{data}}/{{split}}/split_images.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/split_images.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=lambda wildcards: PLAN.data(wildcards.data),
        protocol=lambda wildcards: CONFIG.protocols[wildcards.split],
        code=lambda wildcards: fingerprint(
            "talking_models.data.splits", *PLAN.code_of_data(wildcards.data)
        ),
    script:
        "../scripts/split_images.py"
