"""BibTeX of what a model is made with: its base model, its method, the tools."""

from collections.abc import Iterator
from typing import Any

from hf_tasks.recipe import Recipe


def _entry(kind: str, key: str, title: str, author: str, where: str, year: int, url: str) -> str:
    place = "booktitle" if kind == "inproceedings" else "journal"
    lines = {"title": title, "author": author, place: where, "year": str(year), "url": url}
    return f"@{kind}{{{key},\n" + "".join(f"  {name} = {{{text}}},\n" for name, text in lines.items()) + "}"


DEVLIN = _entry(
    "inproceedings", "devlin-etal-2019-bert",
    "{BERT}: Pre-training of Deep Bidirectional Transformers for Language Understanding",
    "Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina",
    "Proceedings of NAACL-HLT", 2019, "https://aclanthology.org/N19-1423",
)  # fmt: skip
LIU = _entry(
    "article", "liu-2019-roberta", "{RoBERTa}: A Robustly Optimized {BERT} Pretraining Approach",
    "Liu, Yinhan and Ott, Myle and Goyal, Naman and Du, Jingfei and Joshi, Mandar and Chen, Danqi and Levy, Omer and "
    "Lewis, Mike and Zettlemoyer, Luke and Stoyanov, Veselin",
    "arXiv:1907.11692", 2019, "https://arxiv.org/abs/1907.11692",
)  # fmt: skip
RAFFEL = _entry(
    "article", "raffel-2020-t5",
    "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
    "Raffel, Colin and Shazeer, Noam and Roberts, Adam and Lee, Katherine and Narang, Sharan and Matena, Michael and "
    "Zhou, Yanqi and Li, Wei and Liu, Peter J.",
    "Journal of Machine Learning Research", 2020, "https://jmlr.org/papers/v21/20-074.html",
)  # fmt: skip

MODELS: dict[str, str] = {
    "bert": DEVLIN,
    "roberta": LIU,
    "t5": RAFFEL,
    "albert": _entry(
        "inproceedings", "lan-2020-albert",
        "{ALBERT}: A Lite {BERT} for Self-supervised Learning of Language Representations",
        "Lan, Zhenzhong and Chen, Mingda and Goodman, Sebastian and Gimpel, Kevin and Sharma, Piyush and "
        "Soricut, Radu",
        "International Conference on Learning Representations", 2020, "https://openreview.net/forum?id=H1eA7AEtvS",
    ),
    "distilbert": _entry(
        "article", "sanh-2019-distilbert",
        "{DistilBERT}, a distilled version of {BERT}: smaller, faster, cheaper and lighter",
        "Sanh, Victor and Debut, Lysandre and Chaumond, Julien and Wolf, Thomas",
        "arXiv:1910.01108", 2019, "https://arxiv.org/abs/1910.01108",
    ),
    "electra": _entry(
        "inproceedings", "clark-2020-electra",
        "{ELECTRA}: Pre-training Text Encoders as Discriminators Rather Than Generators",
        "Clark, Kevin and Luong, Minh-Thang and Le, Quoc V. and Manning, Christopher D.",
        "International Conference on Learning Representations", 2020, "https://openreview.net/forum?id=r1xMH1BtvB",
    ),
    "deberta": _entry(
        "inproceedings", "he-2021-deberta", "{DeBERTa}: Decoding-enhanced {BERT} with Disentangled Attention",
        "He, Pengcheng and Liu, Xiaodong and Gao, Jianfeng and Chen, Weizhu",
        "International Conference on Learning Representations", 2021, "https://openreview.net/forum?id=XPZIaotutsD",
    ),
    "deberta-v2": _entry(
        "inproceedings", "he-2021-deberta", "{DeBERTa}: Decoding-enhanced {BERT} with Disentangled Attention",
        "He, Pengcheng and Liu, Xiaodong and Gao, Jianfeng and Chen, Weizhu",
        "International Conference on Learning Representations", 2021, "https://openreview.net/forum?id=XPZIaotutsD",
    ),
    "xlm-roberta": _entry(
        "inproceedings", "conneau-etal-2020-unsupervised",
        "Unsupervised Cross-lingual Representation Learning at Scale",
        "Conneau, Alexis and Khandelwal, Kartikay and Goyal, Naman and Chaudhary, Vishrav and Wenzek, Guillaume and "
        "Guzm{\\'a}n, Francisco and Grave, Edouard and Ott, Myle and Zettlemoyer, Luke and Stoyanov, Veselin",
        "Proceedings of ACL", 2020, "https://aclanthology.org/2020.acl-main.747",
    ),
    "bart": _entry(
        "inproceedings", "lewis-etal-2020-bart",
        "{BART}: Denoising Sequence-to-Sequence Pre-training for Natural Language Generation, Translation, and "
        "Comprehension",
        "Lewis, Mike and Liu, Yinhan and Goyal, Naman and Ghazvininejad, Marjan and Mohamed, Abdelrahman and "
        "Levy, Omer and Stoyanov, Veselin and Zettlemoyer, Luke",
        "Proceedings of ACL", 2020, "https://aclanthology.org/2020.acl-main.703",
    ),
}  # fmt: skip
"""By `model_type` of transformers."""

