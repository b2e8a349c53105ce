# What a person runs. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

GO ?= go
# The CDK app is heavy to compile: everything else is checked apart from it.
PACKAGES = $(shell $(GO) list ./... | grep -v /infra)
CORPUS ?= ../shared/corpus
# Arguments of the CDK: make synth CDK_ARGS="-c config=other.yaml"
CDK_ARGS ?=

export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## tag resources in a local emulator and show the result
	$(GO) run ./cmd/demo

.PHONY: local
local: node_modules ## deploy the app onto an emulator on this machine, and watch it tag
	$(GO) run ./cmd/local

.PHONY: local-organization
local-organization: node_modules ## the same for an organisation: a hub, and a spoke that forwards to it
	$(GO) run ./cmd/local -organization

# versitygw is an S3 that enforces CORS, in a module of its own.
build/versitygw: internal/browser/s3/go.mod internal/browser/s3/go.sum
	$(GO) build -C internal/browser/s3 -o $(abspath $@) github.com/versity/versitygw/cmd/versitygw

.PHONY: browser
browser: build/versitygw ## show in Chromium that a page may read a new bucket at another origin
	@chromium=$$(command -v chromium || command -v chromium-browser || command -v google-chrome || true); \
	if [ -z "$$chromium" ]; then echo "skipped: there is no Chromium (on Debian: apt-get install chromium)"; exit; fi; \
	$(GO) test ./internal/browser -count=1 -v -gateway "$(abspath $<)" -chromium "$$chromium"

# Packages in which goroutines share data; make verify runs all with the race detector.
# The clients of the others would take minutes to compile for it.
RACE = $(addprefix autotagger/internal/,apply awsapi catalogue function ledger live lookup pipeline)
.PHONY: test
test: lint catalogue-check ## every check of a change, the emulator's included
	$(GO) test $(filter-out $(RACE),$(PACKAGES))
	$(GO) test -race $(RACE)
	$(GO) test ./infra
	$(MAKE) synth

.PHONY: lint
lint: node_modules
	@unformatted=$$(gofmt -l cmd functions infra internal); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: fmt
fmt: ## format the code
	gofmt -w cmd functions infra internal

.PHONY: verify
verify: test fuzz bench soak corpus wire ## the slow extras too; run before a release
	for run in 1 2 3; do $(GO) test -count=1 -race $(PACKAGES); done
	$(MAKE) demo local local-organization browser

# Go's fuzzer at times takes the end of its own time for a failure: then there is
# no failing input.
FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## fuzz everything that reads bytes, FUZZTIME each
	@mkdir -p build; for pkg in $(PACKAGES); do \
		dir=$$($(GO) list -f '{{.Dir}}' $$pkg); \
		for target in $$(cat $$dir/*_test.go 2>/dev/null | grep -o '^func Fuzz[A-Za-z]*' | cut -c6-); do \
			echo "$$pkg $$target"; \
			$(GO) test $$pkg -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 200x | tee build/fuzz.log || \
				{ ! grep -q 'Failing input' build/fuzz.log && grep -q 'context deadline exceeded' build/fuzz.log; } || exit 1; \
		done; \
	done

# SEED=7 replays one; CREATES=2000 makes it shorter.
CREATES ?= 10000
SEED ?= 0
.PHONY: soak
soak: ## thousands of creates under faults of every kind, and what became of each
	$(GO) test ./internal/soak -run '^TestSoak$$' -v -count=1 -timeout 30m -creates $(CREATES) -seed $(SEED)

.PHONY: bench
bench: ## ratios against a floor measured in the same run
	$(GO) run ./cmd/bench

# The catalogue is generated from AWS's models, whose versions and hashes are in
# internal/models/inputs.lock. They are fetched once, into build/inputs.
.PHONY: catalogue
catalogue: ## generate the catalogue, its samples and docs/coverage.md
	$(GO) run ./cmd/catalogue write

.PHONY: catalogue-diff
catalogue-diff: ## list the rows that generating would add, remove or change
	$(GO) run ./cmd/catalogue diff

.PHONY: coverage
coverage: ## what of CloudFormation's taggable types is covered, and what is missed
	$(GO) run ./cmd/catalogue coverage

.PHONY: catalogue-check
catalogue-check: ## fail where the catalogue isn't what generating gives, or an override is needless
	$(GO) run ./cmd/catalogue check

.PHONY: golden
golden: ## write the golden results; read the diff
	$(GO) test ./internal/pipeline -run Events -update

.PHONY: corpus
corpus: ## the score on recorded events and what the rules let through, where CORPUS is a folder of them
	@if [ -d "$(CORPUS)" ]; then \
		$(GO) test ./internal/pipeline -run Corpus -v -count=1 -corpus "$(abspath $(CORPUS))"; \
		$(GO) test ./infra -run Corpus -v -count=1 -corpus "$(abspath $(CORPUS))"; \
	else echo "no recorded events at $(CORPUS)"; fi

# A module of its own, so that the project's doesn't list the clients. They take
# five minutes to build on two cores, once.
.PHONY: wire
wire: ## compare our requests with those of the SDK's clients of 63 services
	cd internal/wire && $(GO) mod tidy -diff && $(GO) vet ./... && $(GO) test ./...

# BREAK_GLASS is a glob over the names of the roles that may change our tags all
# the same. SCP_ARGS="-size 10240 -partition aws-us-gov -config other.yaml": see
# docs/security.md.
BREAK_GLASS ?= OrganizationAccountAccessRole
SCP_ARGS ?=
.PHONY: scp
scp: ## write service control policies that protect our tags: build/scp-1.json and so on
	$(GO) run ./cmd/scp -break-glass '$(BREAK_GLASS)' $(SCP_ARGS)

# The functions, as they are deployed: BUILD/ARCHITECTURE/FUNCTION/bootstrap.
# Without -buildvcs=false an asset would change with every commit.
BUILD ?= build
BOOTSTRAPS = $(foreach arch,arm64 amd64,$(foreach function,tagger cors ledger,$(BUILD)/$(arch)/$(function)/bootstrap))
$(BOOTSTRAPS): $(BUILD)/%/bootstrap: FORCE
	CGO_ENABLED=0 GOOS=linux GOARCH=$(*D) $(GO) build -buildvcs=false -tags lambda.norpc -trimpath -ldflags='-s -w -buildid=' -o $@ ./functions/$(*F)
FORCE:

.PHONY: functions
functions: $(BOOTSTRAPS) ## build the Lambda functions, for both architectures

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules

.PHONY: synth
synth: node_modules ## synthesise the CloudFormation templates into cdk.out
	npx cdk synth --quiet $(CDK_ARGS)

.PHONY: deploy
deploy: node_modules ## deploy to the account and region of the credentials
	npx cdk deploy --all $(CDK_ARGS)

.PHONY: destroy
destroy: node_modules ## remove the deployment, once its queues are empty
	$(GO) run ./cmd/autotagger doctor --drained
	npx cdk destroy --all $(CDK_ARGS)

.PHONY: clean
clean: ## remove what was built
	rm -rf build cdk.out
