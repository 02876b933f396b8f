from hf_tasks.tasks.fill_mask.task import FillMask

__all__ = ["FillMask"]
