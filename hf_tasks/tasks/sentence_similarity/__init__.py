from hf_tasks.tasks.sentence_similarity.task import SentenceSimilarity

__all__ = ["SentenceSimilarity"]
