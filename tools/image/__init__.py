"""Build the image of ./Dockerfile, start it and check it, without a Docker engine.

``python -m tools.image``, run by root, needs Debian's packages buildah and debootstrap. debootstrap
makes the base from the mirror that this machine's own apt uses; buildah builds on it in chroot
isolation; the server then runs in mount and process namespaces of its own, as PID 1, on a read-only
root, with what docker-compose.yml gives it: the image's user, no capability, no new privileges, a
tmpfs on /tmp and a volume on /data. It shares this machine's network, and listens on 127.0.0.1
alone. Where a Docker engine runs, buildah is taken all the same: every machine checks one thing.

The base and the layers are kept in ``TENSORSEED_IMAGE_CACHE``, or in the user's cache folder;
remove that to begin anew.
"""
