"""The whole of voiceworker on one machine: finds or builds the SFU, starts the processes, watches and ends them."""
