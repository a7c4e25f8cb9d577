"""A call of hours within minutes: everything that a real one has but the room, on a clock that does not wait."""
