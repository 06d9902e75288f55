# A small image that runs as an unprivileged user; --target cuda builds one for NVIDIA GPUs. BASE
# may be any Debian or Python image that has Python 3.11 or newer with venv.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
# A compiler for the kernel, and Python's headers if the base has none. The final image has neither.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && { test -f "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" \
    || apt-get install -y --no-install-recommends python3-dev; }
RUN python3 -m venv /opt/tensorseed
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY service service
# The final image has no pip and no setuptools either: the server installs nothing.
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
# /data is the only folder that is written to. It holds donors while they are used, and the registry
# if TENSORSEED_DATABASE_URL is not set.
# Setuid and setgid bits of the base's programs are removed, so that no program gains privileges even
# without --security-opt no-new-privileges.
RUN mkdir /data && chown 10001:10001 /data \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
VOLUME /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['TENSORSEED_PORT'] + '/livez', timeout=2)"]
ENTRYPOINT ["tensorseed"]
CMD ["serve"]

# CuPy and the parts of CUDA that it needs, about 2 GB. The driver is the host's. CUDA=13 needs a
# driver for CUDA 13.
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

# The default target.
FROM cpu
