# `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

FUZZTIME ?= 30s
BENCHROWS ?= 1000000
# Real rows of Avazu are not in the repository: they are judged where they lie.
BENCHREAL ?= $(addprefix --real ,$(wildcard $(or $(CTR_SHARED),../shared)/data/avazu-34h.csv))
GOBENCH ?= .
COUNT ?= 10

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X ctr/commands.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

# Where make cover leaves the coverage profile.
OUT := build

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./ctr, one static binary
	$(GOBUILD) -o ctr .

.PHONY: demo
demo: build ## Train, compare, replay and score on an embedded broker with synthetic rows
	./ctr demo

.PHONY: test
test: ## Run the unit and integration tests (needs Go alone)
	go test ./...

.PHONY: race
race: ## Run the tests with the race detector
	go test -race -timeout 20m ./...

.PHONY: cover
cover: ## Run the tests and print the coverage of each package and of all
	@mkdir -p $(OUT)
	go test -coverprofile=$(OUT)/coverage.out ./...
	@go tool cover -func=$(OUT)/coverage.out | tail -n 1

.PHONY: check
check: build vet lint race ## What CI runs first: build, vet, lint, tests with the race detector
# Coverage is apart (make cover): with the race detector, counters become atomic
# and the numeric packages take five times as long. So is what the detector has
# nothing to say about, statistics and long inputs of one goroutine: such tests
# are shorter or skipped there, and whole in make test, which CI runs next.

.PHONY: vet
vet: ## Run go vet
	go vet ./...

.PHONY: lint
lint: ## Run the linters of .golangci.yml and the rules on file length
	@tools=$$(scripts/lib/tools.sh); \
	"$$tools/golangci-lint" run ./...; \
	scripts/lib/longfiles.sh; \
	scripts/lib/deadcode.sh "$$tools/deadcode"

.PHONY: fmt
fmt: ## Format all Go files with gofumpt
	@tools=$$(scripts/lib/tools.sh); git ls-files -co --exclude-standard -- '*.go' | xargs "$$tools/gofumpt" -modpath ctr -lang go1.26 -l -w

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s) each
	scripts/lib/fuzz.sh $(FUZZTIME)

.PHONY: e2e
e2e: build ## Replay and score through a real Apache Kafka, beside kcat and its own tools (needs JDK 17, Maven)
	scripts/e2e/run.sh "$(CURDIR)/ctr"
	scripts/e2e/secure.sh "$(CURDIR)/ctr"
	scripts/e2e/wire.sh "$(CURDIR)/ctr"
	scripts/serve/run.sh "$(CURDIR)/ctr"
	scripts/e2e/deploycheck.sh "$(CURDIR)/ctr"
	scripts/e2e/page.sh "$(CURDIR)/ctr"
	scripts/serve/clients.sh "$(CURDIR)/ctr"

.PHONY: clients
clients: build ## Score through ctr serve with Triton's, KServe's and MLServer's own clients (installs them, pinned)
	scripts/serve/clients.sh "$(CURDIR)/ctr"

.PHONY: proto
proto: ## Compile oip.proto into the descriptor that tests read (needs python3; installs a pinned protoc)
	@python=$$(scripts/lib/peers.sh scripts/serve/requirements/proto.txt); \
	cd pipeline/infer/oip && "$$python" -m grpc_tools.protoc -I. --include_imports -ooip.pb oip.proto

.PHONY: page
page: build ## Look at the live page in headless Chromium and at ctr watch (needs Node.js; PICTURE=docs/page.png draws it)
	scripts/e2e/page.sh "$(CURDIR)/ctr"

.PHONY: deploycheck
deploycheck: build ## Check Dockerfile, compose.yaml and Kubernetes manifests; build and run the image
	scripts/e2e/deploycheck.sh "$(CURDIR)/ctr"

build/ctr-failpoints: FORCE
	CGO_ENABLED=0 go build -tags failpoints -trimpath -buildvcs=false -o $@ .

