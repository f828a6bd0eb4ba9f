# The report: what a run costs, and tables as pages that a browser shows.
#
#   make report
#
# Needs: the benchmark files of all rules before this one; all tables as Markdown.
# Makes: {RESULTS}/tables/compute.md and .csv
#        {RESULTS}/pages/{page}.html, a table each; `snakemake --report` shows them beside the figures

STUDENTS = [id for id in SHOWN if id != configuration.TEACHER]
# Benchmark files by step. They are no inputs: a file that is gone must train nothing again.
STEPS = {
    "Download": [rules.download_movielens.benchmark],
    "Split": [rules.split_movielens.benchmark],
    "Tuning: teacher": [
        rules.tune_teacher.benchmark,
        rules.train_fold_teachers.benchmark,
    ],
    "Tuning: students": expand(
        rules.tune_student.benchmark, experiment=sorted(SEARCHED), allow_missing=True
    ),
    "Teacher": [rules.train_teacher.benchmark],
    **{
        f"Students: {experiment}": expand(
            rules.train_student.benchmark,
            experiment=experiment,
            task=GENRES,
            allow_missing=True,
        )
        for experiment in STUDENTS
    },
    "Reference lines": [rules.fit_references.benchmark],
    "Evaluation": [
        rules.evaluate_teacher.benchmark,
        *expand(rules.evaluate_students.benchmark, experiment=STUDENTS, allow_missing=True),
    ],
    "Tables": expand(rules.make_table.benchmark, table=CONFIG.tables),
    "Statistics": [rules.test_significance.benchmark, rules.judge_claims.benchmark],
    "Figures": [
        *expand(
            rules.measure_cka.benchmark,
            experiment=PLAN.students.values(),
            allow_missing=True,
        ),
        *expand(f"{RESULTS}/benchmarks/draw_{{name}}.tsv", name=PLAN.figures),
    ],
    **(vision_steps() if CONFIG.vision.in_all else {}),
}
TABLES = dict(CONFIG.tables) | dict(CONFIG.vision.tables)
SHOWS = {id: table.title for id, table in TABLES.items()} | {
    "significance": "What the differences between methods are worth",
    "claims": "The paper's claims, with verdicts",
    "compute": "Time and memory of every step",
}


rule make_compute_table:
    """Add up what the jobs cost, from their benchmark files."""
    input:
        expand(f"{RESULTS}/tables/{{table}}.md", table=CONFIG.tables),
        statistics(),
        figures(),
        vision_tables() if CONFIG.vision.in_all else [],
    output:
        csv=report(
            f"{RESULTS}/tables/compute.csv",
            caption="../report/compute.rst",
            category="Data",
            labels={"table": "compute"},
        ),
        md=f"{RESULTS}/tables/compute.md",
    log:
        f"{RESULTS}/logs/make_compute_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_compute_table.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        steps={
            step: expand(files, variant=CONFIG.movielens.variant) for step, files in STEPS.items()
        },
        stamp=stamp(CONFIG),
        code=fingerprint("talking_models.report.compute"),
    script:
        "../scripts/make_compute_table.py"


rule make_page:
    """Set a Markdown table as a page that the report can show."""
    input:
        md=lambda wildcards: pages(vision=True)[wildcards.page],
    output:
        html=report(
            f"{RESULTS}/pages/{{page}}.html",
            caption="../report/page.rst",
            category="Tables",
            labels=lambda wildcards: {
                "table": wildcards.page,
                "shows": SHOWS[wildcards.page],
            },
        ),
    log:
        f"{RESULTS}/logs/make_page/{{page}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_page/{{page}}.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        about=lambda wildcards: SHOWS[wildcards.page],
        code=fingerprint("talking_models.report.pages"),
    script:
        "../scripts/make_page.py"
