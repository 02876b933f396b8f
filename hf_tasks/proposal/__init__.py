"""From data files to a proposed recipe."""

from hf_tasks.proposal.proposal import Proposal, propose, write

__all__ = ["Proposal", "propose", "write"]
