# Drydock's targets. Go and make are all that they need; the rest comes through
# go.mod and tools/go.mod, both pinned. `make help` prints the lines with ##.

GO ?= go
# The linters live in a module of their own, so that their dependencies are not
# the product's.
TOOL := $(GO) tool -modfile=tools/go.mod

# The packages whose tests are about sockets, processes and real time.
REAL := ./node/host ./node/transport ./node/front ./node/direct ./node/authcheck ./node/legacy ./node/discovery ./node/worker \
	./node/client ./node/daemon ./node/dashboard ./node/runtime/... ./node/machine/... ./node/fleetapi/serve \
	./node/fleetctl ./node/fleetclient ./node/labcontrol ./bench/fleetload
REAL_LABS := ./vmlab/cmd ./vmlab/keeper ./vmlab/netns ./vmlab/labworld ./vmlab/load ./vmlab/work ./vmlab/wire ./vmlab/wire/kernel \
	./vmlab/sshway ./vmlab/foothold ./vmlab/parts ./vmlab/qemu ./vmlab/lima ./vmlab/image ./vmlab/initrd ./vmlab/calibrate/... ./vmlab/procs
# The packages that start goroutines or processes; the rest has one thread by
# rule (node/purity_test.go), so that the race detector could only cost time.
RACE_PACKAGES := ./scenarios/runner/... ./scenarios/cmd/... ./scenarios/simworld ./scenarios/shrink ./bench/mutants $(REAL)
# Labs depend on real time: their tests run one package at a time, after the others.
RACE_LABS := ./vmlab/load ./vmlab/power ./vmlab/calibrate/... ./vmlab/work ./vmlab/wire/... ./vmlab/sshway ./vmlab/foothold ./vmlab/keeper ./vmlab/netns ./vmlab/qemu/... ./vmlab/lima

# Lima's library is the dependency of one program, which is a module of its own.
LIMA := vmlab/lima/limactl

FUZZTIME ?= 30s
SEEDS ?= 200
SOAK ?= 10m
BUDGET ?= 30m
DRIVER ?= netns
SCENARIOS ?= scenarios

.DEFAULT_GOAL := build
.PHONY: build test lint fmt-check vet staticcheck race fuzz sim soak lima lima-test lab-vm image lab-scenarios mutants bench golden install clean demo help

build: ## build bin/drydock
	$(GO) build -trimpath -o bin/drydock .

lima: ## build bin/drydock-lima, which the lab driver lima needs (the first time takes minutes)
	cd $(LIMA) && $(GO) build -trimpath -o $(CURDIR)/bin/drydock-lima .

demo: ## kill the leader of a simulated cluster under load and judge what its clients saw
	@$(GO) run . run scenarios/leader-crash.yaml

test: lint ## everything that must pass: lint, all tests, the race detector where there are goroutines
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory image; fi # its tests take root
	@race=; if [ "$$($(GO) env CGO_ENABLED)" = 1 ]; then race="-- -timeout 30m -race $(RACE_PACKAGES) -- -p 1 -timeout 30m -race $(RACE_LABS)"; fi; \
	AGAIN="$(REAL) $(REAL_LABS) ./node/cmd ./node/etcdctl ./bench/cmd ./bench/kv ./bench/load" \
	$(GO) run ./bench/gotest -timeout 30m $$($(GO) list ./... | grep -v /vmlab/) -- -p 1 -timeout 30m ./vmlab/... $$race || exit 1; \
	if [ -z "$$race" ]; then echo "  the race detector needs a C compiler and there is none: apt-get install gcc"; fi
	@$(MAKE) --no-print-directory lima-test

lint: fmt-check vet staticcheck ## gofumpt, go vet (for Linux and macOS) and staticcheck

fmt-check:
	@out=$$($(TOOL) gofumpt -l .) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted, run: $(TOOL) gofumpt -w ."; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...

staticcheck:
	$(TOOL) staticcheck ./...

race: ## the tests of the packages with goroutines, under the race detector
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ]; then \
	  set -x; $(GO) test -timeout 30m -race $(RACE_PACKAGES) && $(GO) test -p 1 -timeout 30m -race $(RACE_LABS); \
	else \
	  echo "race: skipped, the race detector needs a C compiler and there is none"; \
	fi

lima-test: ## vet and test drydock-lima, where its modules can be had
	@cd $(LIMA) && if said=$$($(GO) list -deps -test . 2>&1 >/dev/null); then \
	  set -x; $(GO) vet . && $(GO) test .; \
	else \
	  echo "lima-test: skipped, Lima's modules can't be had: $$(echo "$$said" | tail -1)"; \
	fi

fuzz: ## fuzz every decoder for FUZZTIME each (default 30s)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  targets=$$($(GO) test -list '^Fuzz' $$pkg); \
	  for target in $$(echo "$$targets" | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done
	cd $(LIMA) && $(GO) test -run '^$$' -fuzz FuzzReadMachine -fuzztime $(FUZZTIME) .

sim: ## run every scenario on SEEDS seeds each (default 200)
	$(GO) run . run --seeds $(SEEDS) scenarios

soak: ## kill, pause and restart three real processes under load for SOAK (default 10m), and judge what clients saw
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -v -run TestKilledProcesses ./vmlab/procs

lab-vm: image ## boot labs of machines with a kernel of their own, as an ordinary user: User Mode Linux, QEMU, Lima
	.ci/lab-vm

image: ## build what labs' machines boot from, unless it is there or can't be had
	@mkdir -p bin && $(GO) build -trimpath -o bin/drydock . && \
	{ bin/drydock lab image build || echo "image: skipped, see above; so are the tests of machines that boot it"; }

lab-scenarios: build ## run every scenario that labs can do twice in a row on real machines (DRIVER=netns, as root; over an hour), and print a table
	bin/drydock run --driver $(DRIVER) --seeds 2 --keep-going $(SCENARIOS)

mutants: ## plant bugs in a copy of the tree and see which the simulator finds (BUDGET of CPU, default 30m)
	$(GO) run ./bench/mutants --budget $(BUDGET)

bench: ## run all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

golden: ## rewrite the expected outputs in testdata; read the diff before committing it
	@set -e; \
	packages() { grep -rlE --include='*_test.go' "$$1" . | xargs -r -n1 dirname | sort -u; }; \
	for pkg in $$(packages 'cockroachdb/datadriven'); do $(GO) test $$pkg -rewrite; done; \
	for pkg in $$(packages 'flag\.Bool\("update"'); do (cd $$pkg && $(GO) test . -update); done

install: ## install drydock into GOBIN
	$(GO) install -trimpath .

clean: ## remove what the build and the runs have left
	rm -rf bin .drydock

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
