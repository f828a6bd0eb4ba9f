"""Results that DVC brings, taken over by Snakemake: `make pull` and `make checkout`.

python workflow/scripts/bring_results.py pull [--remote NAME ...]
python workflow/scripts/bring_results.py checkout
"""

import sys

from talking_models.running.dvc import bring

COMMANDS = ("pull", "checkout")

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in COMMANDS:
        print(f"found {' '.join(arguments) or 'nothing'}; allowed: {' or '.join(COMMANDS)}")
        sys.exit(2)
    sys.exit(bring(arguments))
