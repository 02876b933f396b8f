from hf_tasks.tasks.token_classification.task import TokenClassification

__all__ = ["TokenClassification"]
