# ANDi Bench in a container: docs/containers.md.
#   docker build --tag andi-bench .
#   docker build --tag andi-bench:ubuntu --build-arg BASE=ubuntu:24.04 .
# BASE: any Debian or Ubuntu with Python 3.11 or newer. TORCH_INDEX: where torch is taken from, if not from PyPI.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS built
ARG TORCH_INDEX=
ENV PATH=/opt/andi-bench/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# medpy comes as source, and is compiled.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential ca-certificates python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/andi-bench
COPY constraints.txt /src/
# By itself and first: it is the largest part, and stays when only our code changes.
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --constraint /src/constraints.txt torch
COPY . /src/
RUN pip install --constraint /src/constraints.txt "/src[cluster]"

FROM ${BASE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home bench \
    && install --directory --owner bench --mode 1777 /workspace \
    && install --directory /data
COPY --from=built /opt/andi-bench /opt/andi-bench
ENV PATH=/opt/andi-bench/bin:$PATH \
    ANDI_BENCH_WORKSPACE=/workspace \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /workspace
VOLUME ["/workspace"]
ENTRYPOINT ["andi-bench"]
CMD ["--help"]
