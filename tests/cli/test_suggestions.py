"""What is misspelled is named together with what was probably meant; labels may be given where a model has none."""

from __future__ import annotations

import re

import pytest

from cnnfast import ConfigError, ModelFileError, Network
from cnnfast.cli.parser import Parser
from cnnfast.cli.train import add_arguments


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("clasify", "x.jpg"), "there is no command 'clasify'; did you mean 'classify'? Known: find, "),
        (("zzz",), "there is no command 'zzz'; known: find, "),
        (("classify", "--modle", "m", "x.jpg"), "there is no option --modle; did you mean --model?"),
        (("classify", "--modle=m", "x.jpg"), "there is no option --modle; did you mean --model?"),
        (("classify", "x.jpg", "--xyzzy"), "there is no option --xyzzy"),
        (("train", "--archtecture", "lenet"), "there is no option --archtecture; did you mean --architecture?"),
        (("train", "x", "--optimizer", "adan"), "argument --optimizer: there is no 'adan'; did you mean 'adam'?"),
        (("--versoin",), "there is no option --versoin; did you mean --version?"),
    ],
)
def test_a_misspelled_command_or_option(words, said, run):
    result = run(*words)
    assert result.status == 2
    first, second = result.err.splitlines()
    assert said in first
    assert second.endswith("--help explains")


def test_a_path_behind_two_dashes_is_no_option(run, model):
    result = run("classify", "--model", model, "--", "--modle")
    assert "--modle: no such file" in result.err


def test_a_misspelled_network_and_class(run, album, model):
    assert "did you mean 'cifar10-resnet'? Shipped are: " in run("summary", "cifar10-resnt").err
    assert "did you mean 'red'? Its classes are: red, green, blue" in run("find", "rad", album, "--model", model).err
    with pytest.raises(ModelFileError, match="did you mean 'mnist-mlp'"):
        Network.load("mnist_mlp")


@pytest.mark.parametrize(
    ("option", "value", "meant"),
    [
        ("--schedule", "cosin", "cosine"),
        ("--schedule", "linear:warmp=0.1", "warmup"),
        ("--augment", "flp", "flip"),
        ("--average", "emma", "ema"),
    ],
)
def test_a_misspelled_part_of_a_recipe(option, value, meant, run, album, tmp_path):
    words = ("train", album, "--architecture", "lenet", "--out", tmp_path / "net.safetensors", option, value)
    result = run(*words)
    assert result.status == 2
    assert f"did you mean {meant!r}?" in result.err


def test_a_misspelled_option_of_a_reader(tmp_path):
    with pytest.raises(ConfigError, match=r"takes no option 'preproces'.*did you mean 'preprocess'"):
        Network.load("mnist-mlp", preproces="raw")


def test_labels_for_a_model_without_any(run, album, model, tmp_path):
    net = Network.load(model)
    bare = tmp_path / "bare.safetensors"
    Network.from_graph(net.graph, preprocess=net.preprocess).save(bare)
    picture = album / "b" / "0.png"
    assert run("classify", picture, "--model", bare).out.startswith("0")
    assert run("classify", picture, "--model", bare, "--labels", "rot,grün,blau").out.startswith("rot ")
    names = tmp_path / "names.txt"
    names.write_text("rot\ngrün\nblau\n", "utf-8")
    assert str(picture) in run("find", "rot", picture, "--model", bare, "--labels", names).out
    assert "only numbers up to 2; give the labels with --labels" in run("find", "rot", picture, "--model", bare).err
    assert (
        "so there must be 3 labels, but there are 2" in run("classify", picture, "--model", bare, "--labels", "a,b").err
    )
    assert "no such file of labels" in run("classify", picture, "--model", bare, "--labels", "names.text").err


def test_the_options_of_train_are_in_groups():
    parser = Parser("train")
    add_arguments(parser)
    text = parser.format_help()
    for title in (
        "the network",
        "what stays as it is",
        "a teacher",
        "how long, and from what",
        "the optimizer",
        "the run",
    ):
        assert re.search(rf"^{title}:$", text, re.MULTILINE), title
    # what every run needs comes first
    assert text.index("--out FILE  ") < text.index("the network:") < text.index("the optimizer:")
