"""What the rules of a run ask: `jobs` of its jobs, `results` of what is made of them."""

from talking_models.plan.results import Plan

__all__ = ["Plan"]
