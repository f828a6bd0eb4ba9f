"""What image jobs do on CUDA devices: the CPU's results, going on after a kill, bfloat16, two
devices if there are two, and what a step costs beside a plain timm loop. With none it says so.

    make test-gpu

Under ten minutes. It prints, and writes as benchmarks/RESULTS-gpu.md, what it measured.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / path) for path in ("workflow/scripts", "tests/unit", "benchmarks")]

from vision_toys import TALK, config, inputs, job, outputs  # noqa: E402

CASES = {
    "scratch": {},
    "ld": {},
    "fd": {"weight": 0.5},
    "fitnet": {"weight": 0.5},
    "hybrid": {"feature_weight": 0.3},
    "td": TALK,
}
MODELS = (("vit_small_patch14_dinov2", 56, 512), ("vit_base_patch16_224", 224, 128))


def asked(method: str, devices: int = 1, precision: str = "float32", where: str = "cuda", **more):
    """A small job."""
    found = config(method, CASES[method], **more)
    found["device"] |= {"accelerator": where, "devices": devices, "precision": precision}
    return found


def gap(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """The largest difference of two students, relative to a tensor's norm."""
    return max(float((a[n] - b[n]).norm() / (a[n].norm() + 1e-3)) for n in a)


def killed_at(folder: Path, made, config: dict, step: int) -> None:
    """A job in a process of its own that is killed in the middle of a step."""
    from talking_models.training import image_loop

    take = image_loop.learning_rate

    def kill(at, training):
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(at, training)

    image_loop.learning_rate = kill
    job(folder, made, config)


def check(folder: Path) -> list[list[str]]:
    """Rows of what was compared: what, difference, allowed, whether it holds."""
    made, rows = inputs(folder / "made"), []

    def row(what: str, found: float, most: float) -> None:
        rows.append([what, f"{found:.2g}", f"{most:g}", "yes" if found <= most else "NO"])
        print(*rows[-1], flush=True)

    for method in CASES:
        cpu = job(folder / method / "cpu", made, asked(method, where="cpu"))
        gpu = job(folder / method / "gpu", made, asked(method))
        row(f"{method}: GPU and CPU, float32", gap(cpu, gpu), 1e-2)
        again = job(folder / method / "again", made, asked(method))
        row(f"{method}: GPU twice", gap(gpu, again), 0)
        narrow = job(folder / method / "bf16", made, asked(method, precision="bfloat16"))
        row(f"{method}: bfloat16 and float32", gap(gpu, narrow), 0.2)
        arguments = (folder / method / "killed", made, asked(method), 4)
        process = multiprocessing.get_context("spawn").Process(target=killed_at, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, process.exitcode
        assert outputs(arguments[0])["models"].with_name("checkpoint.safetensors").exists()
        row(f"{method}: killed and gone on", gap(gpu, job(arguments[0], made, asked(method))), 1e-3)
        if torch.cuda.device_count() > 1:
            two = folder / method / "two"
            code = "from check_gpu import *; from vision_toys import *; "
            code += f"job(Path({str(two)!r}), inputs(Path({str(folder / 'made')!r})), "
            code += f"asked({method!r}, devices=2, micro_batch_size=8))"
            process = multiprocessing.get_context("spawn").Process(target=exec, args=(code, {}))
            process.start()
            process.join()
            assert process.exitcode == 0, process.exitcode
            both = load_file(two / "models.safetensors")
            row(f"{method}: two devices and one", gap(gpu, both), 1e-2)
    return rows


def measure(model: str, size: int, batch: int, steps: int) -> str:
    """Images per second of each method beside a plain loop, and the most memory that it took."""
    import vision

    from talking_models.report.markdown import grid

    layers = [str(ROOT / f"config/{name}.yaml") for name in ("config", "experiments", "tables")]
    options = argparse.Namespace(
        config=layers, experiments=[f"vit-{method}" for method in CASES], model=model,
        image_size=size, batch_size=batch, steps=steps, repeats=3, accelerator="cuda",
    )  # fmt: skip
    torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        table = grid(vision.HEAD, vision.measure(options, Path(folder)))
    peak = torch.cuda.max_memory_allocated() / 2**30
    return f"{table}\n\nPeak memory of all loops together: {peak:.1f} GiB."


def main() -> int:
    """Check, measure, print and write; exit status 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20, help="of each measured loop")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/RESULTS-gpu.md")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device is here: nothing was checked, and nothing is written.")
        return 0
    logging.basicConfig(level=logging.WARNING)
    from machine import write_results

    from talking_models.report.markdown import grid

    title = f"Image jobs on {torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    about, parts = __doc__.split("\n\n")[0], {}

    def found(name: str, text: str) -> None:
        print(name, text, sep="\n\n", flush=True)
        parts[name] = text
        write_results(options.out, title, about, parts)

    with tempfile.TemporaryDirectory() as folder:
        rows = check(Path(folder))
    heads = ["two jobs on digits", "relative difference of weights", "allowed", "holds"]
    found("The same results", grid(heads, rows))
    for model, size, batch in MODELS:
        name = f"{model}, {size} x {size} pixels, batch {batch}"
        found(name, measure(model, size, batch, options.steps))
    return int(any(row[-1] == "NO" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
