# What people and CI do with this repository. `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help run build config test test-unit test-deps test-hostile check fmt doc man completions \
	install uninstall tree fuzz fuzz-deps bench bench-create \
	bench-deps bench-scale bench-state bench-udp ci clean

# What `make test` drives, as Debian packages: BitTorrent clients, systemd-analyze, strace, what
# reads man pages and completions, and what README asks the tracker with (hexdump is bsdextrautils').
CLIENTS := aria2 mktorrent transmission-cli python3-libtorrent systemd strace groff-base mandoc zsh \
	fish curl bsdextrautils openssl fail2ban
# Where the trackers go that `make bench` compares, beside the Debian packages.
BENCH_DEPS := target/bench-deps
# Links must lead somewhere; to private items they may, since those are documented too.
RUSTDOC_LINTS := -D warnings -A rustdoc::private_intra_doc_links
# What stands in the footers of the man pages; packagers set SOURCE_DATE_EPOCH.
MAN_DATE = $(shell date -u -d "@$${SOURCE_DATE_EPOCH:-$$(date +%s)}" +%F)
# Empty for root, who may have no sudo.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build the release binary and serve on port 6969; ARGS="--listen [::]:7000" passes options
	@cargo run --release --locked -- serve $(ARGS)

build: ## Build the release binary: target/release/muster
	cargo build --release --locked

config: ## Print the default configuration file, commented
	@cargo run --quiet --release --locked -- serve --print-config

test: ## Run every test; those with real BitTorrent clients where these are installed
	cargo test --locked --doc
	cargo test --locked --lib --bins --test it

test-unit: ## Run the tests inside the modules alone: a few seconds
	cargo test --locked --lib

test-deps: ## Install what the tests drive: BitTorrent clients, shells, readers of man pages (Debian)
	$(SUDO) apt-get update
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(CLIENTS)

test-hostile: ## Attack the program for three minutes while clients announce; MINUTES=30 for longer
	MINUTES=$(MINUTES) cargo test --locked --test hostile

check: ## Check the format, clippy and the documentation; with `make test`, what CI runs
	cargo fmt --check
	cargo clippy --locked --all-targets --test hostile -- -D warnings
	cargo clippy --locked --no-default-features --lib --bins -- -D warnings
	RUSTDOCFLAGS="$(RUSTDOC_LINTS)" cargo doc --locked --no-deps --document-private-items
	cargo check --manifest-path fuzz/Cargo.toml --all-targets

fmt: ## Format the code
	cargo fmt

doc: ## Build the documentation of the code and open it; it begins with the architecture
	cargo doc --locked --no-deps --document-private-items --open

man: ## Write the man pages of muster and its commands to target/man
	cargo run --quiet --locked --example man -- target/man $(MAN_DATE)
	@ls target/man/*.1

completions: ## Write the completions of bash, zsh and fish to target/completions
	@mkdir -p target/completions
	cargo run --quiet --locked -- completions bash > target/completions/muster
	cargo run --quiet --locked -- completions zsh > target/completions/_muster
	cargo run --quiet --locked -- completions fish > target/completions/muster.fish

# Both take DESTDIR, PREFIX and SYSCONFDIR.
install: ## Install what `make build man completions` made, under PREFIX=/usr/local, with its units
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" MADE="$(MADE)" \
	MUSTER="$(MUSTER)" dist/install install

uninstall: ## Remove what `make install` put there; edited configuration and the state stay
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" dist/install uninstall

tree: ## List the packages of the default build; the tidy test bounds their number
	@cargo tree --locked -e normal --prefix none | sed 's/ (.*)$$//' | sort -u

# Inputs go beyond the bounds on heads and bodies; by itself libFuzzer stops at 4,096 bytes.
# The sanitizer is an option of nightly compilers, which the variable asks of the stable one.
fuzz: ## Fuzz every parser for TIME=60 seconds each; TARGET=head only one; needs `make fuzz-deps`
	cargo run --quiet --manifest-path fuzz/Cargo.toml --example write_seeds
	RUSTC_BOOTSTRAP=1 cargo fuzz build
	@for target in $(or $(TARGET),$$(cargo fuzz list)); do mkdir -p fuzz/corpus/$$target; \
	RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	-max_len=$$([ $$target = body ] && echo 1100000 || echo 20000) \
	-max_total_time=$(or $(TIME),60) -timeout=10 -print_final_stats=1 || exit 1; done

fuzz-deps: ## Install cargo-fuzz, which drives libFuzzer; a C++ compiler has to be there
	cargo install --locked --version 0.13.2 cargo-fuzz

bench: ## Compare the trackers that are installed; ROUNDS=5; README=1 puts the tables into README.md
	cargo bench --locked --bench compare -- compare $(or $(ROUNDS),5) $(if $(README),readme)

bench-create: ## Measure the making of a torrent against mktorrent and bare SHA-1; SIZE=2GiB ROUNDS=5
	cargo bench --locked --bench create -- $(or $(SIZE),2GiB) $(or $(ROUNDS),5)

bench-deps: ## Install the trackers to compare: opentracker, aquatic (compiled), bittorrent-tracker
	$(SUDO) apt-get update
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends opentracker \
		$$(command -v npm > /dev/null || echo npm)
	for name in aquatic_udp aquatic_http; do \
		cargo install --locked --root $(BENCH_DEPS) --target-dir $(BENCH_DEPS)/build \
			--no-default-features --features mimalloc $$name@0.9.0 || exit; \
	done
	npm install --no-audit --no-fund --omit=optional --ignore-scripts --prefix $(BENCH_DEPS) \
		bittorrent-tracker@11.0.2

bench-scale: ## Measure muster alone, at 7 sizes; README=1; SIZES="1/1000000" (torrents/peers) for others
	cargo bench --locked --bench compare -- scale $(if $(README),readme) $(SIZES)

bench-state: ## Measure saving and loading a million peers, and announces meanwhile
	cargo bench --locked --bench state

bench-udp: ## Measure an announce over UDP and HTTP, and on all addresses instead of one; ROUNDS=5
	cargo bench --locked --bench udp -- $(or $(ROUNDS),5)

ci: ## Run what CI runs, the installation of the clients included
	.ci/run

clean: ## Remove what the build made
	cargo clean
