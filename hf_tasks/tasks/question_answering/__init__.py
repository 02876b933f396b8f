from hf_tasks.tasks.question_answering.task import QuestionAnswering

__all__ = ["QuestionAnswering"]
