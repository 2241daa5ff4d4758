# One command per intention; scripts/ does the work.
#   PG=14..18        major version of the private PostgreSQL (default 17)
#   PG_CONFIG=path   use an installed PostgreSQL instead
#   DESTDIR=path     install below a directory

export PG PG_CONFIG
MAJORS := $(shell sed -nE 's/^([0-9]+)\..*/\1/p' scripts/postgresql.lock)

.PHONY: demo test test-others test-all test-assertions memcheck miri gauntlet soak bench bench-short bench-purge build install uninstall deb image-tree test-packages dist lint fuzz clean

demo: ## build, start a throwaway server, run the real use, show what it did
	@scripts/demo

test: ## every test: core, SQL surface, interleavings, real clients
	@scripts/test

test-others: ## the SQL surface and interleavings on the other PostgreSQL versions
	@for major in $(filter-out $(or $(PG),17),$(MAJORS)); do PG=$$major PG_CONFIG= scripts/test regress isolation || exit 1; done

test-all: ## every test on every PostgreSQL version, and pg_upgrade between them
	@for major in $(MAJORS); do PG=$$major PG_CONFIG= scripts/test || exit 1; done
	@scripts/pg-upgrade

test-assertions: ## the SQL surface, interleavings and random calls on a PostgreSQL that checks itself
	@pg_config=$$(scripts/assertions) && PG_CONFIG=$$pg_config scripts/test regress isolation model histories

memcheck: ## the SQL surface under valgrind, on that PostgreSQL
	@pg_config=$$(scripts/assertions) && PG_CONFIG=$$pg_config scripts/test memcheck

miri: ## what needs no server, in Miri (needs a nightly toolchain)
	@scripts/miri

gauntlet: ## ten minutes of delays at random, random calls, crashes and faults; SEED=n repeats one
	@DELAYS=$${SEED:-$$(date +%s)} scripts/test regress isolation histories
	@GAUNTLET=long scripts/test gauntlet

soak: ## twenty minutes of sessions that come and go; writes tests/gauntlet/results/
	@scripts/soak

bench: ## measure against what one would write or run instead; writes bench/results/
	@scripts/bench

bench-short: ## as bench, a sample of it
	@SHORT=1 scripts/bench

bench-purge: ## measure the purge: how fast it is, what a load of updates feels of it
	@bench/purge

build: ## build and install into the selected PostgreSQL
	@scripts/build

install: ## as build, optimised
	@BUILD_PROFILE=release scripts/build

uninstall: ## remove what install has installed
	@scripts/uninstall

deb: ## a Debian package for the server packages of PG; in target/dist
	@packaging/deb

image-tree: ## the files of an image for CloudNativePG; in target/image
	@packaging/tree

test-packages: ## install, the Debian package and the image's files, on PostgreSQL 15 and 18
	@packaging/test

dist: ## the source of what is committed, and SHA-256 sums of all in target/dist
	@packaging/dist

lint: ## formatting, clippy, licences and sources of dependencies, shell scripts and what they use
	@scripts/lint

fuzz: ## the parsers of what comes from outside (needs a nightly toolchain)
	@scripts/fuzz

clean: ## remove everything that was built or unpacked
	rm -rf target
