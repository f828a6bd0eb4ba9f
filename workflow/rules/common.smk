# What all rules share.
#
# Needs: `config`, as Snakemake merged it.
# Makes: CONFIG, the validated configuration; RESULTS, where results go; fingerprint(), the digest
#        of library code for a rule's params; the constraints of all wildcards.

import sys

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.exceptions import WorkflowError
from talking_models import config as configuration
from talking_models.data.names import slug
from talking_models.fingerprint import fingerprint
from talking_models.run_lock import RunLock

try:
    CONFIG = configuration.load(config)
except configuration.ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results


wildcard_constraints:
    variant=CONFIG.movielens.variant,
    experiment="|".join(CONFIG.experiments) or "none",
    task="|".join(["all", *map(slug, CONFIG.movielens.genres)]),
    table="|".join(CONFIG.tables) or "none",


# Snakemake's own lock outlives a killed run and then needs --unlock by hand. This one belongs to
# the process and goes with it, so the profiles set `nolock`.
run_lock = RunLock(f"{RESULTS}/.run.lock")


onstart:
    run_lock.acquire()
