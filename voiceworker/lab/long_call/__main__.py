"""`python -m voiceworker.lab.long_call --help`; first of all its clock."""

from __future__ import annotations

from voiceworker.lab.long_call.clock import CLOCK

if __name__ == "__main__":
    CLOCK.install()

    from voiceworker.lab.long_call.command import main

    main()
