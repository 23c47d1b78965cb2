"""Arguments that several tools take, with the words that a model reads."""

from typing import Annotated

from pydantic import Field

DeviceId = Annotated[str, Field(description="A device_id from get_home_summary, never a name")]
OptionalDeviceId = Annotated[str, Field(description="A device_id from get_home_summary; empty: all devices")]
UserId = Annotated[str, Field(description="Leave it out: you act for the person who signed in")]
Cursor = Annotated[str, Field(description="next_cursor of the page before; empty: the first page")]
Limit = Annotated[
    int, Field(description="At most this many, up to 500", json_schema_extra={"minimum": 1, "maximum": 500})
]
Hours = Annotated[
    int, Field(description="How far back, up to 720 (30 days)", json_schema_extra={"minimum": 1, "maximum": 720})
]
