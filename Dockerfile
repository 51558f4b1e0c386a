# ctr in an image of its own: the static binary, CA certificates, nothing else.
#   docker build -t ctr .                              compiles it
#   docker build --build-arg BINARY=prebuilt -t ctr .  takes ./ctr as make build left it
ARG BINARY=build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X ctr/commands.version=${VERSION}" -o /out/ctr . \
    && mkdir -p /out/data /out/certs && cp /etc/ssl/certs/ca-certificates.crt /out/certs/

# What is built outside: dist/image with ctr, data/ and certs/ in it, as
# scripts/e2e/deploycheck.sh makes it.
FROM scratch AS prebuilt
COPY dist/image/ /out/

# hadolint ignore=DL3006
FROM ${BINARY} AS chosen

FROM scratch
COPY --from=chosen /out/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=chosen /out/ctr /ctr
# The working folder belongs to the user that runs: outputs and state go there.
COPY --from=chosen --chown=65532:65532 /out/data /data
WORKDIR /data
USER 65532:65532
# For ctr score --http 8080; other commands do not serve, and override it.
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["/ctr", "health", "127.0.0.1:8080"]
ENTRYPOINT ["/ctr"]
