# Both commands on a bare Debian: `docker build -t pointclip .` installs, `docker run --rm pointclip` runs them.
# For a torch without CUDA's gigabytes add `--build-arg PIP_EXTRA_INDEX_URL=<PyTorch's index of CPU wheels>`.
FROM debian:stable-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git make python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /pipeline
COPY . .
ARG PIP_EXTRA_INDEX_URL
RUN make install
CMD ["sh", "-c", "make repro && make test"]
