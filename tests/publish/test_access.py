"""Who may see a publication, whose terms forbid one, and what happens to what was there before."""

import json
import re

import pytest

from occbench.core.errors import ConfigError
from occbench.core.interfaces import Source
from occbench.core.plugins import BUILT_IN, find_plugin, plugin_names
from occbench.data.manifest import read_manifest
from occbench.publish.citations import FAMILIES
from occbench.publish.licence import permitted_licence

from .test_hub import STORED, contents


def with_source(copy, name, terms="for research only"):
    """Make a dataset look as if its images came from another source."""
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["source"] |= {"name": name, "terms": terms}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


@pytest.fixture
def copy(toys, tmp_path):
    import shutil

    return shutil.copytree(toys(**STORED), tmp_path / "copy")


LICENCES = {"toyparts": "apache-2.0", "caltech101": "cc-by-4.0"}
#: (source, mode, licence that the publisher states, words of the refusal or None where it is allowed)
RULES = [
    ("toyparts", "pixels", "", None),
    ("caltech101", "pixels", "", None),
    ("imagenet", "pixels", "", r"only go to those who accept their terms: for research only\. Publish with --as gated"),
    ("imagenet", "pixels", "mit", "may only go to those who accept their terms"),
    ("imagenet", "gated", "", None),
    ("imagenet", "recipe", "", None),
    ("part_imagenet", "pixels", "", "may only go to those who accept their terms"),
    ("cub200", "pixels", "", "may only go to those"),
    ("oxford102", "pixels", "", "may only go to those"),
    ("ar_faces", "gated", "", "may not be passed on, nor what is made from them"),
    ("ar_faces", "recipe", "", None),
    ("image_folder", "pixels", "", r"nothing says under which licence .* --licence cc-by-4\.0"),
    ("image_folder", "pixels", "cc-by-4.0", None),
    ("hub", "gated", "", "nothing says under which licence"),
    ("somebody-elses", "pixels", "", "nothing says under which licence"),
]


@pytest.mark.parametrize(("source", "mode", "licence", "words"), RULES)
def test_the_terms_of_the_source_decide(source, mode, licence, words, toys):
    manifest = read_manifest(toys())
    entry = manifest.source.model_copy(update={"name": source, "terms": "for research only"})
    manifest = manifest.model_copy(update={"source": entry})
    if words is None:
        assert permitted_licence(manifest, mode, licence) == (licence or LICENCES.get(source, "other"))
    else:
        with pytest.raises(ConfigError, match=words):
            permitted_licence(manifest, mode, licence)


def test_every_source_says_who_may_have_its_images():
    users_own = {"hub", "image_folder"}
    for name in plugin_names("sources"):
        source = find_plugin("sources", name, Source)
        assert source.sharing in ("free", "gated", "never", "ask")
        if source.sharing == "ask" and name not in users_own:
            assert source.terms == Source.terms, f"{name} states terms, so it must say who may have its images"
        assert bool(source.licence) == (source.sharing == "free")


def test_every_built_in_family_has_its_papers():
    assert BUILT_IN["occlusions"].keys() <= FAMILIES.keys()


def test_a_refusal_by_the_terms_is_one_line_on_the_command_line(occbench_cli, copy):
    code, _, err = occbench_cli("publish", with_source(copy, "imagenet"), "lab/toys", "--dry-run")
    assert code == 2
    assert err.strip().splitlines() == [
        "occbench: the images of imagenet may only go to those who accept their terms: for research only. Publish with "
        "--as gated, or with --as recipe, which holds no pixels of theirs."
    ]


def test_nothing_is_sent_to_a_gated_repository_before_it_is_gated(hub, as_user, copy):
    done = as_user("publish", with_source(copy, "imagenet"), "lab/gated", "--as", "gated")
    assert done.returncode == 0, done.stderr
    assert hub.repo("lab/gated").gated == "manual"
    requests = [request for _, request, _ in hub.log]
    gate = next(
        number for number, request in enumerate(requests) if request.startswith("PUT") and "settings" in request
    )
    assert not [request for request in requests[:gate] if "/commit/" in request or "/put/" in request]
    card = hub.repo("lab/gated").files()["README.md"].content.decode()
    assert "extra_gated_prompt: 'These images are made from those of imagenet. Their terms: for research only.'" in card
    hub.fail("PUT .*/settings", status=403, times=9)
    refused = as_user("publish", copy, "lab/other", "--as", "gated")
    assert refused.returncode == 2
    assert contents(hub.repo("lab/other")) == {}


