"""STRUCTURE: the graph, the passes that simplify it, and the interpreter that is the oracle of every test."""

from cnnfast.graph.builder import GraphBuilder
from cnnfast.graph.interpreter import evaluate
from cnnfast.graph.ir import MAX_NODES, Graph, Node, constant
from cnnfast.graph.passes import PASSES, optimize

__all__ = ["MAX_NODES", "PASSES", "Graph", "GraphBuilder", "Node", "constant", "evaluate", "optimize"]
