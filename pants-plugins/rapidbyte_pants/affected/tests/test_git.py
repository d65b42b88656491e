"""Tests what counts as changed, on real repositories."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rapidbyte_pants.affected.errors import GitError
from rapidbyte_pants.affected.git import Git
from rapidbyte_pants.affected.model import Change, Since, Status
from rapidbyte_pants.affected.tests.scratch import Scratch

GIT = shutil.which("git") or "git"


def changes(folder: Path, revision: str = "main") -> dict[str, Status]:
    git = Git(GIT, str(folder))
    return {change.path: change.status for change in git.changes(git.since(revision))}


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = Scratch.make(tmp_path / "repository")
    made.put(".gitignore", "ignored\n")
    for name in ("kept", "edited", "gone", "old"):
        made.put(f"src/{name}.py", f"{name}\n" * 9)
    made.commit()
    made.git("checkout", "--quiet", "-b", "topic")
    return made


def test_committed_uncommitted_staged_and_untracked_count(scratch: Scratch) -> None:
    scratch.put("src/committed.py", "")
    scratch.commit()
    scratch.put("src/edited.py", "x")
    scratch.put("src/staged.py", "x")
    scratch.git("add", "src/staged.py")
    scratch.git("rm", "--quiet", "src/gone.py")
    scratch.put("src/new.py", "")
    scratch.put("ignored", "")
    assert changes(scratch.folder) == {
        "src/committed.py": Status.ADDED,
        "src/edited.py": Status.MODIFIED,
        "src/gone.py": Status.DELETED,
        "src/new.py": Status.UNTRACKED,
        "src/staged.py": Status.ADDED,
    }


def test_rename_is_a_deletion_and_an_addition(scratch: Scratch) -> None:
    scratch.git("mv", "src/old.py", "src/moved.py")
    assert changes(scratch.folder) == {"src/moved.py": Status.ADDED, "src/old.py": Status.DELETED}
    scratch.commit()
    assert changes(scratch.folder) == {"src/moved.py": Status.ADDED, "src/old.py": Status.DELETED}


def test_what_main_did_after_the_branch_began_does_not_count(scratch: Scratch) -> None:
    scratch.put("src/mine.py", "")
    scratch.commit()
    scratch.git("checkout", "--quiet", "main")
    scratch.put("src/theirs.py", "")
    scratch.commit()
    scratch.git("checkout", "--quiet", "topic")
    assert changes(scratch.folder) == {"src/mine.py": Status.ADDED}


def test_edit_after_a_commit_keeps_the_status_since_the_base(scratch: Scratch) -> None:
    scratch.put("src/new.py", "")
    scratch.commit()
    scratch.put("src/new.py", "x")
    assert changes(scratch.folder) == {"src/new.py": Status.ADDED}


@pytest.mark.parametrize("name", ["a b.py", 'a"b.py', "a\nb.py", "é.py", "a\\b.py"])
def test_names_stay_whole(scratch: Scratch, name: str) -> None:
    scratch.put(name, "")
    assert changes(scratch.folder) == {name: Status.UNTRACKED}
    scratch.commit()
    assert changes(scratch.folder) == {name: Status.ADDED}


def test_nothing_changed(scratch: Scratch) -> None:
    assert changes(scratch.folder) == {}


def test_worktree_counts_its_own_changes(scratch: Scratch, tmp_path: Path) -> None:
    scratch.git("worktree", "add", "--quiet", str(tmp_path / "other"), "-b", "other", "main")
    scratch.put("src/mine.py", "")
    Scratch(tmp_path / "other").put("src/theirs.py", "")
    assert changes(tmp_path / "other") == {"src/theirs.py": Status.UNTRACKED}


def test_subfolder_counts_what_lies_in_it_by_its_own_paths(scratch: Scratch) -> None:
    scratch.put("outside.py", "")
    scratch.put("src/committed.py", "")
    scratch.commit()
    scratch.put("src/new.py", "")
    assert changes(scratch.folder / "src") == {"committed.py": Status.ADDED, "new.py": Status.UNTRACKED}


def test_content_is_that_of_the_base(scratch: Scratch) -> None:
    scratch.put("src/edited.py", "x")
    git = Git(GIT, str(scratch.folder))
    assert git.content(git.since("main"), "src/edited.py") == "edited\n" * 9
    assert git.content(git.since("main"), "src/absent.py") == ""


def test_base_is_named(scratch: Scratch) -> None:
    base = scratch.git("rev-parse", "main")
    assert Git(GIT, str(scratch.folder)).since("main") == Since("main", base)


@pytest.mark.parametrize("revision", ["absent", "--all", "", "main..topic"])
def test_unknown_revision_says_what_to_do(scratch: Scratch, revision: str) -> None:
    with pytest.raises(GitError) as raised:
        Git(GIT, str(scratch.folder)).since(revision)
    assert str(raised.value) == (
        f"Git knows no commit `{revision}`: run `git fetch origin`, or give --since a branch, a tag or a commit of "
        "`git log --all`."
    )


def test_shallow_clone_says_what_to_fetch(scratch: Scratch, tmp_path: Path) -> None:
    scratch.put("src/mine.py", "")
    scratch.commit()
    shallow = tmp_path / "shallow"
    scratch.git("clone", "--quiet", "--depth=1", "--branch=topic", scratch.folder.as_uri(), str(shallow))
    with pytest.raises(GitError, match=r"this clone is shallow: run `git fetch --unshallow origin`, then --since="):
        Git(GIT, str(shallow)).since("main")
    Scratch(shallow).git("fetch", "--quiet", "--depth=1", "origin", "main:main")
    with pytest.raises(GitError, match=r"no commit in common in this shallow clone: run `git fetch --unshallow"):
        Git(GIT, str(shallow)).since("main")
    Scratch(shallow).git("fetch", "--quiet", "--unshallow", "origin")
    assert changes(shallow, "origin/topic") == {}
    assert changes(shallow) == {"src/mine.py": Status.ADDED}


def test_unrelated_histories_are_told_apart(scratch: Scratch) -> None:
    scratch.git("checkout", "--quiet", "--orphan", "lone")
    scratch.put("src/lone.py", "")
    scratch.commit()
    with pytest.raises(GitError, match=r"^`main` and HEAD have no commit in common: give --since a revision"):
        Git(GIT, str(scratch.folder)).since("main")


def test_repository_without_a_commit_and_folder_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"^Git finds no repository at .*not a git repository.*\. Run this in a clone"):
        Git(GIT, str(tmp_path)).since("main")
    Scratch.make(tmp_path)
    with pytest.raises(GitError, match=r"has no commit yet.*: commit first\.$"):
        Git(GIT, str(tmp_path)).since("main")


def test_name_that_is_not_unicode_is_shown_escaped(scratch: Scratch) -> None:
    (scratch.folder / "a\udcff.py").write_text("")
    git = Git(GIT, str(scratch.folder))
    assert git.changes(git.since("main")) == (Change("a\\xff.py", Status.UNTRACKED),)
