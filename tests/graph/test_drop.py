"""drop_identities and drop_unused."""

from __future__ import annotations

from small_graphs import names, net

from cnnfast.graph.passes import drop_identities, drop_unused
from cnnfast.ops import Add, Dropout, Flatten, Identity, MaxPool, Pad, Relu, Reshape, Sigmoid, Transpose


def test_everything_that_does_nothing_goes() -> None:
    graph = net(
        ("a", Identity(), "x"),
        ("b", Dropout(), "a"),
        ("c", Pad(0), "b"),
        ("d", Transpose((0, 1, 2, 3)), "c"),
        ("e", Reshape((3, 8, 8)), "d"),
        ("f", Flatten(), "e"),
        ("g", Flatten(), "f"),
        ("y", Relu(), "g"),
    )
    after = drop_identities(graph)
    assert names(after) == ["f", "y"]
    assert after.by_name["f"].inputs == ("x",)


def test_what_moves_something_stays() -> None:
    graph = net(
        ("turned", Transpose((0, 1, 3, 2)), "x"),
        ("padded", Pad((0, 0, 0, 1)), "turned"),
        ("y", Reshape((9, 8, 3)), "padded"),
    )
    assert drop_identities(graph) is graph


def test_the_node_in_front_takes_over_the_name_of_an_output() -> None:
    after = drop_identities(net(("conv", Relu(), "x"), ("y", Dropout(), "conv"), ("z", Sigmoid(), "y"), outputs="y z"))
    assert names(after) == ["y", "z"]
    assert after.by_name["y"].op == Relu()
    assert after.by_name["z"].inputs == ("y",)


def test_other_readers_follow_the_new_name() -> None:
    after = drop_identities(net(("a", Relu(), "x"), ("b", Sigmoid(), "a"), ("y", Identity(), "a"), outputs="b y"))
    assert sorted(names(after)) == ["b", "y"]
    assert after.by_name["b"].inputs == ("y",)


def test_an_identity_stays_where_its_name_cannot_move() -> None:
    of_an_input = net(("y", Identity(), "x"))
    assert drop_identities(of_an_input) is of_an_input
    of_an_output = net(("a", Relu(), "x"), ("y", Identity(), "a"), outputs="a y")
    assert drop_identities(of_an_output) is of_an_output
    of_a_constant = net(("y", Identity(), "c"), c=(4,))
    assert drop_identities(of_a_constant) is of_a_constant


def test_two_outputs_that_are_one_value_keep_both_names() -> None:
    graph = net(("a", Relu(), "x"), ("y", Identity(), "a"), ("z", Dropout(), "a"), outputs="y z")
    after = drop_identities(graph)
    assert names(after) == ["y", "z"]
    assert after.by_name["z"].inputs == ("y",)
    assert drop_identities(after) is after


def test_an_add_of_a_value_and_itself_through_an_identity() -> None:
    after = drop_identities(net(("a", Identity(), "x"), ("y", Add(), "x", "a")))
    assert after.by_name["y"].inputs == ("x", "x")


def test_dead_ends_go_with_their_constants() -> None:
    graph = net(
        ("y", Relu(), "x"),
        ("dead", Add(), "y", "c"),
        ("deader", MaxPool(2), "dead"),
        c=(3, 1, 1),
        stray=(5,),
    )
    after = drop_unused(graph.cut(["y"]))
    assert names(after) == ["y"]
    graph = net(("dead", Add(), "x", "c"), ("y", Relu(), "x"), c=(3, 1, 1), stray=(5,))
    after = drop_unused(graph)
    assert names(after) == ["y"]
    assert not after.constants
    assert drop_unused(after) is after
