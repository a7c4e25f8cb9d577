"""`voiceworker bench`: ours beside its peers, on one SFU with one set of emulated providers. Commands, never tests."""
