"""By what a turn, and the line of its conversation, is known in this process."""


def key_of(home_id: str, turn_id: str) -> str:
    """What its checkpoints are kept under."""
    return f"{home_id}/{turn_id}"


def ids_of(key: str) -> tuple[str, str]:
    """(home, turn)"""
    home_id, _, turn_id = key.partition("/")
    return home_id, turn_id


def line_of(home_id: str, user_id: str, thread_id: str) -> str:
    """One person's one conversation: its turns run one after the other."""
    return f"{home_id}/{user_id}/{thread_id}"
