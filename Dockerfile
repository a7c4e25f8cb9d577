# One image for the worker and the API: the same code, two commands (see docker-compose.yml).
# Written with care and checked by schema; not run by CI, which has no Docker engine.
FROM python:3.12-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY Makefile pyproject.toml requirements.lock README.md ./
COPY plugins plugins
COPY voiceworker voiceworker
COPY tools tools
COPY web web
RUN make setup && rm -rf web/node_modules

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 voiceworker && mkdir -p /app/var && chown voiceworker /app/var
WORKDIR /app
COPY --from=build /app /app
COPY agent.py livekit.yaml ./
COPY agents agents
USER voiceworker
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
VOLUME /app/var
STOPSIGNAL SIGTERM
CMD ["python", "agent.py", "start"]
