"""What mends an event that was refused, by the code of the refusal."""

from __future__ import annotations

from collections.abc import Mapping

MENDS: Mapping[str, str] = {
    "unreadable": "send JSON, packed as Content-Encoding says",
    "no_batch": 'send {"batch": [...]} to /v1/batch, or one event to the route of its type',
    "too_many": "send at most 2,500 events in a batch; SDKs have a setting for it (flushAt, max_batch_size)",
    "too_large": "send less in properties, traits and context: 32 KB an event are the most",
    "not_an_object": "send each event, and its properties, traits and context, as a JSON object",
    "unknown_type": "say as type one of track, identify, page, screen, group and alias",
    "bad_message_id": "leave messageId to the SDK, or send a text of at most 100 characters",
    "bad_timestamp": "send timestamp as ISO 8601 writes it: 2026-03-01T12:00:00Z",
    "absurd_timestamp": "look at the sender's clock, and at timestamps in seconds that are read as milliseconds",
    "no_user_anon_id": "send a userId, or an anonymousId where nobody is known yet",
    "no_event": "call track with the name of the event",
    "no_group_id": "call group with a groupId",
    "no_previous_id": "call alias with a previousId",
    "not_json": "send less nesting: some 250 levels are the most",
}
"""Code: what to do where the events are sent."""
OTHERWISE = "see what the message says, and mend it where the events are sent"
