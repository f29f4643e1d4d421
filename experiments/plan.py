"""Will a run fit on devices that are not here? `python experiments/plan.py --topology v5e-8`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("plan")
