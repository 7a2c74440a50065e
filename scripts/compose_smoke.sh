#!/usr/bin/env bash
# Whether the images and compose.yaml hold: builds, starts, uploads, kills, stops and takes all down,
# with a line per check. Needs Docker, curl and Python 3.
#
#   scripts/compose_smoke.sh
#
# Where no engine answers and we are root, one is started for the run (dockerd, of Debian's
# docker.io) and ended after it. Where no registry can be reached, base images are made in place of
# the real ones, of Debian by debootstrap and under the same names; pip in the build then reads
# wheels that this host has fetched, over the loopback, by a secret that no layer keeps.
#
# The model is the tests' tiny Whisper, mounted into the containers, so that real words come out
# without a model hub. Short locks let a killed worker's job come back in seconds, and a short grace
# period makes workers that stop hand back the job they are at.
set -euo pipefail
cd "$(dirname "$0")/.."

WORK=${SMOKE_WORK:-$(mktemp -d /tmp/echostream-smoke.XXXXXX)}
PYTHON_IMAGE=python:3.11-slim-bookworm
REDIS_IMAGE=redis:7.4
HAPROXY_IMAGE=haproxy:3.0
SAMPLE=samples/meeting.wav
SAID="security audit"
export PORT=${SMOKE_PORT:-13000} FRONTEND_PORT=${SMOKE_FRONTEND_PORT:-13501}
export CLUSTER_PORT=${SMOKE_CLUSTER_PORT:-13080} PUBLISH=127.0.0.1
API=http://127.0.0.1:$PORT
API_BEARER_TOKEN=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')
export API_BEARER_TOKEN
export WHISPER_MODEL=/opt/models/whisper-tiny-meeting ASR_ENGINE=whisper HF_HUB_OFFLINE=1
export JOB_LOCK_S=5 JOB_STALLED_CHECK_S=2 SHUTDOWN_GRACE_S=5 COMPOSE_PROJECT_NAME=echostream-smoke
export DOCKER_BUILDKIT=1
own_engine='' wheels='' passed=0