METHODS: dict[str, str] = {
    "frozen": _entry(
        "inproceedings", "peters-etal-2019-tune",
        "To Tune or Not to Tune? Adapting Pretrained Representations to Diverse Tasks",
        "Peters, Matthew E. and Ruder, Sebastian and Smith, Noah A.",
        "Proceedings of RepL4NLP", 2019, "https://aclanthology.org/W19-4302",
    ),
    "bitfit": _entry(
        "inproceedings", "ben-zaken-etal-2022-bitfit",
        "{BitFit}: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models",
        "Ben Zaken, Elad and Goldberg, Yoav and Ravfogel, Shauli",
        "Proceedings of ACL", 2022, "https://aclanthology.org/2022.acl-short.1",
    ),
    "gradual-unfreezing": _entry(
        "inproceedings", "howard-ruder-2018-universal",
        "Universal Language Model Fine-tuning for Text Classification",
        "Howard, Jeremy and Ruder, Sebastian",
        "Proceedings of ACL", 2018, "https://aclanthology.org/P18-1031",
    ),
    "bottleneck-adapter": _entry(
        "inproceedings", "houlsby-2019-adapters", "Parameter-Efficient Transfer Learning for {NLP}",
        "Houlsby, Neil and Giurgiu, Andrei and Jastrzebski, Stanislaw and Morrone, Bruna and de Laroussilhe, Quentin "
        "and Gesmundo, Andrea and Attariyan, Mona and Gelly, Sylvain",
        "International Conference on Machine Learning", 2019, "https://proceedings.mlr.press/v97/houlsby19a.html",
    ),
    "lora": _entry(
        "inproceedings", "hu-2022-lora", "{LoRA}: Low-Rank Adaptation of Large Language Models",
        "Hu, Edward J. and Shen, Yelong and Wallis, Phillip and Allen-Zhu, Zeyuan and Li, Yuanzhi and Wang, Shean and "
        "Wang, Lu and Chen, Weizhu",
        "International Conference on Learning Representations", 2022, "https://openreview.net/forum?id=nZeVKeeFYf9",
    ),
    "ia3": _entry(
        "inproceedings", "liu-2022-ia3",
        "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
        "Liu, Haokun and Tam, Derek and Muqeeth, Mohammed and Mohta, Jay and Huang, Tenghao and Bansal, Mohit and "
        "Raffel, Colin",
        "Advances in Neural Information Processing Systems", 2022, "https://arxiv.org/abs/2205.05638",
    ),
    "adalora": _entry(
        "inproceedings", "zhang-2023-adalora",
        "Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning",
        "Zhang, Qingru and Chen, Minshuo and Bukharin, Alexander and He, Pengcheng and Cheng, Yu and Chen, Weizhu and "
        "Zhao, Tuo",
        "International Conference on Learning Representations", 2023, "https://openreview.net/forum?id=lq62uWRJjiY",
    ),
    "prefix_tuning": _entry(
        "inproceedings", "li-liang-2021-prefix", "Prefix-Tuning: Optimizing Continuous Prompts for Generation",
        "Li, Xiang Lisa and Liang, Percy",
        "Proceedings of ACL-IJCNLP", 2021, "https://aclanthology.org/2021.acl-long.353",
    ),
    "prompt_tuning": _entry(
        "inproceedings", "lester-etal-2021-power",
        "The Power of Scale for Parameter-Efficient Prompt Tuning",
        "Lester, Brian and Al-Rfou, Rami and Constant, Noah",
        "Proceedings of EMNLP", 2021, "https://aclanthology.org/2021.emnlp-main.243",
    ),
    "p_tuning": _entry(
        "article", "liu-2021-gpt", "{GPT} Understands, Too",
        "Liu, Xiao and Zheng, Yanan and Du, Zhengxiao and Ding, Ming and Qian, Yujie and Yang, Zhilin and Tang, Jie",
        "arXiv:2103.10385", 2021, "https://arxiv.org/abs/2103.10385",
    ),
    "weighted-layers": _entry(
        "inproceedings", "peters-etal-2018-deep", "Deep Contextualized Word Representations",
        "Peters, Matthew E. and Neumann, Mark and Iyyer, Mohit and Gardner, Matt and Clark, Christopher and "
        "Lee, Kenton and Zettlemoyer, Luke",
        "Proceedings of NAACL-HLT", 2018, "https://aclanthology.org/N18-1202",
    ),
    "mbr": _entry(
        "inproceedings", "kumar-byrne-2004-minimum",
        "Minimum {B}ayes-Risk Decoding for Statistical Machine Translation",
        "Kumar, Shankar and Byrne, William",
        "Proceedings of HLT-NAACL", 2004, "https://aclanthology.org/N04-1022",
    ),
}  # fmt: skip
"""By the method's name in a recipe, or PEFT's name of its kind in small letters."""