.PHONY: FORCE
FORCE:

.PHONY: chaos
chaos: build/ctr-failpoints ## Kill 20 scorers and some brokers of an Apache Kafka at random and count (needs Java 17, Maven)
	scripts/chaos/run.sh $< 20 1

.PHONY: chaos-long
chaos-long: build/ctr-failpoints ## Kill 1,000, in seeded runs that can be resumed (CHAOSKILLS, CHAOSSEED); writes BENCHMARKS.md (long)
	scripts/chaos/long.sh $<

.PHONY: soak
soak: build ## An hour at 20,000 rows/s: does memory or lag grow? (SOAKMINUTES, SOAKRATE; needs Java 17, Maven); writes BENCHMARKS.md (long)
	scripts/soak/soak.sh "$(CURDIR)/ctr"

.PHONY: bench-stream
bench-stream: build ## Measure the live half beside plain clients and Spark on an Apache Kafka (STREAM='--only latency,spark'); writes BENCHMARKS.md
	scripts/bench/stream.sh $(STREAM)

.PHONY: bench-serve
bench-serve: build ## Measure ctr serve beside Python's servers, by wrk (SERVESECONDS, SERVEROUNDS); writes BENCHMARKS.md
	scripts/bench/serve.sh "$(CURDIR)/ctr"

.PHONY: crosscheck
crosscheck: build ## Compare metrics, models, quality and exports with Python's, Spark's and JPMML's (needs python3, Java 17, Maven)
	@python=$$(scripts/lib/peers.sh scripts/crosscheck/requirements.txt); \
	"$$python" scripts/crosscheck/crosscheck.py --ctr ./ctr $(CROSSCHECK)

.PHONY: crosscheck-all
crosscheck-all: ## The same, with Spark 4.0 too, and training on a Spark cluster of two workers on loopback
	@$(MAKE) crosscheck CROSSCHECK="--all $(CROSSCHECK)"
	@python=$$(scripts/lib/peers.sh scripts/crosscheck/requirements/spark-3.5.txt); \
	"$$python" scripts/crosscheck/cluster.py --ctr ./ctr $(CLUSTER)

.PHONY: bench-cluster
bench-cluster: build ## Time against rows, ctr beside a Spark cluster of two workers (needs Java 17); writes BENCHMARKS.md
	@python=$$(scripts/lib/peers.sh scripts/crosscheck/requirements/spark-3.5.txt); \
	"$$python" scripts/bench/cluster.py --ctr ./ctr --write BENCHMARKS.md $(CLUSTER)

.PHONY: gobench
gobench: ## Run the Go micro benchmarks COUNT (10) times and summarise them
	@mkdir -p $(OUT)
	go test -run '^$$' -bench '$(GOBENCH)' -benchmem -count $(COUNT) ./... | tee $(OUT)/gobench.txt
	@"$$(scripts/lib/tools.sh)/benchstat" $(OUT)/gobench.txt | tee $(OUT)/gobench-summary.txt

.PHONY: bench
bench: build ## Measure ctr beside other tools (BENCH='--only online,trees'; installs pinned peers); writes BENCHMARKS.md (long)
	@python=$$(scripts/lib/peers.sh scripts/bench/requirements.txt); \
	"$$python" scripts/bench/run.py --ctr ./ctr --rows $(BENCHROWS) --write BENCHMARKS.md $(BENCHREAL) $(BENCH)

.PHONY: release
release: ## Compile static binaries for Linux, macOS and Windows into dist/
	@mkdir -p dist; \
	for os in linux darwin windows; do for arch in amd64 arm64; do \
	  ext=; if [ $$os = windows ]; then ext=.exe; fi; \
	  echo "dist/ctr-$$os-$$arch$$ext"; \
	  GOOS=$$os GOARCH=$$arch $(GOBUILD) -o "dist/ctr-$$os-$$arch$$ext" .; \
	done; done

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf ctr dist $(OUT)
