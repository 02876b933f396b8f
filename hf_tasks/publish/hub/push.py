"""Uploads a run to the Hub as one commit, exactly once even if answers are lost or the upload is interrupted.

check the login -> inspect the repository -> create it, or check that it may be changed -> commit -> compare -> tag
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tasks.core.errors import RunError, UserError
from hf_tasks.core.section import did_you_mean
from hf_tasks.publish.hub.client import bars, connect, explained, retried, status
from hf_tasks.publish.hub.files import ALLOWED, NEED_A_BASE, PREDICTIONS, Staged, is_local, is_one_of, stage
from hf_tasks.recipe import yaml_file
from hf_tasks.recipe.sections import Hub, wrong_name

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

MADE_BY_THE_HUB = {".gitattributes"}
WRITERS = {"admin", "write", "contributor"}
"""Roles in an organization that may create repositories."""


@dataclass(frozen=True)
class Pushed:
    """What a push did, or with `dry_run` would do."""

    url: str
    commit: str | None
    """The commit with the run; None after a dry run."""
    files: Mapping[str, int]
    """File name -> size in bytes."""

    @property
    def bytes(self) -> int:
        return sum(self.files.values())


def push(
    run_path: str | Path, repo_id: str, *, private: bool = True, update: bool = False, revision: str | None = None,
    tag: str | None = None, dry_run: bool = False, predictions: bool = False, run_snippets: bool = False,
) -> Pushed:  # fmt: skip
    """Upload a run as one commit to a new repository or, with `update`, to an existing one.

    The repository is private unless `private` is False. `revision`: a branch other than the default one. `tag`: a new
    tag for the commit. `dry_run` sends no request. `predictions`: upload the predictions, too. `run_snippets`: run the
    code of the card even if the run was not trained on this machine. Pushing the same files again makes no commit; an
    interrupted push continues with the files that have not arrived. The run itself is only read. Raises RunError.
    """
    if problem := wrong_name(repo_id):
        raise RunError(problem)
    target = Hub(repo_id=repo_id, private=private, update=update, revision=revision, tag=tag)
    files = stage(Path(run_path), repo_id, predictions=predictions)
    return _described(target, files, None if dry_run else _push(Path(run_path), target, files, run_snippets))


def push_recipe(run_path: Path, target: Hub) -> Pushed:
    """Upload a run according to its recipe's `hub` section. Raises RunError with the command that pushes it again."""
    try:
        files = stage(run_path, target.repo_id)
        return _described(target, files, _push(run_path, target, files))
    except UserError as e:
        again = f"hf-tasks push {run_path} {target.repo_id}{target.flags()}"
        whole = f"{e.problems[-1]}; the run is complete, in {run_path}; to push it, run: {again}"
        raise RunError(*e.problems[:-1], whole) from None


def check(target: Hub) -> None:
    """Check before training that a run can be pushed: logged in, allowed to write, the name free. Changes nothing.

    Raises RunError.
    """
    with explained(target.repo_id):
        pushing = _Push(connect(), target, ())
        pushing.check_login()
        if pushing.exists():
            pushing.check_open()


def check_card(run_path: Path, run_snippets: bool = False) -> None:
    """Run the snippets of the card and compare its numbers with the results. Raises RunError if the card is wrong."""
    from hf_tasks.publish import card
    from hf_tasks.runs.run import Run

    run = Run.load(run_path)
    print(card.not_run(run, run_snippets) or "running the snippets of the card", file=sys.stderr, flush=True)
    if problems := card.check(run, run_snippets=run_snippets):
        raise RunError(*problems)


def _push(run_path: Path, target: Hub, files: Sequence[Staged], run_snippets: bool = False) -> str:
    """Push the files and return their commit. Raises RunError."""
    with explained(target.repo_id), bars():
        pushing = _Push(connect(), target, files)
        pushing.check_login()
        found = pushing.exists()
        if not (found and pushing.check_open()):
            pushing.check_base(run_path)
            check_card(run_path, run_snippets)
        if not found:
            pushing.make()
        commit = retried(pushing.committing(pushing.parent()), unreachable=True)
        pushing.compare(commit)
        pushing.mark(commit)
        return commit


