# syntax=docker/dockerfile:1
# The backend of compose.yaml: `spanferry serve` with the bundled models, on the CPU.

FROM python:3.11-slim-bookworm AS build
# Where PyPI's torch brings CUDA along, this index has it without.
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/spanferry
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY projection projection
COPY label_config label_config
COPY ml_backend ml_backend
COPY training training
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/spanferry/bin/pip install -c constraints.txt ".[serve]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/spanferry /opt/spanferry
ENV PATH=/opt/spanferry/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SPANFERRY_DATA_DIR=/data \
    HF_HOME=/data/huggingface
# A new volume takes the owner of the folder it is mounted on.
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin spanferry \
    && install --directory --owner=spanferry --group=spanferry --mode=0750 /data
USER spanferry
WORKDIR /data
VOLUME /data
EXPOSE 9090
HEALTHCHECK --interval=30s --timeout=5s --start-period=1m --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/health', timeout=4)"]
CMD ["spanferry", "serve"]
