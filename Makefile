# make build   the program, stripped, in bin/
# make demo    the whole story on this machine; needs Go and git only
# make test    everything, with the real tools of others; needs Go, git, Node with npm, and Python
# make bench   the figures of the README, measured side by side with cosign
# make tools   the programs that test and bench run: cosign 2 and 3, a registry, crane, Azurite

SHELL := /bin/bash -o pipefail
export PROVENANCE_TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/provenance-tools

# A file that gets the test results as JUnit XML, for a build server.
JUNIT ?=

.PHONY: build demo test bench tools lint

# Without the manual pages of the flags' library and the debug pages of gRPC: nothing here shows them.
build:
	CGO_ENABLED=0 go build -tags=urfave_cli_no_docs,grpcnotrace -trimpath -buildvcs=auto -ldflags='-s -w' -o bin/ ./cmd/provenance

demo:
	go run ./examples/mortgage

test: tools lint
ifdef JUNIT
	go test -v -timeout 20m ./... 2>&1 | "$$(.ci/tools/build.sh junit)"/junit -iocopy -set-exit-code -out "$(JUNIT)"
else
	go test -timeout 20m ./...
endif

bench: tools build
	go run ./.ci/bench

tools:
	@.ci/tools/build.sh >/dev/null

lint:
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt these files:" $$unformatted >&2; exit 1; fi
	go vet ./... $(addprefix ./,$(wildcard .ci/bench))