def _described(target: Hub, files: Sequence[Staged], commit: str | None) -> Pushed:
    place = target.tag or target.revision
    url = f"{connect().endpoint}/{target.repo_id}" + (f"/tree/{place}" if place else "")
    return Pushed(url, commit, {file.name: file.size for file in files})


@dataclass(frozen=True)
class _Push:
    """One push. Every step may be repeated."""

    api: "HfApi"
    target: Hub
    files: Sequence[Staged]

    @property
    def name(self) -> str:
        return self.target.repo_id

    def check_login(self) -> None:
        """Raises RunError if the token or the namespace does not allow writing."""
        me = retried(self.api.whoami)
        role = me.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise RunError(
                f"{self.name}: your token may only read; create one with write permission, then run: hf auth login"
            )
        owner = self.name.partition("/")[0]
        roles = {me["name"]: "admin"} | {org["name"]: org.get("roleInOrg") for org in me.get("orgs", [])}
        if role == "fineGrained" and owner not in roles:
            return  # such a token need not show the organizations that it may write to
        if owner not in roles:
            raise RunError(
                f"{self.name}: {owner} is neither you nor an organization of yours{did_you_mean(owner, roles)} "
                f"(one of: {', '.join(roles)}); choose one of them"
            )
        if roles[owner] not in {None, *WRITERS}:
            raise RunError(
                f"{self.name}: you may not write in {owner}, you have the role {roles[owner]}; ask its owner"
            )

    def check_base(self, run_path: Path) -> None:
        """Raises RunError if the weights of card.base_model on the Hub are not those of the local base checkpoint."""
        from huggingface_hub.hf_api import RepoFile
        from safetensors import safe_open

        recipe = yaml_file.read(run_path / "recipe.yaml").values
        file = next((run_path / name for name in NEED_A_BASE if (run_path / name).is_file()), None)
        if file is None or not is_local(str(recipe["model"].get("name_or_path") or "")):
            return
        named, weights = recipe["card"]["base_model"], "model.safetensors"
        commit = recipe["card"].get("base_revision")
        found = retried(lambda: self.api.get_paths_info(named, [weights], revision=commit))
        there = next((one.lfs.sha256 for one in found if isinstance(one, RepoFile) and one.lfs), None)
        with safe_open(file, framework="pt") as saved:
            here = (saved.metadata() or {}).get("base_sha256")
        if here and here != there:
            raise RunError(
                f"{self.name}: card.base_model: {named}{f'@{commit}' if commit else ''} on the Hub does not have the "
                f"weights ({weights}) that this run was trained on; name the checkpoint that has them, or push that "
                "one first"
            )

    def exists(self) -> bool:
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return bool(retried(lambda: self.api.model_info(self.name)))
        except RepositoryNotFoundError:
            return False

    def make(self) -> None:
        """Create the repository. Raises RunError if the name belongs to somebody else."""
        retried(self._create, unreachable=True)
        if not self.exists():
            raise RunError(
                f"{self.name}: a repository of this name exists, but you may not read it; choose another name"
            )
        self.check_open()

    def _create(self) -> None:
        try:
            self.api.create_repo(self.name, private=self.target.private)
        except Exception as e:
            if status(e) != 409:  # it exists: an answer was lost, or it is somebody else's
                raise

    def check_open(self) -> bool:
        """Whether the repository contains this run already. Raises RunError if it must not be changed."""
        info = retried(lambda: self.api.model_info(self.name))
        if self.target.private and not info.private:
            raise RunError(f"{self.name}: is public; add --public (hub.private: false in the recipe) to push there")
        retried(lambda: self.api.auth_check(self.name, write=True))
        refs = retried(lambda: self.api.list_repo_refs(self.name))
        heads = {branch.name: branch.target_commit for branch in refs.branches}
        head = heads.get(self.target.revision or "main")
        same, held = self._held(head or info.sha)
        same = same and head is not None
        tagged = {tag.name: tag.target_commit for tag in refs.tags}.get(self.target.tag or "")
        if tagged and not (same and tagged == head):
            raise RunError(f"{self.name}: the tag {self.target.tag} is taken by another commit; choose another tag")
        if held and not same and not self.target.update:
            raise RunError(
                f"{self.name}: exists and contains other files; choose another name, or add --update "
                "(hub.update: true in the recipe)"
            )
        return same

    def parent(self) -> str | None:
        """The parent of the commit; the branch is created if it does not exist."""
        branch = self.target.revision
        if branch:
            retried(lambda: self.api.create_branch(self.name, branch=branch, exist_ok=True), unreachable=True)
        return retried(lambda: self.api.model_info(self.name, revision=branch), unreachable=True).sha

    def committing(self, parent: str | None) -> Callable[[], str]:
        """The step that commits the files on top of `parent`, unless that has been done, and returns the commit."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        def step() -> str:
            info = self.api.model_info(self.name, revision=self.target.revision)
            remote = self._remote(info.sha)
            if self._same(remote):
                return str(info.sha)
            if info.sha != parent:
                raise RunError(
                    f"{self.name}: was changed by somebody else at the same time; check its files, then push again"
                )
            operations: list[Any] = [CommitOperationDelete(name) for name in self._stale(remote)]
            operations += [CommitOperationAdd(file.name, file.content) for file in self.files]
            message = f"Upload {self.name.partition('/')[2]} with hf_tasks"
            done = self.api.create_commit(
                self.name, operations, commit_message=message, revision=self.target.revision, parent_commit=parent
            )
            return str(done.oid)

        return step

    def compare(self, commit: str) -> None:
        """Raises RunError if the files on the Hub are not those that were sent."""
        remote = retried(lambda: self._remote(commit), unreachable=True)
        if wrong := [file.name for file in self.files if not _is(remote.get(file.name), file)]:
            raise RunError(
                f"{self.name}: {wrong[0]} on the Hub differs from the file that was sent; push again with --update"
            )

    def mark(self, commit: str) -> None:
        """Tag the commit."""
        tag = self.target.tag
        if tag is None:
            return

        def step() -> None:
            refs = self.api.list_repo_refs(self.name)
            if (tag, commit) not in [(found.name, found.target_commit) for found in refs.tags]:
                self.api.create_tag(self.name, tag=tag, revision=commit)

        retried(step, unreachable=True)

    def _held(self, commit: str | None) -> tuple[bool, set[str]]:
        """(whether a commit contains exactly this run, its files without those that the Hub creates)."""
        remote = retried(lambda: self._remote(commit))
        return self._same(remote), remote.keys() - MADE_BY_THE_HUB

    def _remote(self, commit: str | None) -> "dict[str, RepoFile]":
        from huggingface_hub.hf_api import RepoFile

        entries = self.api.list_repo_tree(self.name, recursive=True, revision=commit)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _same(self, remote: "Mapping[str, RepoFile]") -> bool:
        arrived = all(_is(remote.get(file.name), file) for file in self.files)
        return bool(self.files) and arrived and not self._stale(remote)

    def _stale(self, remote: "Mapping[str, RepoFile]") -> list[str]:
        """Files of an earlier run that this one lacks; files of other kinds belong to the user."""
        ours = {file.name for file in self.files}
        return [name for name in remote if is_one_of(name, (*ALLOWED, PREDICTIONS)) and name not in ours]


def _is(remote: "RepoFile | None", file: Staged) -> bool:
    """Whether a file on the Hub has the content of a staged one."""
    if remote is None or remote.size != file.size:
        return False
    return remote.lfs.sha256 == file.sha256 if remote.lfs else remote.blob_id == file.git_sha1
