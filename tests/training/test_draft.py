"""What is trained is there as a whole, or not at all."""

import pytest

from parley.core.errors import BadInput, ParleyError
from parley.training.draft import draft_of, write_about


def test_it_is_whole_or_not_there_at_all(tmp_path):
    out = tmp_path / "new" / "model"
    for wrong, expected in ((KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), ParleyError)):
        with pytest.raises(expected), draft_of("model", out) as draft:
            write_about(draft / "about.json", {})
            raise wrong
        assert list(out.parent.iterdir()) == []  # nor is there anything beside it
    out.mkdir()
    with draft_of("model", out) as draft:
        write_about(draft / "about.json", {"seed": 1})
        assert list(out.iterdir()) == []
    assert [file.name for file in out.iterdir()] == ["about.json"] and list(out.parent.iterdir()) == [out]


def test_what_is_in_the_way_is_kept(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(BadInput, match="cannot be written"), draft_of("model", tmp_path / "file" / "model"):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "own").write_text("kept")
    with pytest.raises(ParleyError, match="the model could not be written to"), draft_of("model", tmp_path / "full"):
        pass
    assert (tmp_path / "full" / "own").read_text() == (tmp_path / "file").read_text() == "kept"
