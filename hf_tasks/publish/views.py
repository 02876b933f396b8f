"""What tasks look like in a card, a report and a demo: one entry a task, and a view that shows any task.

Reports and demos are imported when they are made: a card needs neither.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hf_tasks.tasks import QuestionAnswering, Task, TextClassification, TextGeneration, TextToText, TokenClassification
from hf_tasks.tasks.types import Prediction

if TYPE_CHECKING:
    from hf_tasks.publish.demo.form import Form
    from hf_tasks.publish.report.blocks import Section
    from hf_tasks.publish.report.measured import Measured
    from hf_tasks.runs.run import Run


class View:
    """Of a task that has no view of its own."""

    def card_template(self, task: Any) -> str:
        """The name of the card's template."""
        return "card.md.jinja"

    def printed(self, prediction: Prediction) -> str | None:
        """What the card's snippet prints of a prediction; None where it shows no output."""
        return None

    def sections(self, splits: Sequence["Measured"]) -> Iterator["Section"]:
        """The report's sections on measured splits; most of them show the first one."""
        from hf_tasks.publish.report import anything

        yield from anything.predictions(splits[0])

    def slice_metric(self, task: Any) -> str:
        """The metric of groups of examples."""
        return str(task.metrics[0])

    def sliced_by_label(self, task: Any) -> bool:
        """Whether the examples of each label are a group."""
        return False

    def form(self, run: "Run") -> "Form":
        """The demo's form."""
        from hf_tasks.publish.demo import anything

        return anything.form(run)


class ClassificationView(View):
    def card_template(self, task: TextClassification) -> str:
        return "text-classification.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        match prediction:
            case {"label": label, "score": score}:
                return f"{label} {score:.2f}"
            case {"labels": labels}:
                return str(sorted(labels))
        return f"{prediction['score']:.2f}"

    def sections(self, splits: Sequence["Measured"]) -> Iterator["Section"]:
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

    def slice_metric(self, task: TextClassification) -> str:
        """Of one label accuracy: averages over classes mean something else where a slice lacks classes."""
        return "accuracy" if task.problem_type == "single_label_classification" else task.metrics[0]

    def sliced_by_label(self, task: TextClassification) -> bool:
        return task.problem_type != "regression"

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import text_classification

        return text_classification.form(run)


class TaggingView(View):
    def card_template(self, task: TokenClassification) -> str:
        return "token-classification.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return " ".join(prediction["tags"])

    def sections(self, splits: Sequence["Measured"]) -> Iterator["Section"]:
        from hf_tasks.publish.report import token_classification

        task = splits[0].task
        assert isinstance(task, TokenClassification)
        yield from token_classification.sentences(splits[0], task.scheme)
        yield token_classification.suspects(splits)

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import token_classification

        return token_classification.form(run)


class AnswersView(View):
    def card_template(self, task: QuestionAnswering) -> str:
        return "question-answering.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return repr(prediction["answer"])

    def sections(self, splits: Sequence["Measured"]) -> Iterator["Section"]:
        from hf_tasks.publish.report import question_answering

        yield from question_answering.questions(splits[0])

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import question_answering

        return question_answering.form(run)


class TextsView(View):
    def card_template(self, task: Task) -> str:
        return f"{task.name}.md.jinja"

    def printed(self, prediction: Prediction) -> str:
        return str(prediction["prediction"])

    def sections(self, splits: Sequence["Measured"]) -> Iterator["Section"]:
        from hf_tasks.publish.report import text2text

        yield from text2text.written(splits[0])

    def form(self, run: "Run") -> "Form":
        from hf_tasks.publish.demo import text2text

        return text2text.form(run)


VIEWS: dict[type[Task], View] = {
    QuestionAnswering: AnswersView(),
    TextClassification: ClassificationView(),
    TextGeneration: TextsView(),
    TextToText: TextsView(),
    TokenClassification: TaggingView(),
}


def view_of(task: Task) -> View:
    return VIEWS.get(type(task), View())
