"""Cats against dogs: a new head on the shipped residual network, then its last block as well.

python examples/new_head.py DATA    # a folder with training_set and test_set, each with a folder of pictures a class
"""

from __future__ import annotations

from showing import arguments, both_parts, print_row, scores_of, show

from cnnfast import Network
from cnnfast.train import AdamW, EarlyStopping, Flip, Recipe, feature_cache, fit


def main() -> None:
    """Train the head, then the last block, and show."""
    args = arguments(__doc__ or "", "pictures of cats and dogs, in folders", epochs=20)
    base = Network.load("cifar10-resnet")
    training, test = both_parts(args.data, base.preprocess, args.limit)

    net = base.with_head(["cat", "dog"])
    recipe = Recipe(epochs=args.epochs, optimizer=AdamW(learning_rate=0.002, weight_decay=0.1), augment=[Flip()])
    common = dict(validation=0.1, cache=feature_cache(), report=print_row)
    head = fit(net, training, recipe, freeze="flatten_1", **common)
    print(f"new head: {scores_of(head.network, test).accuracy:.2%}")

    finer = Recipe(
        epochs=args.epochs,
        batch=64,
        optimizer=AdamW(learning_rate=2e-4, weight_decay=0.1),
        augment=[Flip()],
        label_smoothing=0.1,
        stopping=EarlyStopping(5),
    )
    whole = fit(head.network, training, finer, freeze="gelu_6", **common)
    print(f"last block too: {scores_of(whole.network, test).accuracy:.2%}")
    show(head, test, args.plots, "new-head")


if __name__ == "__main__":
    main()