@pytest.mark.slow
def test_a_private_repository_is_private_and_a_public_one_is_not_made_so_silently(hub, as_user, toys):
    assert as_user("publish", toys(), "lab/private", "--private").returncode == 0
    assert hub.repo("lab/private").private
    read = "import occbench; print(len(occbench.load('lab/private')))"
    assert "may not see it" in as_user(code=read, env={"HF_TOKEN": "hf_reader"}).stderr
    assert as_user(code=read).stdout == "24\n"
    hub.store.create("dataset", "lab/public")
    done = as_user("publish", toys(), "lab/public", "--private")
    assert done.returncode == 2
    assert "lab/public is public, and --private was asked for" in done.stderr
    assert contents(hub.repo("lab/public")) == {}


@pytest.mark.slow
def test_a_token_that_may_only_read_is_one_line(as_user, toys):
    done = as_user("publish", toys(), "lab/toys", env={"HF_TOKEN": "hf_reader"})
    assert done.returncode == 2
    assert "the token may not do this" in done.stderr
    assert "hf_reader" not in done.stdout + done.stderr


def test_nobody_logged_in_is_one_line(as_user, toys, home, tmp_path):
    (home / "token").rename(tmp_path / "token")
    try:
        done = as_user("publish", toys(), "lab/toys")
    finally:
        (tmp_path / "token").rename(home / "token")
    assert done.returncode == 2
    assert "nobody is logged in. Run `hf auth login`" in done.stderr


@pytest.mark.slow
def test_a_branch_is_made_and_the_main_one_left_alone(hub, as_user, toys):
    assert as_user("publish", toys(), "lab/toys", "--revision", "v2").returncode == 0
    repo = hub.repo("lab/toys")
    assert "manifest.json" in repo.files("v2")
    assert "manifest.json" not in repo.files("main")


def test_another_dataset_replaces_the_old_one_and_leaves_what_its_owners_added(hub, as_user, toys):
    assert as_user("publish", toys(**STORED), "lab/toys").returncode == 0
    repo = hub.repo("lab/toys")
    blob = repo.files()["README.md"]
    repo.commit("main", {**repo.files(), "LICENSE": blob, "clean/notes.txt": blob}, "add a licence")
    done = as_user("publish", toys(), "lab/toys")
    assert done.returncode == 0, done.stderr
    assert "3 files of an earlier publication were removed" in done.stdout
    there = contents(hub.repo("lab/toys"))
    assert {"LICENSE", "clean/notes.txt", "clean/shard-00000.parquet"} <= there.keys()
    assert not [path for path in there if path.startswith("occluded/")]
    assert repo.messages[-3:] == [
        "Make room for another publication: remove 1 files",  # the manifest
        "Publish README.md and 2 more",
        "Publish manifest.json",
    ]


@pytest.mark.slow
def test_somebody_elses_repository_is_left_alone(hub, as_user, toys):
    repo = hub.store.create("dataset", "lab/theirs")
    repo.commit("main", {**repo.files(), "train.csv": repo.files()[".gitattributes"]}, "theirs")
    before = contents(repo)
    done = as_user("publish", toys(), "lab/theirs")
    assert done.returncode == 2
    assert "holds 1 files that occbench did not put there, train.csv among them" in done.stderr
    assert contents(repo) == before


def test_a_damaged_dataset_is_not_sent(hub, as_user, copy):
    file = copy / "clean/shard-00001.parquet"
    content = bytearray(file.read_bytes())
    content[200] ^= 1
    file.write_bytes(content)
    done = as_user("publish", copy, "lab/toys")
    assert done.returncode == 2
    assert "shard-00001.parquet is missing or not what manifest.json says, so nothing was sent" in done.stderr
    assert not hub.log


@pytest.mark.parametrize("name", ["toys", "a/b/c", "../x", "lab/..", "lab/a--b", "lab/ü", ""])
def test_a_name_that_is_none_is_refused_at_once(name, occbench_cli, toys):
    code, _, err = occbench_cli("publish", toys(), name, "--dry-run")
    assert code == 2
    assert "a repository on the Hub is called NAMESPACE/NAME" in err


def test_what_only_this_machine_can_render_is_refused(finished, occbench_cli):
    code, _, err = occbench_cli("publish", finished(), "lab/toys", "--dry-run", "--licence", "cc0-1.0")
    assert code == 2
    assert re.search(r"the recipe reads occlusions.0.bank, \S+, which is on this machine only", err)
    code, _, err = occbench_cli("publish", finished(**STORED), "lab/toys", "--dry-run", "--licence", "cc0-1.0")
    assert code == 0
    assert "others read the images with load_dataset" in err
