# Likeness of student and teacher states (the paper's CKA case study), and its figure.
#
# Needs: movielens.smk's models, data.smk's eval rows and movies; figures_common.smk's
#        drawing() and PLAN.
# Makes: {RESULTS}/movielens/{variant}/cka/{experiment}.csv
#            linear CKA of a student's states with the teacher's, per genre and seed
#        {RESULTS}/figures/cka.png and .svg
#
# It looks at trained models on eval rows, and nothing that trains or chooses reads it.


rule measure_cka:
    """Measure linear CKA between the states of one experiment's students and the teacher's."""
    input:
        students=expand(
            f"{MOVIELENS}/students/{{experiment}}/{{task}}/models.safetensors",
            task=GENRES,
            allow_missing=True,
        ),
        teacher=f"{MOVIELENS}/teacher/models.safetensors",
        rows=expand(f"{TASKS}/{{task}}/eval.parquet", task=GENRES, allow_missing=True),
        movies="data/movielens/{variant}/movies.parquet",
    output:
        csv=f"{MOVIELENS}/cka/{{experiment}}.csv",
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/measure_cka/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/measure_cka/{{experiment}}.tsv"
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
        code=fingerprint("talking_models.evaluation.cka"),
    script:
        "../scripts/measure_cka.py"


rule draw_cka:
    """Draw how alike the states of student and teacher are, by method."""
    input:
        similarity=expand(f"{BASE}/cka/{{experiment}}.csv", experiment=PLAN.students.values()),
    output:
        **drawing("cka", "Likeness of student and teacher states"),
    log:
        f"{RESULTS}/logs/draw_cka.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_cka.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        methods=PLAN.students,
        genres=list(GENRES.values()),
        code=fingerprint("talking_models.report.figures.cka"),
    script:
        "../scripts/draw_cka.py"