say() { printf '%s\n' "$*"; }
ok() { passed=$((passed + 1)); printf 'ok   %-62s %6.1f s\n' "$1" "$(since "$started")"; start; }
fail() { say "FAILED $1"; compose logs --no-color --tail 15 2>&1 | sed 's/^/     /' || true; exit 1; }
now() { date +%s.%N; }
since() { python3 -c 'import sys, time; print(time.time() - float(sys.argv[1]))' "$1"; }
quiet() { "$@" >"$WORK/said" 2>&1 || { sed 's/^/     /' "$WORK/said"; fail "$*"; }; }
start() { started=$(now); }
of() { python3 -c 'import json, sys; answer = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

until_true() { # SECONDS COMMAND...
  local deadline=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# --- the engine ---------------------------------------------------------------------------------

choose_client() { # BuildKit is built into clients before 23, and comes with buildx since
  local client
  while read -r client; do
    if "$client" buildx version >/dev/null 2>&1 ||
      (($("$client" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/') < 23)); then
      DOCKER=$client
      return
    fi
  done < <(type -ap docker)
  say "No docker with BuildKit: apt-get install docker.io docker-compose iptables debootstrap"
  exit 1
}

docker() { "$DOCKER" "$@"; }

compose() {
  local files=(-f compose.yaml -f "$WORK/tiny-model.yaml")
  if docker compose version >/dev/null 2>&1; then
    docker compose "${files[@]}" "$@"
  else
    docker-compose "${files[@]}" "$@"
  fi
}

start_engine() {
  docker info >/dev/null 2>&1 && return
  if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null; then
    say "No Docker engine answers."
    exit 1
  fi
  export DOCKER_HOST=unix://$WORK/docker.sock
  dockerd --storage-driver=overlay2 --data-root "$WORK/docker" --exec-root "$WORK/docker-exec" \
    -H "$DOCKER_HOST" --pidfile "$WORK/docker.pid" >"$WORK/dockerd.log" 2>&1 &
  own_engine=$!
  until_true 60 docker info || { tail -5 "$WORK/dockerd.log"; exit 1; }
}

clean_up() {
  local status=$?
  set +e
  compose --profile cluster down -v --remove-orphans >/dev/null 2>&1
  [ -z "$wheels" ] || kill "$wheels"
  if [ -n "$own_engine" ]; then
    kill "$own_engine"
    wait "$own_engine"
    umount "$WORK"/docker-exec/netns/* "$WORK"/docker/overlay2/*/merged 2>/dev/null
  fi
  [ -n "${SMOKE_KEEP:-}" ] || rm -rf "$WORK"
  exit "$status"
}

# --- images -------------------------------------------------------------------------------------

base_images() {
  local image
  for image in "$PYTHON_IMAGE" "$REDIS_IMAGE" "$HAPROXY_IMAGE"; do
    docker image inspect "$image" >/dev/null 2>&1 && continue
    timeout 120 "$DOCKER" pull -q "$image" >/dev/null 2>&1 || { stand_ins; return; }
  done
  # Those of an earlier run on the same engine stand in again.
  [ -z "$(docker images -q --filter label=echostream.stand-in "$PYTHON_IMAGE")" ] || fetch_wheels
}

stand_ins() {
  say "     no registry: making stand-ins for the base images"
  local label='LABEL echostream.stand-in=yes'
  bootstrap python python3,python3-venv,python3-pip,ca-certificates
  ln -sf /usr/bin/python3 "$WORK/python/usr/local/bin/python"
  tar -C "$WORK/python" -c . | docker import -c "$label" - "$PYTHON_IMAGE" >/dev/null
  bootstrap services redis-server,haproxy
  install -d "$WORK/services/data"
  chroot "$WORK/services" chown redis:redis /data
  tar -C "$WORK/services" -c . | docker import -c "$label" - "$REDIS_IMAGE" >/dev/null
  docker tag "$REDIS_IMAGE" "$HAPROXY_IMAGE"
  rm -rf "$WORK/python" "$WORK/services"
  fetch_wheels
}

bootstrap() { # NAME PACKAGES
  debootstrap --variant=minbase --include="$2" bookworm "$WORK/$1" >"$WORK/$1.log" 2>&1 ||
    { tail -5 "$WORK/$1.log"; exit 1; }
  rm -rf "$WORK/$1"/var/cache/apt/archives/*.deb "$WORK/$1"/var/lib/apt/lists/*
}

fetch_wheels() { # by the image's Python, with this host's network, certificates and index
  mkdir -p "$WORK/wheels"
  local certificates=/etc/ssl/certs/ca-certificates.crt index
  index=$(python3 -m pip config get global.index-url 2>/dev/null || true)
  docker run --rm --network host -v "$certificates:$certificates:ro" -e PIP_CERT="$certificates" \
    ${index:+-e PIP_INDEX_URL="$index"} -v "$WORK/wheels:/wheels" -v "$PWD:/src:ro" \
    "$PYTHON_IMAGE" sh -c 'python -m pip download -q -d /wheels --no-deps -r /src/requirements.lock &&
      python -m pip download -q -d /wheels --no-deps -r /src/requirements-ui.lock &&
      python -m pip download -q -d /wheels hatchling==1.33.0' >"$WORK/wheels.log" 2>&1 ||
    { tail -5 "$WORK/wheels.log"; exit 1; }
  python3 -u -m http.server -b 127.0.0.1 -d "$WORK/wheels" 0 >"$WORK/wheels.log" 2>&1 &
  wheels=$!
  until_true 20 grep -q port "$WORK/wheels.log"
  printf '[global]\nno-index = true\nfind-links = %s\n' \
    "$(sed -nE 's|.*(http://[0-9.:]+/).*|\1|p' "$WORK/wheels.log")" >"$WORK/pip.conf"
}

build() {
  local target options=()
  [ -z "$wheels" ] || options=(--network host --secret "id=pip_conf,src=$WORK/pip.conf")
  for target in api worker frontend; do
    docker build -q "${options[@]}" --target "$target" -t "echostream-$target" . \
      >"$WORK/build.log" 2>&1 || { tail -20 "$WORK/build.log"; exit 1; }
  done
}

image_is_lean() { # IMAGE: nobody is root, and what builds and tests stays outside
  [ "$(docker image inspect -f '{{.Config.User}}' "$1")" = 10001:10001 ] &&
    docker run --rm "$1" sh -c '
      [ "$(id -u)" != 0 ] || exit 1
      for tool in gcc cc make pytest ruff; do ! command -v $tool >/dev/null || exit 1; done
      ! python -c "import pytest" 2>/dev/null && ! python -c "import pip" 2>/dev/null' &&
    ! docker history --no-trunc "$1" | shows 'find-links|index-url|127\.0\.0\.1:[0-9]+/ '
}

# --- what a user does ---------------------------------------------------------------------------

request() { curl -sS --fail-with-body -m 300 -H "Authorization: Bearer $API_BEARER_TOKEN" "$@"; }
answers() { curl -sf -m 2 "$1" -o /dev/null; }
hears() { grep -qi "$SAID" <<<"$1"; }
shows() { local text; text=$(cat) && grep -qiE "$1" <<<"$text"; } # all of it: a pipe that breaks is an error

ids() { compose ps -q "$1"; }
state() { docker inspect -f "$2" "$1"; }

healthy() { # SERVICE COUNT
  local id found=0
  for id in $(ids "$1"); do
    [ "$(state "$id" '{{.State.Health.Status}}')" = healthy ] && found=$((found + 1))
  done
  [ "$found" = "$2" ]
}

queue() { request -F "audio=@$1" -F useQueue=true "$API/upload-audio" | of 'answer["jobId"]'; }
job() { request "$API/job/$1" | of "$2"; }
has_ended() { [ "$(job "$1" 'answer["state"]')" = completed ]; }
is_active() { [ "$(job "$1" 'answer["state"] == "active" and answer["progress"] > 10')" = True ]; }

busy_worker() {
  local id
  for id in $(ids worker); do
    docker exec "$id" python -c 'import sys, urllib.request as u
text = u.urlopen("http://127.0.0.1:9100/metrics").read().decode()
sys.exit("echostream_worker_busy_share 0.0" in text)' 2>/dev/null && { echo "$id"; return; }
  done
  return 1
}

longer() { # FILE TIMES: the sample so many times, as another recording
  python3 - "$SAMPLE" "$1" "$2" <<'EOF'
import sys, wave
source, target, times = sys.argv[1:]
with wave.open(source) as read, wave.open(target, "wb") as written:
    written.setparams(read.getparams())
    frames = read.readframes(read.getnframes())
    for _ in range(int(times)):
        written.writeframes(frames)
EOF
}

live() { # URL: the sample over Socket.IO, from a container in the host's network
  docker run --rm -i --network host -e API_BEARER_TOKEN echostream-api \
    echostream live - --url "$1" <"$SAMPLE"
}

ends_with() { # WORDS OPTIONS...: a container that ends by itself, and the line that it ends with
  local said status=0 words=$1; shift
  said=$(timeout 60 "$DOCKER" run --rm "$@" 2>&1) || status=$?
  ((status != 0 && status != 124)) && [[ $(tail -1 <<<"$said") == *"$words"* ]] || fail "$words: $said"
}

# --- the checks ---------------------------------------------------------------------------------

images() {
  base_images
  ok "base images"
  build
  ok "docker build: api, worker, frontend"
  local image
  for image in api worker frontend; do
    image_is_lean "echostream-$image" || fail "echostream-$image is not lean"
    say "     echostream-$image: $(docker images --format '{{.Size}}' "echostream-$image:latest")" \
      "($(docker images --format '{{.Size}}' "$PYTHON_IMAGE") of it the base)"
  done
  ok "no root, no compiler, no test tools, no configuration of pip"
}

starts_and_stops() { # IMAGE COMMAND...: what its health check runs
  local image=$1 id up down; shift
  start
  id=$(docker run -d --init -e USE_QUEUE=false "$image")
  until_true 30 docker exec "$id" python /opt/healthcheck.py "$@" || fail "$image does not start"
  up=$(since "$started")
  start
  docker stop -t 20 "$id" >/dev/null
  down=$(since "$started")
  [[ "$(state "$id" '{{.State.ExitCode}}')" =~ ^(0|143)$ ]] || fail "$image had to be killed"
  docker rm -v "$id" >/dev/null
  printf '     %s: up in %.1f s, down in %.1f s\n' "$image" "$up" "$down"
  python3 -c 'import sys; sys.exit(float(sys.argv[1]) >= 5)' "$up" || fail "$image starts in $up s"
}

start_and_stop() {
  starts_and_stops echostream-api PORT 3000 /health
  starts_and_stops echostream-worker WORKER_METRICS_PORT 9100 /metrics
  starts_and_stops echostream-frontend FRONTEND_PORT 8501 /_stcore/health
  ok "each image starts in less than 5 s and stops by itself"
}

configuration_errors() {
  ends_with 'setting API_BEARER_TOKEN: is a placeholder' -e API_BEARER_TOKEN=changeme echostream-api
  ends_with 'setting REDIS_URL: must begin with' -e REDIS_URL=localhost:6379 echostream-worker
  ends_with 'setting API_BASE_URL: must begin with' -e API_BASE_URL=api:3000 echostream-frontend
  ends_with 'Redis does not answer as it should' -e USE_QUEUE=true echostream-api
  ends_with 'STORAGE_URL: The storage refuses access' -e USE_QUEUE=true --tmpfs /data:mode=0555 echostream-api
  ends_with 'The storage refuses access' --tmpfs /data:mode=0555 echostream-worker
  ends_with 'LIBRARY_PATH: cannot write' --tmpfs /data:mode=0555 echostream-frontend
  ok "configuration errors end with a line and a status"
}

alone() {
  USE_QUEUE=false quiet compose up -d --no-build api
  until_true 60 answers "$API/health" || fail "the API alone"
  ok "USE_QUEUE=false docker compose up -d api: answers"
  [ "$(compose ps -q | wc -l)" = 1 ] || fail "more than the API runs"
  hears "$(request -F "audio=@$SAMPLE" "$API/upload-audio" | of 'answer["transcript"]')" ||
    fail "an upload without Redis"
  ok "an upload is transcribed, without Redis"
  quiet compose stop api
  [ "$(state "$(compose ps -aq api)" '{{.State.ExitCode}}')" = 0 ] || fail "the API's exit status"
  ok "the API stops, status 0"
  quiet compose down
}

everything() {
  start
  quiet compose up -d --no-build
  until_true 60 answers "$API/health" || fail "the API"
  local service
  for service in redis api worker frontend; do
    until_true 60 healthy "$service" 1 || fail "$service is not healthy"
  done
  ok "docker compose up -d: Redis, API, worker, frontend healthy"
  [ "$(curl -s -o /dev/null -w '%{http_code}' "$API/jobs")" = 401 ] || fail "no token, no 401"
  hears "$(request -F "audio=@$SAMPLE" "$API/upload-audio" | of 'answer["transcript"]')" ||
    fail "a direct upload"
  ok "the sample, directly; 401 without the token"
  longer "$WORK/queued.wav" 2
  first_job=$(queue "$WORK/queued.wav")
  until_true 60 has_ended "$first_job" || fail "a queued upload"
  hears "$(job "$first_job" 'answer["result"]["transcript"]')" || fail "the text of a queued upload"
  ok "the sample, through the queue"
  hears "$(live "$API")" || fail "live audio"
  ok "the sample, over Socket.IO"
  curl -sf "http://127.0.0.1:$FRONTEND_PORT/" | shows streamlit || fail "the frontend's page"
  # curl would wait on the WebSocket for ever: it is its time limit that ends it.
  { curl -sN -m 2 -o /dev/null -w '%{http_code}' -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: c21va2Utc21va2Utc21vaw==' --http1.1 \
    "http://127.0.0.1:$FRONTEND_PORT/_stcore/stream" || true; } | shows 101 || fail "its WebSocket"
  ok "the frontend opens, page and WebSocket"
}

crash() {
  quiet compose up -d --no-build --scale worker=3
  until_true 60 healthy worker 3 || fail "three workers"
  ok "--scale worker=3: three healthy workers"
  longer "$WORK/long.wav" 40
  local id victim
  id=$(queue "$WORK/long.wav")
  until_true 60 is_active "$id" || fail "the job does not begin"
  victim=$(busy_worker) || fail "no worker is busy"
  docker exec "$victim" sh -c 'kill -9 -1' || true
  until_true 180 has_ended "$id" || fail "the job of a killed worker"
  [ "$(job "$id" 'answer["result"]["transcript"].lower().count("security audit") >= 40')" = True ] ||
    fail "the text of a killed worker's job"
  ok "a worker killed at its job: another completes it, whole"
  until_true 60 healthy worker 3 || fail "the killed worker is not started again"
  ok "the killed worker runs again"
}

redis_away() {
  local before after refused id
  before=$(state "$(ids api)" '{{.State.StartedAt}}')
  quiet compose stop redis
  longer "$WORK/direct.wav" 3
  hears "$(request -F "audio=@$WORK/direct.wav" "$API/upload-audio" | of 'answer["transcript"]')" ||
    fail "a direct upload without Redis"
  refused=$(curl -s -H "Authorization: Bearer $API_BEARER_TOKEN" -F "audio=@$SAMPLE" \
    -F useQueue=true "$API/upload-audio" | of 'answer["error"]')
  [ "$refused" = queue_unavailable ] || fail "a queued upload without Redis: $refused"
  sleep 10
  quiet compose start redis
  longer "$WORK/after.wav" 4
  until_true 60 healthy redis 1 || fail "Redis"
  id=$(queue "$WORK/after.wav")
  until_true 60 has_ended "$id" || fail "a job after Redis is back"
  after=$(state "$(ids api)" '{{.State.StartedAt}}')
  [ "$before" = "$after" ] || fail "the API was started again"
  ok "Redis away for 10 s: direct uploads go on, jobs afterwards"
}

graceful_stop() {
  longer "$WORK/handed-back.wav" 41
  local id stopped worker
  id=$(queue "$WORK/handed-back.wav")
  until_true 60 is_active "$id" || fail "the job does not begin"
  start
  quiet compose stop worker
  stopped=$(since "$started")
  for worker in $(compose ps -aq worker); do
    [ "$(state "$worker" '{{.State.ExitCode}}')" = 0 ] || fail "a worker was killed"
  done
  say "     workers stopped in $(printf %.1f "$stopped") s, SHUTDOWN_GRACE_S=$SHUTDOWN_GRACE_S, 45 s allowed"
  quiet compose start worker
  until_true 180 has_ended "$id" || fail "a job was lost when its worker stopped"
  ok "workers stop at their jobs in time, and no job is lost"
}

down_and_up() {
  quiet compose down
  [ -z "$(compose ps -q)" ] || fail "containers are left"
  ok "docker compose down"
  quiet compose up -d --no-build
  until_true 60 answers "$API/health" || fail "the API"
  hears "$(job "$first_job" 'answer["result"]["transcript"]')" || fail "the job is gone"
  ok "the first job and its text are there after down and up"
}

cluster() {
  quiet compose --profile cluster up -d --no-build --scale api-more=2
  local balancer=http://127.0.0.1:$CLUSTER_PORT client sid id served=0
  until_true 60 healthy api-more 2 || fail "more API containers"
  until_true 60 answers "$balancer/health" || fail "the balancer"
  sleep 6 # the balancer has looked at all of them, and the number of hosts rests
  for client in {1..12}; do
    local from="X-Forwarded-For: 192.0.2.$client" polling="$balancer/socket.io/?EIO=4&transport=polling"
    sid=$(curl -sf -H "$from" "$polling" | sed -E 's/^0//' | of 'answer["sid"]') || fail "a handshake"
    curl -sf -H "$from" -d "40{\"token\":\"$API_BEARER_TOKEN\"}" "$polling&sid=$sid" >/dev/null ||
      fail "a poll came to another host"
    curl -sf -H "$from" "$polling&sid=$sid" | shows '^40' || fail "a poll came to another host"
    curl -s -H "$from" "$balancer/seen-$client" >/dev/null
  done
  for id in $(ids api) $(ids api-more); do
    docker logs "$id" 2>&1 | shows /seen- && served=$((served + 1))
  done
  ((served > 1)) || fail "one host serves all clients"
  hears "$(live "$balancer")" || fail "live audio through the balancer"
  ok "cluster: polls of a client stay on its host, $served of 3 hosts serve"
}

trap clean_up EXIT
start
choose_client
cat >"$WORK/tiny-model.yaml" <<EOF
services:
  api: { volumes: &model ["$PWD/tests/data/whisper-tiny-meeting:/opt/models/whisper-tiny-meeting:ro"] }
  api-more: { volumes: *model }
  worker: { volumes: *model }
EOF
start_engine
ok "engine $(docker version -f '{{.Server.Version}}')"
images
start_and_stop
configuration_errors
alone
everything
crash
redis_away
graceful_stop
down_and_up
cluster
start
quiet compose --profile cluster down -v
[ -z "$(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")" ] || fail "down -v"
ok "docker compose down -v leaves nothing"
say "$passed checks passed"
