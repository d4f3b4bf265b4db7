"""Rows as other programs want them: Parquet, MegaDetector's JSON, Camtrap DP, and columns of scores and EXIF."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from systems import posix

from cnnfast.cli import camtrap as camtrap_rows
from cnnfast.cli import megadetector, parquet_rows
from cnnfast.cli.camtrap import FIELDS
from cnnfast.cli.records import Row


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    """Pictures of two cameras, one without a time, one with an offset from UTC, one broken."""
    folder = tmp_path / "traps"
    for name, color, time, offset in (
        ("cam1/a.jpg", (250, 0, 0), "2024:05:01 06:30:00", None),
        ("cam1/b.jpg", (0, 250, 0), None, None),
        ("cam2/day/c.jpg", (0, 0, 250), "2024:12:31 23:59:59", "-03:30"),
        ("cam2/day/d.jpg", (250, 0, 0), "0000:00:00 00:00:00", None),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        part = exif.get_ifd(0x8769)
        if time is not None:
            part[0x9003] = time
        if offset is not None:
            part[0x9011] = offset
        Image.new("RGB", (8, 8), color).save(folder / name, exif=exif, quality=100)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_scores_and_exif_are_columns(run, traps, model, tmp_path):
    run("classify", traps, "--model", model, "--out", tmp_path / "x.csv", "--scores", "--exif")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = {Path(row["picture"]).name: row for row in csv.DictReader(file)}
    assert list(rows["a.jpg"]) == [
        "picture", "label", "probability", "time", "folder", "score_red", "score_green", "score_blue", "error",
    ]  # fmt: skip
    assert [rows[name]["time"] for name in sorted(rows)] == [
        "2024-05-01T06:30:00", "", "", "2024-12-31T23:59:59-03:30", "",
    ]  # fmt: skip
    assert [rows[name]["folder"] for name in sorted(rows)] == ["cam1", "cam1", "", "cam2/day", "cam2/day"]
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        scores = {color: float(rows[name][f"score_{color}"]) for color in ("red", "green", "blue")}
        assert scores[rows[name]["label"]] == max(scores.values()) == float(rows[name]["probability"])
        assert sum(scores.values()) == pytest.approx(1, abs=1e-6)
    content = (tmp_path / "x.csv").read_bytes()
    (tmp_path / "x.csv").write_bytes(content[:-30])
    words = ("classify", traps, "--model", model, "--out", tmp_path / "x.csv", "--resume")
    assert run(*words, "--scores", "--exif").status == 1
    assert (tmp_path / "x.csv").read_bytes() == content
    assert "exif = True, and now exif = None" in run(*words, "--scores").err


def test_parquet_has_a_typed_column_for_each(run, traps, model, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    polars = pytest.importorskip("polars")
    words = ("classify", traps, "--model", model, "--scores", "--exif")
    run(*words, "--out", tmp_path / "x.parquet")
    run(*words, "--out", tmp_path / "x.jsonl")
    expected = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    table = parquet.read_table(tmp_path / "x.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["score_red"] == types["probability"] == "float"
    assert types["label"] == types["error"] == types["picture"] == "string"
    frame = polars.read_parquet(tmp_path / "x.parquet")
    assert len(frame) == len(expected) == 5
    for row, wanted in zip(frame.to_dicts(), expected, strict=True):
        for name, value in row.items():
            assert value == (pytest.approx(wanted[name]) if isinstance(value, float) else wanted.get(name))
    run("find", "red", traps, "--model", model, "--out", tmp_path / "y.parquet")
    assert polars.read_parquet(tmp_path / "y.parquet")["found"].to_list() == [None, True, False, False, True]


def test_formats_written_as_a_whole_are_resumed(run, traps, model, tmp_path):
    pytest.importorskip("pyarrow")
    words = ("classify", traps, "--model", model, "--out")
    for name in ("x.parquet", "x.json"):
        run(*words, tmp_path / name)
        whole, journal = (tmp_path / name).read_bytes(), tmp_path / f"{name}.rows.jsonl"
        rows = journal.read_bytes()
        assert "exists already" in run(*words, tmp_path / name).err
        journal.write_bytes(rows[: len(rows) // 2])
        (tmp_path / name).unlink()
        assert run(*words, tmp_path / name, "--resume").status == 1
        assert (tmp_path / name).read_bytes() == whole
        assert journal.read_bytes() == rows
        assert run(*words, tmp_path / name, "--force").status == 1
        journal.unlink()
        assert f"cannot be resumed without {journal.name}" in run(*words, tmp_path / name, "--resume").err


def test_parquet_after_the_folder_has_grown(run, traps, model, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    words = ("classify", traps, "--model", model, "--out", tmp_path / "x.parquet")
    run(*words)
    Image.new("RGB", (8, 8), "red").save(traps / "cam1" / "aa.png")
    run(*words, "--resume")
    assert [Path(p).name for p in parquet.read_table(tmp_path / "x.parquet")["picture"].to_pylist()][-1] == "aa.png"


@posix
def test_names_that_are_not_text_are_in_parquet(run, traps, model, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (traps / "cam1" / "a.jpg").rename(str(traps / "cam1") + "/caf\udce9.jpg")
    run("classify", traps / "cam1", "--model", model, "--out", tmp_path / "x.parquet")
    assert parquet.read_table(tmp_path / "x.parquet")["picture"].to_pylist()[1].endswith("/caf\\xe9.jpg")


def test_megadetector_format(run, traps, model, tmp_path):
    run("classify", traps, "--model", model, "--out", tmp_path / "x.json")
    found = json.loads((tmp_path / "x.json").read_text())
    assert float(found["info"]["format_version"]) >= 1.3
    assert found["classification_categories"] == {"0": "red", "1": "green", "2": "blue"}
    by_name = {Path(image["file"]).name: image for image in found["images"]}
    assert by_name["broken.jpg"]["detections"] is None
    assert isinstance(by_name["broken.jpg"]["failure"], str)
    (detection,) = by_name["c.jpg"]["detections"]
    assert detection["bbox"] == [0, 0, 1, 1]
    assert detection["category"] in found["detection_categories"]
    classes = detection["classifications"]
    assert classes[0] == ["2", detection["conf"]]
    assert all(
        (tmp_path / image["file"]).exists() and not Path(image["file"]).is_absolute() for image in found["images"]
    )
    assert [score for _, score in classes] == sorted((score for _, score in classes), reverse=True)


def test_megadetectors_own_validator_agrees(run, traps, model, tmp_path):
    validate = pytest.importorskip(
        "megadetector.postprocessing.validate_batch_results",
        reason="megadetector is not installed",
        exc_type=ImportError,
    )
    run("find", "red", traps, "--model", model, "--out", tmp_path / "x.json")
    result = validate.validate_batch_results(str(tmp_path / "x.json"))["validation_results"]
    assert result["errors"] == result["warnings"] == []


def camtrap(run, traps, model, tmp_path, *more):
    words = ("--out", tmp_path / "obs.csv", "--format", "camtrap-dp", "--utc-offset", "+02:00")
    result = run("classify", traps, "--model", model, *words, *more)
    with (tmp_path / "obs.csv").open(newline="") as file:
        return result, list(csv.DictReader(file))


def test_camtrap_dp_observations(run, traps, model, tmp_path):
    (tmp_path / "taxa.csv").write_text("label,scientificName,observationType\nred,Vulpes vulpes,animal\nblue,,blank\n")
    result, rows = camtrap(run, traps, model, tmp_path, "--taxa", tmp_path / "taxa.csv")
    assert tuple(rows[0]) == FIELDS
    assert [
        (row["deploymentID"], row["eventStart"], row["observationType"], row["scientificName"]) for row in rows
    ] == [
        ("cam1", "2024-05-01T06:30:00+02:00", "animal", "Vulpes vulpes"),
        ("cam2", "2024-12-31T23:59:59-03:30", "blank", ""),
    ]
    for row in rows:
        assert row["eventEnd"] == row["eventStart"]
        assert datetime.strptime(row["eventStart"], "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None
        assert (row["observationLevel"], row["classificationMethod"]) == ("media", "machine")
        assert 0.5 < float(row["classificationProbability"]) <= 1
        assert Path(row["mediaID"]).exists()
    assert len({row["observationID"] for row in rows}) == len(rows)
    assert "3 pictures have no observation, which needs a time" in result.err


def table_schema():
    """Return the constraints of the standard on the fields that are filled, as a Table Schema."""
    kinds = {
        "eventStart": "datetime",
        "eventEnd": "datetime",
        "classificationProbability": "number",
        "count": "integer",
    }
    enums = {
        "observationLevel": ["media", "event"],
        "observationType": ["animal", "human", "vehicle", "blank", "unknown", "unclassified"],
        "classificationMethod": ["human", "machine"],
    }
    required = {"observationID", "deploymentID", "eventStart", "eventEnd", "observationLevel", "observationType"}
    fields = []
    for name in FIELDS:
        field = {"name": name, "type": kinds.get(name, "string"), "constraints": {"required": name in required}}
        if field["type"] == "datetime":
            field["format"] = "%Y-%m-%dT%H:%M:%S%z"
        if name in enums:
            field["constraints"]["enum"] = enums[name]
        fields.append(field)
    return {"fields": fields, "primaryKey": "observationID", "missingValues": ["", "NaN", "nan"]}


@pytest.mark.filterwarnings("ignore")
def test_frictionless_finds_the_table_valid(run, traps, model, tmp_path, monkeypatch):
    frictionless = pytest.importorskip("frictionless", reason="frictionless is not installed")
    camtrap(run, traps, model, tmp_path)
    monkeypatch.chdir(tmp_path)
    schema = frictionless.Schema.from_descriptor(table_schema())
    report = frictionless.Resource(path="obs.csv", schema=schema).validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("classify", "--out", "x.csv", "--format", "camtrap-dp"), "give --utc-offset +01:00, or Z"),
        (("find", "red", "--out", "x.csv", "--format", "camtrap-dp", "--utc-offset", "Z"), "so it is for `classify`"),
        (("classify", "--out", "x.csv", "--format", "parquet"), "is written to a file that ends in .parquet"),
        (("classify", "--out", "x.txt"), "rows are written as .csv or .json or .parquet or .jsonl"),
        (("classify", "--format", "csv"), "--format is that of the rows in a file"),
        (("classify", "--out", "x.csv", "--taxa", "t.csv"), "--taxa and --utc-offset are for --format camtrap-dp"),
        (("classify", "--utc-offset", "+25:00"), "must be Z or like +01:00"),
        (("classify", "--exif", "--thumbnails"), "leave out one of the two"),
    ],
)
def test_what_does_not_go_together_is_said(run, traps, model, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    result = run(*words, traps, "--model", model)
    assert result.status == 2
    assert said in result.err
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("content", ["", "name,kind\na,b\n", "label,observationType\nred,plant\n", None])
def test_taxa_that_cannot_be_used_are_refused(run, traps, model, tmp_path, content):
    if content is not None:
        (tmp_path / "taxa.csv").write_text(content)
    words = (
        "--out",
        tmp_path / "x.csv",
        "--format",
        "camtrap-dp",
        "--utc-offset",
        "Z",
        "--taxa",
        tmp_path / "taxa.csv",
    )
    result = run("classify", traps, "--model", model, *words)
    assert result.status == 2
    assert "taxa.csv: " in result.err


def test_what_is_unknown_is_said_in_every_format(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = ("label", "probability", "unknown", "time", "folder", "score_fox", "score_empty")
    cells = ("fox", 0.75, "2024-05-01T06:30:00", "cam1", 0.75, 0.25)
    rows = [Row("a.jpg", (*cells[:2], False, *cells[2:]), None), Row("b.jpg", (*cells[:2], True, *cells[2:]), None)]
    parquet_rows.writer(columns)(tmp_path / "x.parquet", iter(rows))
    assert parquet.read_table(tmp_path / "x.parquet")["unknown"].to_pylist() == [False, True]
    megadetector.writer(columns, "net")(tmp_path / "x.json", iter(rows))
    known, unknown = json.loads((tmp_path / "x.json").read_text())["images"]
    assert known["detections"][0]["classifications"] == [["0", 0.75], ["1", 0.25]]
    assert "classifications" not in unknown["detections"][0]
    camtrap_rows.writer(columns, "net", "Z", {})(tmp_path / "x.csv", iter(rows))
    with (tmp_path / "x.csv").open(newline="") as file:
        assert [row["observationType"] for row in csv.DictReader(file)] == ["animal", "unknown"]
