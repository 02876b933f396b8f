from hf_tasks.tasks.text2text.task import TextToText

__all__ = ["TextToText"]
