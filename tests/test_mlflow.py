"""A network saved and logged by MLflow: a model file, and the results of the network."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mlflow", reason="mlflow is not installed: pip install cnnfast[mlflow]")

import pandas
from picture_tables import encoded, random_images
from small_networks import small_net

from cnnfast import ConfigError, InputError, Network
from cnnfast.arrow import Classifier
from cnnfast.layers import Linear
from cnnfast.mlflow import log_model, save_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

IMAGES = random_images(20)


@pytest.fixture
def frame() -> pandas.DataFrame:
    return pandas.DataFrame({"id": range(21), "content": [*encoded(IMAGES).to_pylist(), b"no picture"]})


def test_a_saved_model_holds_a_model_file(frame: pandas.DataFrame, tmp_path: Path) -> None:
    from mlflow import pyfunc

    save_model("cifar10-cs61c", tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib")]
    (network,) = [path for path in files if path.suffix == ".safetensors"]
    net = Network.load("cifar10-cs61c")
    assert Network.load(network).classes_.tolist() == net.classes_.tolist()
    model = pyfunc.load_model(str(tmp_path / "model"))
    result = model.predict(frame)
    assert result["label"].tolist()[:20] == net.predict(IMAGES).tolist()
    assert result["error"].tolist()[20] == "not a picture in a format that Pillow can read"
    several = model.predict(frame, params={"top": 2, "probabilities": True, "column": "content"})
    assert list(several) == ["label_1", "probability_1", "label_2", "probability_2", "probabilities", "error"]
    assert several["label_1"].tolist()[:20] == net.predict(IMAGES).tolist()
    assert "cnnfast[arrow,mlflow]==" in (tmp_path / "model" / "requirements.txt").read_text()


def test_a_network_that_borrows_weights_is_saved_with_them(frame: pandas.DataFrame, tmp_path: Path) -> None:
    from mlflow import pyfunc

    base, head = tmp_path / "base.safetensors", tmp_path / "head.safetensors"
    small_net().save(base)
    small_net(classes=list("efgh")).save(head, borrow=base)
    expected = Classifier(head, probabilities=True)(frame).to_pandas()
    save_model(head, tmp_path / "model")
    base.unlink()
    result = pyfunc.load_model(str(tmp_path / "model")).predict(frame, params={"probabilities": True})
    assert set(result["label"][:20]) <= set("efgh")
    pandas.testing.assert_frame_equal(result, expected)


def test_parameters(frame: pandas.DataFrame, tmp_path: Path) -> None:
    from cnnfast.mlflow import _load_pyfunc

    small_net().save(tmp_path / "net.safetensors")
    model = _load_pyfunc(str(tmp_path / "net.safetensors"))
    assert list(model.predict(frame, {"top": 2}))[:2] == ["label_1", "probability_1"]
    with pytest.raises(ConfigError, match="params can be top, probabilities, column, but there is 'tpo'"):
        model.predict(frame, {"tpo": 2})


def test_a_run_logs_it(frame: pandas.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    # the small package of mlflow has no other store
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("pictures", (tmp_path / "artifacts").as_uri()))
    with mlflow.start_run():
        logged = log_model("cifar10-cs61c", "classifier")
    result = mlflow.pyfunc.load_model(logged.model_uri).predict(frame)
    assert result["label"].tolist()[:20] == Network.load("cifar10-cs61c").predict(IMAGES).tolist()


def test_a_network_that_takes_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="preprocess"):
        save_model(Network.from_layers([Linear([[1.0]])], (1,)), tmp_path / "model")
