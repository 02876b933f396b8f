"""How each task is shown in a card, a report and a demo: one view per task, and a generic one for all others.

The modules of reports and demos are imported only when one is made: a card needs neither.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks import (
    FillMask,
    QuestionAnswering,
    SentenceSimilarity,
    Task,
    TextClassification,
    TextGeneration,
    TextToText,
    TokenClassification,
)
from hf_tasks.tasks.types import Prediction

if TYPE_CHECKING:
    from hf_tasks.publish.demo.form import Form
    from hf_tasks.publish.report.blocks import ReportSection
    from hf_tasks.publish.report.measured import MeasuredSplit
    from hf_tasks.runs.run import Run


class View:
    """The generic view of tasks without an entry in VIEWS."""

    def card_template(self, task: Any) -> str:
        """The file name of the card's template."""
        return "card.md.jinja"

    def printed(self, prediction: Prediction) -> str | None:
        """The output of the card's snippet for a prediction; None if the card shows no output."""
        return None

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        """The report's sections on evaluated splits; most of them show the first split only."""
        from hf_tasks.publish.report import generic

        yield from generic.predictions(splits[0])

    def form(self, run: "Run") -> "Form":
        """The form of the demo."""
        from hf_tasks.publish.demo import form

        return form.generic(run)


class ClassificationView(View):
    """Text classification: labels or a number."""

    def card_template(self, task: TextClassification) -> str:
        return "text-classification.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        match prediction:
            case {"label": label, "score": score}:
                return f"{label} {score:.2f}"
            case {"labels": labels}:
                return str(sorted(labels))
        return f"{prediction['score']:.2f}"

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        from hf_tasks.publish.report import label_errors, text_classification

        task = splits[0].task
        assert isinstance(task, TextClassification)
        match task.problem_type:
            case "single_label_classification":
                yield from text_classification.single(splits[0])
                yield label_errors.single(splits)
            case "multi_label_classification":
                yield from text_classification.several(splits[0])
                yield label_errors.several(splits)
            case _:
                yield from text_classification.numbers(splits[0])

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import text_classification

        return text_classification.form(run)


class TaggingView(View):
    """Token classification."""

    def card_template(self, task: TokenClassification) -> str:
        return "token-classification.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return " ".join(prediction["tags"])

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        from hf_tasks.publish.report import token_classification

        task = splits[0].task
        assert isinstance(task, TokenClassification)
        yield from token_classification.sentences(splits[0], task.scheme)
        yield token_classification.suspects(splits)

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import token_classification

        return token_classification.form(run)


class AnswersView(View):
    """Extractive question answering."""

    def card_template(self, task: QuestionAnswering) -> str:
        return "question-answering.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return repr(prediction["answer"])

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        from hf_tasks.publish.report import question_answering

        yield from question_answering.questions(splits[0])

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import question_answering

        return question_answering.form(run)


class SimilarityView(View):
    """Sentence similarity: the cosine of two texts."""

    def card_template(self, task: Task) -> str:
        return "sentence-similarity.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return f"{prediction['score']:.2f}"

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        from hf_tasks.publish.report import sentence_similarity

        yield from sentence_similarity.sections(splits[0])


class TextsView(View):
    """Tasks that generate text."""

    def card_template(self, task: Task) -> str:
        return f"{task.name}.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return str(prediction["prediction"])

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        from hf_tasks.publish.report import text2text

        yield from text2text.written(splits[0])

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import text2text

        return text2text.form(run)


class MaskedView(View):
    """Masked language models."""

    def sections(self, splits: Sequence["MeasuredSplit"]) -> Iterator["ReportSection"]:
        from hf_tasks.publish.report import fill_mask

        yield from fill_mask.texts(splits[0])


VIEWS: dict[type[Task], View] = {
    FillMask: MaskedView(),
    QuestionAnswering: AnswersView(),
    SentenceSimilarity: SimilarityView(),
    TextClassification: ClassificationView(),
    TextGeneration: TextsView(),
    TextToText: TextsView(),
    TokenClassification: TaggingView(),
}


def view_of(task: Task) -> View:
    """The view of a task."""
    return VIEWS.get(type(task), View())
