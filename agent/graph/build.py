"""The graph of a turn: think -> act -> (wait) -> think ... -> answer."""

from typing import Any, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.graph.nodes import Context, act, after_acting, after_thinking, answer, think, wait
from agent.graph.state import State

Graph: TypeAlias = CompiledStateGraph[State, Context, State, State]


def build(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """Compiled with durable checkpoints: a turn that stops at `wait` goes on from there in any later process."""
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_node("wait", wait)
    graph.add_node("answer", answer)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", after_thinking)
    graph.add_conditional_edges("act", after_acting)
    graph.add_edge("wait", "think")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)
