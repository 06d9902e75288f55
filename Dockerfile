# A small image that runs as nobody in particular; with --target cuda one for NVIDIA's GPUs. BASE may be any Debian or Python image that has
# Python 3.11 or newer with venv.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
# A compiler for the kernel, and Python's headers where the base has none; both stay behind.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && { test -f "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" \
    || apt-get install -y --no-install-recommends python3-dev; }
RUN python3 -m venv /opt/tensorseed
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY service service
# What installs stays behind too: a server that installs nothing needs neither pip nor setuptools.
RUN /opt/tensorseed/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[postgres]' \
    && /opt/tensorseed/bin/pip uninstall --yes pip setuptools \
    && cd / && /opt/tensorseed/bin/python -c "from service.native import PATHS; assert PATHS"

FROM ${BASE} AS cpu
COPY --from=build /opt/tensorseed /opt/tensorseed
ENV PATH=/opt/tensorseed/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TENSORSEED_HOST=0.0.0.0 \
    TENSORSEED_PORT=8000 \
    TENSORSEED_DATA_DIR=/data
# Donors while they are used, and the registry where no TENSORSEED_DATABASE_URL is set: the only
# place that is written to.
# No program of the base may give its user another's rights, where --security-opt is forgotten too.
RUN mkdir /data && chown 10001:10001 /data \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
VOLUME /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['TENSORSEED_PORT'] + '/livez', timeout=2)"]
ENTRYPOINT ["tensorseed"]
CMD ["serve"]

# CuPy and the parts of CUDA that it needs, some 2 GB; the driver comes with the host. CUDA=13 takes
# drivers of that release.
FROM build AS build-cuda
ARG CUDA=12
RUN python3 -m venv /opt/pip
RUN /opt/pip/bin/pip --python /opt/tensorseed/bin/python install --no-cache-dir \
    --disable-pip-version-check -c constraints.txt ".[postgres,cuda${CUDA}]" "cupy-cuda${CUDA}x[ctk]"

FROM cpu AS cuda
COPY --from=build-cuda /opt/tensorseed /opt/tensorseed
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    CUPY_CACHE_DIR=/tmp/cupy

# What is built where no target is named.
FROM cpu
