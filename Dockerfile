# EchoStream's three programs, an image each:
#
#   docker build --target api -t echostream-api .         (or worker, or frontend)
#
# `--build-arg BAKE_MODEL=small` puts a Whisper model into the API's and the worker's image, for
# machines without a network. BuildKit is needed, which Docker has built in since 23.0; before that,
# set DOCKER_BUILDKIT=1. Where pip needs a configuration of its own to reach its index, hand it over
# as a secret, which no layer keeps: `--secret id=pip_conf,src=$HOME/.config/pip/pip.conf`.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/models
# A fixed id, so that folders of the host which are mounted can be given to it.
RUN groupadd --gid 10001 echostream \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home \
       --shell /usr/sbin/nologin echostream \
    && install -d -o echostream -g echostream /data /models /opt/models
WORKDIR /data

# The stages that build start from an empty environment at the place where it will lie; pip itself
# stays outside of it.
FROM base AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/venv

# Engines, the queue, buckets and SDKs of insights providers, for the API and the worker.
FROM build AS dependencies
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python -m pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements.lock

# The frontend is a client of the API, and needs none of these.
FROM build AS frontend-dependencies
COPY requirements-ui.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python -m pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements-ui.lock

# Our own code, laid out as it will lie: a layer of its own, so that a change to it costs little.
FROM build AS code
COPY pyproject.toml README.md LICENSE ./
COPY samples/meeting.wav samples/
COPY src src
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python -m pip --python /opt/venv/bin/python install --no-deps --root /code .

FROM dependencies AS model
ARG BAKE_MODEL=""
# A mirror of the hub, where that is wanted.
ARG HF_ENDPOINT
RUN mkdir -p /opt/models \
    && if [ -n "$BAKE_MODEL" ]; then \
         /opt/venv/bin/python -c 'import sys; from faster_whisper import download_model; \
           download_model(sys.argv[1], output_dir=sys.argv[2])' \
           "$BAKE_MODEL" "/opt/models/$BAKE_MODEL"; \
       fi

FROM base AS engine
ARG BAKE_MODEL=""
# Empty ones count as unset. With a model on board nothing else is to be fetched or to stand in.
ENV PATH=/opt/venv/bin:$PATH \
    HOST=0.0.0.0 \
    STORAGE_URL=file:///data \
    WHISPER_MODEL=${BAKE_MODEL:+/opt/models/$BAKE_MODEL} \
    ASR_ENGINE=${BAKE_MODEL:+whisper} \
    HF_HUB_OFFLINE=${BAKE_MODEL:+1}
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=model /opt/models /opt/models
COPY --from=code /code /
COPY deploy/healthcheck.py /opt/healthcheck.py
VOLUME ["/data", "/models"]
USER 10001:10001

FROM base AS frontend
# Streamlit would else ask the internet for this machine's address, to print it.
ENV PATH=/opt/venv/bin:$PATH \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    FRONTEND_HOST=0.0.0.0 \
    LIBRARY_PATH=/data/library
COPY --from=frontend-dependencies /opt/venv /opt/venv
COPY --from=code /code /
COPY deploy/healthcheck.py /opt/healthcheck.py
VOLUME ["/data"]
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s \
    CMD ["python", "/opt/healthcheck.py", "FRONTEND_PORT", "8501", "/_stcore/health"]
# -P: the volume is the folder it runs in, and nothing in there is a program.
CMD ["python", "-P", "-m", "echostream_ui"]

FROM engine AS worker
ENV WORKER_METRICS_PORT=9100
EXPOSE 9100
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s \
    CMD ["python", "/opt/healthcheck.py", "WORKER_METRICS_PORT", "9100", "/metrics"]
CMD ["echostream", "worker"]

# The last one, and so the one that is built where no target can be named.
FROM engine AS api
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s \
    CMD ["python", "/opt/healthcheck.py", "PORT", "3000", "/health"]
CMD ["echostream", "serve"]
