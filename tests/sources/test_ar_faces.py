"""AR faces: everything is in the file names; drawn stand-ins, because the photographs may not be passed on."""

import pytest
from PIL import Image

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.ar_faces import PICTURES, ARFaces


def make(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 5)).save(root / name)
    return str(root)


@pytest.fixture
def whole(tmp_path):
    """Two men and one woman with all 26 pictures."""
    return make(
        tmp_path, [f"{who}-{picture:02d}.bmp" for who in ("W-001", "M-001", "M-012") for picture in range(1, 27)]
    )


def test_every_picture_shows_one_thing():
    assert sorted(number for numbers in PICTURES.values() for number in numbers) == list(range(1, 27))
    for kind in ("plain", "sunglasses", "scarf"):
        assert [number + 13 for number in PICTURES[f"{kind}-1"]] == list(PICTURES[f"{kind}-2"])


def test_people_are_the_classes(whole):
    source = ARFaces(whole)
    assert source.classes == ("m-001", "m-012", "w-001")
    assert [source.labels_of(index)[0] for index in range(len(source))] == [
        person for person in range(3) for _ in range(26)
    ]
    assert [source.key(index) for index in range(26)] == [f"m-001-{picture:02d}" for picture in range(1, 27)]


def test_names_are_read_whatever_their_case_zeros_and_folders(tmp_path):
    path = make(tmp_path, ["session1/m-1-2.png", "session1/F-01-13.bmp", "session2/M-001-20.bmp"])
    source = ARFaces(path)
    assert source.classes == ("m-001", "w-001")
    assert [(source.labels_of(index), source.key(index)) for index in range(3)] == [
        ((0,), "session1-m-1-2"),
        ((0,), "session2-m-001-20"),
        ((1,), "session1-f-01-13"),
    ]


def test_only_the_pictures_asked_for_are_there(whole):
    source = ARFaces(whole, pictures=PICTURES["plain-1"])
    assert len(source) == 21
    assert {source.key(index)[-2:] for index in range(21)} == {f"{picture:02d}" for picture in range(1, 8)}


def test_a_plain_picture_knows_the_occluded_ones_of_its_session(tmp_path):
    names = {number: f"m-001-{number:02d}.bmp" for number in range(1, 27)}
    for number, name in names.items():
        Image.new("RGB", (4, 5), (number, 0, 0)).save(tmp_path / name)
    source = ARFaces(str(tmp_path), pictures=(*PICTURES["plain-1"], 8, *PICTURES["plain-2"]))
    for index in range(len(source)):
        example = source[index]
        picture = int(example.key[-2:])
        shown = {name: int(decode()[0, 0, 0]) for name, decode in example.photographs.items()}
        assert example.image[0, 0, 0] == picture
        if picture == 8:
            assert shown == {}
            continue
        first = 8 if picture < 14 else 21
        names_in_order = [f"{worn}-{light}" for worn in ("sunglasses", "scarf") for light in ("even", "left", "right")]
        assert shown == {name: first + place for place, name in enumerate(names_in_order)}


def test_photographs_that_are_not_there_are_left_out_and_seen_by_the_fingerprint(tmp_path):
    source = ARFaces(make(tmp_path, ["m-001-01.bmp", "m-001-12.bmp"]), pictures=(1,))
    assert list(source[0].photographs) == ["scarf-left"]
    before = source.fingerprint
    again = ARFaces(make(tmp_path, ["m-001-13.bmp"]), pictures=(1,))
    assert list(again[0].photographs) == ["scarf-left", "scarf-right"]
    assert again.fingerprint != before
    assert ARFaces(str(tmp_path), pictures=(1, 12)).fingerprint != again.fingerprint


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["m-001-27.bmp"], r"m-001-27\.bmp is not called as"),
        (["m-001-00.bmp"], "is not called as"),
        (["anna.bmp"], r"anna\.bmp is not called as"),
        (["m-001-01.bmp", "more/M-1-1.png"], "picture 1 of m-001 twice"),
        (["m-001-01.bmp"], "none of the pictures asked for"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(tmp_path, names, complaint):
    with pytest.raises(SourceError, match=complaint):
        len(ARFaces(make(tmp_path, names), pictures=(26,)))


def test_options_are_checked():
    with pytest.raises(ConfigError, match="needs path"):
        ARFaces("")
    for pictures, message in [
        ((0,), "pictures 1 to 26"),
        ((27,), "pictures 1 to 26"),
        ((3, 3), "pictures must differ"),
    ]:
        with pytest.raises(ConfigError, match=message):
            ARFaces("x", pictures=pictures)
