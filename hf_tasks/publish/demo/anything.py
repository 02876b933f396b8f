"""The page of tasks that have none of their own: a field for each input, and the prediction as it is."""

import gradio as gr

from hf_tasks.publish.demo.form import Form
from hf_tasks.runs.run import Run


def form(run: Run) -> Form:
    inputs = run.recipe.task.traits.inputs
    columns = {name: gr.Textbox(label=name.replace("_", " ").capitalize(), lines=3, render=False) for name in inputs}
    output = gr.JSON(label="Prediction", render=False)
    return Form(columns, [output], lambda row: run.predict([row])[0], lambda _, prediction: [prediction])
