"""The graph of a turn: recall -> think -> act -> (wait) -> think ... -> answer -> remember."""

from typing import Any, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.graph.acting import act, after_acting, wait
from agent.graph.context import Context
from agent.graph.nodes import after_thinking, answer, recall, remember, think
from agent.graph.state import State

Graph: TypeAlias = CompiledStateGraph[State, Context, State, State]


def build(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """Compiled with durable checkpoints: a turn that stops anywhere goes on from there in any later process."""
    graph = StateGraph(State, context_schema=Context)
    for node in (recall, think, act, wait, answer, remember):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "think")
    graph.add_conditional_edges("think", after_thinking)
    graph.add_conditional_edges("act", after_acting)
    graph.add_edge("wait", "think")
    graph.add_edge("answer", "remember")
    graph.add_edge("remember", END)
    return graph.compile(checkpointer=checkpointer)
