"""``cnnfast train DATA``: from labeled images to a model file."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from cnnfast.architectures import ARCHITECTURES, find
from cnnfast.calibration.api import calibrate, uncalibrated
from cnnfast.cli import INTERRUPTED, OK, SOME_FAILED, options, plot, train_replay
from cnnfast.cli.calibrate import FEW
from cnnfast.cli.progress import Failures, log
from cnnfast.cli.recipes import add_recipe, recipe_of, with_enough_steps
from cnnfast.cli.train_setup import TrainSetup, begin, part_to_test, taught
from cnnfast.cli.words import command_line, without_folders
from cnnfast.data.labels import alike_but_for_case
from cnnfast.errors import ConfigError, DataError, OutputError, TrainingError
from cnnfast.formats.saving import check_target
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.network.network import Network
from cnnfast.report.plots import write_confusion
from cnnfast.report.scores import Scores
from cnnfast.runtime.threads import threads_or_default
from cnnfast.train import INITS, Examples, feature_cache, fit, whitened, with_batch_norm, without_batch_norm
from cnnfast.train import trainer as ends
from cnnfast.train.history import CHECKPOINT, CONFUSION, Row, as_line
from cnnfast.train.transfer import with_graph


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("data", metavar="DATA", help=options.LABELED)
    options.add_columns(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the model file; replaced if it exists")
    network = parser.add_argument_group("the network")
    begins = network.add_mutually_exclusive_group(required=True)
    begins.add_argument("--architecture", metavar="NAME", help=f"one of {', '.join(ARCHITECTURES)}")
    begins.add_argument("--base", metavar="MODEL", help="a trained network to start from; other classes get a new head")
    network.add_argument(
        "--replay",
        action="store_true",
        help="with --base: mix new pictures with those that it remembers (`cnnfast remember`); trains only the head",
    )
    network.add_argument("--size", type=options.positive, metavar="N", help="side of the images that the network takes")
    options.add_preprocess(network)
    network.add_argument("--init", choices=INITS, help="what new convolutions do first: random, or pass values on")
    network.add_argument("--whiten", action="store_true", help="first convolution: principal components, and fixed")
    network.add_argument(
        "--batch-norm", action="store_true", help="learn with batch-norm after every layer, and fold it away at the end"
    )
    network.add_argument("--license", metavar="TEXT", help="license of the weights, stated in the model file")
    kept = parser.add_argument_group("what stays as it is")
    frozen = kept.add_mutually_exclusive_group()
    frozen.add_argument("--freeze", action="store_true", help="with --base: train only the head")
    frozen.add_argument("--freeze-up-to", metavar="LAYER", help="with --base: train only what comes after this layer")
    kept.add_argument(
        "--frozen-params",
        action="append",
        default=[],
        metavar="NAME",
        help="keep a layer or parameter as it is, as in '*.scale'",
    )
    teaching = parser.add_argument_group("a teacher")
    teaching.add_argument("--teacher", metavar="MODEL", help="learn its probabilities too, for every image")
    teaching.add_argument(
        "--teacher-share", type=options.probability, default=0.7, metavar="P", help="weight of those (0.7)"
    )
    add_recipe(parser)
    whole = parser.add_argument_group("the run")
    whole.add_argument(
        "--validation", type=options.probability, default=0.1, metavar="P", help="part set aside to measure with (0.1)"
    )
    whole.add_argument("--run-dir", type=Path, metavar="DIR", dest="folder", help="history, checkpoint (FILE.run)")
    existing = whole.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="continue an interrupted run")
    existing.add_argument("--force", action="store_true", help="start over where an earlier run has left its folder")
    whole.add_argument("--save-plots", type=Path, metavar="DIR", help="draw what `cnnfast plot` draws")
    options.add_max_pixels(whole)
    options.add_threads(whole)


def run(args: argparse.Namespace) -> int:
    """Train, write the model file, and measure it."""
    recipe = recipe_of(args)
    if (args.freeze or args.freeze_up_to is not None) and args.base is None:
        raise ConfigError("--freeze belongs to --base: a new network has nothing worth keeping")
    if args.init is not None and args.base is not None:
        raise ConfigError("--init belongs to --architecture: a base starts with the weights that it has")
    if args.preprocess is not None and args.base is None:
        raise ConfigError("--preprocess belongs to --base: a new network scales its input by the images")
    if args.replay:
        train_replay.check(args)
    # a run of hours must not fail because of a name
    check_target(args.out)
    folder = args.folder or args.out.with_name(f"{args.out.name}.run")
    if (folder / CHECKPOINT).exists() and not (args.resume or args.force):
        raise ConfigError(f"{folder}: holds an earlier run; use --resume to continue it, or --force to start over")
    failures = Failures()
    with threads_or_default(args.threads):
        setup = begin(
            *(args.data, args.architecture, args.base, args.preprocess, args.decode, args.size, recipe.seed),
            args.init or INITS[0],
            failures,
            args.columns,
            (lambda base, new: train_replay.mixed(base, new, recipe, args.validation)) if args.replay else None,
        )
        replay = setup.replay
        if replay is not None:
            # there are features of both views already
            recipe = replace(recipe, augment=())
        log(*alike_but_for_case(setup.net.classes_))
        if args.batch is None:
            recipe = with_enough_steps(recipe, len(setup.examples))
        if args.batch_norm:
            setup = replace(setup, net=with_graph(setup.net, with_batch_norm(setup.net.graph)))
        examples = setup.examples
        if args.whiten:
            net, layer = whitened(setup.net, examples.images)
            setup, args.frozen_params = replace(setup, net=net), [*args.frozen_params, f"{layer}.weight"]
        if args.teacher is not None:
            examples = taught(examples, uncalibrated(Network.load(args.teacher)), args.teacher_share)
        try:
            fitted = fit(
                setup.net,
                examples,
                recipe,
                validation=args.validation or None if replay is None else replay.held,
                freeze=_last_frozen(args, setup),
                frozen_params=args.frozen_params,
                cache=feature_cache(),
                run_dir=folder,
                resume=args.resume,
                report=lambda row: _print_row(row, recipe.epochs),
            )
        except TrainingError as error:
            if isinstance(error.network, Network):
                good = _named(error.network, args)
                save_trained(good if replay is None else replay.finish(good), args.out)
                log(f"{args.out}: the last good weights")
            raise
        judge = net = _with_temperature(_named(fitted.network, args), fitted.validation, FEW if args.replay else 1)
        if replay is not None:
            net = replay.finish(judge)
            train_replay.report(replay, judge)
        save_trained(net, args.out)
        _measure(net, judge, fitted.validation, setup, folder, failures)
    log(*failures.lines(), f"network: {args.out}", f"history and checkpoint: {folder}")
    if args.save_plots is not None:
        log(*map(str, plot.draw(folder, args.save_plots)))
    if fitted.ended == ends.INTERRUPTED:
        log(f"interrupted after epoch {len(fitted.history)}; {args.out} holds its weights; --resume continues")
        return INTERRUPTED
    return SOME_FAILED if failures.count else OK


def save_trained(net: Network, path: Path) -> None:
    """Write the network; where that fails, into the folder for temporary files: hours of training must not be lost."""
    try:
        net.save(path)
    except OutputError:
        elsewhere = Path(tempfile.mkdtemp(prefix="cnnfast-")) / "network.safetensors"
        net.save(elsewhere)
        log(f"{path} could not be written; the network is in {elsewhere}")
        raise


def _last_frozen(args: argparse.Namespace, setup: TrainSetup) -> str | None:
    if args.freeze and setup.replay is None:
        return setup.head_from or feature_layer(setup.net.graph)
    up_to: str | None = args.freeze_up_to
    return up_to


def _print_row(row: Row, epochs: int) -> None:
    print(as_line(row, epochs), flush=True)


def _named(net: Network, args: argparse.Namespace) -> Network:
    """Return the network with the command that made it, without folders of this machine."""
    notes = {"recipe": command_line(["cnnfast", *without_folders(args.words)])}
    if args.architecture is not None:
        notes["description"] = find(args.architecture).description
    return with_graph(net, without_batch_norm(net.graph), notes, args.license)


def _with_temperature(net: Network, held: Examples | None, least: int) -> Network:
    """Return the network with probabilities that fit images it has not learned from, if there are enough."""
    if held is None or len(held) < least:
        what = "nothing was" if held is None else f"only {len(held)} of {least} images were"
        log(f"no temperature: {what} held out (--validation); `cnnfast calibrate` finds one with other images")
        return net
    try:
        found = calibrate(net, held.images, held.numbers, method="temperature", layout=_layout(held))
    except DataError as error:
        log(f"no temperature: {error}")
        return net
    was, now = found.before.calibration_error, found.after.calibration_error
    few = "only " if len(held) < FEW else ""
    log(
        f"temperature {found.temperature:.3f} from {few}{len(held):,} images that were held out: "
        f"expected calibration error {was:.3f} before, {now:.3f} after"
    )
    return found.network


def _layout(examples: Examples) -> str | None:
    return "nhwc" if examples.images.ndim == 4 else None


def _measure(
    net: Network, judge: Network, validation: Examples | None, setup: TrainSetup, folder: Path, failures: Failures
) -> None:
    """Print the accuracy on images that were not learned from, and keep the confusion matrix.

    The network judges pictures, and ``judge`` what has been learned: these, or with a replay their features.
    """
    tested = part_to_test(setup, net, failures)
    examples, net = (validation or setup.examples, judge) if tested is None else (tested, net)
    scores = Scores([str(name) for name in net.classes_])
    for start in range(0, len(examples), 1024):
        part = _part(examples, start)
        scores.add(part.numbers, net.predict_proba(part.images, layout=_layout(part)))
    where = "test images right" if examples.name == setup.test_name else f"images right: {examples.name}"
    title = f"{scores.accuracy:.2%} of {scores.total:,} {where}"
    print(title)
    write_confusion(folder / CONFUSION, scores.matrix, scores.classes, title)


def _part(examples: Examples, start: int) -> Examples:
    return Examples(examples.images[start : start + 1024], examples.labels[start : start + 1024])