TRANSFORMERS = _entry(
    "inproceedings", "wolf-etal-2020-transformers", "Transformers: State-of-the-Art Natural Language Processing",
    "Wolf, Thomas and Debut, Lysandre and Sanh, Victor and Chaumond, Julien and Delangue, Clement and Moi, Anthony and "
    "Cistac, Pierric and Rault, Tim and Louf, R{\\'e}mi and Funtowicz, Morgan and Davison, Joe and Shleifer, Sam and "
    "von Platen, Patrick and Ma, Clara and Jernite, Yacine and Plu, Julien and Xu, Canwen and Le Scao, Teven and "
    "Gugger, Sylvain and Drame, Mariama and Lhoest, Quentin and Rush, Alexander M.",
    "Proceedings of EMNLP: System Demonstrations", 2020, "https://aclanthology.org/2020.emnlp-demos.6",
)  # fmt: skip


def citations(recipe: Recipe, results: dict[str, Any]) -> list[str]:
    """BibTeX entries for this model, each once: data (where the recipe has it), base model, method, tools."""
    return list(dict.fromkeys(entry for entry in _entries(recipe, results) if entry))


def _entries(recipe: Recipe, results: dict[str, Any]) -> Iterator[str | None]:
    method = recipe.method.given()
    yield recipe.card.citation and recipe.card.citation.strip()
    yield MODELS.get(results.get("base", {}).get("model_type", ""))
    yield METHODS.get(recipe.method.name)
    yield METHODS.get(str(method.get("peft_type", "")).lower())
    yield METHODS["weighted-layers"] if "layer_weights" in results else None
    yield METHODS["mbr"] if recipe.decoding and recipe.decoding.name == "mbr" else None
    yield TRANSFORMERS
