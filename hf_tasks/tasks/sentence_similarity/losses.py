"""Losses of sentence embeddings.

    embeddings (B, T, H)    the T texts of each row: two texts, or an anchor, its positive and its negatives
    real (B, T)             which of the T texts a row has
    texts (B, T)            a number for each text, the same for equal texts

Each function returns a scalar: the sum over the rows of a loss that has one value for each row, else the loss itself.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_NORM = 1e-6
"""Shorter vectors are not scaled to length 1: their gradients would be huge."""


def unit(vectors: "Tensor") -> "Tensor":
    """The vectors (..., H) scaled to length 1."""
    import torch

    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / lengths.clamp(min=SMALLEST_NORM)


def cosines(embeddings: "Tensor") -> "Tensor":
    """The cosine (B,) of the first two texts of each row."""
    first, second = unit(embeddings[:, 0]), unit(embeddings[:, 1])
    return (first * second).sum(-1)


def triplet(embeddings: "Tensor", real: "Tensor", margin: float) -> "Tensor":
    """relu(m + d(a, p) - mean d(a, n)) + relu(m + d(a, p) - min d(a, n)) with Euclidean distances d.

    The triplet loss (Schroff et al. 2015, https://arxiv.org/abs/1503.03832) against all negatives and the closest one.
    """
    import torch

    anchor = embeddings[:, :1]
    distances = torch.linalg.vector_norm(embeddings[:, 1:] - anchor, dim=-1)  # (B, T - 1)
    positive, negatives, there = distances[:, 0], distances[:, 1:], real[:, 2:]
    mean = (negatives * there).sum(1) / there.sum(1)
    closest = negatives.masked_fill(~there, torch.inf).amin(1)
    total: Tensor = ((margin + positive - mean).relu() + (margin + positive - closest).relu()).sum()
    return total


def in_batch(embeddings: "Tensor", real: "Tensor", texts: "Tensor", scale: float, *, symmetric: bool) -> "Tensor":
    """InfoNCE over cosines (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748): every row's positive against
    the positives and negatives of all rows; `symmetric`: also every positive's anchor against all anchors.

    What equals the row's anchor or one of its known positives is no negative.
    """
    import torch
    from torch.nn import functional

    vectors, rows = unit(embeddings), len(embeddings)
    more = real[:, 2:]
    candidates = torch.cat([vectors[:, 1], vectors[:, 2:][more]])  # (B + M, H)
    named = torch.cat([texts[:, 1], texts[:, 2:][more]])
    anchors, same_anchor = texts[:, 0], texts[:, :1] == texts[:, 0]  # (B,), (B, B)
    known = same_anchor.float() @ (texts[:, 1:2] == named).float() > 0  # positives of equal anchors
    known |= anchors[:, None] == named
    known[:, :rows].fill_diagonal_(fill_value=False)
    scores = (scale * vectors[:, 0] @ candidates.T).masked_fill(known, -torch.inf)
    targets = torch.arange(rows, device=scores.device)
    loss = functional.cross_entropy(scores, targets, reduction="sum")
    if not symmetric:
        return loss
    return (loss + functional.cross_entropy(scores[:, :rows].T, targets, reduction="sum")) / 2


def cosent(cosine: "Tensor", scores: "Tensor", scale: float) -> "Tensor":
    """log(1 + sum exp(scale * (cos_j - cos_i))) over the rows i, j (B,) of which i has the higher score.

    CoSENT (Su 2022, https://kexue.fm/archives/8847).
    """
    import torch

    differences = scale * (cosine[None] - cosine[:, None])  # (i, j)
    wrong = differences[scores[:, None] > scores[None]]
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0)


def cosine_regression(cosine: "Tensor", scores: "Tensor") -> "Tensor":
    """Squared error of the cosine to scores from -1 to 1 (Reimers and Gurevych 2019, https://aclanthology.org/D19-1410)."""
    return ((cosine - scores) ** 2).sum()


def contrastive(cosine: "Tensor", labels: "Tensor", margin: float) -> "Tensor":
    """y d^2 / 2 + (1 - y) relu(m - d)^2 / 2 with d = 1 - cosine (Hadsell et al. 2006,
    https://doi.org/10.1109/CVPR.2006.100)."""
    distance = 1 - cosine
    return (labels * distance**2 + (1 - labels) * (margin - distance).relu() ** 2).sum() / 2


def supervised_contrastive(embeddings: "Tensor", labels: "Tensor", scale: float) -> "Tensor":
    """The mean over all texts of -log softmax(scale * cosine) of the texts with the same label among all others (Khosla
    et al. 2020, equation 2, https://arxiv.org/abs/2004.11362); 0 where no text has another one of its label.

    embeddings (B, T, H): T vectors of each row; labels (B,).
    """
    import torch

    vectors = unit(embeddings.flatten(0, 1))  # (N, H), N = B * T
    named = labels.repeat_interleave(embeddings.shape[1])
    itself = torch.eye(len(named), dtype=torch.bool, device=named.device)
    scores = (scale * vectors @ vectors.T).masked_fill(itself, -torch.inf)
    likelihood = torch.log_softmax(scores, dim=1).masked_fill(itself, 0.0)
    same = (named[:, None] == named) & ~itself
    count = same.sum(1)
    each = -(likelihood * same).sum(1) / count.clamp(min=1)
    total: Tensor = each.sum() / (count > 0).sum().clamp(min=1)
    return total
