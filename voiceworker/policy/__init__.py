"""Pure decisions: facts and `now` in, commands out, the next deadline asked for. No clock, no IO, no framework."""
