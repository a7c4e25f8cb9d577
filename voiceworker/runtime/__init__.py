"""One live call inside the worker: wiring, the drivers of the policies, what is told to the outside."""
