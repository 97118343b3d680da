# Every routine by its name; CI runs the same.

# The tests that need nothing but Linux, Rust, git, bash and namespaces; says which others there are.
test:
    cargo test

# The ignored tests: sandboxes on Docker, and runs against upstream, Docker, Redis; prepares what they need.
e2e:
    scripts/with-docker sh -c 'scripts/fixture-images && scripts/musl-image && scripts/upstream-venvs && scripts/proxy-venv && scripts/tables-venv && scripts/js-runners && cargo test --test sandbox -- --ignored && cargo test --test e2e -- --ignored --skip slurm --test-threads 3'

# The ignored tests on a Slurm of their own; needs root. The first share its nodes, a run has all of them.
slurm:
    scripts/with-slurm cargo test --test e2e -- --ignored slurm --test-threads 8

# The pages of `report --format html` and `view` in Chromium and Firefox; needs npm.
browser:
    scripts/browser-tests

# Format, clippy, documentation, licences and sources.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
    cargo deny check licenses bans sources

# Changes each operator and value of the pure code; each change must fail a unit test. Needs cargo-mutants.
# Of one file: `just mutants -F src/model/price.rs`.
mutants *args:
    cargo mutants -j1 {{args}}

# The pages of docs/ as a book in target/book; a warning is an error.
book:
    mdbook build 2>&1 | tee target/book.log
    ! grep -E 'WARN|ERROR' target/book.log

# All three settings over the embedded demo dataset: no Docker, no key, no network.
demo:
    cargo run -- run --profile demo

# The benchmarks of docs/benchmarks.md.
bench:
    cargo build --profile dist
    scripts/bench
    scripts/with-docker sh -c 'scripts/fixture-images && scripts/upstream-venvs && scripts/bench-engines && cargo bench --bench step -- docker oci "${XDG_DATA_HOME:-$HOME/.local/share}/regatta/images"'

# Unpacking an image against `tar -x` of its layers: of this machine's files, or `just bench-unpack LAYER.tar…`.
bench-unpack *layers:
    scripts/bench-unpack {{layers}}

# The figures of pages, over a log tree of yours: `just bench-pages LOGS RUN…`.
bench-pages logs *runs:
    scripts/bench-pages {{logs}} {{runs}}

# How often intervals and p-values hold, into docs/concepts/statistics.md; `--tenth` only checks.
coverage *args:
    cargo run --release --package coverage -- {{args}}
