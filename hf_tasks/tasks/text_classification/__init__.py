from hf_tasks.tasks.text_classification.task import TextClassification

__all__ = ["TextClassification"]
